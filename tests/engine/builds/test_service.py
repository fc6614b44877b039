"""The build of a generated service on local AWS: its own buildspec, scripts and Dockerfile, nothing faked."""

from __future__ import annotations

import http.server
import json
import re
import shutil
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from tests.engine.builds.conftest import MACHINE, Project
from tests.engine.images.conftest import write_app

ACCOUNT_HOST = "000000000000.dkr.ecr.us-east-1.amazonaws.com"
# What the pipeline gives to a build.
PIPELINE = {
    "environmentVariablesOverride": [{"name": name, "value": "0123"} for name in ("COMMIT", "EXECUTION")],
}
CRITICAL = {"name": "CVE-2026-0001", "severity": "CRITICAL"}


class _Tags(yaml.SafeLoader):
    """Reads CloudFormation's templates; its functions become their arguments."""


_Tags.add_multi_constructor("!", lambda loader, _tag, node: getattr(node, "value", None))


class Service:
    """A service whose build stack is deployed to local AWS."""

    def __init__(self, folder: Path, client: Callable[[str], Any], name: str) -> None:
        self.folder = folder
        self.client = client
        self.name = name
        client("s3").create_bucket(Bucket=f"{name}-artifacts")
        client("ecr").create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
        self._deploy()
        self.build, self.environment_tests = (
            Project(f"{name}-{kind}", client, f"{name}-artifacts") for kind in ("build", "tests")
        )

    def _deploy(self) -> None:
        """Deploy the stacks of the projects, with one that exports what they import of foundation and permissions."""
        name, cloudformation = self.name, self.client("cloudformation")
        policies = {name: managed_policy(action) for name, action in (("Policy", "s3:*"), ("Boundary", "*"))}
        templates = {kind: (self.folder / f"infrastructure/{kind}.yaml").read_text() for kind in ("build", "tests")}
        text = "".join(templates.values())
        imported = dict.fromkeys(re.findall(r"\$\{AppName\}-((?:foundation|permissions)-\w+)", text), "any")
        exports = imported | {
            "foundation-ArtifactKeyArn": "arn:aws:kms:us-east-1:000000000000:key/0",
            "foundation-RepositoryName": name,
            "foundation-RepositoryUri": f"{ACCOUNT_HOST}/{name}",
            "foundation-RepositoryArn": f"arn:aws:ecr:us-east-1:000000000000:repository/{name}",
            "foundation-ArtifactBucketArn": f"arn:aws:s3:::{name}-artifacts",
            "foundation-ArtifactBucketName": f"{name}-artifacts",
            "foundation-ReadArtifactsPolicyArn": {"Ref": "Policy"},
            "permissions-BoundaryArn": {"Ref": "Boundary"},
        }
        outputs = {
            f"Output{index}": {"Value": value, "Export": {"Name": f"{name}-{key}"}}
            for index, (key, value) in enumerate(exports.items())
        }
        body = json.dumps({"Resources": policies, "Outputs": outputs})
        for stack, text in {"imports": body, **templates}.items():
            parameters = [{"ParameterKey": "AppName", "ParameterValue": name}] if stack in templates else []
            cloudformation.create_stack(
                StackName=f"{name}-{stack}",
                TemplateBody=text,
                Parameters=parameters,
                Capabilities=["CAPABILITY_IAM"],
            )
            waiter = cloudformation.get_waiter("stack_create_complete")
            waiter.wait(StackName=f"{name}-{stack}", WaiterConfig={"Delay": 0.2, "MaxAttempts": 200})

    def images(self) -> dict[str, str]:
        """The digests in the registry, by tag."""
        details = self.client("ecr").describe_images(repositoryName=self.name)["imageDetails"]
        return {tag: image["imageDigest"] for image in details for tag in image["imageTags"]}

    def tests(self, build: dict[str, Any]) -> dict[str, str]:
        """The tests of a build's report of tests, with their status."""
        (arn,) = [one for one in build["reportArns"] if "-build-scan:" not in one]
        cases = self.client("codebuild").describe_test_cases(reportArn=arn)["testCases"]
        return {case["name"]: case["status"] for case in cases}


def managed_policy(action: str) -> dict[str, Any]:
    """A resource of a template."""
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}


@pytest.fixture
def small(generated: Path, client: Callable[[str], Any], tmp_path: Path, request: pytest.FixtureRequest) -> Service:
    """A service whose application needs no package of a registry."""
    folder = shutil.copytree(generated, tmp_path / "service")
    shutil.rmtree(folder / "app")
    write_app(folder / "app")
    return Service(folder, client, f"small-{abs(hash(request.node.name)) % 10**6}")


@pytest.fixture
def scans(client: Callable[[str], Any]) -> Iterator[Callable[..., None]]:
    """Sets what scans find."""
    url = f"{client('ecr').meta.endpoint_url}/_local/image-scans"

    def send(method: str, body: object) -> None:
        request = urllib.request.Request(url, json.dumps(body).encode(), method=method)
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).close()

    yield lambda name, *findings: send("PUT", {"repositoryName": name, "steps": ["COMPLETE"], "findings": findings})
    send("DELETE", {})


def exported(build: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in build["exportedEnvironmentVariables"]}


@pytest.mark.slow
def test_a_release_and_a_second_one(small, scans):
    scans(small.name)
    first = small.build.build(small.folder, **PIPELINE)
    log = small.build.log(first)
    assert first["buildStatus"] == "SUCCEEDED", log
    assert first["logs"]["groupName"] == f"/{small.name}/pipeline/build"
    assert "without a container engine" in log
    assert "Warning" not in log
    ((tag, digest),) = small.images().items()
    image = {
        "IMAGE_URI": f"{ACCOUNT_HOST}/{small.name}@{digest}",
        "IMAGE_TAG": tag,
        "IMAGE_DIGEST": digest,
    }
    assert image.items() < exported(first).items()
    assert exported(first)["RELEASE_NAME"].endswith(f"-{tag[:12]}")
    assert small.tests(first) == {"works": "SUCCEEDED"}
    assert "Scan gate open." in log
    groups = small.client("codebuild").list_report_groups()["reportGroups"]
    # The stack's own groups.
    assert {one.rpartition(":")[0].replace(":report/", ":report-group/") for one in first["reportArns"]} <= set(groups)

    second = small.build.build(small.folder, **PIPELINE)
    assert "The image exists already, nothing to build." in small.build.log(second)
    assert "[test]" not in small.build.log(second)
    assert image.items() < exported(second).items()
    assert list(small.tests(second).values()) == ["SKIPPED"]
    listed = small.client("s3").list_objects_v2(Bucket=f"{small.name}-artifacts", Prefix="releases/")["Contents"]
    names = [exported(build)["RELEASE_NAME"] for build in (first, second)]
    assert len(set(names)) == 2
    files = ("findings.json", "release.json")
    found = {one["Key"] for one in listed if not one["Key"].startswith("releases/images/")}
    assert found == {f"releases/{name}/{file}" for name in names for file in files}


@pytest.mark.slow
def test_a_failing_unit_test_stops_the_build_with_its_report(small):
    write_app(small.folder / "app", broken=True)
    build = small.build.build(small.folder, **PIPELINE)
    assert build["buildStatus"] == "FAILED"
    assert "Build stopped: the tests failed." in small.build.log(build)
    assert small.tests(build) == {"works": "FAILED"}
    assert small.images() == {}


@pytest.mark.slow
def test_a_finding_closes_the_gate(small, scans):
    scans(small.name, CRITICAL)
    build = small.build.build(small.folder, **PIPELINE)
    assert build["buildStatus"] == "FAILED"
    assert "CVE-2026-0001" in small.build.log(build)
    assert len(small.images()) == 1  # It is in the registry, and no stage uses it.


@pytest.mark.slow
def test_a_dockerfile_that_needs_a_container_engine(small):
    path = small.folder / "app/Dockerfile"
    path.write_text(path.read_text().replace("RUN npm ci --omit=dev --ignore-scripts", "RUN apt-get update"))
    build = small.build.build(small.folder, **PIPELINE)
    assert build["buildStatus"] == "FAILED"
    assert "RUN apt-get update needs a container engine, and local AWS builds without one" in small.build.log(build)
    assert small.images() == {}


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"version": "abc", "environment": "dev", "status": "ok", "message": "Hello"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.slow
def test_the_tests_of_an_environment(small):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        given = {
            "SERVICE_URL": f"http://127.0.0.1:{server.server_port}",
            "EXPECTED_VERSION": "abc",
            "ENVIRONMENT_NAME": "dev",
        }
        variables = [{"name": name, "value": value} for name, value in given.items()]
        passed = small.environment_tests.build(small.folder, environmentVariablesOverride=variables)
        assert passed["buildStatus"] == "SUCCEEDED", small.environment_tests.log(passed)
        assert set(small.tests(passed).values()) == {"SUCCEEDED"}
        (report,) = passed["reportArns"]
        assert f":report/{small.name}-tests-integration:" in report

        failing = "import test from 'node:test';\ntest('orders', () => { throw new Error('no orders'); });\n"
        (small.folder / "config/tests/integration/orders.test.mjs").write_text(failing)
        failed = small.environment_tests.build(small.folder, environmentVariablesOverride=variables)
        assert failed["buildStatus"] == "FAILED"
        assert small.tests(failed)["orders"] == "FAILED"
        assert "Failed: orders: no orders\nIntegration tests failed: 1 of 2." in small.environment_tests.log(failed)
    finally:
        server.shutdown()
        server.server_close()


def _registry_answers() -> bool:
    try:
        socket.create_connection(("registry.npmjs.org", 443), timeout=5).close()
    except OSError:
        return any("proxy" in name.lower() for name in MACHINE)
    return True


@pytest.mark.slow
def test_the_default_service(generated, client, scans, tmp_path):
    """With its dependencies, its tests and its linter."""
    if not _registry_answers():
        pytest.skip("the npm registry cannot be reached")
    service = Service(shutil.copytree(generated, tmp_path / "service"), client, "default-service")
    build = service.build.build(service.folder, **PIPELINE)
    assert build["buildStatus"] == "SUCCEEDED", service.build.log(build)
    tests = service.tests(build)
    assert len(tests) > 20
    assert set(tests.values()) == {"SUCCEEDED"}
    assert len(service.images()) == 1


def test_projects_are_those_of_the_stack(small):
    (project,) = small.client("codebuild").batch_get_projects(names=[small.build.name])["projects"]
    template = yaml.load((small.folder / "infrastructure/build.yaml").read_text(), Loader=_Tags)
    declared = template["Resources"]["BuildProject"]["Properties"]
    assert project["timeoutInMinutes"] == declared["TimeoutInMinutes"]
    assert project["source"] == {"type": "CODEPIPELINE", "buildspec": declared["Source"]["BuildSpec"]}
    assert project["cache"] == {"type": "LOCAL", "modes": declared["Cache"]["Modes"]}
    assert project["environment"]["privilegedMode"] is True
    small.client("cloudformation").delete_stack(StackName=f"{small.name}-build")
    waiter = small.client("cloudformation").get_waiter("stack_delete_complete")
    waiter.wait(StackName=f"{small.name}-build", WaiterConfig={"Delay": 0.2, "MaxAttempts": 200})
    with pytest.raises(ClientError):
        small.build.start(small.folder)
