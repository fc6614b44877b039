"""Ends the containers of one local AWS, also of a killed one, and deletes their storage.

python -m scaffold.engine.containers.leftovers FOLDER
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from scaffold.engine.containers import daemon
from scaffold.engine.containers.container_engine import EngineFailed
from scaffold.engine.containers.podman import Podman

_POLITE_SECONDS, _NAMESPACE_SECONDS = 20, 60
_ATTEMPTS, _PAUSE_SECONDS = 200, 0.02
_MNT_DETACH = 2


def remove(folder: Path) -> None:
    """Remove the containers of a local AWS, and the folder of its engine."""
    if docker := daemon.of_folder(folder):
        with suppress(EngineFailed):  # A daemon that has ended has ended its containers.
            docker.remove_all()
    elif (folder / "storage.conf").exists():
        if os.geteuid():
            _remove_in_namespace(folder)
        _remove_storage(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _remove_in_namespace(folder: Path) -> None:
    """Do so in the user namespace of an ordinary user's containers, where their files and processes are root's."""
    podman = Podman(shutil.which("podman") or "podman", folder)
    package_parent = str(Path(__file__).resolve().parents[3])
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            [podman.program, "unshare", sys.executable, "-P", "-m", __spec__.name, str(folder)],
            env={**podman.environment, "PYTHONPATH": package_parent},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_NAMESPACE_SECONDS,
            check=False,
        )


def _remove_storage(folder: Path) -> None:
    """Remove the containers of a storage, and its mounts.

    Podman removes them with their control groups. What it leaves, such as the containers of a build that was killed, is
    killed and unmounted.
    """
    podman = Podman(shutil.which("podman") or "podman", folder)
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            [podman.program, "rm", "--all", "--force", "--time", "0"],
            env=podman.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_POLITE_SECONDS,
            check=False,
        )
    for _attempt in range(_ATTEMPTS):
        found = _processes(folder)
        if not found:
            break
        for process in found:
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)
        time.sleep(_PAUSE_SECONDS)
    for mounted in reversed(_mounts(Path("/proc/self/mountinfo"), folder)):
        ctypes.CDLL(None).umount2(os.fsencode(mounted), _MNT_DETACH)


def _processes(folder: Path) -> list[int]:
    """The processes in containers of a storage, and those of podman that work on it."""
    found, own = [], set(_ancestors())
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit() or int(directory.name) in own:
            continue
        with suppress(OSError):
            if _is_podman(directory, folder) or _root(directory, folder):
                found.append(int(directory.name))
    return found


def _ancestors() -> Iterator[int]:
    """This process and those that have started it: podman is one of them in the user namespace."""
    process = os.getpid()
    while process:
        yield process
        try:
            status = Path("/proc", str(process), "stat").read_text(errors="replace")
        except OSError:
            return
        process = int(status.rpartition(")")[2].split()[1])


def _is_podman(process: Path, folder: Path) -> bool:
    """Whether a process is of podman, started for this storage by arguments or environment."""
    name = (process / "comm").read_text(errors="replace").strip()
    inside = os.fsencode(folder) + b"/"
    return name in ("podman", "podman pause", "catatonit", "conmon") and any(
        inside in (process / about).read_bytes() for about in ("cmdline", "environ")
    )


def _root(process: Path, folder: Path) -> bool:
    """Whether the root of a process is a layer of this storage."""
    for line in (process / "mountinfo").read_text(errors="replace").splitlines():
        words = line.split(" ")
        if words[4] == "/":
            return f"{folder}/" in line
    return False


def _mounts(table: Path, folder: Path) -> list[str]:
    """The mount points below a folder, in order of their mounts."""
    points = [line.split(" ")[4] for line in table.read_text(errors="replace").splitlines()]
    return [point for point in points if point.startswith(f"{folder}/")]


if __name__ == "__main__":
    remove(Path(sys.argv[1]))
