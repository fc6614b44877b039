"""CodeCommit: its API through boto3 and the AWS CLI, and its Git endpoint through git-remote-codecommit."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.local.conftest import Client

Shell = Callable[..., CompletedProcess[str]]
RULE = {
    "Version": "2018-11-08",
    "DestinationReferences": ["refs/heads/main"],
    "Statements": [{"Type": "Approvers", "NumberOfApprovalsNeeded": 1}],
}


@pytest.fixture
def shell(shell: Shell, remote_helper: Path) -> Shell:
    """The shell, with a git-remote-codecommit that starts quickly."""
    return lambda command, **more: shell(f"PATH={remote_helper}:$PATH; {command}", **more)


@pytest.fixture
def codecommit(client: Client) -> Any:
    return client("codecommit")


@pytest.fixture
def name(codecommit: Any, request: pytest.FixtureRequest) -> str:
    """An empty repository."""
    made: str = request.node.name
    codecommit.create_repository(repositoryName=made)
    return made


def branches(shell: Shell, name: str) -> list[str]:
    """The branches of a repository, as Git sees them."""
    listed = shell(f"git ls-remote --heads codecommit::us-east-1://{name}")
    assert listed.returncode == 0, listed.stderr
    return [line.rpartition("refs/heads/")[2] for line in listed.stdout.splitlines()]


def test_the_aws_cli_manages_repositories(shell: Shell, codecommit: Any) -> None:
    made = shell("aws codecommit create-repository --repository-name cli --repository-description d --tags a=b")
    metadata = json.loads(made.stdout)["repositoryMetadata"]
    assert metadata["Arn"] == "arn:aws:codecommit:us-east-1:000000000000:cli"
    assert metadata["repositoryDescription"] == "d"
    assert "defaultBranch" not in metadata
    with pytest.raises(codecommit.exceptions.RepositoryNameExistsException):
        codecommit.create_repository(repositoryName="cli")
    assert "cli" in [r["repositoryName"] for r in codecommit.list_repositories()["repositories"]]
    assert codecommit.delete_repository(repositoryName="cli")["repositoryId"] == metadata["repositoryId"]
    assert "RepositoryDoesNotExistException" in shell("aws codecommit get-repository --repository-name cli").stderr
    assert "repositoryId" not in codecommit.delete_repository(repositoryName="cli")


def test_a_push_through_git_remote_codecommit_arrives(shell: Shell, codecommit: Any, name: str) -> None:
    done = shell(
        f"git clone -q codecommit::us-east-1://{name} work && cd work && echo hello > file && git add . && "
        "git commit -qm first && git push -q origin HEAD:refs/heads/main && git rev-parse HEAD"
    )
    assert done.returncode == 0, done.stderr
    commit = done.stdout.strip()
    assert codecommit.get_repository(repositoryName=name)["repositoryMetadata"]["defaultBranch"] == "main"
    assert branches(shell, name) == ["main"]
    assert codecommit.get_branch(repositoryName=name, branchName="main")["branch"]["commitId"] == commit
    second = shell(f"git clone -q codecommit::us-east-1://{name} again && cat again/file")
    assert second.stdout == "hello\n"


def test_a_folder_says_which_commit_a_tag_leads_to(shell: Shell, codecommit: Any, name: str) -> None:
    done = shell(
        f"git init -q work && cd work && mkdir -p a/b && touch a/b/c file && ln -s file link && git add . && "
        f"git commit -qm one && git tag v1 && git tag -m annotated v2 && git commit -qm two --allow-empty && "
        f"git push -q codecommit::us-east-1://{name} HEAD:refs/heads/main v1 v2 && git rev-parse HEAD^ HEAD"
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.split()
    for specifier, commit in (("refs/tags/v1", first), ("refs/tags/v2", first), ("main", second), ("HEAD", second)):
        found = codecommit.get_folder(repositoryName=name, commitSpecifier=specifier, folderPath="/")
        assert found["commitId"] == commit
    assert [one["relativePath"] for one in found["subFolders"]] == ["a"]
    assert [(one["absolutePath"], one["fileMode"]) for one in found["files"]] == [("file", "NORMAL")]
    assert [one["absolutePath"] for one in found["symbolicLinks"]] == ["link"]
    deeper = codecommit.get_folder(repositoryName=name, folderPath="/a/b/")
    assert [one["absolutePath"] for one in deeper["files"]] == ["a/b/c"]
    with pytest.raises(codecommit.exceptions.CommitDoesNotExistException):
        codecommit.get_folder(repositoryName=name, commitSpecifier="refs/tags/v3", folderPath="/")
    with pytest.raises(codecommit.exceptions.FolderDoesNotExistException):
        codecommit.get_folder(repositoryName=name, folderPath="/file")


@pytest.mark.slow
def test_a_large_push_is_accepted_in_chunks(shell: Shell, name: str, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(os.urandom(6_000_000))
    done = shell(
        f"git init -q work && cd work && mv ../large . && git add . && git commit -qm large && "
        f"GIT_CURL_VERBOSE=1 git push codecommit::us-east-1://{name} HEAD:refs/heads/main"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "transfer-encoding: chunked" in done.stderr.lower()
    assert shell(f"git clone -q codecommit::us-east-1://{name} again && cmp work/large again/large").returncode == 0


def test_the_first_branch_is_the_default_one_and_cannot_be_deleted(shell: Shell, codecommit: Any, name: str) -> None:
    done = shell(
        f"git init -q work && cd work && git commit -qm one --allow-empty && "
        f"git push -q codecommit::us-east-1://{name} HEAD:refs/heads/trunk HEAD:refs/heads/zebra"
    )
    assert done.returncode == 0, done.stderr
    assert codecommit.get_repository(repositoryName=name)["repositoryMetadata"]["defaultBranch"] == "trunk"
    refused = shell(f"cd work && git push codecommit::us-east-1://{name} :refs/heads/trunk")
    assert refused.returncode != 0
    deleted = shell(f"cd work && git push -q codecommit::us-east-1://{name} :refs/heads/zebra")
    assert deleted.returncode == 0, deleted.stderr
    assert branches(shell, name) == ["trunk"]
    with pytest.raises(codecommit.exceptions.BranchDoesNotExistException):
        codecommit.get_branch(repositoryName=name, branchName="zebra")


@pytest.mark.slow
def test_a_rejected_push_says_so(shell: Shell, name: str) -> None:
    remote = f"codecommit::us-east-1://{name}"
    done = shell(
        f"git init -q a && git -C a commit -qm one --allow-empty && git -C a push -q {remote} HEAD:refs/heads/main; "
        f"git init -q b && git -C b commit -qm other --allow-empty && git -C b push {remote} HEAD:refs/heads/main"
    )
    assert done.returncode != 0
    assert "rejected" in done.stderr


def test_regions_are_isolated(shell: Shell, client: Client, name: str) -> None:
    elsewhere = shell(f"git clone codecommit::eu-west-1://{name} work")
    assert elsewhere.returncode == 128
    assert "not found" in elsewhere.stderr
    client("codecommit", "eu-west-1").create_repository(repositoryName=name)
    assert shell(f"git clone -q codecommit::eu-west-1://{name} work").returncode == 0
    shell("cd work && git commit -qm far --allow-empty && git push -q origin HEAD:refs/heads/main")
    assert branches(shell, name) == []


def test_git_does_not_find_a_repository_that_the_api_does_not_have(shell: Shell, codecommit: Any, name: str) -> None:
    done = shell(
        "git init -q w && cd w && git commit -qm x --allow-empty && git push codecommit::us-east-1://no HEAD:m"
    )
    assert done.returncode == 128
    assert "not found" in done.stderr
    codecommit.delete_repository(repositoryName=name)
    assert "not found" in shell(f"git ls-remote codecommit::us-east-1://{name}").stderr


@pytest.mark.parametrize("wrong", ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"])
def test_a_wrong_signature_is_refused(shell: Shell, codecommit: Any, wrong: str) -> None:
    name = wrong.lower()
    codecommit.create_repository(repositoryName=name)
    done = shell(f"git ls-remote codecommit::us-east-1://{name}", **{wrong: "wrong"})
    assert done.returncode == 128
    assert "403" in done.stderr


def test_git_without_credentials_gets_a_401(variables: dict[str, str], shell: Shell, name: str) -> None:
    address = f"https://{variables['CODE_COMMIT_ENDPOINT']}/v1/repos/{name}"
    done = shell(f"git ls-remote {address}", GIT_TERMINAL_PROMPT="0")
    assert done.returncode == 128
    assert "could not read Username" in done.stderr


def test_only_smart_git_is_served(variables: dict[str, str], shell: Shell, name: str) -> None:
    for path in (f"/v1/repos/{name}/HEAD", f"/v1/repos/{name}/config", "/v1/repos/../../etc/passwd/info/refs", "/"):
        done = shell(
            f"curl -s -o /dev/null -w '%{{http_code}}' --path-as-is --cacert $GIT_SSL_CAINFO "
            f"-u {variables['AWS_ACCESS_KEY_ID']}:x https://$CODE_COMMIT_ENDPOINT{path}"
        )
        assert done.stdout == "404", path


def test_the_differences_of_two_commits(shell: Shell, codecommit: Any, name: str) -> None:
    """Kinds of changes, both names of a renamed file, a changed mode, pages, and a branch with the name of a commit."""
    script = f"""
        git clone --quiet codecommit::us-east-1://{name} work && cd work && git config user.email d@example.com
        mkdir config && echo 1 | tee kept changed deleted config/old > run.sh
        git add . && git -c user.name=d commit --quiet --message one && git rev-parse HEAD
        git mv config/old config/new && git rm --quiet deleted && echo 2 | tee changed > added && chmod +x run.sh
        git add . && git -c user.name=d commit --quiet --message two && git rev-parse HEAD
        git push --quiet origin HEAD:refs/heads/main HEAD:refs/heads/$(git rev-parse HEAD^)
    """
    pushed = shell(script)
    assert pushed.returncode == 0, pushed.stderr
    before, after = pushed.stdout.split()
    given = {"repositoryName": name, "beforeCommitSpecifier": before, "afterCommitSpecifier": after}
    pages = codecommit.get_paginator("get_differences").paginate(**given, PaginationConfig={"PageSize": 2})
    found = [one for page in pages for one in page["differences"]]
    paths = [
        (one["changeType"], *(one[side]["path"] for side in ("beforeBlob", "afterBlob") if side in one))
        for one in found
    ]
    assert paths == [
        ("A", "added"),
        ("M", "changed", "changed"),
        ("A", "config/new"),
        ("D", "config/old"),
        ("D", "deleted"),
        ("M", "run.sh", "run.sh"),
    ]
    assert (found[-1]["beforeBlob"]["mode"], found[-1]["afterBlob"]["mode"]) == ("100644", "100755")
    assert found[-1]["beforeBlob"]["blobId"] == found[-1]["afterBlob"]["blobId"]
    everything = codecommit.get_differences(repositoryName=name, afterCommitSpecifier="main")["differences"]
    assert {one["changeType"] for one in everything} == {"A"}
    for unknown in ("0" * 40, "main~1", after[:7], "nothing"):
        with pytest.raises(codecommit.exceptions.CommitDoesNotExistException):
            codecommit.get_differences(**{**given, "beforeCommitSpecifier": unknown})


def test_tags(codecommit: Any, name: str) -> None:
    arn = codecommit.get_repository(repositoryName=name)["repositoryMetadata"]["Arn"]
    codecommit.tag_resource(resourceArn=arn, tags={"a": "1", "b": "1"})
    codecommit.tag_resource(resourceArn=arn, tags={"b": "2"})
    assert codecommit.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "1", "b": "2"}


def test_approval_rule_templates(codecommit: Any, name: str) -> None:
    template = {"approvalRuleTemplateName": f"{name}-approvals"}
    associated = {**template, "repositoryName": name}
    made = codecommit.create_approval_rule_template(**template, approvalRuleTemplateContent=json.dumps(RULE))
    with pytest.raises(codecommit.exceptions.ApprovalRuleTemplateNameAlreadyExistsException):
        codecommit.create_approval_rule_template(**template, approvalRuleTemplateContent=json.dumps(RULE))
    codecommit.associate_approval_rule_template_with_repository(**associated)
    codecommit.associate_approval_rule_template_with_repository(**associated)
    listed = codecommit.list_associated_approval_rule_templates_for_repository(repositoryName=name)
    assert listed["approvalRuleTemplateNames"] == [f"{name}-approvals"]
    with pytest.raises(codecommit.exceptions.ApprovalRuleTemplateInUseException):
        codecommit.delete_approval_rule_template(**template)

    changed = json.dumps(RULE | {"Statements": [{"Type": "Approvers", "NumberOfApprovalsNeeded": 2}]})
    sha = made["approvalRuleTemplate"]["ruleContentSha256"]
    codecommit.update_approval_rule_template_content(**template, newRuleContent=changed, existingRuleContentSha256=sha)
    with pytest.raises(codecommit.exceptions.InvalidRuleContentSha256Exception):
        codecommit.update_approval_rule_template_content(
            **template, newRuleContent=changed, existingRuleContentSha256=sha
        )
    found = codecommit.get_approval_rule_template(**template)["approvalRuleTemplate"]
    assert found["approvalRuleTemplateContent"] == changed

    codecommit.disassociate_approval_rule_template_from_repository(**associated)
    codecommit.delete_approval_rule_template(**template)
    with pytest.raises(codecommit.exceptions.ApprovalRuleTemplateDoesNotExistException):
        codecommit.get_approval_rule_template(**template)


STATEMENT = {"Type": "Approvers", "NumberOfApprovalsNeeded": 1}


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "{}",
        '{"Version": "2018-11-08", "Statements": [{"Type": "Approvers"}]}',
        *(
            json.dumps({"Version": "2018-11-08", "Statements": [STATEMENT | wrong]})
            for wrong in (
                {"NumberOfApprovalsNeeded": 0},
                {"ApprovalPoolMembers": ["mary"]},
                {"ApprovalPoolMembers": [f"CodeCommitApprovers:000000000000:{number}" for number in range(51)]},
            )
        ),
    ],
)
def test_an_invalid_rule_is_refused(codecommit: Any, content: str) -> None:
    with pytest.raises(codecommit.exceptions.InvalidApprovalRuleTemplateContentException):
        codecommit.create_approval_rule_template(
            approvalRuleTemplateName="malformed", approvalRuleTemplateContent=content
        )


def test_deleting_a_repository_deletes_its_associations(codecommit: Any, name: str) -> None:
    template = {"approvalRuleTemplateName": "unused"}
    codecommit.create_approval_rule_template(**template, approvalRuleTemplateContent=json.dumps(RULE))
    codecommit.associate_approval_rule_template_with_repository(**template, repositoryName=name)
    codecommit.delete_repository(repositoryName=name)
    codecommit.delete_approval_rule_template(**template)


def test_pull_requests_know_their_callers_though_nothing_runs(
    shell: Shell, codecommit: Any, client: Client, variables: dict[str, str], name: str
) -> None:
    """A session of a role and a user, after a push that nothing but the pull request notices."""
    pushed = shell(
        f"git clone -q codecommit::us-east-1://{name} work && cd work && git commit -q --allow-empty -m one && "
        "git push -q origin HEAD:refs/heads/main HEAD:refs/heads/change"
    )
    assert pushed.returncode == 0, pushed.stderr
    target = {"repositoryName": name, "sourceReference": "change"}
    number = codecommit.create_pull_request(title="T", targets=[target])["pullRequest"]["pullRequestId"]
    pushed = shell("cd work && git commit -q --allow-empty -m two && git push -q origin HEAD:refs/heads/change")
    assert pushed.returncode == 0, pushed.stderr
    found = codecommit.get_pull_request(pullRequestId=number)["pullRequest"]
    revision = {"pullRequestId": number, "revisionId": found["revisionId"]}

    iam = client("iam")
    who = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [who]}
    role = iam.create_role(RoleName=name[:60], AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    session = client("sts").assume_role(RoleArn=role, RoleSessionName="mary")["Credentials"]
    iam.create_user(UserName="john")
    user = iam.create_access_key(UserName="john")["AccessKey"]
    keys = (session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
    for credentials in (keys, (user["AccessKeyId"], user["SecretAccessKey"])):
        boto3.session.Session(*credentials).client(
            "codecommit", "us-east-1", endpoint_url=variables["AWS_ENDPOINT_URL"], config=Config(proxies={})
        ).update_pull_request_approval_state(**revision, approvalState="APPROVE")
    approvals = codecommit.get_pull_request_approval_states(**revision)["approvals"]
    assert [one["userArn"] for one in approvals] == [
        f"arn:aws:sts::000000000000:assumed-role/{name[:60]}/mary",
        "arn:aws:iam::000000000000:user/john",
    ]
    merged = codecommit.merge_pull_request_by_fast_forward(pullRequestId=number, repositoryName=name)["pullRequest"]
    assert branches(shell, name) == ["change", "main"]
    head = codecommit.get_branch(repositoryName=name, branchName="main")["branch"]["commitId"]
    assert head == merged["pullRequestTargets"][0]["sourceCommit"]


@pytest.mark.parametrize("wrong", ["with space", "a" * 101, "ends.git", ""])
def test_invalid_names_are_refused(variables: dict[str, str], wrong: str) -> None:
    body = json.dumps({"repositoryName": wrong}).encode()
    headers = {"X-Amz-Target": "CodeCommit_20150413.CreateRepository", "Content-Type": "application/x-amz-json-1.1"}
    request = urllib.request.Request(variables["AWS_ENDPOINT_URL"], body, headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)
    assert json.loads(refused.value.read())["__type"] == "InvalidRepositoryNameException"


def test_an_operation_that_is_not_emulated_says_so(codecommit: Any) -> None:
    with pytest.raises(
        codecommit.exceptions.ClientError, match="Local AWS does not answer codecommit ListFileCommitHistory"
    ):
        codecommit.list_file_commit_history(repositoryName="x", filePath="y")
