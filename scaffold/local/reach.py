"""Reaches the server of local AWS from outside: whether it answers, which services it runs, and its process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

_CONNECT_SECONDS = 1.0
_ANSWER_SECONDS = 15.0


@dataclass(frozen=True)
class RunningService:
    """An ECS service of local AWS.

    Attributes:
        running: The number of its tasks that run.
        desired: The number of tasks that it should have.
        url: The URL of its load balancer; None without one.
    """

    region: str
    cluster: str
    name: str
    running: int
    desired: int
    url: str | None


def answers(address: str) -> bool:
    """Whether something listens on a host and port."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS):
            return True
    except (OSError, ValueError):
        return False


def running_services(address: str) -> list[RunningService] | None:
    """The services of a local AWS that runs them; None if it does not answer."""
    connection = HTTPConnection(address, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/_local/services")
        return [RunningService(**one) for one in json.loads(connection.getresponse().read())["services"]]
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def kill(pid: int, state: str) -> None:
    """Kill the server with a state directory, unless the process with its ID is another one."""
    if state in _command(pid):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _command(pid: int) -> list[str]:
    """The command line of a process; empty if there is none."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    with suppress(OSError):  # Without /proc, as on macOS.
        asked = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
    return []
