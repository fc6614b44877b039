"""Small services to deploy, and helpers to record, disturb and kill a deployment."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import string
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import botocore.awsrequest
import pytest
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

import scaffold.aws.session
from scaffold.commands import deploy, destroy
from scaffold.commands.deploy import DeployOptions
from scaffold.commands.destroy import DestroyOptions
from scaffold.console.console import Console
from scaffold.core.git import git
from scaffold.core.target import Target, configured_target
from scaffold.deployment.deploy_result import DeployResult
from scaffold.deployment.destroy import DestroyResult
from scaffold.deployment.destroy import destroy as destroy_service
from scaffold.service import names
from scaffold.service.service import read
from scaffold.service.stack_kinds import FOUNDATION as FOUNDATION_KIND
from scaffold.service.stack_kinds import PIPELINE as PIPELINE_KIND
from scaffold.service.stack_kinds import StackId, deployed_by_scaffold, identify
from tests.conftest import only
from tests.kits import COMMIT
from tests.local_aws_forks import SNAPSHOTS

IDENTITY = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "developer"), ("EMAIL", "developer@example.com"))
}

FOUNDATION = """\
AWSTemplateFormatVersion: '2010-09-09'
Parameters:
  AppName: {Type: String}
  RootCommit: {Type: String}
Resources:
  Key:
    Type: AWS::KMS::Key
    Metadata: {Disposable: true}
    DeletionPolicy: RetainExceptOnCreate
    UpdateReplacePolicy: Retain
    Properties:
      KeyPolicy:
        Version: '2012-10-17'
        Statement:
          - Effect: Allow
            Principal: {AWS: !Sub 'arn:aws:iam::${AWS::AccountId}:root'}
            Action: kms:*
            Resource: '*'
  ArtifactBucket:
    Type: AWS::S3::Bucket
    Metadata: {Description: Bucket — for artifacts, Disposable: true}
    DeletionPolicy: RetainExceptOnCreate
    UpdateReplacePolicy: Retain
    Properties: {VersioningConfiguration: {Status: Enabled}}
  Images:
    Type: AWS::ECR::Repository
    Metadata: {Disposable: true}
    DeletionPolicy: RetainExceptOnCreate
    UpdateReplacePolicy: Retain
    Properties: {RepositoryName: !Ref AppName}
Outputs:
  ArtifactBucketName: {Value: !Ref ArtifactBucket}
  RootCommit: {Value: !Ref RootCommit, Export: {Name: !Sub '${AWS::StackName}-RootCommit'}}
"""
IDENTIFIED = """\
Outputs:
  RootCommit: {Value: {Fn::ImportValue: !Sub '${AppName}-foundation-RootCommit'}}
"""

PERMISSIONS = f"""\
AWSTemplateFormatVersion: '2010-09-09'
Parameters:
  AppName: {{Type: String}}
  EnvironmentName: {{Type: String, Default: delivery}}
{IDENTIFIED}
Resources:
  DeployRole:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Sub ${{AppName}}-${{EnvironmentName}}-deploy
      Path: !Sub /${{AppName}}/deploy/
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{{Effect: Allow, Principal: {{Service: cloudformation.amazonaws.com}}, Action: 'sts:AssumeRole'}}]
      Policies:
        - PolicyName: everything
          PolicyDocument: {{Version: '2012-10-17', Statement: [{{Effect: Allow, Action: '*', Resource: '*'}}]}}
"""

# The kit's own: it is small.
PLACEHOLDER = (Path(__file__).parents[2] / "template/infrastructure/placeholder.yaml").read_text(encoding="utf-8")

BUILD = f"""\
AWSTemplateFormatVersion: '2010-09-09'
Parameters:
  AppName: {{Type: String}}
{IDENTIFIED}
Resources:
  Builds: {{Type: AWS::SNS::Topic}}
"""

CHECKS = BUILD.replace("Builds", "Checks")
PULL_REQUESTS = BUILD.replace("Builds", "Requests")
PLANS = BUILD.replace("Builds", "Plans")
TESTS = BUILD.replace("Builds", "Tests")
EVENTS = BUILD.replace("Builds", "Events")
RELEASES = BUILD.replace("Builds", "Releases")

PIPELINE = f"""\
AWSTemplateFormatVersion: '2010-09-09'
Parameters:
  AppName: {{Type: String}}
  Unused: {{Type: String, Default: nothing}}
{IDENTIFIED}
Resources:
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {{LogGroupName: !Sub '/${{AppName}}/pipeline/build'}}
  Topic: {{Type: AWS::SNS::Topic}}
"""

MORE = "  More: {Type: AWS::SNS::Topic}\n"
IMPOSSIBLE = "  Queue: {Type: AWS::SQS::Queue, Properties: {MessageRetentionPeriod: 9}}\n"

RULE = {
    "Version": "2018-11-08",
    "DestinationReferences": ["refs/heads/main"],
    "Statements": [{"Type": "Approvers", "NumberOfApprovalsNeeded": 1}],
}
CHECKS_POOL = "arn:${AWS::Partition}:sts::${AWS::AccountId}:assumed-role/verdict/verdict"
CHECKS_RULE = RULE | {
    "Statements": [{"Type": "Approvers", "NumberOfApprovalsNeeded": 1, "ApprovalPoolMembers": [CHECKS_POOL]}]
}


def foundation_stack(app: str) -> str:
    """The name of the foundation's stack."""
    return StackId(FOUNDATION_KIND).name(app)


def deployed_stacks(app: str, environments: Iterable[str] = ("dev", "prod")) -> list[str]:
    """The names of the stacks that `scaffold deploy` creates, in order."""
    return [stack.name(app) for stack in deployed_by_scaffold(environments)]


def pipeline_stack(app: str) -> str:
    """The name of the pipeline's stack."""
    return StackId(PIPELINE_KIND).name(app)


def environment_stack(app: str, environment: str, kind: str) -> str:
    """The name of an environment's stack."""
    return f"{app}-{environment}-{kind}"


_names_of_tests: Counter[str] = Counter()


def unused_name() -> str:
    """A service name that no other test has: all tests of a process share one local AWS.

    Each run of a test has the same one, since the networks that the kit derives from a name may overlap.
    """
    test = os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0]
    _names_of_tests[test] += 1
    digest = hashlib.sha256(f"{test} {_names_of_tests[test]}".encode()).hexdigest()
    return "t" + "".join(string.ascii_lowercase[int(digit, 16)] for digit in digest[:10])


def make_service(root: Path, name: str | None = None, **answers: Any) -> Path:
    """Write and commit a service with small stand-ins for the kit's templates."""
    name = name or unused_name()
    recorded = {"app_name": name, "aws_region": "us-east-1", "environments": "dev,prod", **answers}
    environments = str(recorded["environments"]).split(",")
    configuration = {"Parameters": {"AppName": name}, "Tags": {names.TAG_SERVICE: name}}
    files = {
        ".copier-answers.yml": "".join(f"{key}: {json.dumps(value)}\n" for key, value in recorded.items()),
        "infrastructure/foundation.yaml": FOUNDATION,
        "infrastructure/foundation.json": json.dumps(configuration),
        "infrastructure/permissions.yaml": PERMISSIONS,
        "infrastructure/permissions.json": json.dumps(configuration),
        "infrastructure/deploy-role.yaml": PERMISSIONS,
        **{f"infrastructure/{one}/deploy-role.json": of_environment(name, one) for one in environments},
        "infrastructure/placeholder.yaml": PLACEHOLDER,
        "infrastructure/build.yaml": BUILD,
        "infrastructure/build.json": json.dumps(configuration),
        "infrastructure/checks.yaml": CHECKS,
        "infrastructure/checks.json": json.dumps(configuration),
        "infrastructure/pull-requests.yaml": PULL_REQUESTS,
        "infrastructure/pull-requests.json": json.dumps(configuration),
        "infrastructure/plans.yaml": PLANS,
        "infrastructure/plans.json": json.dumps(configuration),
        "infrastructure/releases.yaml": RELEASES,
        "infrastructure/releases.json": json.dumps(configuration),
        "infrastructure/tests.yaml": TESTS,
        "infrastructure/tests.json": json.dumps(configuration),
        "infrastructure/events.yaml": EVENTS,
        "infrastructure/events.json": json.dumps(configuration),
        "infrastructure/pipeline.yaml": PIPELINE,
        "infrastructure/pipeline.json": json.dumps(configuration | {"StackPolicy": {"Statement": [ALLOW]}}),
        "config/policies/approval-rule-review.json": json.dumps(RULE),
        "config/policies/approval-rule-checks.json": json.dumps(CHECKS_RULE),
    }
    root.mkdir(parents=True)
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    git("init", "-q", "-b", "main", cwd=root)
    commit(root)
    return root


class Deployments:
    """Services that were deployed once, in local AWS and in a folder, to be copied for each test.

    Args:
        folder: Where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def copy(self, name: str, deploy: Callable[[Path], Any], root: Path) -> Path:
        """Put a deployed service into a folder, and what belongs to it into local AWS, which has nothing else then.

        Args:
            deploy: Makes and deploys it in a folder. It is called where no test before has done that.
        """
        kept = self._folder / name
        if not kept.exists():
            _snapshots(restore="")
            deploy(kept)
            if not _snapshots(keep=name):  # Local AWS does not run in a fork.
                return kept.rename(root)
        elif not _snapshots(restore=name):
            raise LookupError(f"local AWS has lost {name}")
        return Path(shutil.copytree(kept, root, symlinks=True))


def _snapshots(**what: str) -> bool:
    """Keep or restore what local AWS has; return whether it can."""
    request = Request(os.environ["AWS_ENDPOINT_URL"] + SNAPSHOTS, json.dumps(what).encode(), method="POST")
    try:
        urlopen(request, timeout=60).close()
    except HTTPError:
        return False
    return True


def make_kit_service(root: Path, **answers: Any) -> Path:
    """Generate and commit a service with the kit's own templates."""
    kits = pytest.importorskip("tests.kits")
    kits.generate(root, app_name=unused_name(), **answers)
    git("init", "-q", "-b", "main", cwd=root)
    commit(root)
    return root


def of_environment(app: str, environment: str) -> str:
    """The configuration file of an environment's stack."""
    return json.dumps(
        {
            "Parameters": {"AppName": app, "EnvironmentName": environment},
            "Tags": {names.TAG_SERVICE: app, names.TAG_ENVIRONMENT: environment},
        }
    )


ALLOW = {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}


def commit(root: Path, message: str = "change", **files: str) -> str:
    """Commit everything, files named like `infrastructure__pipeline_yaml` written before; return the commit."""
    for path, text in files.items():
        folder, _, name = path.rpartition("__")
        stem, _, ending = name.rpartition("_")
        target = root / folder.replace("__", "/") / f"{stem}.{ending}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    git("add", "-A", cwd=root)
    git(*COMMIT, "-q", "--allow-empty", "-m", message, cwd=root, env=IDENTITY)
    return git("rev-parse", "HEAD", cwd=root)


def run(root: Path, **options: Any) -> DeployResult:
    """Deploy without output."""
    return deploy.run(DeployOptions(root, **options), Console())


def run_with_profile(root: Path, profile: str) -> DeployResult:
    """Deploy with a named profile."""
    return deploy.run(DeployOptions(root, profile=profile), Console())


def remove(root: Path, *, lift: bool = True, **options: Any) -> DestroyResult:
    """Destroy, confirmed unless another `confirm` is given.

    Args:
        lift: Whether to lift the termination protection of what is to be deleted before, as a person has to.
    """
    service = read(root)
    if lift:
        lift_protection(service.app_name, options.get("environment"))
    confirm = options.pop("confirm", None)
    if confirm is None:
        return destroy.run(DestroyOptions(root, yes=True, **options), Console())
    given = {"environment": None, "plan": False} | options
    return destroy_service(service, configured_target(service.region), confirm=confirm, console=Console(), **given)


Answer = Callable[[str, dict[str, Any]], tuple[Any, dict[str, Any]] | None]


@dataclass
class Wire:
    """Records API calls and injects faults.

    Attributes:
        calls: Each API call as `service:Operation`.
        requests: The parameters of each call, in the same order.
        faults: Responses in place of AWS's, by operation.
        touched: Functions that edit AWS's responses, by operation.
        lost: The operations whose answer was lost.
        transport: Functions that answer, or fail, in place of the HTTP library, by operation.
    """

    calls: list[str] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    faults: dict[str, Callable[[], Any]] = field(default_factory=dict)
    touched: dict[str, Callable[[dict[str, Any]], None]] = field(default_factory=dict)
    transport: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    after: Callable[[int], None] = lambda count: None
    answered: int = 0

    def before(self, model: Any, params: dict[str, Any], **_: Any) -> Any:
        self.calls.append(f"{model.service_model.service_name}:{model.name}")
        self.requests.append(params)
        fault = self.faults.get(model.name)
        return fault() if fault else None

    def done(self, model: Any, parsed: dict[str, Any], **_: Any) -> None:
        if touch := self.touched.get(model.name):
            touch(parsed)
        self.answered += 1
        self.after(self.answered)

    def refuse(self, operation: str, code: str, message: str, times: int = 10**6) -> None:
        """Let an operation fail as AWS would let it fail."""
        left = [times]

        def fault() -> Any:
            left[0] -= 1
            if left[0] < 0:
                return None
            document = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}}
            return type("Response", (), {"status_code": 400})(), document

        self.faults[operation] = fault

    def throw(self, operation: str, error: BaseException) -> None:
        """Let an operation end in an exception before anything is sent."""

        def fault() -> Any:
            raise error

        self.faults[operation] = fault

    def garble(self, operation: str, body: bytes) -> None:
        """Let an operation be answered with another body, as by something between this machine and AWS."""

        def answer(request: Any) -> Any:
            raw = type("Raw", (), {"stream": lambda self, *_, **__: iter([body])})()
            return botocore.awsrequest.AWSResponse(request.url, 200, {"Content-Length": str(len(body))}, raw)

        self.transport[operation] = answer

    def lose_answer(self, operation: str) -> None:
        """Let AWS do an operation at its first request and lose the answer, so that botocore sends another one."""
        left = [1]

        def answer(request: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                return None
            self.lost.append(operation)
            URLLib3Session().send(request).content  # noqa: B018 (reads the answer)
            raise ConnectionClosedError(endpoint_url=request.url)

        self.transport[operation] = answer

    def sending(self, request: Any, event_name: str, **_: Any) -> Any:
        answer = self.transport.get(event_name.rpartition(".")[2])
        return answer(request) if answer else None

    def session(self, make: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(target: Target) -> Any:
            session = make(target)
            session.events.register("before-call", self.before)
            session.events.register("after-call", self.done)
            session.events.register("before-send", self.sending)
            return session

        return recorded


def dies_after(root: Path, calls: int) -> bool:
    """Deploy in a process that dies right after the response to an API call; return whether it made that call."""
    return in_child(lambda: run(root), lambda count: os._exit(137) if count == calls else None) == 137


def in_child(work: Callable[[], Any], after: Callable[[int], None]) -> int:
    """Run a function in a child process and return its exit code.

    Args:
        after: Called in the child after each API call, with the number of calls so far.
    """
    child = os.fork()
    if child == 0:
        status = 70
        try:
            scaffold.aws.session.new_session = Wire(after=after).session(scaffold.aws.session.new_session)
            work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def dies_while_pushing(root: Path, script: str) -> int:
    """Deploy in a process that a Git hook kills during the push; return its exit code."""
    hook = root / ".git" / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)
    try:
        child = os.fork()
        if child == 0:
            os.environ["SCAFFOLD_TEST_PID"] = str(os.getpid())
            try:
                run(root)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)
    finally:
        hook.unlink()


def client(service: str) -> Any:
    """A client of the local AWS in use."""
    return _client(service, os.environ["AWS_ENDPOINT_URL"])


@functools.cache
def _client(service: str, endpoint: str) -> Any:
    return boto3.Session(region_name="us-east-1").client(service, endpoint_url=endpoint)


def listed(service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
    """All pages of a list: a local AWS that tests share has more than the first one holds.

    Args:
        key: Where the answer has the list.
    """
    api = client(service)
    if not api.can_paginate(operation):
        found: list[Any] = getattr(api, operation)(**parameters)[key]
        return found
    return [one for page in api.get_paginator(operation).paginate(**parameters) for one in page[key]]


def source_rule(app: str) -> str:
    """The name of the rule that starts a service's pipeline."""
    rules = listed("events", "list_rules", "Rules")
    return next(rule["Name"] for rule in rules if f":{app}" in rule.get("EventPattern", ""))


def all_stacks(cloudformation: Any = None) -> list[dict[str, Any]]:
    """The stacks of all tests, as CloudFormation describes them: more than it returns at once.

    Args:
        cloudformation: A client; by default of the local AWS in use.
    """
    pages = (cloudformation or client("cloudformation")).get_paginator("describe_stacks").paginate()
    return [one for page in pages for one in page["Stacks"]]


def release_stack(name: str, template: str, parameters: dict[str, str] | None = None, **more: Any) -> None:
    """Update a stack as the pipeline does, or create it where it was not prepared, and wait for the end."""
    cloudformation = client("cloudformation")
    exists = any(one["StackName"] == name for one in all_stacks(cloudformation))
    operation = cloudformation.update_stack if exists else cloudformation.create_stack
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in (parameters or {}).items()]
    operation(StackName=name, TemplateBody=template, Parameters=given, **more)
    waiter = cloudformation.get_waiter("stack_update_complete" if exists else "stack_create_complete")
    waiter.wait(StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})


def protected_stacks(app: str, cloudformation: Any = None) -> set[str]:
    """The names of a service's stacks that have termination protection.

    Args:
        cloudformation: A client; by default of the local AWS in use.
    """
    found = [one["StackName"] for one in all_stacks(cloudformation) if one["EnableTerminationProtection"]]
    return {name for name in found if identify(app, name)}


def lift_protection(app: str, environment: str | None = None, cloudformation: Any = None) -> None:
    """Turn the termination protection of a service's stacks off, or of those of one of its environments.

    Args:
        cloudformation: A client; by default of the local AWS in use.
    """
    for name in protected_stacks(app, cloudformation):
        found = identify(app, name)
        if found and environment in (None, found.environment):
            (cloudformation or client("cloudformation")).update_termination_protection(
                StackName=name, EnableTerminationProtection=False
            )


def without_pages(calls: list[str]) -> list[str]:
    """Calls without the further pages of a listing of all stacks: their number depends on the other tests."""
    listing = "cloudformation:DescribeStacks"
    return [call for before, call in zip(["", *calls], calls, strict=False) if not before == call == listing]


def state(root: Path, name: str) -> dict[str, Any]:
    """The state of a deployed service in AWS and Git, without ids and times."""
    codecommit, cloudformation = client("codecommit"), client("cloudformation")
    arn = codecommit.get_repository(repositoryName=name)["repositoryMetadata"]["Arn"]
    rules = {rule: names.approval_rule_template(name, rule) for rule in names.APPROVAL_RULES}
    described = {}
    for stack in deployed_stacks(name, read(root).environments):
        one = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        described[stack] = {
            "status": one["StackStatus"].replace("UPDATE_", "").replace("CREATE_", ""),
            "tags": one.get("Tags", []),
            "parameters": one.get("Parameters", []),
            "role": "RoleARN" in one,
            "template": cloudformation.get_template(StackName=stack)["TemplateBody"],
            "policy": cloudformation.get_stack_policy(StackName=stack).get("StackPolicyBody"),
            "resources": sorted(
                resource["LogicalResourceId"]
                for resource in cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
            ),
            "change sets": [
                change_set["ChangeSetName"]
                for change_set in cloudformation.list_change_sets(StackName=stack)["Summaries"]
                if change_set["ExecutionStatus"] != "EXECUTE_COMPLETE"
            ],
        }
    roles = client("iam").list_roles(PathPrefix="/aws-service-role/")["Roles"]
    return {
        "roles": sorted(role["RoleName"] for role in roles),
        "tags": codecommit.list_tags_for_resource(resourceArn=arn)["tags"],
        "rules": {
            rule: codecommit.get_approval_rule_template(approvalRuleTemplateName=template)["approvalRuleTemplate"][
                "approvalRuleTemplateContent"
            ]
            for rule, template in rules.items()
        },
        "applied": codecommit.list_associated_approval_rule_templates_for_repository(repositoryName=name)[
            "approvalRuleTemplateNames"
        ],
        "main": codecommit.get_branch(repositoryName=name, branchName="main")["branch"]["commitId"],
        "remote": git("remote", "-v", cwd=root),
        "tracking": git("rev-parse", "refs/remotes/origin/main", cwd=root),
        "stacks": described,
    }


def wait_for_next_second() -> None:
    """Within the second of its deletion, a stack and what is created again under its names cannot be told apart."""
    time.sleep(1 - time.time() % 1)


@contextmanager
def variables(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables for the time of a `with` block."""
    with only({**os.environ, **values}):
        yield


def clone(root: Path, name: str) -> Path:
    """Clone a service's repository as a colleague would."""
    subprocess.run(["git", "clone", "-q", names.remote_url(name, "us-east-1"), os.fspath(root)], check=True)
    return root
