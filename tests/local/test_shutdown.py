"""The end of local AWS comes, whatever happens at the same time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from scaffold.local.services.codepipeline_runs import RunningCodePipeline
from scaffold.local.services.git_endpoint import GitEndpoint
from scaffold.local.services.repositories import Repositories

ROOT = Path(__file__).resolve().parents[2]
SHUTDOWN = """
import sys
from pathlib import Path
from scaffold.local.server import Shutdown
shutdown = Shutdown(Path(sys.argv[1]))
shutdown.before += [lambda: print("one"), lambda: 1 / 0, lambda: print("three", flush=True)]
shutdown()
"""


def test_what_cannot_be_stopped_keeps_nothing_else_from_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "repositories").mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-c", SHUTDOWN, str(state)],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["one", "three"], "")
    assert not state.exists()


def test_git_processes_that_end_and_start_meanwhile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    git, killed = GitEndpoint(Repositories(tmp_path), "us-east-1"), []
    git._running |= {101, 102, 103}

    def killpg(group: int, _: int) -> None:
        git._running.discard(group)
        git._running.add(group + 1000)
        killed.append(group)
        raise ProcessLookupError if group == 101 else PermissionError

    monkeypatch.setattr(os, "killpg", killpg)
    git.stop()
    assert sorted(killed) == [101, 102, 103]


def test_pipelines_that_are_deleted_and_created_meanwhile() -> None:
    stopped = []

    class Runner:
        def __init__(self, state: Any) -> None:
            self.name = state.declaration["name"]

        def stop(self) -> None:
            stopped.append(self.name)
            create(f"{self.name}-next")

    pipelines = RunningCodePipeline(cast(Any, Runner))

    def create(name: str) -> None:
        declaration = {"name": name, "stages": []}
        pipelines._created(cast(Any, SimpleNamespace(arn=name, region="us-east-1", declaration=declaration)))

    create("one")
    create("two")
    pipelines.stop()
    assert stopped == ["one", "two"]
