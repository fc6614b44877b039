"""Runs Python programs in forks of a process that has imported them already.

git-remote-codecommit and the AWS CLI take longer to start than to do what the tests let them do.
"""

from __future__ import annotations

import functools
import importlib
import marshal
import os
import select
import shlex
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

#: The functions that the installed programs call.
GIT_REMOTE_CODECOMMIT, AWS_CLI = "git_remote_codecommit:main", "awscli.clidriver:main"

# It passes on its arguments, folder, environment and standard streams, and ends as the fork does.
_CLIENT = """\
import marshal, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    socket.send_fds(server, [b"!"], [0, 1, 2])
    server.sendall(marshal.dumps((sys.argv[2:], os.getcwd(), dict(os.environ))))
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.recv(8) or 70))
"""


@contextmanager
def programs(**functions: str) -> Iterator[Path]:
    """A folder for the PATH, with a program for each function, for the time of a `with` block.

    Args:
        functions: The functions by the names of their programs, with underscores for dashes.
    """
    with tempfile.TemporaryDirectory(prefix="fork-") as name:
        folder = Path(name)
        address, client = folder / "socket", folder / "client.py"
        client.write_text(_CLIENT)
        (folder / "bin").mkdir()
        for program, function in functions.items():
            path = folder / "bin" / program.replace("_", "-")
            command = shlex.join([sys.executable, "-IS", os.fspath(client), os.fspath(address), function])
            path.write_text(f'#!/bin/sh\nexec {command} "$0" "$@"\n')
            path.chmod(0o755)
        command = [sys.executable, "-P", __file__, os.fspath(address), *functions.values()]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            assert server.stdout.readline(), "it does not listen"
            yield folder / "bin"
            server.stdin.close()  # which ends it, as the end of this process would


def _serve(address: str, functions: list[str]) -> None:
    before = set(os.environ)
    for function in functions:
        importlib.import_module(function.partition(":")[0])
    added = {name: os.environ[name] for name in set(os.environ) - before}  # the AWS CLI adds its API models
    _share_api_models()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print(flush=True)
        while True:
            ready, _, _ = select.select([listening, 0], [], [], 1.0)
            if 0 in ready:
                return
            while _reap():
                pass
            if listening in ready:
                connection, _ = listening.accept()
                with connection:
                    if os.fork() == 0:
                        listening.close()
                        _end_as(connection, added)


def _reap() -> bool:
    """Take the exit status of a fork; return whether there was one."""
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _share_api_models() -> None:
    """Let the forks read the list of AWS's endpoints from the memory of this process."""
    from botocore.loaders import JSONFileLoader, create_loader

    load_file = JSONFileLoader.load_file
    read_once = functools.cache(lambda path: load_file(JSONFileLoader(), path))
    JSONFileLoader.load_file = lambda _, path: read_once(path)
    create_loader().load_data("endpoints")


def _end_as(connection: socket.socket, variables: Mapping[str, str]) -> None:
    """Run the program that a client asks for, and end this fork.

    Args:
        variables: Environment variables besides those of the client.
    """
    status: Any = 70
    try:
        _, streams, _, _ = socket.recv_fds(connection, 1, 3)
        request = b"".join(iter(functools.partial(connection.recv, 2**16), b""))
        (function, *sys.argv), folder, environment = marshal.loads(request)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update({**variables, **environment})
        module, _, name = function.partition(":")
        status = getattr(importlib.import_module(module), name)()
    except SystemExit as ended:
        status = ended.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        with suppress(OSError):  # The client was killed.
            connection.sendall(str(status or 0).encode())
        os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2:])
