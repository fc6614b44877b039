"""Pull requests of the kit on local AWS: tested, commented, approved by the checks and by a person, merged."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from scaffold.core.git import git
from scaffold.service import names
from tests.deploy.services import commit, run, unused_name
from tests.engine.images.conftest import write_app
from tests.engine.roles import create_role
from tests.release.rehearsals import small_service
from tests.release.test_merge_gate import NO_BUILD, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
REGION = "us-east-1"
# What a person may do who reviews.
REVIEW = {"Effect": "Allow", "Action": "codecommit:*", "Resource": "*"}
ATTACK = """\
say() { echo "ATTEMPT $*"; }
attempt() { local name=$1; shift; if "$@" >/dev/null 2>&1; then say "$name succeeded"; else say "$name denied"; fi; }
attempt nothing true
attempt source git ls-remote origin
git -c user.name=x -c user.email=x@example.com commit -q --allow-empty -m hostile
attempt push git push -q origin HEAD:refs/heads/main
attempt branch git push -q origin HEAD:refs/heads/more
attempt approve aws codecommit update-pull-request-approval-state --pull-request-id "$PULL_REQUEST" \\
  --revision-id x --approval-state APPROVE
attempt comment aws codecommit get-comments-for-pull-request --pull-request-id "$PULL_REQUEST"
attempt assume aws sts assume-role --role-session-name verdict \\
  --role-arn arn:aws:iam::000000000000:role/APP/delivery/APP-pr-verdict
attempt deploy aws cloudformation delete-stack --stack-name APP-pull-requests
attempt plan aws cloudformation create-change-set --stack-name APP-live-network --change-set-name plan-pull-request-1 \\
  --use-previous-template
attempt registry aws ecr get-login-password
attempt images aws ecr describe-images --repository-name APP
attempt release aws codepipeline start-pipeline-execution --name APP
attempt build aws codebuild start-build --project-name APP-pr-verdict
attempt logs aws logs get-log-events --log-group-name /APP/pipeline/build --log-stream-name x
attempt secret aws ssm get-parameter --name x
attempt artifacts aws s3 ls
mkdir -p app/reports
echo '<testsuites><testsuite name="x"><testcase name="x"/></testsuite></testsuites>' > app/reports/junit.xml
exit 0
"""


class PullRequests:
    """A deployed service, whose reviewers have a role of their own.

    Attributes:
        root: The clone.
    """

    def __init__(self, folder: Path, app: str) -> None:
        self.app = app
        self.reviewers = f"{app}-people"
        self.root = small_service(folder, app_name=app, customize=True, reviewers=self.reviewers)
        shutil.rmtree(self.root / "app")
        write_app(self.root / "app")
        self.base = commit(self.root, config__buildspecs__build_yml=NO_BUILD)
        iam = self.client("iam")
        for role in (self.reviewers, f"{app}-others"):
            create_role(iam, role, REVIEW)
        run(self.root)
        self.codecommit = self.client("codecommit")

    def client(self, service: str, role: str = "", session: str = "mary") -> Any:
        """A client with local AWS's own credentials, or as a person in a role."""
        found = boto3.Session(region_name=REGION)
        if role:
            arn = f"arn:aws:iam::000000000000:role/{role}"
            given = found.client("sts").assume_role(RoleArn=arn, RoleSessionName=session)["Credentials"]
            keys = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
            found = boto3.Session(*keys, region_name=REGION)
        return found.client(service)

    def push(self, branch: str, change: Callable[[Path], Any]) -> str:
        """Push a change of main to a branch."""
        git("checkout", "--quiet", "-B", branch, self.base, cwd=self.root)
        change(self.root)
        made = commit(self.root)
        git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}", cwd=self.root, env=dict(os.environ))
        return made

    def open(self, branch: str) -> str:
        """A pull request of a branch, by one of the others."""
        target = {"repositoryName": self.app, "sourceReference": branch, "destinationReference": names.BRANCH}
        made = self.client("codecommit", f"{self.app}-others").create_pull_request(title=branch, targets=[target])
        return str(made["pullRequest"]["pullRequestId"])

    def tested(self, commit: str) -> dict[str, Any]:
        """The build that tests a commit, once it has ended."""

        def find() -> dict[str, Any] | None:
            ids = self.client("codebuild").list_builds_for_project(projectName=f"{self.app}-pr-tests")["ids"]
            found = self.client("codebuild").batch_get_builds(ids=ids)["builds"] if ids else []
            return next((one for one in found if one["sourceVersion"] == commit and one["buildComplete"]), None)

        return dict(eventually(find))

    def log(self, build: dict[str, Any]) -> str:
        """The log of a build."""
        given = {"logGroupName": build["logs"]["groupName"], "logStreamName": build["logs"]["streamName"]}
        found = self.client("logs").get_log_events(**given, startFromHead=True)["events"]
        return "\n".join(one["message"] for one in found)

    def comments(self, number: str) -> list[dict[str, Any]]:
        """All comments of a pull request."""
        found = self.codecommit.get_comments_for_pull_request(pullRequestId=number)["commentsForPullRequestData"]
        return [comment for thread in found for comment in thread["comments"]]

    def says(self, number: str, *words: str) -> str:
        """The comment of the verdict, once it has these words."""

        def find() -> str | None:
            found = self.comments(number)
            assert len(found) <= 1, found
            text = found[0]["content"] if found else ""
            return str(text) if all(word in text for word in words) else None

        return str(eventually(find))

    def fill(self, kind: str) -> None:
        """Give a stack of the environment what a release of main gives it."""
        folder, client = self.root / "infrastructure", self.client("cloudformation")
        given = json.loads((folder / f"live/{kind}.json").read_text())["Parameters"]
        client.update_stack(
            StackName=f"{self.app}-live-{kind}",
            TemplateBody=(folder / f"{kind}.yaml").read_text(),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        )

        def ended() -> bool:
            (stack,) = client.describe_stacks(StackName=f"{self.app}-live-{kind}")["Stacks"]
            assert "ROLLBACK" not in stack["StackStatus"], stack
            return str(stack["StackStatus"]) == "UPDATE_COMPLETE"

        eventually(ended)

    def change_sets(self) -> list[str]:
        """The change sets of the environment's stacks."""
        client = self.client("cloudformation")
        stacks = (f"{self.app}-live-{kind}" for kind in ("network", "environment", "alarms", "service"))
        return [one["ChangeSetName"] for name in stacks for one in client.list_change_sets(StackName=name)["Summaries"]]

    def revision(self, number: str) -> str:
        return str(self.codecommit.get_pull_request(pullRequestId=number)["pullRequest"]["revisionId"])

    def approvers(self, number: str) -> set[str]:
        """Who has approved the newest revision."""
        given = {"pullRequestId": number, "revisionId": self.revision(number)}
        found = self.codecommit.get_pull_request_approval_states(**given)["approvals"]
        return {one["userArn"] for one in found if one["approvalState"] == "APPROVE"}

    def approve(self, number: str, role: str, session: str = "mary") -> None:
        """Approve the newest revision as a person."""
        self.client("codecommit", role, session).update_pull_request_approval_state(
            pullRequestId=number, revisionId=self.revision(number), approvalState="APPROVE"
        )

    def missing(self, number: str) -> set[str]:
        """The approval rules that are not satisfied."""
        given = {"pullRequestId": number, "revisionId": self.revision(number)}
        found = self.codecommit.evaluate_pull_request_approval_rules(**given)["evaluation"]
        return {one.removeprefix(f"{self.app}-") for one in found["approvalRulesNotSatisfied"]}

    def merge(self, number: str) -> None:
        """Merge as a person."""
        client = self.client("codecommit", self.reviewers)
        client.merge_pull_request_by_fast_forward(pullRequestId=number, repositoryName=self.app)

    @property
    def verdict(self) -> str:
        """Who approves for the checks."""
        return f"arn:aws:sts::000000000000:assumed-role/{self.app}-pr-verdict/verdict"


@pytest.fixture
def requests(aws: None, tmp_path: Path) -> PullRequests:
    return PullRequests(tmp_path / "service", unused_name())


def test_a_pull_request_is_merged_with_the_approvals_of_checks_and_a_person(requests: PullRequests) -> None:
    broken = requests.push("change", lambda root: write_app(root / "app", broken=True))
    number = requests.open("change")
    assert requests.tested(broken)["buildStatus"] == "FAILED"
    requests.says(number, f"Tests of `{broken[:12]}`: failed", "Build stopped: the tests failed.", "do not approve")
    requests.approve(number, requests.reviewers)
    assert requests.missing(number) == {names.CHECKS_RULE}
    with pytest.raises(ClientError, match="PullRequestApprovalRulesNotSatisfied"):
        requests.merge(number)

    fixed = requests.push("change", lambda root: (root / "app/src/main.js").write_text("console.log('new');\n"))
    requests.says(number, f"Tests of `{fixed[:12]}`: succeeded", "approve this commit")
    build = requests.tested(fixed)
    assert build["buildStatus"] == "SUCCEEDED", requests.log(build)
    assert build["reportArns"][0].split("report/")[1].startswith(f"{requests.app}-pr-tests-unit-tests:")
    assert eventually(lambda: requests.approvers(number)) == {requests.verdict}
    assert requests.missing(number) == {names.REVIEW_RULE}
    requests.approve(number, f"{requests.app}-others", "john")
    assert requests.missing(number) == {names.REVIEW_RULE}
    with pytest.raises(ClientError, match="PullRequestApprovalRulesNotSatisfied"):
        requests.merge(number)
    requests.approve(number, requests.reviewers)
    requests.merge(number)

    def started() -> bool:
        found = requests.client("codepipeline").list_pipeline_executions(pipelineName=requests.app)
        runs = found["pipelineExecutionSummaries"]
        return any(fixed == revision["revisionId"] for one in runs for revision in one["sourceRevisions"])

    assert eventually(started)


def edit_environment(root: Path) -> None:
    """A route table more, and more tasks."""
    template, service = (root / "infrastructure" / name for name in ("network.yaml", "live/service.json"))
    table = "  More:\n    Type: AWS::EC2::RouteTable\n    Properties:\n      VpcId: !Ref Vpc\n"
    template.write_text(template.read_text().replace("Resources:\n", f"Resources:\n{table}", 1))
    document = json.loads(service.read_text())
    document["Parameters"]["MinTasks"] = "4"
    service.write_text(json.dumps(document))


def test_the_comment_says_what_a_pull_request_would_change_and_what_it_would_cost(requests: PullRequests) -> None:
    requests.fill("network")
    requests.push("change", edit_environment)
    number = requests.open("change")
    found = requests.says(number, "**Plan: succeeded**", "The checks approve this commit.")
    assert "- **live**, network: added `More`" in found
    assert "- **live**, service: its first release creates everything" in found
    assert re.search(r"Costs a month compared to main: \+[0-9.]+ USD \(live [0-9.]+ to [0-9.]+\)", found)
    assert requests.change_sets() == []
    assert eventually(lambda: requests.approvers(number)) == {requests.verdict}


def hostile(app: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        for script in (root / "config/scripts").glob("*.py"):
            script.write_text("raise SystemExit\n")
        (root / "config/scripts/build_image.sh").write_text(ATTACK.replace("APP", app))
        for name in ("pull-requests", "plans"):
            (root / f"infrastructure/{name}.yaml").write_text("Resources: {}\n")
        template = root / "infrastructure/network.yaml"
        template.write_text(f"Transform: Macro\n{template.read_text()}")
        (root / "config/policies/approval-rule-review.json").write_text("{}")
        (root / "config/buildspecs/build.yml").write_text("version: 0.2\nphases: {build: {commands: [exit 0]}}\n")

    return change


def test_a_hostile_pull_request_gains_nothing(requests: PullRequests) -> None:
    main = requests.codecommit.get_branch(repositoryName=requests.app, branchName=names.BRANCH)["branch"]
    made = requests.push("hostile", hostile(requests.app))
    number = requests.open("hostile")
    build = requests.tested(made)
    attempts = [line.partition("ATTEMPT ")[2] for line in requests.log(build).splitlines() if "ATTEMPT " in line]
    results = dict(attempt.split() for attempt in attempts)
    assert {name for name, result in results.items() if result == "succeeded"} == {"nothing", "source"}, results
    assert len(results) == ATTACK.count("\nattempt ")
    # Its tests say that they succeed, which the verdict cannot know better: a person reads the change.
    # Nothing of it is sent to CloudFormation, and the comment says so.
    stack = f"{requests.app}-live-network"
    refused = f"`the stack {stack} is refused, since its template has a transform, which CloudFormation would run`"
    requests.says(number, f"Tests of `{made[:12]}`: succeeded", f"- **live** is not planned: {refused}")
    assert requests.change_sets() == []
    assert requests.missing(number) == {names.REVIEW_RULE}
    assert requests.approvers(number) <= {requests.verdict}
    assert requests.codecommit.get_branch(repositoryName=requests.app, branchName=names.BRANCH)["branch"] == main
