"""The process that is local AWS. `environment.local_aws` starts it and ends it.

It ends by itself when the process that started it is gone, however that ended: the
starter holds the other end of the pipe that is our standard input.
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
from pathlib import Path
from typing import cast

_PARENT_CHECK_SECONDS = 1.0
_BACKLOG = 128


class Ending:
    """Ends everything once, from whichever thread or signal asks first.

    Args:
        state: The folder with everything on disk, removed at the end.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._begun = threading.Lock()
        self.before: list[Callable[[], None]] = []

    def __call__(self, *_: object) -> None:
        """Stop what was started, remove what was written, and be gone at once."""
        if not self._begun.acquire(blocking=False):
            return
        for stop in self.before:
            stop()
        for _attempt in range(20):  # A Git process that is just being killed may write for a moment longer.
            shutil.rmtree(self._state, ignore_errors=True)
            if not self._state.exists():
                break
            time.sleep(0.05)
        os._exit(0)


def main() -> None:
    """Run local AWS: the arguments are the folder for everything it keeps, and the region."""
    state, region = Path(sys.argv[1]), sys.argv[2]
    end = Ending(state)
    # Ctrl-C in the terminal is for the process that started us, which closes the pipe when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=_end_with_parent, args=(end, os.getppid()), daemon=True).start()
    _serve(state, region, end)


def _end_with_parent(end: Ending, parent: int) -> None:
    """Wait for the pipe to close. A fork of the parent may hold a copy of it, hence the look at our parent."""
    while os.getppid() == parent:
        readable, _, _ = select.select([0], [], [], _PARENT_CHECK_SECONDS)
        if readable and not os.read(0, 1):
            break
    end()


def _serve(state: Path, region: str, end: Ending) -> None:
    """Bind free ports, build the application, say where it is, and answer until the end."""
    api, git = _listen(), _listen()
    api_address, git_address = (f"127.0.0.1:{s.getsockname()[1]}" for s in (api, git))
    # ministack reads its settings when it is imported.
    os.environ |= {"GATEWAY_PORT": api_address.split(":")[1], "MINISTACK_REGION": region}

    import trustme
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from hypercorn.typing import Framework

    from scaffold.local import ministack_names

    try:
        ministack_names.check()
        from scaffold.local.assembly import assemble

        router, stop_git = assemble(state, region, git_address)
    except ministack_names.MinistackChanged as error:
        sys.exit(str(error))  # Whoever started the server shows the last line of stderr.
    end.before.append(stop_git)

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
        print(json.dumps(ready), flush=True)
        await serve(cast(Framework, router), config, shutdown_trigger=asyncio.Event().wait)

    asyncio.run(run())


def _listen() -> socket.socket:
    """A socket on a free port that only this machine can reach. Connections wait in its queue until served."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", 0))
    listening.listen(_BACKLOG)
    listening.setblocking(False)
    return listening


if __name__ == "__main__":
    main()
