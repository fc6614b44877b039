"""Builds and pipelines on local AWS whose roles lack a permission."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scaffold.local.permissions.guard import EVALUATED
from tests.engine.conftest import BUCKET, REGION, Client, Repository, eventually, name_of
from tests.engine.roles import EVERYTHING, create_role, policy
from tests.engine.test_pipeline_runs import Pipeline, action, stack, stage, template
from tests.engine.test_rehearsal import ROWS

BUILDSPEC = "version: 0.2\nphases: {build: {commands: [%s]}}\n"
# Makes calls, and writes what comes of them to the log.
PROBE = """\
import os, sys, urllib.request
import botocore.session
from botocore.config import Config

region, name, bucket = os.environ["AWS_REGION"], *sys.argv[1:]

session = botocore.session.Session()

def client(service):
    return session.create_client(service, region, config=Config(s3={"addressing_style": "path"}))

def attempt(what, call):
    try:
        print(what, "=", call(), flush=True)
    except Exception as error:
        text = error.read().decode() if hasattr(error, "read") else error
        print(what, "=", text, flush=True)

attempt("caller", lambda: client("sts").get_caller_identity()["Arn"])
attempt("allowed", lambda: client("ecr").describe_images(repositoryName=name)["imageDetails"])
attempt("json", lambda: client("ecr").list_images(repositoryName=name))
attempt("query", lambda: client("sns").publish(TopicArn=f"arn:aws:sns:{region}:000000000000:t", Message="a"))
attempt("s3", lambda: client("s3").get_object(Bucket=bucket, Key="a"))
attempt("rest", lambda: client("inspector2").list_findings())
attempt("cbor", lambda: client("cloudwatch").list_metrics())
attempt("unknown", lambda: client("dynamodb").list_tables())
(data,) = client("ecr").get_authorization_token()["authorizationData"]
headers = {"Authorization": "Basic " + data["authorizationToken"]}
url = f"{os.environ['AWS_ENDPOINT_URL']}/v2/{name}/manifests/1"
push = urllib.request.Request(url, b"{}", headers, method="PUT")
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
attempt("registry", lambda: opener.open(push).status)
os.environ["AWS_SESSION_TOKEN"] = "another"
session = botocore.session.Session()
attempt("token", lambda: client("ecr").describe_images(repositoryName=name))
"""


def create_project(client: Client, name: str, role: str, *commands: str, **tags: str) -> None:
    client("codebuild").create_project(
        name=name,
        source={"type": "CODEPIPELINE", "buildspec": BUILDSPEC % ", ".join(json.dumps(one) for one in commands)},
        artifacts={"type": "CODEPIPELINE"},
        environment={"type": "LINUX_CONTAINER", "image": "a", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=role,
        tags=[{"key": key, "value": value} for key, value in tags.items()],
    )


def log_of(client: Client, project: str) -> list[str]:
    """The lines of the newest build, with one name for all sessions."""
    group = f"/aws/codebuild/{project}"
    streams = client("logs").describe_log_streams(logGroupName=group)["logStreams"]
    name = max(streams, key=lambda one: one["creationTime"])["logStreamName"]
    found = client("logs").get_log_events(logGroupName=group, logStreamName=name, startFromHead=True)["events"]
    return [without_session(event["message"]) for event in found]


def without_session(message: str) -> str:
    return re.sub(r"(assumed-role/[^/]+)/[\w-]+", r"\1/SESSION", message)


@pytest.fixture
def pipeline(client: Client, request: pytest.FixtureRequest) -> Iterator[Pipeline]:
    """A pipeline with the name of the test, and a role of the same name that may do everything."""
    made = Pipeline(name_of(request), client)
    made.role = create_role(client("iam"), made.name, EVERYTHING)
    yield made
    made.api.delete_pipeline(name=made.name)


def allowing(*actions: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": "*"}


def allow(client: Client, role: str, *statements: dict[str, Any]) -> None:
    """Replace the policy of a role."""
    client("iam").put_role_policy(RoleName=role, PolicyName="given", PolicyDocument=policy(*statements))


def user(role: str) -> str:
    return f"User: arn:aws:sts::000000000000:assumed-role/{role}/SESSION"


def refusal(role: str, what: str, resource: str) -> str:
    why = f"because no identity-based policy allows the {what} action"
    return f"{user(role)} is not authorized to perform: {what} on resource: {resource} {why}"


def test_a_build_fails_in_awss_words_and_stops_the_release(
    pipeline: Pipeline, repository: Repository, client: Client
) -> None:
    name, role = pipeline.name, f"{pipeline.name[:50]}-build"
    client("ecr").create_repository(repositoryName=name)
    arn = create_role(client("iam"), role, allowing("logs:*", "s3:Get*"))
    create_project(client, name, arn, f"aws ecr describe-images --repository-name {name}")
    pipeline.create(stage("Build", action("Build", "CodeBuild", ProjectName=name)), stage("Prod", stack("Never")))
    commit = repository.push("Denied", t__json=template(""))
    assert pipeline.started_by(commit)["status"] == "Failed"
    assert "Code: COMMAND_EXECUTION_ERROR" in pipeline.action("Build")["errorDetails"]["message"]
    assert pipeline.action("Never") == {"stage": "Prod"}
    expected = refusal(role, "ecr:DescribeImages", f"arn:aws:ecr:{REGION}:000000000000:repository/{name}")
    error = "An error occurred (AccessDeniedException) when calling the DescribeImages operation"
    assert f"{error}: {expected}" in log_of(client, name)


def test_calls_of_a_build_need_permissions_of_its_role(
    pipeline: Pipeline, repository: Repository, client: Client
) -> None:
    """In all protocols, with boundary, conditions and credentials."""
    client("ecr").create_repository(repositoryName="probe")
    condition = {"StringEquals": {"aws:PrincipalTag/team": "shop"}}
    arn = create_role(
        client("iam"),
        "probe",
        allowing("logs:*", "s3:*", "ecr:DescribeImages", "ecr:GetAuthorizationToken", "ecr:ListImages"),
        allowing("sns:*") | {"Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}},
        {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::*/a"},
        allowing("cloudwatch:ListMetrics") | {"Condition": condition},
        boundary={"Effect": "Allow", "NotAction": "ecr:ListImages", "Resource": "*"},
    )
    create_project(client, "probe", arn, f"python3 probe.py probe {BUCKET}")
    pipeline.create(stage("Build", action("Build", "CodeBuild", ProjectName="probe")))
    pipeline.started_by(repository.push("Probe", probe__py=PROBE))
    said = dict(line.partition(" = ")[::2] for line in log_of(client, "probe") if " = " in line)
    image = f"arn:aws:ecr:{REGION}:000000000000:repository/probe"
    denied = f"{user('probe')} is not authorized to perform"
    error = "An error occurred (%s) when calling the %s operation: "
    assert said["caller"] == "arn:aws:sts::000000000000:assumed-role/probe/SESSION"
    assert said["allowed"] == "[]"
    why = "because no permissions boundary allows the ecr:ListImages action"
    access = "AccessDeniedException"
    assert said["json"] == f"{error % (access, 'ListImages')}{denied}: ecr:ListImages on resource: {image} {why}"
    topic = f"arn:aws:sns:{REGION}:000000000000:t"
    assert said["query"] == error % ("AccessDenied", "Publish") + refusal("probe", "sns:Publish", topic)
    explicit = f"s3:GetObject on resource: arn:aws:s3:::{BUCKET}/a with an explicit deny in an identity-based policy"
    assert said["s3"] == f"{error % ('AccessDenied', 'GetObject')}{denied}: {explicit}"
    assert said["rest"] == error % (access, "ListFindings") + refusal("probe", "inspector2:ListFindings", "*")
    local = "Local AWS denies a call of probe, not rehearsed:"
    key = "cloudwatch:ListMetrics with the condition key aws:PrincipalTag/team in a policy of probe"
    assert said["cbor"] == f"{error % (access, 'ListMetrics')}{local} {key}"
    assert said["unknown"] == f"{error % (access, 'ListTables')}{local} the permissions of dynamodb ListTables"
    assert json.loads(said["registry"]) == {
        "errors": [{"code": "DENIED", "message": refusal("probe", "ecr:PutImage", image)}]
    }
    invalid = "The security token included in the request is invalid."
    assert said["token"] == error % ("UnrecognizedClientException", "DescribeImages") + invalid


def test_a_rule_starts_a_pipeline_with_its_role(
    pipeline: Pipeline, repository: Repository, client: Client, variables: dict[str, str]
) -> None:
    pipeline.create(stage("Test", stack("Started")))
    pipeline.wait_for("Source", "Failed")  # Of the execution that the creation starts.
    start = {"Effect": "Deny", "Action": "codepipeline:StartPipelineExecution", "Resource": "*"}
    allow(client, pipeline.name, EVERYTHING, start)
    denied = repository.push("Denied", t__json=template("one"))
    log = Path(variables["AWS_CONFIG_FILE"]).parent / "server.log"
    why = "with an explicit deny in an identity-based policy"
    arn = f"arn:aws:codepipeline:{REGION}:000000000000:{pipeline.name}"
    assert eventually(lambda: f"codepipeline:StartPipelineExecution on resource: {arn} {why}" in log.read_text())
    allow(client, pipeline.name, EVERYTHING)
    assert pipeline.started_by(repository.push("Allowed"))["status"] == "Succeeded"
    assert denied not in [one["revisionId"] for run in pipeline.executions() for one in run["sourceRevisions"]]


SERVICE_ROLE = "The service role or action role doesn't have the permissions required to access the AWS CodeCommit"
LACKING = {
    "codecommit:UploadArchive": ("Source", "PermissionError", f"{SERVICE_ROLE} repository named NAME. "),
    "s3:PutObject": ("Source", "RevisionUnavailable", "The artifact Source cannot be stored: "),
    "kms:GenerateDataKey": ("Source", "RevisionUnavailable", "The artifact Source cannot be stored: "),
    "s3:GetObject": ("Stack", "JobFailed", "The artifact cannot be read: "),
    "cloudformation:CreateStack": ("Stack", "JobFailed", ""),
    "iam:PassRole": ("Stack", "JobFailed", ""),
    "codebuild:StartBuild": ("Build", "JobFailed", "Error calling startBuild. Error code: AccessDeniedException, "),
    "codebuild:BatchGetBuilds": ("Build", "JobFailed", ""),
}


@pytest.mark.parametrize(
    "lacking", [one if one == "iam:PassRole" else pytest.param(one, marks=pytest.mark.slow) for one in LACKING]
)
def test_an_action_needs_permissions(pipeline: Pipeline, repository: Repository, client: Client, lacking: str) -> None:
    """Of the pipeline's role."""
    where, code, text = LACKING[lacking]
    rest = {"Effect": "Allow", "NotAction": lacking, "Resource": "*"}
    passing = {"StringEquals": {"iam:PassedToService": "codebuild.amazonaws.com"}}
    allow(client, pipeline.name, rest, allowing("iam:PassRole") | {"Condition": passing})
    create_project(client, pipeline.name, create_role(client("iam"), f"b-{pipeline.name}"[:64], EVERYTHING), "true")
    deployment = stack("Stack", RoleArn="arn:aws:iam::000000000000:role/pipeline")
    deployment["configuration"]["StackName"] = pipeline.name
    build = action("Build", "CodeBuild", ProjectName=pipeline.name)
    declared = pipeline.declaration(stage("Test", deployment if where != "Build" else build))
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    declared["artifactStore"]["encryptionKey"] = {"type": "KMS", "id": key}
    repository.push("The first", t__json=template("one"))
    pipeline.api.create_pipeline(pipeline=declared)
    details = pipeline.wait_for(where, "Failed")["errorDetails"]
    assert details["code"] == code
    message = without_session(details["message"])
    assert message.startswith(text.replace("NAME", pipeline.name))
    assert f"{user(pipeline.name)} is not authorized to perform: {lacking} on resource: arn:aws:" in message
    assert f"because no identity-based policy allows the {lacking} action" in message


def test_the_closed_list_is_documented() -> None:
    (row,) = [row for row in ROWS if "test_the_closed_list_is_documented" in row]
    documented = {key.lower() for key in re.findall(r"`([a-z0-9-]+:[\w-]+)`", row.split("|")[1])}
    assert documented == {key.rstrip("/") for key in EVALUATED}


def test_the_tags_of_projects_are_condition_keys(pipeline: Pipeline, repository: Repository, client: Client) -> None:
    """As the kit's boundary denies the builds of other services."""
    other = {"Null": {"aws:ResourceTag/service": "false"}, "StringNotEquals": {"aws:ResourceTag/service": "shop"}}
    denied = {"Effect": "Deny", "Action": "codebuild:*", "Resource": "*", "Condition": other}
    allow(client, pipeline.name, EVERYTHING, denied)
    builds = "arn:aws:iam::000000000000:role/builds"
    for name, tags in (("mine", {"service": "shop"}), ("untagged", {}), ("others", {"service": "bank"})):
        create_project(client, name, builds, "true", **tags)
    actions = [action(name, "CodeBuild", ProjectName=name) for name in ("mine", "untagged", "others")]
    pipeline.create(stage("Build", *actions))
    pipeline.started_by(repository.push("The first"))
    assert [pipeline.action(one)["status"] for one in ("mine", "untagged", "others")] == [
        "Succeeded",
        "Succeeded",
        "Failed",
    ]
    explicit = "with an explicit deny in an identity-based policy"
    assert pipeline.action("others")["errorDetails"]["message"].endswith(explicit)


def test_the_tags_of_stacks_are_condition_keys(pipeline: Pipeline, repository: Repository, client: Client) -> None:
    """As the kit's boundary tells the stacks of services apart, though calls name them without their ids."""
    mine = {"StringEquals": {"aws:ResourceTag/service": "shop"}}
    updates = "cloudformation:UpdateStack"
    rest = {"Effect": "Allow", "NotAction": updates, "Resource": "*"}
    allow(client, pipeline.name, rest, allowing(updates) | {"Condition": mine})
    actions = []
    for name, tags in (("Mine", {"service": "shop"}), ("Untagged", {}), ("Others", {"service": "bank"})):
        deployment = stack(name)
        deployment["configuration"]["StackName"] = f"{pipeline.name}-{name}"
        pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
        given = {"StackName": f"{pipeline.name}-{name}", "TemplateBody": template("before"), "Tags": pairs}
        client("cloudformation").create_stack(**given)
        actions.append(deployment)
    pipeline.create(stage("Deploy", *actions))
    pipeline.started_by(repository.push("The first", t__json=template("after")))
    ended = {name: pipeline.action(name) for name in ("Mine", "Untagged", "Others")}
    assert {name: one["status"] for name, one in ended.items()} == {
        "Mine": "Succeeded",
        "Untagged": "Failed",
        "Others": "Failed",
    }
    assert f"is not authorized to perform: {updates}" in ended["Others"]["errorDetails"]["message"]


@pytest.mark.slow
@pytest.mark.parametrize("granted", ["codecommit:GitPull", "codecommit:GitPush"])
def test_git_needs_permissions_of_a_builds_role(
    pipeline: Pipeline, repository: Repository, client: Client, granted: str
) -> None:
    name = pipeline.name
    role = create_role(client("iam"), f"b-{name}"[:64], allowing("logs:*", "s3:Get*", granted))
    where = f"codecommit::{REGION}://{name}"
    commands = (f"git ls-remote {where} || true", f"git init -q; git push {where} :refs/heads/none || true")
    create_project(client, name, role, "echo fetch", commands[0], "echo push", commands[1])
    pipeline.create(stage("Build", action("Build", "CodeBuild", ProjectName=name)))
    commit = repository.push("The first")
    pipeline.started_by(commit)
    log = "\n".join(log_of(client, name))
    assert (f"{commit}\trefs/heads/main" in log) == (granted == "codecommit:GitPull")
    assert ("403" in log.partition("echo push")[2]) == (granted == "codecommit:GitPull")


HELPER = """'!f() { test "$1" != get || aws codecommit credential-helper get --ignore-host-check; }; f'"""


def test_a_push_needs_permission_for_each_of_its_references(
    pipeline: Pipeline, repository: Repository, client: Client
) -> None:
    """As the kit's role for tags of releases has it, which signs in with the helper of the AWS CLI."""
    name, tags = pipeline.name, {"codecommit:References": "refs/tags/v*"}
    push = {"Effect": "Allow", "Action": "codecommit:GitPush", "Resource": "*"}
    limited = push | {"Condition": {"StringLikeIfExists": tags}}
    reading = allowing("logs:*", "s3:Get*", "codecommit:GetRepository", "codecommit:GitPull")
    role = create_role(client("iam"), f"b-{name}"[:64], reading, limited)
    settings = f"-c credential.helper={HELPER} -c credential.useHttpPath=true"
    commands = [
        f"URL=$(aws codecommit get-repository --repository-name {name} --query repositoryMetadata.cloneUrlHttp"
        " --output text)",
        f"git {settings} clone -q --bare $URL clone",
        *(
            f"git {settings} --git-dir clone push -q $URL {' '.join(f'main:refs/{one}' for one in references)} || true"
            for references in (("tags/v1",), ("tags/latest",), ("heads/other",), ("tags/v2", "heads/another"))
        ),
    ]
    create_project(client, name, role, *commands)
    pipeline.create(stage("Build", action("Build", "CodeBuild", ProjectName=name)))
    commit = repository.push("The first")
    assert pipeline.started_by(commit)["status"] == "Succeeded", log_of(client, name)
    listed = repository.git("ls-remote", "origin", "refs/*")
    assert set(listed.splitlines()) == {f"{commit}\trefs/heads/main", f"{commit}\trefs/tags/v1"}


@pytest.mark.slow
def test_a_build_without_its_log_fails(pipeline: Pipeline, repository: Repository, client: Client) -> None:
    name = pipeline.name
    create_project(client, name, create_role(client("iam"), f"b-{name}", allowing("s3:Get*")), "true")
    pipeline.create(stage("Build", action("Build", "CodeBuild", ProjectName=name)))
    pipeline.started_by(repository.push("The first"))
    message = without_session(pipeline.action("Build")["errorDetails"]["message"])
    assert f"Service role arn:aws:iam::000000000000:role/b-{name} does not allow AWS CodeBuild to create" in message
    assert f"{user(f'b-{name}')} is not authorized to perform: logs:CreateLogStream" in message
