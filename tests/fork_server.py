"""Runs Python programs in forks of a process that has imported them already.

git-remote-codecommit, the AWS CLI and local AWS take longer to start than to do what the tests let them do.
"""

from __future__ import annotations

import functools
import gc
import importlib
import marshal
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NoReturn

#: The functions that the installed programs call, in modules that prepare what these do first.
GIT_REMOTE_CODECOMMIT, AWS_CLI = "tests.forked_git_remote:main", "tests.forked_aws_cli:main"

_ROOT = Path(__file__).resolve().parents[1]

#: The addresses of servers that all processes of a test run use, by the functions that they run.
shared_servers: dict[str, str] = {}

# It passes on its arguments, folder, environment and standard streams, and ends as the fork does. The module `socket`
# would take as long to import as Python to start.
_CLIENT = """\
import _socket, marshal, os, sys
server = _socket.socket(_socket.AF_UNIX)
server.connect(sys.argv[1])
streams = b"".join(number.to_bytes(4, sys.byteorder) for number in range(3))
server.sendmsg([b"!"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
server.sendall(marshal.dumps((sys.argv[2:], os.getcwd(), dict(os.environ))))
server.shutdown(_socket.SHUT_WR)
server.recv(8)  # its process id
status = int(server.recv(8) or 70)
os._exit(status if status >= 0 else 128 - status)
"""


@contextmanager
def fork_server(*functions: str, environment: Mapping[str, str] | None = None) -> Iterator[Path]:
    """Run a process that imports the modules of functions once, for the time of a `with` block.

    It imports them when the first fork is asked for. A server that the test run shares is used where there is one.

    Args:
        functions: What forks may run, as `module:name`.
        environment: The environment in which it imports them; that of this process by default.

    Yields:
        The address of its socket.
    """
    if shared := shared_servers.get(" ".join(functions)):
        yield Path(shared)
        return
    environment = environment or {**os.environ, "PYTHONPATH": os.fspath(_ROOT)}
    with tempfile.TemporaryDirectory(prefix="fork-") as name:
        address = Path(name) / "socket"
        # Python 3.12 warns of forks of processes with threads: that of ministack sleeps.
        options = ("-P", "-W", "ignore::DeprecationWarning")
        command = [sys.executable, *options, __file__, os.fspath(address), *functions]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            assert server.stdout.readline(), "it does not listen"
            yield address
            server.stdin.close()  # which ends it, as the end of this process would


@contextmanager
def programs(**functions: str) -> Iterator[Path]:
    """A folder for the PATH, with a program for each function, for the time of a `with` block.

    Args:
        functions: The functions by the names of their programs, with underscores for dashes.
    """
    with fork_server(*functions.values()) as address, tempfile.TemporaryDirectory(prefix="programs-") as parent:
        client, folder = Path(parent, "client.py"), Path(parent, "bin")
        client.write_text(_CLIENT)
        folder.mkdir()
        for program, function in functions.items():
            path = folder / program.replace("_", "-")
            command = shlex.join([sys.executable, "-IS", os.fspath(client), os.fspath(address), function])
            path.write_text(f'#!/bin/sh\nexec {command} "$0" "$@"\n')
            path.chmod(0o755)
        yield folder


class Fork:
    """A running fork, with as much of `subprocess.Popen` as local AWS needs.

    Args:
        address: The address of the fork server.
        command: The function, and the arguments of the program from its name on.
        error: An open file for its standard error.
    """

    def __init__(
        self, address: Path, command: Sequence[str], folder: Path, environment: Mapping[str, str], error: IO[str]
    ) -> None:
        self.returncode: int | None = None
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(os.fspath(address))
        read, stdin = os.pipe()
        stdout, write = os.pipe()
        socket.send_fds(self._connection, [b"!"], [read, write, error.fileno()])
        os.close(read)
        os.close(write)
        self._connection.sendall(marshal.dumps((list(command), os.fspath(folder), dict(environment))))
        self._connection.shutdown(socket.SHUT_WR)
        self.stdin, self.stdout = os.fdopen(stdin, "w"), os.fdopen(stdout)
        self.pid = int(self._connection.recv(8))

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended and return its exit status, as Popen does."""
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("fork", timeout or 0)
            self.returncode = int(self._connection.recv(8) or -signal.SIGKILL)
            self._connection.close()
        return self.returncode

    def kill(self) -> None:
        """Kill it if it still runs."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


@functools.cache
def _import(*functions: str) -> dict[str, str]:
    """Import the modules of functions, and return the environment variables that this adds."""
    before = set(os.environ)
    for function in functions:
        importlib.import_module(function.partition(":")[0])
    gc.collect()
    gc.freeze()
    return {name: os.environ[name] for name in set(os.environ) - before}  # the AWS CLI adds its API models


def _serve(address: str, functions: list[str]) -> None:
    running: dict[int, socket.socket] = {}
    ended, ends = os.pipe()
    os.set_blocking(ended, False)
    os.set_blocking(ends, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(ends)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print(flush=True)
        while True:
            ready, _, _ = select.select([listening, ended, 0], [], [])
            if 0 in ready:
                return
            if ended in ready:
                os.read(ended, 2**16)
                _report_ends(running)
            if listening in ready:
                connection, _ = listening.accept()
                added = _import(*functions)
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for other in (listening, *running.values()):
                        other.close()
                    os.close(ended)
                    os.close(ends)
                    _end_as(connection, added)
                running[pid] = connection
                _tell(connection, pid)


def _report_ends(running: dict[int, socket.socket]) -> None:
    """Tell the clients of the forks that have ended their exit statuses."""
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with running.pop(pid) as connection:
            _tell(connection, os.waitstatus_to_exitcode(status))


def _tell(connection: socket.socket, number: int) -> None:
    with suppress(OSError):  # The client was killed.
        connection.sendall(f"{number:8}".encode())


def end_as(program: Callable[[], Any]) -> NoReturn:
    """Run a program in a fork, and end the fork with its exit code."""
    status: Any = 70
    try:
        status = program()
    except SystemExit as ended:
        status = ended.code
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:  # Whatever happens to the streams, a fork never goes on as its parent.
            os._exit(status if isinstance(status, int) else int(status is not None))


def _end_as(connection: socket.socket, variables: Mapping[str, str]) -> NoReturn:
    """Run the program that a client asks for, and end this fork.

    Args:
        variables: Environment variables besides those of the client.
    """

    def program() -> Any:
        _, streams, _, _ = socket.recv_fds(connection, 1, 3)
        request = b"".join(iter(functools.partial(connection.recv, 2**16), b""))
        (function, *sys.argv), folder, environment = marshal.loads(request)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        connection.close()
        os.chdir(folder)
        os.environ.clear()
        os.environ.update({**variables, **environment})
        module, _, name = function.partition(":")
        return getattr(importlib.import_module(module), name)()

    end_as(program)


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2:])
