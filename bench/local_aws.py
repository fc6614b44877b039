"""Figures that local AWS gives: the calls of commands, and what a running local AWS needs itself."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

from figures import Figure

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

ENVIRONMENTS = ("dev,staging,prod", "dev,test,qa,load,staging,prod,dr,spare")
NAMES = ("deploy", "status", "engine", "unchanged")
_DEPLOY_CALLS = 12
_STATUS_CALLS, _STATUS_CALLS_EACH = 5, 6
_ENGINE_SHARE = 20
_MEMORY = 600
_UNCHANGED_SECONDS, _APART_SECONDS, _BUILD_SECONDS, _OWN_SECONDS = 10, 3, 8, 6
_WAITS_FOR_APPROVAL = 11


def figures(names: set[str], new: Callable[[Path, str], None], folder: Path) -> Iterator[Figure]:
    """The figures with these names, or all for none.

    Args:
        new: Generates a service with a list of environments in a folder.
        folder: An empty folder.
    """
    asked = names or set(NAMES)
    if "deploy" in asked:
        for environments in ENVIRONMENTS:
            amount = environments.count(",") + 1
            root = folder / f"deploy-{amount}"
            new(root, environments)
            calls = _calls_of_a_repeated_deployment(root)
            yield Figure("deploy", f"calls, {amount} environments", calls, _DEPLOY_CALLS)
    if asked & {"status", "engine", "unchanged"}:
        root = folder / "released"
        new(root, ENVIRONMENTS[0])
        amount = ENVIRONMENTS[0].count(",") + 1
        with _background(root) as server:
            share, calls = _release(root, server)
            yield Figure("engine", "% of a release is CPU time of local AWS itself", share, _ENGINE_SHARE)
            yield Figure("engine", "MB of memory of local AWS itself", server.memory(), _MEMORY)
            limit = _STATUS_CALLS + _STATUS_CALLS_EACH * amount
            yield Figure("status", f"calls, {amount} environments", calls, limit)
            if "unchanged" in asked:
                _protect_load_balancer(root)
                builds, own = server.ended_seconds(), server.seconds()
                span, apart = _unchanged(root)
                yield Figure("unchanged", "s of an execution in which nothing changes", span, _UNCHANGED_SECONDS)
                yield Figure("unchanged", "s of it apart from its builds", apart, _APART_SECONDS)
                taken = server.ended_seconds() - builds
                yield Figure("unchanged", "s of CPU time of its builds", taken, _BUILD_SECONDS)
                yield Figure("unchanged", "s of CPU time of local AWS itself", server.seconds() - own, _OWN_SECONDS)


def _calls_of_a_repeated_deployment(root: Path) -> int:
    """How many calls a deployment with nothing to do makes, against local AWS that runs nothing."""
    from scaffold.console.console import Console
    from scaffold.deployment.deploy import deploy
    from scaffold.local.environment import running_local_aws
    from scaffold.service.service import read

    service = read(root)
    with running_local_aws() as aws:
        deploy(service, aws.target, plan=False, console=Console())
        with _counted() as calls:
            repeated = deploy(service, aws.target, plan=False, console=Console())
    if repeated.changed:
        sys.exit("The repeated deployment found something to do.")
    return len(calls)


@contextlib.contextmanager
def _counted() -> Iterator[list[str]]:
    """The calls of this process in a `with` block, counted where boto3 makes them."""
    from botocore.client import BaseClient

    calls: list[str] = []
    original = vars(BaseClient)["_make_api_call"]

    def counted(client: BaseClient, operation: str, parameters: object) -> object:
        calls.append(operation)
        return original(client, operation, parameters)

    with patch.object(BaseClient, "_make_api_call", counted):
        yield calls


class _Server:
    """The process of a local AWS, without the builds and tasks that it starts. Linux only."""

    def __init__(self, pid: int) -> None:
        self._process = Path(f"/proc/{pid}")

    def seconds(self) -> float:
        """Its CPU time."""
        return self._seconds(11)

    def ended_seconds(self) -> float:
        """The CPU time of all processes that it has started, directly or not, and that have ended."""
        return self._seconds(13)

    def _seconds(self, field: int) -> float:
        # The command's name in parentheses may have spaces.
        fields = (self._process / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[field]) + int(fields[field + 1])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Its resident memory in MB."""
        status = (self._process / "status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@contextlib.contextmanager
def _background(root: Path) -> Iterator[_Server]:
    """A local AWS that runs, with the environment variables of this process set to reach it."""
    from scaffold.local import background

    with patch.dict(os.environ, {"XDG_RUNTIME_DIR": str(root.parent), "SCAFFOLD_CONTAINER_ENGINE": "none"}):
        started = background.start_in_background("us-east-1", 60.0)
        try:
            with patch.dict(os.environ, started.background.aws.variables):
                yield _Server(started.background.pid)
        finally:
            background.stop()


def _release(root: Path, server: _Server) -> tuple[float, int]:
    """Release a service to production; the server's CPU time in percent of the time, and the calls of `status`."""
    from scaffold.commands.status import StatusOptions, run
    from scaffold.console.console import Console

    before, start = server.seconds(), time.monotonic()
    waiting = _scaffold(root, "deploy", "--wait", "--json", code=_WAITS_FOR_APPROVAL)
    execution = json.loads(waiting)["release"]["execution"]
    _scaffold(root, "approve", "--yes", "--execution", execution)
    _scaffold(root, "deploy", "--wait")
    share = 100 * (server.seconds() - before) / (time.monotonic() - start)
    with _counted() as calls:
        run(StatusOptions(directory=root), Console(), str)
    return share, len(calls)


def _protect_load_balancer(root: Path) -> None:
    """The second release, which protects the load balancer of production from deletion."""
    import boto3  # type: ignore[import-untyped]

    from scaffold.service import names
    from scaffold.service.service import read

    boto3.Session().client("codepipeline").start_pipeline_execution(name=names.pipeline(read(root).app_name))
    waiting = _scaffold(root, "deploy", "--wait", "--json", code=_WAITS_FOR_APPROVAL)
    _scaffold(root, "approve", "--yes", "--execution", json.loads(waiting)["release"]["execution"])
    _scaffold(root, "deploy", "--wait")


def _unchanged(root: Path) -> tuple[float, float]:
    """The seconds of an execution of the released commit, and those of them in which no build runs."""
    import boto3

    from scaffold.service import names
    from scaffold.service.service import read

    pipeline, api = names.pipeline(read(root).app_name), boto3.Session().client("codepipeline")
    execution = api.start_pipeline_execution(name=pipeline)["pipelineExecutionId"]
    asked = {"pipelineName": pipeline, "pipelineExecutionId": execution}
    while (status := api.get_pipeline_execution(**asked)["pipelineExecution"]["status"]) == "InProgress":
        time.sleep(1)
    if status != "Succeeded":
        sys.exit(f"The execution of the same commit has the status {status}.")
    pages = api.get_paginator("list_action_executions").paginate(
        pipelineName=pipeline, filter={"pipelineExecutionId": execution}
    )
    actions = [one for page in pages for one in page["actionExecutionDetails"]]
    start, end = (
        pick(one[moment] for one in actions) for pick, moment in ((min, "startTime"), (max, "lastUpdateTime"))
    )
    builds = [one for one in actions if one["input"]["actionTypeId"]["provider"] == "CodeBuild"]
    building, until = 0.0, start
    for one in sorted(builds, key=lambda one: one["startTime"]):
        building += max(0.0, (one["lastUpdateTime"] - max(until, one["startTime"])).total_seconds())
        until = max(until, one["lastUpdateTime"])
    span = float((end - start).total_seconds())
    return span, span - building


def _scaffold(root: Path, *arguments: str, code: int = 0) -> str:
    """The output of a command, which has to end with this exit code."""
    command = [sys.executable, "-m", "scaffold", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != code:
        sys.exit(f"scaffold {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout
