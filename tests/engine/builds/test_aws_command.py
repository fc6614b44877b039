"""The calls of the build scripts on a machine without the AWS CLI."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scaffold.engine.builds import aws_command, tools
from scaffold.engine.builds.aws_server import AwsServer
from scaffold.local import credentials
from scaffold.local.environment import LocalAws
from tests.cli.running import ROOT
from tests.fork_server import programs

AWS_COMMAND = "scaffold.engine.builds.aws_command:main"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def program() -> Iterator[Path]:
    with programs(aws=AWS_COMMAND) as folder:
        yield folder / "aws"


@pytest.fixture
def call(aws: LocalAws, program: Path) -> Call:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **aws.variables}
        return subprocess.run([program, *words], env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def build_call(aws: LocalAws, tmp_path: Path) -> Iterator[Call]:
    """Makes calls as a build does, whose AWS CLI repeats its arguments."""
    names = ("ENDPOINT_URL", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "DEFAULT_REGION")
    of_build = {f"AWS_{name}": aws.variables[f"AWS_{name}"] for name in names}
    server = AwsServer(lambda: ["/bin/sh", "-c", 'echo "$@"; cat', "aws", "cli"])

    def run(
        *words: str, said: str = "", bash: str | None = shutil.which("bash"), **variables: str
    ) -> subprocess.CompletedProcess[str]:
        program = tmp_path / "aws"
        program.write_text(tools.aws_client(server.port, bash))
        program.chmod(0o755)
        environment = of_build | variables
        return subprocess.run(
            [program, *words], env=environment, input=said, capture_output=True, text=True, check=False
        )

    yield run
    server.close()


@pytest.mark.parametrize(
    "words",
    [
        ("cloudformation", "validate-template", "--template-body", "Resources: {T: {Type: 'AWS::SNS::Topic'}}"),
        ("cloudformation", "describe-stacks", "--stack-name", "no-such-stack"),
        ("ecr", "describe-repositories", "--query", "length(repositories)", "--output", "text"),
        *(
            pytest.param(words, marks=pytest.mark.slow)
            for words in (
                ("cloudformation", "get-stack-policy", "--stack-name", "like-the-cli"),
                ("cloudformation", "delete-change-set", "--stack-name", "like-the-cli", "--change-set-name", "none"),
                (
                    "cloudformation",
                    "get-template",
                    "--cli-input-json",
                    '{"StackName": "like-the-cli"}',
                    "--no-paginate",
                ),
                ("cloudwatch", "describe-alarms", "--cli-input-json", '{"AlarmNames": ["none"]}', "--no-paginate"),
                ("ecr", "describe-images", "--repository-name", "none", "--image-ids", "imageTag=1"),
            )
        ),
    ],
)
def test_builds_get_what_the_aws_cli_prints(aws, client, build_call, path_with_aws_cli, words):
    cli = shutil.which("aws", path=path_with_aws_cli)
    if cli is None:
        pytest.skip("the AWS CLI is not installed")
    cloudformation = client("cloudformation")
    template = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    if not any(stack["StackName"] == "like-the-cli" for stack in cloudformation.describe_stacks()["Stacks"]):
        cloudformation.create_stack(StackName="like-the-cli", TemplateBody=template)
    expected = subprocess.run(
        [cli, *words], env={**os.environ, **aws.variables}, capture_output=True, text=True, check=False
    )
    done = build_call(*words)
    # The first version ends with 255 where the second one does with 254.
    assert (done.returncode == 0, done.stdout.strip()) == (expected.returncode == 0, expected.stdout.strip())
    assert done.stderr.strip() == re.sub(r"^aws: \[ERROR\]: ", "", expected.stderr.strip())


@pytest.mark.parametrize(
    "words",
    [
        ("s3", "ls"),
        ("cloudformation", "validate-template", "--template-body", "file://template.yaml"),
        ("ecr", "describe-images", "--repository-name", "a", "--image-ids", '[{"imageTag": "1"}]'),
        ("ecr", "describe-images", "--repository-name", "a", "--max-items", "1"),
        ("ecr", "describe-repositories", "--output", "table"),
    ],
)
def test_other_calls_of_builds_are_made_by_the_aws_cli(build_call, words):
    done = build_call(*words)
    assert (done.returncode, done.stdout) == (0, f"cli {' '.join(words)}\n")


@pytest.mark.parametrize("variables", [{"AWS_PROFILE": "other"}, {"AWS_ACCESS_KEY_ID": ""}])
def test_calls_with_other_settings_are_made_by_the_aws_cli(build_call, variables):
    assert build_call("ecr", "describe-repositories", **variables).stdout == "cli ecr describe-repositories\n"


def test_the_calls_of_the_build_scripts(aws, client, call):
    client("ecr").create_repository(repositoryName="without-cli")
    manifest = json.dumps({"schemaVersion": 2, "config": {}, "layers": []}).encode()
    url = f"{aws.variables['AWS_ENDPOINT_URL']}/v2/without-cli/manifests/1"
    media_type = "application/vnd.docker.distribution.manifest.v2+json"
    request = urllib.request.Request(url, manifest, {"Content-Type": media_type}, method="PUT")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60).close()

    assert call("ecr", "get-login-password").stdout.strip()
    assert call("ecr-public", "get-login-password", "--region", "us-east-1").stdout.strip()
    digest = "imageDetails[0].imageDigest"
    one = ("ecr", "describe-images", "--repository-name", "without-cli", "--output", "text", "--query")
    found = call(*one, digest, "--image-ids", "imageTag=1").stdout.strip()
    assert DIGEST.fullmatch(found)
    missing = call(*one, digest, "--image-ids", "imageTag=2")
    assert missing.stdout.strip() == "None" or "ImageNotFoundException" in missing.stderr

    image = ("--repository-name", "without-cli", "--image-id", f"imageDigest={found}", "--output", "json")
    refused = call("ecr", "describe-image-scan-findings", *image)
    assert refused.returncode == 254
    assert "An error occurred (ScanNotFoundException)" in refused.stderr
    assert json.loads(call("ecr", "start-image-scan", *image).stdout)["imageScanStatus"]["status"] == "IN_PROGRESS"
    described = json.loads(call("ecr", "describe-image-scan-findings", *image, "--max-results", "1000").stdout)
    assert described["imageId"] == {"imageDigest": found}


def test_the_calls_of_the_plan_scripts(aws, client, call):
    template = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    client("cloudformation").create_stack(StackName="without-cli", TemplateBody=template)

    def document(service, operation, **request):
        words = ("--cli-input-json", json.dumps(request), "--no-paginate", "--output", "json")
        done = call(service, operation, *words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else {}

    stack = {"StackName": "without-cli"}
    change_set = {**stack, "ChangeSetName": "plan-1"}
    assert document("cloudformation", "describe-stacks", **stack)["Stacks"][0]["CreationTime"]
    assert document("cloudformation", "get-template", **stack)["TemplateBody"]
    assert document("cloudformation", "validate-template", TemplateBody=template)["Parameters"] == []
    document("cloudformation", "create-change-set", **change_set, TemplateBody=template.replace("Topic", "News", 1))
    assert document("cloudformation", "describe-change-set", **change_set)["ChangeSetName"] == "plan-1"
    document("cloudformation", "delete-change-set", **change_set)
    refused = call("codepipeline", "get-pipeline-state", "--cli-input-json", json.dumps({"name": "none"}))
    assert refused.returncode == 254
    assert "An error occurred (PipelineNotFoundException)" in refused.stderr


def test_every_service_that_builds_call_is_known() -> None:
    """Others take half a second more for each call, and need the AWS CLI on the machine."""
    template = ROOT / "template"
    files = [*(template / "config").rglob("*"), *(template / "infrastructure").rglob("*.jinja")]
    text = "\n".join(one.read_text() for one in files if one.is_file() and one.suffix != ".pyc")
    found = set(re.findall(r"""(?:(?:call|ask|output)\(|\baws )"?([a-z][a-z0-9-]+)"?[ ,]+"?[a-z]+-[a-z-]+""", text))
    assert found >= {"cloudwatch", "codebuild", "codecommit", "ecr-public", "elbv2", "s3api"}
    assert found - set(aws_command._SERVICES) == set()


def test_git_gets_the_credentials_of_a_build(build_call):
    helper = ("codecommit", "credential-helper")
    said = "protocol=https\nhost=git.example:8443\npath=v1/repos/shop\n"
    got = build_call(*helper, "get", "--ignore-host-check", said=said, AWS_SESSION_TOKEN="a%b")
    name, password = got.stdout.splitlines()
    assert (got.returncode, name) == (0, f"username={credentials.ACCESS_KEY}%a%b")
    assert re.fullmatch(r"password=\d{8}T\d{6}Z[0-9a-f]{64}", password)
    assert build_call(*helper, "store", said=said + "password=x\n").stdout == ""
    # What Git says is not lost where the AWS CLI has to answer.
    assert build_call(*helper, "get", said=said, AWS_PROFILE="mine").stdout == f"cli {' '.join(helper)} get\n{said}"


@pytest.mark.parametrize("bash", [shutil.which("bash"), None, "/no such/bash"])
def test_arguments_and_outputs_of_any_text(build_call, client, bash):
    client("sns").create_topic(Name="any")  # The account answers.
    template = "Description: 'ü\n\n  \\ \"x\"'\nResources: {T: {Type: 'AWS::SNS::Topic'}}\n"
    validate = ("cloudformation", "validate-template", "--template-body")
    done = build_call(*validate, template, bash=bash)
    assert (done.returncode, json.loads(done.stdout)["Description"]) == (0, 'ü\n\\ "x"'), done.stderr
    refused = build_call(*validate, "", bash=bash)
    assert refused.returncode
    assert (refused.stdout, bool(refused.stderr)) == ("", True)


def test_nothing_of_a_build_changes_what_its_calls_do(build_call, tmp_path):
    (tmp_path / "own").write_text("exit 3\n")
    others = {"BASH_ENV": str(tmp_path / "own"), "BASH_FUNC_printf%%": "() { exit 3; }", "IFS": "0"}
    others |= {"AWS_PAGER": "line\nline", "LC_ALL": "C"}
    done = build_call("ecr", "describe-repositories", **others)
    assert (done.returncode, "repositories" in json.loads(done.stdout)) == (0, True), done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("cloudformation", "describe-stacks", "--cli-input-json", "no"),
        ("cloudformation", "describe-stacks", "--cli-input-json", "[]"),
        ("s3", "ls"),
        ("ecr", "no-such-operation"),
        ("ecr", "describe-images", "--no-such-option", "x"),
        ("ecr", "describe-images", "--repository-name"),
        ("ecr",),
    ],
)
def test_other_calls_ask_for_the_aws_cli(call, words):
    done = call(*words)
    assert done.returncode == 252
    assert done.stderr.endswith("Install the AWS CLI, 2.13 or newer.\n")


@pytest.mark.parametrize(
    ("version", "usable"),
    [
        ("aws-cli/1.46.2 Python/3.11.7 Linux/6 botocore/1.43.2", True),
        ("aws-cli/2.13.0 Python/3.11.4", True),
        ("aws-cli/2.9.19 Python/3.11.2", False),
        ("aws-cli/1.22.34 Python/3.10.6", False),
        ("something else", False),
    ],
)
def test_which_aws_cli_can_reach_local_aws(tmp_path, version, usable):
    program = tmp_path / "aws"
    program.write_text(f"#!/bin/sh\necho '{version}'\n")
    program.chmod(0o755)
    assert tools.aws_cli(str(tmp_path)) == (str(program) if usable else "")


def test_no_aws_cli(tmp_path):
    assert tools.aws_cli(str(tmp_path)) == ""
