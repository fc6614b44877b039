"""A CodeBuild project with its own build instructions, whose source has others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .git import Repository
from .queues import get
from .roles import allow, role, trust
from .sandbox import Sandbox
from .stacks import Stack, Template, template
from .verdicts import Unavailable

#: Those of the kit's checks.
IMAGE = "aws/codebuild/amazonlinux-x86_64-standard:6.0"
_FILE = """\
version: 0.2
env:
  exported-variables: [INSTRUCTIONS]
phases:
  build:
    commands:
      - export INSTRUCTIONS=file
"""
# Counts layers that BuildKit extracts: none of an image that was pulled before, some of another one.
_INLINE = """\
version: 0.2
env:
  shell: bash
  exported-variables: [INSTRUCTIONS, NODE, PYTHON, PULLED, NOT_PULLED]
phases:
  install:
    runtime-versions:
      nodejs: 24
  build:
    commands:
      - export INSTRUCTIONS=inline
      - export NODE="$(node --version 2>&1)"
      - export PYTHON="$(python3 --version 2>&1)"
      - |
        # Anonymous clients may pull once a second from an address, and CodeBuild's addresses are shared.
        aws ecr-public get-login-password --region us-east-1 |
          docker login --username AWS --password-stdin public.ecr.aws || true
      - |
        extracted() {
          local reference
          reference=$(docker buildx imagetools inspect "$1" --format '{{.Manifest.Digest}}') || return 1
          [[ ${2-} != pull ]] || docker pull --quiet "$1@$reference" >/dev/null || return 1
          mkdir -p context
          printf 'FROM base\\nRUN true\\n' >context/Dockerfile
          docker buildx build --progress=plain --provenance=false --platform linux/amd64 \\
            --build-context "base=docker-image://$1@$reference" context >log 2>&1 || return 1
          grep -c extracting log || true
        }
        export PULLED="$(extracted BASE pull)" || true
        export NOT_PULLED="$(extracted OTHER)" || true
"""
_OTHER = "public.ecr.aws/docker/library/alpine:3.22"


def image_of_kit() -> str:
    """The base image of the kit's application."""
    dockerfile = Path(__file__).resolve().parents[2] / "template" / "app" / "Dockerfile.jinja"
    found = re.search(r"^ARG BASE_IMAGE=(\S+)$", dockerfile.read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise Unavailable("the kit's Dockerfile has no argument BASE_IMAGE")
    return found[1]


def answers(sandbox: Sandbox) -> dict[str, str]:
    """What the one build has found out, by the names of its exported variables."""
    return sandbox.once("build", lambda: _build(sandbox))


def _build(sandbox: Sandbox) -> dict[str, str]:
    repository = Repository.create(sandbox, "sources")
    name = repository.name
    repository.commit("A buildspec that is not used", buildspec__yml=_FILE)
    repository.push()
    Stack.create(sandbox, "builds", _template(sandbox, name), Capabilities=["CAPABILITY_IAM"])
    build = run(sandbox, name, 900)
    exported = {one["name"]: one.get("value", "") for one in build.get("exportedEnvironmentVariables", [])}
    if not exported:
        raise Unavailable(f"the build of the probe ended with {build['buildStatus']}: {failures(build)}")
    return exported


def run(sandbox: Sandbox, project: str, seconds: float) -> dict[str, Any]:
    """Run a build of a project to its end."""
    codebuild = sandbox.client("codebuild")
    identifier = codebuild.start_build(projectName=project)["build"]["id"]

    def look() -> dict[str, Any]:
        (build,) = codebuild.batch_get_builds(ids=[identifier])["builds"]
        return dict(build) if build["buildStatus"] != "IN_PROGRESS" else {}

    ended: dict[str, Any] = sandbox.wait(look, "the end of the build", seconds)
    return ended


def failures(build: dict[str, Any]) -> str:
    """What CodeBuild says of the phases of a build that failed."""
    contexts = [one for phase in build.get("phases", []) for one in phase.get("contexts", [])]
    return " ".join(one["message"] for one in contexts if one.get("message"))


def _template(sandbox: Sandbox, name: str) -> str:
    instructions = _INLINE.replace("BASE", image_of_kit()).replace("OTHER", _OTHER)
    log = ("logs:CreateLogStream", "logs:PutLogEvents")
    pull = ("ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken")
    arn = sandbox.arn("codecommit", name)
    location = f"https://git-codecommit.{sandbox.account.region}.amazonaws.com/v1/repos/{name}"
    resources: Template = {
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": f"/{name}", "RetentionInDays": 1}},
        "Role": role(
            trust(service="codebuild.amazonaws.com"),
            allow(*log, resource=get("Logs", "Arn")),
            allow("codecommit:GitPull", resource=arn),
            allow(*pull),
        ),
        "Project": {
            "Type": "AWS::CodeBuild::Project",
            "Properties": {
                "Name": name,
                "ServiceRole": get("Role", "Arn"),
                "Artifacts": {"Type": "NO_ARTIFACTS"},
                "Source": {"Type": "CODECOMMIT", "Location": location, "BuildSpec": instructions},
                "SourceVersion": "refs/heads/main",
                "TimeoutInMinutes": 15,
                "LogsConfig": {"CloudWatchLogs": {"Status": "ENABLED", "GroupName": {"Ref": "Logs"}}},
                "Environment": {
                    "Type": "LINUX_CONTAINER",
                    "Image": IMAGE,
                    "ComputeType": "BUILD_GENERAL1_SMALL",
                    "PrivilegedMode": True,
                },
            },
        },
    }
    return template(resources)
