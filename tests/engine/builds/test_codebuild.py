"""Builds through CodeBuild's API, with a stock client."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import ListShape, ServiceModel, Shape, StructureShape

from tests.engine.builds.conftest import KEY, SECRET, Project, make_project
from tests.engine.builds.test_shell import alive

HEAD = "version: 0.2\nenv: {shell: bash}\n"


def spec(*commands: str, more: str = "") -> dict[str, str | bytes]:
    lines = "".join(f"      - |-\n        {command}\n" for command in commands)
    return {"buildspec.yml": f"{HEAD}{more}phases:\n  build:\n    commands:\n{lines}"}


def phases(build: dict[str, Any]) -> dict[str, str]:
    return {phase["phaseType"]: phase.get("phaseStatus", "") for phase in build["phases"]}


def contexts(build: dict[str, Any], phase: str) -> list[str]:
    found = [one for one in build["phases"] if one["phaseType"] == phase]
    return [f"{context['statusCode']}: {context['message']}" for one in found for context in one["contexts"]]


def environment(project: Project, build: dict[str, Any]) -> dict[str, str]:
    lines = [line for line in project.log(build).splitlines() if not line.startswith("[Container]")]
    return dict(line.partition("=")[::2] for line in lines if "=" in line)


def test_a_build_has_codebuilds_variables_and_nothing_of_the_user(aws, project):
    given = [{"name": "PLAIN", "value": "from StartBuild"}]
    build = project.build(
        spec("env", "cat ~/.aws/* ~/.netrc ~/.docker/* 2>&1 || true", "pwd"), environmentVariablesOverride=given
    )
    assert build["buildStatus"] == "SUCCEEDED"
    found = environment(project, build)
    assert {name: found.get(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "CODEBUILD_CI", "PLAIN")} == {
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "CODEBUILD_CI": "true",
        "PLAIN": "from StartBuild",
    }
    assert found["CODEBUILD_BUILD_ID"] == build["id"]
    assert found["CODEBUILD_BUILD_ARN"] == build["arn"]
    assert found["CODEBUILD_BUILD_SUCCEEDING"] == "1"
    assert found["CODEBUILD_SRC_DIR"] in project.log(build).splitlines()  # pwd
    assert found["AWS_ENDPOINT_URL"] == aws.variables["AWS_ENDPOINT_URL"]
    assert found["AWS_ACCESS_KEY_ID"].startswith("ASIA")  # Of the project's role.
    assert aws.variables["AWS_SECRET_ACCESS_KEY"] not in project.log(build)
    log = project.log(build)
    assert SECRET not in log
    assert KEY not in log
    assert "docker.example" not in log
    assert not Path(found["HOME"]).exists()  # Its folder is deleted at its end.


def test_variables_of_project_buildspec_parameters_and_secrets(client, project):
    client("ssm").put_parameter(Name="/shop/level", Value="a-parameter", Type="SecureString")
    client("secretsmanager").create_secret(Name="shop-secret", SecretString='{"password": "a-password"}')
    project_variables = [
        {"name": "BOTH", "value": "project"},
        {"name": "LEVEL", "value": "/shop/level", "type": "PARAMETER_STORE"},
        {"name": "PASSWORD", "value": "shop-secret:password", "type": "SECRETS_MANAGER"},
    ]
    more = (
        "  variables: {BOTH: buildspec, OWN: buildspec}\n  parameter-store: {AGAIN: /shop/level}\n"
        "  exported-variables: [BOTH, LATER, NEVER]\n"
    )
    files = spec(
        'test "$BOTH$OWN$LEVEL$PASSWORD$AGAIN" = projectbuildspeca-parametera-passworda-parameter',
        "export LATER=made",
        'echo "it is $PASSWORD"',
    )
    files["buildspec.yml"] = str(files["buildspec.yml"]).replace("env: {shell: bash}\n", f"env:\n  shell: bash\n{more}")
    build = project.build(files, environmentVariablesOverride=project_variables)
    assert build["buildStatus"] == "SUCCEEDED", project.log(build)
    exported = {one["name"]: one["value"] for one in build["exportedEnvironmentVariables"]}
    assert exported == {"BOTH": "project", "LATER": "made"}
    assert "it is ***" in project.log(build)

    missing = [{"name": "A", "value": "/shop/nothing", "type": "PARAMETER_STORE"}]
    build = project.build(files, environmentVariablesOverride=missing)
    assert phases(build)["DOWNLOAD_SOURCE"] == "FAILED"
    assert "/shop/nothing" in contexts(build, "DOWNLOAD_SOURCE")[0]


def test_the_log_can_be_read_while_the_build_runs(project):
    identifier = project.start(spec("echo begun", "while [ ! -e /tmp/never ]; do sleep 0.1; done"))
    deadline = time.monotonic() + 60
    while "begun" not in _log_so_far(project, identifier):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert project.describe(identifier)["currentPhase"] == "BUILD"
    project.client("codebuild").stop_build(id=identifier)
    assert project.wait(identifier)["buildStatus"] == "STOPPED"


def _log_so_far(project: Project, identifier: str) -> str:
    try:
        return project.log(project.describe(identifier))
    except ClientError:
        return ""


def test_stopping_leaves_no_process(project, tmp_path):
    pids = tmp_path / "pids"
    identifier = project.start(
        spec(f"setsid sh -c 'echo $$ >>{pids}; exec sleep 300' &", f"echo $$ >>{pids}", "sleep 300")
    )
    deadline = time.monotonic() + 60
    while not pids.exists() or len(pids.read_text().split()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    found = [int(pid) for pid in pids.read_text().split()]
    assert all(alive(pid) for pid in found)
    project.client("codebuild").stop_build(id=identifier)
    build = project.wait(identifier)
    assert (build["buildStatus"], phases(build)["BUILD"]) == ("STOPPED", "STOPPED")
    assert not any(alive(pid) for pid in found)


def test_a_failed_command_and_what_follows_it(project):
    files = {
        "buildspec.yml": HEAD
        + """phases:
  build:
    commands: [echo one, "exit 7", echo never]
    finally: ['echo "finally $CODEBUILD_BUILD_SUCCEEDING"']
  post_build:
    commands: ['echo "post $CODEBUILD_BUILD_SUCCEEDING"']
"""
    }
    build = project.build(files)
    assert build["buildStatus"] == "FAILED"
    assert phases(build) | {"COMPLETED": ""} == {
        **dict.fromkeys(phases(build), "SUCCEEDED"),
        "BUILD": "FAILED",
        "COMPLETED": "",
    }
    assert contexts(build, "BUILD") == [
        "COMMAND_EXECUTION_ERROR: Error while executing command: exit 7. Reason: exit status 7"
    ]
    said = [line for line in project.log(build).splitlines() if not line.startswith("[Container]")]
    assert said == ["one", "finally 0", "post 0"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"other.yml": ""}, "YAML_FILE_ERROR: YAML file does not exist"),
        ({"buildspec.yml": "version: 0.2\nsteps: []\n"}, "YAML_FILE_ERROR: Unknown key steps"),
        ({"buildspec.yml": "version: 0.1\nphases: {}\n"}, "NOT_REHEARSED: not rehearsed: buildspec version 0.1"),
    ],
)
def test_a_wrong_buildspec(project, files, message):
    build = project.build(files)
    assert build["buildStatus"] == "FAILED"
    assert contexts(build, "DOWNLOAD_SOURCE") == [message]
    assert list(phases(build))[-3:] == ["DOWNLOAD_SOURCE", "FINALIZING", "COMPLETED"]


def test_artifacts(client, project):
    files = spec("mkdir -p dist/a && echo x >dist/a/x && chmod +x dist/a/x")
    files["buildspec.yml"] = f"{files['buildspec.yml']}artifacts: {{base-directory: dist, files: ['**/*']}}\n"
    target = {
        "type": "S3",
        "location": project.bucket,
        "path": "release",
        "name": "site.zip",
        "packaging": "ZIP",
        "namespaceType": "NONE",
    }
    build = project.build(files, artifactsOverride=target)
    assert build["buildStatus"] == "SUCCEEDED", project.log(build)
    assert build["artifacts"]["location"] == f"arn:aws:s3:::{project.bucket}/release/site.zip"
    found = client("s3").get_object(Bucket=project.bucket, Key="release/site.zip")["Body"].read()
    with zipfile.ZipFile(io.BytesIO(found)) as archive:
        assert archive.namelist() == ["a/x"]

    build = project.build(spec("true"), artifactsOverride=target)
    assert phases(build)["UPLOAD_ARTIFACTS"] == "FAILED"
    assert build["buildStatus"] == "FAILED"


def test_reports(client, project):
    junit = (
        '<testsuite name="s"><testcase name="good"/><testcase name="bad"><failure message="no"/></testcase></testsuite>'
    )
    files = spec("true") | {"out/junit.xml": junit}
    files["buildspec.yml"] = f"{files['buildspec.yml']}reports: {{unit: {{base-directory: out, files: [junit.xml]}}}}\n"
    codebuild = client("codebuild")
    build = project.build(files)
    assert build["buildStatus"] == "SUCCEEDED"  # A failed test fails the command that runs it, not the report.
    (arn,) = build["reportArns"]
    (report,) = codebuild.batch_get_reports(reportArns=[arn])["reports"]
    assert report["status"] == "FAILED"
    assert report["testSummary"]["statusCounts"] == {"SUCCEEDED": 1, "FAILED": 1}
    assert report["executionId"] == build["arn"]
    group = report["reportGroupArn"]
    assert group.endswith(f"report-group/{project.name}-unit")  # CodeBuild creates it.
    assert codebuild.list_reports_for_report_group(reportGroupArn=group)["reports"] == [arn]
    assert arn in codebuild.list_reports(filter={"status": "FAILED"})["reports"]
    assert arn not in codebuild.list_reports(filter={"status": "SUCCEEDED"})["reports"]
    (case,) = codebuild.describe_test_cases(reportArn=arn, filter={"status": "FAILED"})["testCases"]
    assert (case["name"], case["message"], case["testRawDataPath"]) == ("bad", "no", "junit.xml")

    with pytest.raises(ClientError, match="contains reports"):
        codebuild.delete_report_group(arn=group)
    codebuild.delete_report(arn=arn)
    assert codebuild.batch_get_reports(reportArns=[arn]) | {"ResponseMetadata": 0} == {
        "reports": [],
        "reportsNotFound": [arn],
        "ResponseMetadata": 0,
    }
    codebuild.delete_report_group(arn=group)
    assert group not in codebuild.list_report_groups()["reportGroups"]

    files["out/other.xml"] = files.pop("out/junit.xml")
    build = project.build(files)
    assert contexts(build, "UPLOAD_ARTIFACTS") == ["CLIENT_ERROR: no matching artifact paths found for junit.xml"]


@pytest.mark.slow
def test_code_coverage_is_reported(client, project):
    lines = '<line number="1" hits="1"/><line number="2" hits="0" condition-coverage="25% (1/4)"/>'
    classes = f'<class filename="one.py"><lines>{lines}</lines></class><class filename="two.py"/>'
    files = spec("true") | {"coverage.xml": f"<coverage><classes>{classes}</classes></coverage>"}
    files["buildspec.yml"] += "reports: {unit: {files: [coverage.xml], file-format: CoberturaXml}}\n"
    codebuild = client("codebuild")
    build = project.build(files)
    assert build["buildStatus"] == "SUCCEEDED", contexts(build, "UPLOAD_ARTIFACTS")
    (report,) = codebuild.batch_get_reports(reportArns=build["reportArns"])["reports"]
    assert (report["type"], report["status"]) == ("CODE_COVERAGE", "SUCCEEDED")
    expected = {"lineCoveragePercentage": 50.0, "linesCovered": 1, "linesMissed": 1}
    expected |= {"branchCoveragePercentage": 25.0, "branchesCovered": 1, "branchesMissed": 3}
    assert report["codeCoverageSummary"] == expected
    asked = {"reportArn": report["arn"], "sortBy": "LINE_COVERAGE_PERCENTAGE", "sortOrder": "DESCENDING"}
    (measured,) = codebuild.describe_code_coverages(**asked)["codeCoverages"]
    assert measured | expected | {"filePath": "one.py", "reportARN": report["arn"]} == measured
    assert codebuild.describe_code_coverages(**asked, minLineCoveragePercentage=60)["codeCoverages"] == []

    files["buildspec.yml"] = files["buildspec.yml"].replace("CoberturaXml", "JUNITXML")
    files["coverage.xml"] = '<testsuite name="s"><testcase name="good"/></testsuite>'
    group = report["reportGroupArn"]
    (problem,) = contexts(project.build(files), "UPLOAD_ARTIFACTS")
    assert problem == f"CLIENT_ERROR: the report group {group} is of the type CODE_COVERAGE, not TEST"


def test_a_repository_as_source(aws, client, tmp_path):
    client("codecommit").create_repository(repositoryName="shop")
    url = "codecommit::us-east-1://shop"
    variables = {**os.environ, **aws.variables, "HOME": str(tmp_path)}
    commands = [
        *(["init", "-q", "-b", "main"], ["add", "."]),
        ["-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "-qm", "First"],
        ["push", "-q", url, "main"],
    ]
    (tmp_path / "work").mkdir()
    (tmp_path / "work/buildspec.yml").write_text(str(spec("git log --format=%s")["buildspec.yml"]))
    for words in commands:
        subprocess.run(["git", *words], cwd=tmp_path / "work", env=variables, check=True)
    location = "https://git-codecommit.us-east-1.amazonaws.com/v1/repos/shop"
    project = make_project(
        client, "from-git", source={"type": "CODECOMMIT", "location": location}, artifacts={"type": "NO_ARTIFACTS"}
    )
    build = project.wait(client("codebuild").start_build(projectName="from-git")["build"]["id"])
    assert build["buildStatus"] == "SUCCEEDED", project.log(build)
    assert re.fullmatch(r"[0-9a-f]{40}", build["resolvedSourceVersion"])
    assert "First" in project.log(build).splitlines()


def test_secondary_sources_have_folders_of_their_own(client, project):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("second.txt", "of the second source")
    client("s3").put_object(Bucket=project.bucket, Key="second.zip", Body=content.getvalue())
    second = {"type": "S3", "location": f"{project.bucket}/second.zip", "sourceIdentifier": "more"}
    build = project.build(spec("cat $CODEBUILD_SRC_DIR_more/second.txt"), secondarySourcesOverride=[second])
    assert build["buildStatus"] == "SUCCEEDED", project.log(build)
    assert "of the second source" in project.log(build).splitlines()


def test_listing_retrying_and_refusals(client, project):
    codebuild = client("codebuild")
    first = project.build(spec("true"))
    second = project.wait(codebuild.retry_build(id=first["id"])["build"]["id"])
    assert (first["buildNumber"], second["buildNumber"]) == (1, 2)
    assert codebuild.list_builds_for_project(projectName=project.name)["ids"] == [second["id"], first["id"]]
    assert codebuild.list_builds()["ids"][:2] == [second["id"], first["id"]]
    assert project.name in codebuild.list_projects()["projects"]
    token = {"idempotencyToken": "once", "sourceTypeOverride": "NO_SOURCE", "buildspecOverride": "version: 0.2\n"}
    twice = [codebuild.start_build(projectName=project.name, **token)["build"]["id"] for _ in range(2)]
    assert twice[0] == twice[1]
    found = codebuild.batch_get_builds(ids=[first["arn"], "no:thing"])
    assert [build["id"] for build in found["builds"]] == [first["id"]]
    assert found["buildsNotFound"] == ["no:thing"]
    for call, code in (
        (lambda: codebuild.start_build(projectName="nothing"), "ResourceNotFoundException"),
        (lambda: codebuild.start_build(projectName=project.name), "InvalidInputException"),  # CODEPIPELINE
        (lambda: codebuild.stop_build(id="no:thing"), "ResourceNotFoundException"),
        (lambda: codebuild.start_build(projectName=project.name, sourceTypeOverride="GITHUB"), "InvalidInputException"),
        (
            lambda: codebuild.start_build(projectName=project.name, debugSessionEnabled=True),
            "InvalidInputException",
        ),
    ):
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == code


def test_a_build_has_the_shape_of_the_api(client, project):
    files = spec("true") | {"junit.xml": '<testsuite name="s"><testcase name="good"/></testsuite>'}
    files["buildspec.yml"] = f"{files['buildspec.yml']}reports: {{unit: {{files: [junit.xml]}}}}\n"
    build = project.build(files)
    model = ServiceModel(Loader().load_service_model("codebuild", "service-2"))
    # A stock client drops what the model does not know, so the raw documents are compared.
    raw: dict[str, Any] = {}
    client("codebuild").meta.events.register(
        "before-parse.codebuild.*", lambda response_dict, **_: raw.update(body=response_dict["body"])
    )
    for operation, given in {
        "BatchGetBuilds": {"ids": [build["id"]]},
        "BatchGetReports": {"reportArns": build["reportArns"]},
        "DescribeTestCases": {"reportArn": build["reportArns"][0]},
        "BatchGetProjects": {"names": [project.name]},
    }.items():
        getattr(client("codebuild"), xform_name(operation))(**given)
        shape = model.operation_model(operation).output_shape
        assert shape is not None
        assert list(unknown(shape, json.loads(raw["body"]))) == []


def unknown(shape: Shape, value: Any, where: str = "") -> list[str]:
    """Members that the model does not have, and values that its enumerations do not."""
    if isinstance(shape, StructureShape):
        return [
            problem
            for key, item in value.items()
            for problem in (
                unknown(shape.members[key], item, f"{where}.{key}") if key in shape.members else [f"{where}.{key}"]
            )
        ]
    if isinstance(shape, ListShape):
        return [problem for item in value for problem in unknown(shape.member, item, f"{where}[]")]
    allowed = shape.metadata.get("enum")
    return [f"{where}={value}"] if allowed and value not in allowed else []
