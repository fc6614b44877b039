"""Starts local AWS in forks of a process that has imported it: its imports take longer than most tests."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from scaffold.local import environment
from tests.fork_server import Fork, fork_server

if TYPE_CHECKING:
    import pytest  # Processes that fork do without it.

#: The function that forks run, as `module:name`.
LOCAL_AWS = "tests.forked_local_aws:main"
#: Where forks keep what they have, and give it back; see tests/local_aws_snapshots.py.
SNAPSHOTS = "/_tests/snapshots"
# Each fork replaces them in what has been imported.
_PLACEHOLDERS = {"GATEWAY_PORT": "GATEWAY-PORT", "MINISTACK_REGION": "MINISTACK-REGION"}


@contextmanager
def forking_local_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process start local AWS in forks, for the time of a `with` block.

    It still starts in a process of its own where a test changes Python or PYTHONPATH, where it has to inherit a lock,
    and where the coverage is measured.
    """
    start, python = environment._start, _python()
    servers: list[Path] = []
    with ExitStack() as running:

        def fork(
            state: Path, region: str, log: IO[str], arguments: list[str], lock: IO[str] | None
        ) -> subprocess.Popen[str]:
            if lock or "COVERAGE_PROCESS_CONFIG" in os.environ or _python() != python:
                return start(state, region, log, arguments, lock)
            if not servers:
                servers.append(running.enter_context(local_aws_server()))
            variables = environment._server_variables(state, runs=bool(arguments))
            command = [LOCAL_AWS, "local-aws", str(state), region, *arguments]
            return cast("subprocess.Popen[str]", Fork(servers[0], command, state, variables, log))

        monkeypatch.setattr(environment, "_start", fork)
        yield


def _python() -> tuple[str, str | None]:
    return sys.executable, os.environ.get("PYTHONPATH")


@contextmanager
def local_aws_server() -> Iterator[Path]:
    """Run the fork server of local AWS, for the time of a `with` block."""
    with tempfile.TemporaryDirectory(prefix="local-aws-") as state:
        variables = environment._server_variables(Path(state), runs=False)
        with fork_server(LOCAL_AWS, environment=variables | _PLACEHOLDERS) as address:
            yield address
