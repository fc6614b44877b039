"""Renovate itself opens pull requests in local AWS, with no more rights than the service gives it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest

from scaffold.core.git import git
from scaffold.local.downloads import downloads
from scaffold.service import names, project_names
from tests.deploy.services import commit, run, unused_name
from tests.kits import commit_all
from tests.release.rehearsals import small_service
from tests.release.test_merge_gate import NO_BUILD, eventually

# It installs the real Renovate, which asks the registries of npm and PyPI.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
KIT = "https://kits.example/"
ANSWERS = "{{ _copier_conf.answers_file }}.jinja"
SIX = "six==1.16.0 \\\n    --hash=sha256:8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254\n"
NPM, PYTHON = "renovate/npm-minor-patch", "renovate/pip_requirements-minor-patch"


def kit(folder: Path) -> Path:
    """A kit with two versions, each of which writes a file."""
    folder.mkdir()
    (folder / "copier.yml").write_text("_subdirectory: template\n")
    (folder / "template" / "config").mkdir(parents=True)
    (folder / "template" / ANSWERS).write_text("{{ _copier_answers | to_nice_yaml }}")
    for number in ("1.0.0", "1.1.0"):
        (folder / "template" / "config" / "kit.txt").write_text(f"{number}\n")
        commit_all(folder, number, f"v{number}")
    return folder


def outdate(root: Path) -> None:
    """Let a service pin old packages, and come from an old version of the kit."""
    (root / "app" / ".npmrc").write_text("omit-lockfile-registry-resolved=true\n")
    package = {"name": "app", "version": "0.0.0", "private": True, "dependencies": {"ms": "2.1.2"}}
    (root / "app" / "package.json").write_text(json.dumps(package, indent=2) + "\n")
    command = ["npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=root / "app", capture_output=True, check=True, timeout=120)
    (root / "app" / "requirements.txt").write_text(SIX)
    answers = root / ".copier-answers.yml"
    kept = [line for line in answers.read_text().splitlines() if not line.startswith(("_src_path", "_commit"))]
    answers.write_text("\n".join([*kept, "_commit: v1.0.0", f"_src_path: {KIT}kit.git"]) + "\n")
    (root / "config" / "kit.txt").write_text("1.0.0\n")


def test_newer_versions_become_pull_requests_that_nobody_has_approved(aws: None, tmp_path: Path) -> None:
    """The registry of the base image is not reached here: the first run fails, after its pull requests."""
    app, source = unused_name(), kit(tmp_path / "kit.git")
    root = small_service(tmp_path / "service", app_name=app, customize=True, updates="renovate", approval="none")
    outdate(root)
    made = commit(root, config__buildspecs__build_yml=NO_BUILD)
    run(root)
    redirected = {"COUNT": "1", "KEY_0": f"url.{source.parent}/.insteadOf", "VALUE_0": KIT}
    session = boto3.Session(region_name="us-east-1")
    codebuild, codecommit, logs = (session.client(name) for name in ("codebuild", "codecommit", "logs"))

    def update() -> tuple[str, str]:
        """How a run ends, and its log."""
        # The address of the kit leads to this machine, which has its own way to the registries.
        variables = {f"GIT_CONFIG_{name}": value for name, value in redirected.items()} | downloads(os.environ)
        given = [{"name": name, "value": value} for name, value in variables.items()]
        started = codebuild.start_build(projectName=project_names.updates(app), environmentVariablesOverride=given)

        def ended() -> dict[str, Any] | None:
            (found,) = codebuild.batch_get_builds(ids=[started["build"]["id"]])["builds"]
            return dict(found) if found["buildComplete"] else None

        found = eventually(ended)
        where = {"logGroupName": found["logs"]["groupName"], "logStreamNames": [found["logs"]["streamName"]]}
        pages = logs.get_paginator("filter_log_events").paginate(**where)
        return found["buildStatus"], "".join(event["message"] for page in pages for event in page["events"])

    def requests() -> dict[str, dict[str, Any]]:
        """The open pull requests, by their branch."""
        numbers = codecommit.list_pull_requests(repositoryName=app, pullRequestStatus="OPEN")["pullRequestIds"]
        found = [codecommit.get_pull_request(pullRequestId=number)["pullRequest"] for number in numbers]
        return {one["pullRequestTargets"][0]["sourceReference"].removeprefix("refs/heads/"): one for one in found}

    def at(branch: str, file: str) -> str:
        git("fetch", "--quiet", "origin", branch, cwd=root, env=dict(os.environ))
        return git("show", f"FETCH_HEAD:{file}", cwd=root)

    status, log = update()
    opened = requests()
    assert status == "FAILED", log
    assert "no version is known of public.ecr.aws/docker/library/node in app/Dockerfile" in log, log
    (of_kit,) = [branch for branch in opened if "kits.example" in branch]
    assert {NPM, PYTHON} <= opened.keys()
    assert all(branch.startswith("renovate/") for branch in opened)
    assert json.loads(at(NPM, "app/package.json"))["dependencies"]["ms"] != "2.1.2"
    assert '"version": "2.1.2"' not in at(NPM, "app/package-lock.json")
    python = at(PYTHON, "app/requirements.txt")
    assert "six==1.16.0" not in python
    assert "--hash=sha256:" in python
    assert SIX.split(":")[1].strip() not in python
    assert at(of_kit, "config/kit.txt") == "1.1.0"
    assert "_commit: v1.1.0" in at(of_kit, ".copier-answers.yml")
    # They are judged as any other, and main has not moved.
    assert eventually(
        lambda: codebuild.list_builds_for_project(projectName=project_names.pull_request_tests(app))["ids"]
    )
    for request in opened.values():
        identifier = {"pullRequestId": request["pullRequestId"], "revisionId": request["revisionId"]}
        assert not codecommit.evaluate_pull_request_approval_rules(**identifier)["evaluation"]["approved"]
        assert f":assumed-role/{app}" in request["authorArn"]
    assert codecommit.get_branch(repositoryName=app, branchName=names.BRANCH)["branch"]["commitId"] == made

    # With a base image that needs no registry, the same run succeeds, and opens nothing twice.
    (root / "app" / "Dockerfile").write_text("FROM scratch\n")
    commit(root)
    git("push", "--quiet", "origin", f"HEAD:{names.BRANCH}", cwd=root, env=dict(os.environ))
    status, log = update()
    assert status == "SUCCEEDED", log
    assert {branch: one["pullRequestId"] for branch, one in requests().items()} == {
        branch: one["pullRequestId"] for branch, one in opened.items()
    }
