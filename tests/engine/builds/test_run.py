"""Builds without AWS: no source, a buildspec of their own, and nothing that they write to."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import boto3
import pytest

from scaffold.engine.builds import phases
from scaffold.engine.builds.run import BuildRun, Watcher
from scaffold.engine.builds.surroundings import Surroundings
from scaffold.local.environment import LocalAws, running_local_aws
from tests.engine.builds.test_shell import alive
from tests.engine.roles import create_roles


def run(folder: Path, buildspec: str, minutes: float = 1.0) -> tuple[BuildRun, list[str]]:
    """A build that has not been started, and its log."""
    (folder / "builds").mkdir()
    log: list[str] = []
    build: dict[str, Any] = {
        "id": "shop:1",
        "arn": "arn:aws:codebuild:us-east-1:000000000000:build/shop:1",
        "projectName": "shop",
        "buildNumber": 1,
        "startTime": 0.0,
        "initiator": "codepipeline/shop",
        "encryptionKey": "key",
        "timeoutInMinutes": minutes,
        "source": {"type": "NO_SOURCE", "buildspec": buildspec},
        "environment": {"environmentVariables": []},
        "logs": {},
    }
    place = Surroundings(folder / "builds", "000000000000", "http://127.0.0.1:1", {"PATH": os.environ["PATH"]})
    watcher = Watcher(lambda: None, lambda name, report: name, lambda lines: log.extend(e["message"] for e in lines))
    return BuildRun(build, {"type": "NO_ARTIFACTS"}, "us-east-1", place, "c0ffee", watcher), log


def spec(*commands: str) -> str:
    lines = "".join(f"      - |-\n        {command}\n" for command in commands)
    return f"version: 0.2\nphases:\n  build:\n    commands:\n{lines}  post_build:\n    commands: [echo post]\n"


def test_what_a_pipeline_says(tmp_path: Path) -> None:
    build, log = run(tmp_path, spec('echo "$CODEBUILD_INITIATOR $CODEBUILD_RESOLVED_SOURCE_VERSION"'))
    build.run()
    assert build.state.status == "SUCCEEDED", log
    assert "codepipeline/shop c0ffee" in log
    assert list((tmp_path / "builds").iterdir()) == []


@pytest.mark.slow
def test_a_timeout_in_real_time(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    build, log = run(tmp_path, spec(f"sleep 300 & echo $! >{pids}", "sleep 300"), minutes=0.05)
    began = time.monotonic()
    build.run()
    assert time.monotonic() - began < 60
    assert build.state.status == "TIMED_OUT"
    assert [one.status for one in build.state.runs if one.kind == "BUILD"] == ["TIMED_OUT"]
    assert "post" not in log
    assert not alive(int(pids.read_text()))


def test_stopped_before_it_has_begun(tmp_path: Path) -> None:
    build, log = run(tmp_path, spec("echo one"))
    build.end(phases.Ended("STOPPED"))
    build.run()
    assert build.state.status == "STOPPED"
    assert "one" not in log


def test_a_fault_of_the_engine_ends_the_build(tmp_path: Path) -> None:
    build, log = run(tmp_path, spec("echo one"))
    build.build["environment"] = None
    build.run()
    assert build.state.status == "FAULT"
    assert any("FAULT" in line for line in log)


def test_output_of_any_kind_reaches_the_log(tmp_path: Path) -> None:
    build, log = run(tmp_path, spec(r"printf 'a\n\nb\377\n'", "echo error >&2", "printf 'no end'"))
    build.run()
    said = [line for line in log if not line.startswith("[Container]")]
    assert said == ["a", " ", "b\ufffd", "error", "no endpost"]


def start_build(aws: LocalAws, pids: Path) -> int:
    """Start a build whose command has a session of its own, and return the command's process."""
    session = boto3.Session(
        aws.variables["AWS_ACCESS_KEY_ID"], aws.variables["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1"
    )
    endpoint = aws.variables["AWS_ENDPOINT_URL"]
    create_roles(session.client("iam", endpoint_url=endpoint), "builds")
    codebuild = session.client("codebuild", endpoint_url=endpoint)
    codebuild.create_project(
        name="shop",
        source={"type": "NO_SOURCE", "buildspec": spec(f"setsid sh -c 'echo $$ >{pids}; exec sleep 300'")},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "a", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole="arn:aws:iam::000000000000:role/builds",
    )
    codebuild.start_build(projectName="shop")
    wait_for(lambda: pids.exists() and pids.read_text().strip())
    pid = int(pids.read_text())
    assert alive(pid)
    return pid


def test_nothing_is_left_of_a_killed_server(tmp_path: Path) -> None:
    with running_local_aws(runs=True) as aws:
        pid = start_build(aws, tmp_path / "pids")
        os.kill(aws.process.pid, signal.SIGKILL)
        wait_for(lambda: not alive(pid))


@pytest.mark.slow
def test_local_aws_ends_while_a_build_runs(tmp_path: Path) -> None:
    with running_local_aws(runs=True) as aws:
        pid = start_build(aws, tmp_path / "pids")
        state = Path(aws.variables["AWS_CONFIG_FILE"]).parent
    assert aws.process.returncode == 0  # It has ended by itself.
    assert not state.exists()
    assert not alive(pid)


def wait_for(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
