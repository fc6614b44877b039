"""The server process of local AWS, which `environment.start` starts.

It exits by itself when its parent process has ended, also after a SIGKILL: its standard input is a pipe, and
the parent has the other end. A parent that leaves it running names a file, and it exits when that file is deleted.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

_PARENT_CHECK_SECONDS = 1.0
_RECORD_CHECK_SECONDS = 0.25
_BACKLOG = 128


class Shutdown:
    """Ends the process. May be called more than once, from any thread and as a signal handler.

    Args:
        state: The state directory, which is deleted.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._begun = threading.Lock()
        #: Functions to call first.
        self.before: list[Callable[[], None]] = []

    def __call__(self, *_: object) -> None:
        """Delete the state directory and exit without waiting for open requests."""
        if not self._begun.acquire(blocking=False):
            return
        for stop in list(self.before):
            with suppress(Exception):  # The state is deleted and the process ends whatever fails.
                stop()
        for _attempt in range(20):  # A Git process that has just been killed may still write.
            shutil.rmtree(self._state, ignore_errors=True)
            if not self._state.exists():
                break
            time.sleep(0.05)
        os._exit(0)


def main() -> None:
    """Run local AWS.

    The arguments are the state directory, the default region and, for what was deployed to run, how many seconds of
    waiting pass in one second, the choice of a container engine, and the action that fails, if one does.
    """
    state, region = Path(sys.argv[1]), sys.argv[2]
    speed, containers = (float(sys.argv[3]), sys.argv[4]) if sys.argv[3:] else (None, "none")
    failing = sys.argv[5] if sys.argv[5:] else ""
    shutdown = Shutdown(state)
    # Ctrl-C in the terminal is for the parent, which closes the pipe when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, shutdown)
    threading.Thread(target=_exit_with_owner, args=(shutdown, os.getppid()), daemon=True).start()
    _serve(state, region, speed, containers, failing, shutdown)


def _exit_with_owner(shutdown: Shutdown, parent: int) -> None:
    """Wait for the pipe to close or the parent to change: a fork of the parent may have the pipe open.

    Once the parent has written the path of a file to the pipe, wait until that file is deleted instead.
    """
    orphaned = False
    while not orphaned:
        orphaned = os.getppid() != parent  # Before the pipe is looked at: what the parent has written last counts.
        readable, _, _ = select.select([0], [], [], 0 if orphaned else _PARENT_CHECK_SECONDS)
        if readable:
            if record := os.fsdecode(os.read(0, select.PIPE_BUF)).rstrip("\n"):
                _wait_for_deletion(Path(record))
            break
    shutdown()


def _wait_for_deletion(record: Path) -> None:
    os.dup2(2, 1)  # The parent, which may have ended, reads no more of the standard output.
    while record.exists():
        time.sleep(_RECORD_CHECK_SECONDS)


def _serve(state: Path, region: str, speed: float | None, containers: str, failing: str, shutdown: Shutdown) -> None:
    """Bind free ports, build the application, print the addresses as one line of JSON, and serve.

    With a ministack that has changed, or without the required container engine, print that instead.
    """
    api, git = _listen(), _listen()
    api_address, git_address = (f"127.0.0.1:{s.getsockname()[1]}" for s in (api, git))
    # ministack reads its settings when it is imported.
    os.environ |= {"GATEWAY_PORT": api_address.split(":")[1], "MINISTACK_REGION": region}

    import trustme
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from hypercorn.typing import Framework

    from scaffold.engine.containers.container_engine import NoEngine
    from scaffold.local import ministack_names

    try:
        ministack_names.check()
        from scaffold.local.assembly import assemble

        assembly = assemble(state, region, api_address, git_address, speed, containers, failing)
    except NoEngine as error:
        print(json.dumps({"no_engine": str(error)}), flush=True)
        return
    except ministack_names.MinistackChanged as error:
        print(json.dumps({"changed": str(error)}), flush=True)
        return
    shutdown.before += assembly.stops

    authority = trustme.CA(organization_name="gitops-scaffold local AWS")
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(state / "git.pem"))

    config = Config()
    config.insecure_bind = [f"fd://{api.detach()}"]
    config.bind = [f"fd://{git.detach()}"]
    config.certfile = config.keyfile = str(state / "git.pem")
    config.alpn_protocols = ["http/1.1"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"

    async def run() -> None:
        ready = {"api": api_address, "git": git_address, "authority": authority.cert_pem.bytes().decode()}
        ready |= {"containers": assembly.containers, "no_containers": assembly.no_containers}
        assembly.started(asyncio.get_running_loop())
        print(json.dumps(ready), flush=True)
        await serve(cast(Framework, assembly.router), config, shutdown_trigger=asyncio.Event().wait)

    asyncio.run(run())


def _listen() -> socket.socket:
    """Listen on a free port of 127.0.0.1."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", 0))
    listening.listen(_BACKLOG)
    listening.setblocking(False)
    return listening


if __name__ == "__main__":
    main()
