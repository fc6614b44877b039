"""A Docker daemon of its own, for tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SECONDS = 60


class NoDaemon(Exception):
    """No daemon can be started here. The text says why."""


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Start a daemon in a folder, and yield its socket as DOCKER_HOST has it.

    Raises:
        NoDaemon: This machine cannot.
    """
    program = shutil.which("dockerd")
    if program is None or shutil.which("docker") is None or os.geteuid() != 0:
        raise NoDaemon("dockerd and docker are not installed, or this is not root")
    host = f"unix://{folder}/docker.sock"
    # Without rules for packets and without a bridge, nothing of the machine's network changes.
    isolated = ("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--bridge=none")
    folders = ("--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid")
    with (folder / "log").open("wb") as log:
        # The mounts of the daemon end with it.
        command = ["unshare", "--mount", "--fork", "--kill-child", program, "--host", host, *isolated, *folders]
        daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + _SECONDS
        ping = ["docker", "--host", host, "version", "--format", "{{.Server.Version}}"]
        while subprocess.run(ping, capture_output=True, check=False).returncode:
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise NoDaemon((folder / "log").read_text(errors="replace").strip().splitlines()[-1])
            time.sleep(0.2)
        yield host
    finally:
        if daemon.poll() is None:
            os.killpg(daemon.pid, signal.SIGTERM)  # `unshare` ignores it, and ends with the daemon.
        try:
            daemon.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait()
