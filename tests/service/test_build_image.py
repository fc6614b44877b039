"""The build script with the real `aws` command and the registry of local AWS; only the container engine is fake."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import urllib.request
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from tests.service.conftest import Engine
from tests.service.dockerfiles import GO, PYTHON
from tests.service.test_dockerfile import TestContract as Contract

ACCOUNT_HOST = "000000000000.dkr.ecr.us-east-1.amazonaws.com"


PYTHON_BASE = "public.ecr.aws/docker/library/python:3.12-slim"


class Build:
    """A service in a shell like CodeBuild's, in which `aws` uses local AWS and `docker` is the fake engine."""

    def __init__(self, service: Path, engine: Engine, local: dict[str, str], repository: str) -> None:
        self.service = service
        self.engine = engine
        self.repository = repository
        self.uri = f"{ACCOUNT_HOST}/{repository}"
        path = os.pathsep.join([str(engine.state / "bin"), local["PATH"]])
        self.environment = {
            **local,
            "PATH": path,
            "HOME": str(engine.state),
            "REPOSITORY_URI": self.uri,
            "REPOSITORY_NAME": repository,
            "ARCHITECTURE": "x86_64",
            "AWS_MAX_ATTEMPTS": "1",
            "ARTIFACT_BUCKET": f"{repository[:50].strip('-')}-artifacts",
            "COMMIT": "c0ffee",
            "EXECUTION": "execution-1",
            "APP_NAME": "orders",
            "CODEBUILD_BUILD_ARN": "arn:aws:codebuild:us-east-1:000000000000:build/orders-build:1",
        }
        keys = {
            "aws_access_key_id": local["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": local["AWS_SECRET_ACCESS_KEY"],
        }
        self.ecr, s3 = (
            boto3.Session().client(service, region_name="us-east-1", endpoint_url=local["AWS_ENDPOINT_URL"], **keys)
            for service in ("ecr", "s3")
        )
        s3.create_bucket(Bucket=self.environment["ARTIFACT_BUCKET"])
        self.ecr.create_repository(repositoryName=repository, imageTagMutability="IMMUTABLE")

    def images(self) -> dict[str, str]:
        """The digests in the registry, by tag."""
        details = self.ecr.describe_images(repositoryName=self.repository)["imageDetails"]
        return {tag: image["imageDigest"] for image in details for tag in image["imageTags"]}

    def run(self, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.shell("bash config/scripts/build_image.sh image.env", **variables)

    def shell(self, *commands: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run commands in one shell, each only if the ones before succeeded, as CodeBuild does."""
        script = " && ".join(f"{{ {command}\n}}" for command in commands)
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self.service,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    def exported(self) -> dict[str, str]:
        """The variables of a shell that has sourced image.env, but for the base images."""
        done = self.shell(". ./image.env", "env")
        return {
            k: v
            for k, _, v in (line.partition("=") for line in done.stdout.splitlines())
            if k.startswith("IMAGE_") and k != "IMAGE_BASES"
        }

    def report(self) -> ElementTree.Element:
        return ElementTree.parse(self.service / "app/reports/junit.xml").getroot()


@pytest.fixture
def build(service: Path, engine: Engine, local: dict[str, str], request: pytest.FixtureRequest) -> Iterator[Build]:
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    yield Build(service, engine, local, name)
    scripts = urllib.request.Request(f"{local['AWS_ENDPOINT_URL']}/_local/image-scans", method="DELETE")
    urllib.request.urlopen(scripts, timeout=10).close()


def pinned(call: list[str]) -> list[str]:
    """The images with their digests that replace the names in a Dockerfile."""
    return [word.partition("=docker-image://")[2] for word in call if "=docker-image://" in word]


def succeeded(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr


def stopped(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.splitlines()[-1] == f"Build stopped: {words}"


@pytest.mark.slow
def test_each_content_is_tested_built_and_pushed_once(build):
    """First build, a change outside of app/, a change in app/."""
    succeeded(build.run(CODEBUILD_RESOLVED_SOURCE_VERSION="c0ffee"))
    first = build.exported()
    ((tag, digest),) = build.images().items()
    image = {"IMAGE_URI": f"{build.uri}@{digest}", "IMAGE_TAG": tag, "IMAGE_DIGEST": digest}
    assert first == image | {"IMAGE_BUILT": "yes"}
    assert re.fullmatch(r"[0-9a-f]{16}", tag)
    assert [case.get("name") for case in build.report().iter("testcase")] == ["t"]
    (pushed,) = build.engine.calls("--push")
    for flag in ("--provenance=false", "--sbom=false", "linux/amd64", f"{build.uri}:{tag}"):
        assert flag in pushed
    (base,) = pinned(pushed)
    assert base.endswith("-slim@sha256:" + "b" * 64)
    labels = {
        word.partition("=")[0].split(".")[-1]: word.partition("=")[2] for word in pushed if word.startswith("org.")
    }
    assert labels["version"] == tag
    assert labels["revision"] == "c0ffee"
    assert f"{labels['name']}@{labels['digest']}" == base
    # The tests ran on the same base image, and their container was removed.
    assert pinned(build.engine.calls("--load")[0]) == [base]
    assert len(build.engine.calls("rm")) == 1

    build.engine.forget()
    (build.service / "image.env").unlink()
    (build.service / "README.md").write_text("Another word\n")
    succeeded(done := build.run())
    assert "nothing to build" in done.stdout
    assert build.exported() == image | {"IMAGE_BUILT": "no"}
    assert [call[:3] for call in build.engine.calls()] == [["buildx", "imagetools", "inspect"]]
    suite = build.report().find("testsuite")
    assert (suite.get("tests"), suite.get("skipped"), suite.get("failures")) == ("1", "1", "0")
    assert tag in suite.find("testcase").get("name")
    assert suite.find("testcase/skipped") is not None

    with (build.service / "app/src/app.js").open("a") as source:
        source.write("// changed\n")
    succeeded(build.run())
    assert build.exported()["IMAGE_TAG"] != tag
    assert len(set(build.images().values())) == 2


@pytest.mark.slow
def test_a_newer_base_or_another_architecture_is_another_image(build):
    succeeded(build.run())
    build.engine.tell(base="c" * 64)
    succeeded(build.run())
    build.engine.forget()
    succeeded(build.run(ARCHITECTURE="arm64"))
    assert "linux/arm64" in build.engine.calls("--push")[0]
    assert len(build.images()) == 3


@pytest.mark.parametrize(
    ("tests", "report"), [("fail", True), pytest.param("no-report", False, marks=pytest.mark.slow)]
)
def test_nothing_is_pushed_when_tests_fail(build, tests, report):
    build.engine.tell(tests=tests)
    stopped(build.run(), "the tests failed.")
    assert not build.engine.calls("--push")
    assert build.images() == {}
    assert not (build.service / "image.env").exists()
    assert (build.service / "app/reports/junit.xml").exists() == report
    assert len(build.engine.calls("rm")) == 1


@pytest.mark.slow
def test_the_second_of_two_pushes_uses_the_image_of_the_first(build):
    build.engine.tell(push="loses")
    succeeded(done := build.run())
    assert "Another build has pushed this version already" in done.stdout
    ((tag, digest),) = build.images().items()
    assert build.exported() == {
        "IMAGE_URI": f"{build.uri}@{digest}",
        "IMAGE_TAG": tag,
        "IMAGE_DIGEST": digest,
        "IMAGE_BUILT": "no",
    }


@pytest.mark.slow
def test_a_push_that_fails_stops_the_build(build):
    build.engine.tell(push="fails")
    stopped(build.run(), "cannot build and push the image.")
    # A failed build is not repeated as if it were a pull.
    assert len(build.engine.calls("--push")) == 1
    assert not (build.service / "image.env").exists()


@pytest.mark.slow
def test_a_digest_in_the_dockerfile_is_not_resolved_again(build):
    build.engine.tell(base="a" * 64)
    succeeded(build.shell("make pin-base"))
    build.engine.tell(base="b" * 64)
    build.engine.forget()
    succeeded(done := build.run())
    base = re.search(r"(?m)^ARG BASE_IMAGE=(.*)$", (build.service / "app/Dockerfile").read_text())[1]
    assert re.fullmatch(r"public\.ecr\.aws/docker/library/node:24\.\d+\.\d+-trixie-slim@sha256:a{64}", base)
    assert f"on {base}\n" in done.stdout
    assert not build.engine.calls("imagetools")
    (push,) = build.engine.calls("--push")
    assert f"org.opencontainers.image.base.digest=sha256:{'a' * 64}" in push
    assert pinned(push) == []


@pytest.mark.slow
def test_a_base_image_that_cannot_be_resolved_stops_the_build(build):
    build.engine.tell(base="unreachable")
    done = build.run()
    assert done.returncode == 1
    assert re.search(r"^Build stopped: cannot resolve the digest of public\.ecr\.aws/\S+\.$", done.stderr, re.M)
    assert len(build.engine.calls("imagetools")) == 3
    assert len(build.engine.calls()) == 3


def public_registry(build: Build, answer: str) -> Path:
    """Let `aws ecr-public` run a command, and return the log of such calls; every other call of `aws` is real."""
    log = build.engine.state / "ecr-public"
    real = shutil.which("aws", path=build.environment["PATH"])
    program = build.engine.state / "bin" / "aws"
    program.write_text(f'#!/bin/sh\n[ "$1" = ecr-public ] || exec \'{real}\' "$@"\necho "$@" >>\'{log}\'\n{answer}\n')
    program.chmod(0o755)
    return log


@pytest.mark.slow
def test_the_build_signs_in_to_the_public_registry(build):
    log = public_registry(build, "echo secret")
    succeeded(done := build.run(AWS_REGION="eu-central-1"))
    assert log.read_text() == "ecr-public get-login-password --region us-east-1\n"
    # Before anything is looked up or pulled.
    calls = [call for call in build.engine.calls() if call[0] in ("login", "buildx", "pull")]
    assert calls[0] == ["login", "--username", "AWS", "--password-stdin", "public.ecr.aws"]
    assert "secret" not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_refused_sign_in_is_a_warning(build):
    public_registry(build, "echo 'AccessDeniedException' >&2; exit 254")
    succeeded(done := build.run())
    assert "Warning: cannot sign in to public.ecr.aws" in done.stderr


@pytest.mark.slow
def test_there_is_no_sign_in_where_there_is_nothing_to_sign_in_to(build):
    log = public_registry(build, "echo secret")
    succeeded(build.run(AWS_REGION="us-gov-west-1"))
    succeeded(build.run(BASE_IMAGE="registry.example/node:24"))
    assert not log.exists()


@pytest.mark.slow
def test_a_failed_pull_is_repeated(build):
    build.engine.tell(pulls=1)
    succeeded(build.run())
    (base,) = pinned(build.engine.calls("--load")[0])
    assert build.engine.calls("pull") == [["pull", "--quiet", "--platform", "linux/amd64", base]] * 2


@pytest.mark.slow
def test_the_build_itself_pulls_what_could_not_be_pulled_before(build):
    build.engine.tell(pulls=9)
    succeeded(done := build.run())
    assert len(build.engine.calls("pull")) == 3
    assert "Warning: cannot pull public.ecr.aws/" in done.stderr


@pytest.mark.parametrize(
    "files", [pytest.param(one, marks=pytest.mark.slow) for one in (PYTHON, GO)], ids=["python", "go"]
)
def test_a_dockerfile_of_its_own_is_built_on_pinned_images(build, files):
    Contract.with_app(build.service, files)
    succeeded(build.run())
    (push,) = build.engine.calls("--push")
    images = {image.partition("@")[0] for image in pinned(push)}
    assert images == ({PYTHON_BASE} if files is PYTHON else {"golang:1.24", "alpine:3.22"})
    assert {image.partition("@")[0] for image in pinned(build.engine.calls("--load")[0])} == images
    assert ("--target" in push) == (files is PYTHON)
    assert any(f"base.name={PYTHON_BASE}" in word for word in push) == (files is PYTHON)
    before = build.exported()["IMAGE_TAG"]
    build.engine.tell(base="c" * 64)
    succeeded(build.run())
    assert build.exported()["IMAGE_TAG"] != before


@pytest.mark.slow
def test_the_tests_are_left_out_if_the_dockerfile_says_so(build):
    Contract.with_app(build.service, {"Dockerfile": b"# tests: none\nFROM python:3.12-slim\n", "src/x": b""})
    succeeded(build.run())
    assert not build.engine.calls("--load")
    assert build.report().find("testsuite/testcase/skipped").get("message") == "there is no stage test"


def test_a_dockerfile_that_lacks_something_stops_the_build(build):
    path = build.service / "app/Dockerfile"
    path.write_text(path.read_text().replace("AS test", "AS tests"))
    done = build.run()
    assert done.returncode == 1
    assert "Build stopped: app/Dockerfile has no stage test, so nothing would be tested.\n" in done.stderr
    assert not build.engine.calls()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"REPOSITORY_NAME": ""}, "set REPOSITORY_URI and REPOSITORY_NAME."),
        ({"REPOSITORY_URI": ""}, "set REPOSITORY_URI and REPOSITORY_NAME."),
        ({"ARCHITECTURE": "sparc"}, "set ARCHITECTURE to x86_64 or arm64, not 'sparc'."),
        ({"REPOSITORY_NAME": "nobodys"}, "cannot look up tag {tag} in the registry."),
    ],
)
def test_errors_name_their_cause(build, variables, words):
    done = build.run(**variables)
    version = re.search(r"^Version (\S+),", done.stdout)
    stopped(done, words.format(tag=version[1] if version else ""))


def test_without_a_push_it_needs_no_registry(build):
    """As for a pull request, whose build has no permission for it."""
    nothing = {"REPOSITORY_NAME": "", "REPOSITORY_URI": "", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    succeeded(build.shell("bash config/scripts/build_image.sh --no-push", **nothing))
    assert build.images() == {}
    assert [case.get("name") for case in build.report().iter("testcase")] == ["t"]
    tested, built = build.engine.calls("build", "--load")
    assert "test" in tested
    assert "service" in built
    assert not build.engine.calls("--push")
    assert not (build.service / "image.env").exists()


def test_secrets_are_passed_by_name_and_no_value_is_an_argument(build):
    names = {"BUILD_SECRETS": "NPM_TOKEN OTHER", "NPM_TOKEN": "a-secret-value", "OTHER": "another-value"}
    done = build.shell("bash config/scripts/build_image.sh --no-push", **names)
    succeeded(done)
    calls = build.engine.calls("build")
    assert len(calls) == 2
    for call in calls:
        given = [call[index + 1] for index, word in enumerate(call) if word == "--secret"]
        assert given == ["id=NPM_TOKEN,env=NPM_TOKEN", "id=OTHER,env=OTHER"]
        assert not [word for word in call if "value" in word]
    assert "value" not in done.stdout + done.stderr


@pytest.mark.slow
def test_without_a_push_failed_tests_stop_it_too(build):
    build.engine.tell(tests="fail")
    stopped(build.shell("bash config/scripts/build_image.sh --no-push"), "the tests failed.")
    assert len(build.engine.calls("build", "--load")) == 1


class TestBuildspec:
    """The commands of the buildspec in one shell, after the source gate: build, scan gate, exported variables."""

    @staticmethod
    def run(build: Build) -> subprocess.CompletedProcess[str]:
        spec = yaml.safe_load((build.service / "config/buildspecs/build.yml").read_text())
        commands = [
            command.replace("scan_gate", "scan_gate --poll-seconds 0.1")
            for command in spec["phases"]["build"]["commands"]
            if "source_gate" not in command
        ]
        names = " ".join(spec["env"]["exported-variables"])
        return build.shell(*commands, f'for name in {names}; do echo "$name=${{!name}}"; done')

    @staticmethod
    def script(build: Build, **script: Any) -> None:
        """Set the results of image scans (see docs/local-aws.md)."""
        url = f"{build.environment['AWS_ENDPOINT_URL']}/_local/image-scans"
        document = json.dumps({"repositoryName": build.repository, **script}).encode()
        urllib.request.urlopen(urllib.request.Request(url, document, method="PUT"), timeout=10).close()

    def findings(self, build: Build, *severities: str, **more: Any) -> None:
        found = [{"name": f"CVE-2026-{number}", "severity": name} for number, name in enumerate(severities)]
        self.script(build, findings=found, **more)

    @pytest.mark.slow
    def test_it_exports_the_image_that_passed_the_gate(self, build):
        self.findings(build, "HIGH", "LOW")
        succeeded(done := self.run(build))
        ((tag, digest),) = build.images().items()
        name = done.stdout.rpartition("RELEASE_NAME=")[2].split()[0]
        assert re.fullmatch(rf"\d{{8}}-\d{{4}}-{tag[:12]}", name)
        assert done.stdout.endswith(
            f"Scan gate open.\nRelease {name}\nIMAGE_URI={build.uri}@{digest}\nIMAGE_TAG={tag}\n"
            f"IMAGE_DIGEST={digest}\nRELEASE_NAME={name}\nRELEASE_COMMIT=c0ffee\n"
        )
        # The second build finds the image, but the gate requests the findings again; there are new ones.
        self.findings(build, "CRITICAL")
        again = self.run(build)
        assert again.returncode == 1
        assert "nothing to build" in again.stdout
        assert re.search(r"once in 24 hours.*\nUsing the findings of the scan of .*, 0\.0 hours ago", again.stdout)
        assert "CVE-2026-0" in again.stderr
        assert "IMAGE_URI=" not in again.stdout

    @pytest.mark.slow
    def test_the_gate_reads_all_pages_of_findings(self, build):
        """The most severe finding comes last."""
        succeeded(build.run())
        self.findings(build, *["LOW"] * 1500, "CRITICAL", ageHours=30)
        done = self.run(build)
        assert done.returncode == 1
        assert "CVE-2026-1500" in done.stderr
        assert "Below the threshold: 1500 LOW." in done.stdout

    @pytest.mark.slow
    def test_findings_of_amazon_inspector_count(self, build):
        found = [{"severity": "CRITICAL", "packageVulnerabilityDetails": {"vulnerabilityId": "CVE-2026-7"}}]
        self.script(build, enhancedFindings=found, startError="ValidationException", ageHours=1, steps=["ACTIVE"])
        done = self.run(build)
        assert done.returncode == 1
        assert "CVE-2026-7" in done.stderr

    @pytest.mark.slow
    def test_the_tests_in_the_image_pass(self, build, node_modules):
        build.engine.tell(tests="real", modules=str(node_modules))
        succeeded(done := self.run(build))
        assert len(list(build.report().iter("testcase"))) >= 30
        assert "Scan gate open." in done.stdout

    @pytest.mark.slow
    def test_it_exports_the_image_without_a_gate_too(self, build, generated_without_gate, tmp_path):
        build.service = shutil.copytree(generated_without_gate, tmp_path / "without")
        succeeded(done := self.run(build))
        assert "Scan gate" not in done.stdout
        ((tag, _),) = build.images().items()
        assert f"\nIMAGE_TAG={tag}\n" in done.stdout
