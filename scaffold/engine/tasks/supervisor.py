"""Runs one container: the program that `processes` starts, often in namespaces of its own.

The container is a process or, where the task says so, one of a container engine.

It uses the standard library only and no other module of this package, so that it starts quickly. It is told what to
run as one line of JSON on the control socket, and reports there: `started`, `health`, `exited`. The line `stop` stops
the process. When the socket closes, local AWS has ended, and so does the process, at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from typing import Any

_PR_SET_PDEATHSIG = 1
_IFF_UP, _SIOCGIFFLAGS, _SIOCSIFFLAGS = 1, 0x8913, 0x8914
_STARTING_PAUSE = 1.0
_CONNECT_SECONDS = 5.0
_POLL_SECONDS = 0.2
_ENGINE_SECONDS = 60.0
_SAID_BY_PODMAN = "_CONTAINERS_"
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """Run the process. The arguments are the numbers of the control socket and of the connection socket."""
    control = socket.socket(fileno=int(sys.argv[1]))
    connections = socket.socket(fileno=int(sys.argv[2]))
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    task = _read_task(control)
    if task is None:  # Local AWS has ended.
        return
    if task["isolated"]:
        _loopback_up()
        for port in task["endpoint_ports"]:
            _hand_over_listener(connections, port)
        threading.Thread(target=_connect_on_request, args=(connections,), daemon=True).start()
    kind = _EngineContainer if task.get("container") else _Container
    sys.exit(kind(control, task).run())


def _read_task(control: socket.socket) -> dict[str, Any] | None:
    """Read one line and no more: the next one is the order to stop."""
    line = bytearray()
    while not line.endswith(b"\n"):
        received = control.recv(1)
        if not received:
            return None
        line += received
    task: dict[str, Any] = json.loads(line)
    return task


class _Container:
    """The process, its health checks and its end."""

    def __init__(self, control: socket.socket, task: dict[str, Any]) -> None:
        self._control = control
        self._task = task

    def run(self) -> int:
        try:
            process = self._popen(self._task["command"])
        except OSError as error:
            self._say(failed=f"{error.strerror}: {self._task['command'][0]}")
            return 127
        # Before anything looks at the process: one that has ended is gone then.
        ended = [os.pidfd_open(process.pid)] if hasattr(os, "pidfd_open") else []
        self._say(started=process.pid)
        watcher = threading.Thread(target=self._watch_health, args=(process,), daemon=True)
        if self._task.get("health"):
            watcher.start()
        code = self._wait(process, ended)
        self._say(exited=code)
        return code

    def _popen(self, command: list[str], quiet: bool = False) -> subprocess.Popen[bytes]:
        output = subprocess.DEVNULL if quiet else 2  # The supervisor's stderr is the container's log.
        return subprocess.Popen(
            command,
            env=self._environment(),
            cwd=self._task["folder"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=_prepare,
        )

    def _environment(self) -> dict[str, str]:
        environment: dict[str, str] = self._task["environment"]
        return environment

    def _say(self, **said: Any) -> None:
        with contextlib.suppress(OSError):
            self._control.sendall(json.dumps(said).encode() + b"\n")

    def _wait(self, process: subprocess.Popen[bytes], ended: list[int]) -> int:
        """Wait for the end of the process, and for the order to stop it.

        Args:
            ended: A file descriptor that is readable when the process has ended, where the system has one.
        """
        deadline = None
        # Not `select`: the control socket has the number that it has in local AWS, which may have thousands open.
        with selectors.DefaultSelector() as sources:
            sources.register(self._control, selectors.EVENT_READ)
            for number in ended:
                sources.register(number, selectors.EVENT_READ)
            while process.poll() is None:
                remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
                readable = [key.fileobj for key, _ in sources.select(remaining if ended else _POLL_SECONDS)]
                if self._control in readable:
                    if not self._control.recv(64):  # Local AWS has ended.
                        break
                    if deadline is None:
                        deadline = time.monotonic() + self._stop(process)
                if deadline is not None and time.monotonic() >= deadline:
                    break
        self._end(process)
        return _exit_code(process.wait())

    def _stop(self, process: subprocess.Popen[bytes]) -> float:
        """Ask the process to end, and return how many seconds it has for that."""
        _signal(process, signal.SIGTERM, group=False)
        timeout: float = self._task["stop_timeout"]
        return timeout

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """End the process and those that it has started."""
        _signal(process, signal.SIGKILL, group=True)

    def _watch_health(self, process: subprocess.Popen[bytes]) -> None:
        """Run the health check as Docker does; until the first success it is repeated each second."""
        check = self._task["health"]
        begun, failures, healthy = time.monotonic(), 0, False
        while process.poll() is None:
            time.sleep(check["interval"] if healthy or failures else _STARTING_PAUSE)
            if self._succeeds(check):
                failures = 0
                if not healthy:
                    healthy = True
                    self._say(health="HEALTHY")
                continue
            if not healthy and time.monotonic() - begun < check["start_period"]:
                continue
            failures += 1
            if failures == check["retries"]:
                healthy = False
                self._say(health="UNHEALTHY")

    def _succeeds(self, check: dict[str, Any]) -> bool:
        try:
            process = self._popen(check["command"])
        except OSError:
            return False
        try:
            return process.wait(check["timeout"]) == 0
        except subprocess.TimeoutExpired:
            _signal(process, signal.SIGKILL, group=True)
            process.wait()
            return False


class _EngineContainer(_Container):
    """A container of a container engine: the process is the engine's program, which passes the output on."""

    def run(self) -> int:
        engine = self._task["container"]
        if engine["prepare"]:
            prepared = self._run(engine["prepare"])
            if prepared.returncode:
                lines = prepared.stderr.decode(errors="replace").strip().splitlines()
                self._say(failed=lines[-1].removeprefix("Error: ") if lines else "the container engine gave no reason")
                self._remove()
                return 127
        return super().run()

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command, env=self._environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False
        )

    def _environment(self) -> dict[str, str]:
        """With what podman has said to this process, which it has started in a user namespace."""
        said = {name: value for name, value in os.environ.items() if name.startswith(_SAID_BY_PODMAN)}
        return super()._environment() | said

    def _stop(self, process: subprocess.Popen[bytes]) -> float:
        """Let the engine send the stop signal and, after the stop timeout, SIGKILL."""
        # Docker ignores the order to stop a container that is not running yet, and podman discards that container.
        deadline = time.monotonic() + _ENGINE_SECONDS
        while process.poll() is None and not self._running() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        self._popen(self._task["container"]["stop"], quiet=True)
        timeout: float = self._task["stop_timeout"]
        return timeout + _ENGINE_SECONDS

    def _running(self) -> bool:
        return self._run(self._task["container"]["running"]).stdout.strip() == b"true"

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        reason = self._task["container"]["reason"]
        if reason and (said := self._run(reason).stdout.decode(errors="replace").strip()):
            self._say(failed=said)
        self._remove()
        _signal(process, signal.SIGKILL, group=True)

    def _remove(self) -> None:
        self._popen(self._task["container"]["remove"], quiet=True).wait()


def _signal(process: subprocess.Popen[bytes], number: int, group: bool) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if group:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)


def _exit_code(code: int) -> int:
    return 128 - code if code < 0 else code


def _prepare() -> None:
    """Reset the signals, and let the kernel kill the process when the supervisor is killed, which only Linux can."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _loopback_up() -> None:
    """A new network namespace has a loopback interface, which is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def _hand_over_listener(connections: socket.socket, port: int) -> None:
    """Listen, inside the namespace, on the port of local AWS; the engine accepts and passes connections on."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
        socket.send_fds(connections, [b"\1"], [listener.fileno()])


def _connect_on_request(connections: socket.socket) -> None:
    """Connect to ports inside the namespace, and hand the connections to the engine."""
    while asked := connections.recv(2):
        (port,) = struct.unpack("!H", asked)
        try:
            with socket.create_connection(("127.0.0.1", port), _CONNECT_SECONDS) as made:
                made.setblocking(False)
                socket.send_fds(connections, [b"\1"], [made.fileno()])
        except OSError:
            connections.sendall(b"\0")


if __name__ == "__main__":
    main()
