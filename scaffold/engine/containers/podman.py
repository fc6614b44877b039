"""Podman with storage and settings of its own: nothing of this machine's images, containers and registry passwords."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: The choices of a container engine.
AUTOMATIC, PODMAN, NONE = "", "podman", "none"

_RUNTIMES = ("runc", "crun")
_DRIVERS = ("overlay", "vfs")  # The first one does not work on every file system.
_INFO_SECONDS = 30.0
# Open files as on Fargate. Podman lowers its own number of processes to the largest process id.
_LIMITS = {"nofile": (resource.RLIMIT_NOFILE, 65535), "nproc": (resource.RLIMIT_NPROC, 8192)}


class NoEngine(Exception):
    """Podman cannot be used. The text says why; the beginning of a sentence."""


class PodmanFailed(Exception):
    """A call of podman has failed. The text is its last message."""


@dataclass(frozen=True)
class Podman:
    """Podman for one local AWS.

    Attributes:
        folder: Its storage and settings.
        version: Such as `4.3.1`.
        proxies: Environment variables with which it reaches registries.
    """

    program: str
    folder: Path
    version: str = ""
    proxies: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """All environment variables of its process."""
        return {
            **self.proxies,
            "PATH": os.pathsep.join([str(Path(self.program).parent), os.defpath, "/usr/sbin", "/sbin"]),
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(self.folder / "registries.conf"),
            "REGISTRY_AUTH_FILE": str(self.folder / "auth.json"),
        }

    def run(self, *words: str | Path, seconds: float | None = None, variables: Mapping[str, str] | None = None) -> str:
        """Run a command of podman, and return what it prints.

        Args:
            seconds: How long it may take; None for any time.
            variables: Further environment variables, which cannot replace its own.

        Raises:
            PodmanFailed: It has failed.
        """
        command = [self.program, *map(str, words)]
        try:
            done = subprocess.run(
                command,
                env={**(variables or {}), **self.environment},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
                check=False,
            )
        except OSError as error:
            raise PodmanFailed(str(error)) from error
        except subprocess.TimeoutExpired as error:
            raise PodmanFailed(f"podman {words[0]} has not ended within {seconds:g} seconds") from error
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"podman {words[0]} has failed"]
            raise PodmanFailed(lines[-1].removeprefix("Error: "))
        return done.stdout.strip()

    def has(self, image: str) -> bool:
        """Whether an image is in the storage."""
        try:
            self.run("image", "exists", image)
        except PodmanFailed:
            return False
        return True

    def document(self) -> dict[str, object]:
        """These properties as JSON."""
        return {
            "program": self.program,
            "folder": str(self.folder),
            "version": self.version,
            "proxies": dict(self.proxies),
        }


def find(choice: str, folder: Path, path: str, downloads: Mapping[str, str]) -> Podman | None:
    """Find podman, and prepare its folder.

    Args:
        choice: AUTOMATIC to use it where it works, PODMAN to require it, NONE to use none.
        folder: Where its storage and settings go.
        path: The PATH to search.
        downloads: Environment variables with which this machine reaches registries.

    Raises:
        NoEngine: It is required, and does not work.
    """
    if choice == NONE:
        return None
    try:
        return _prepare(folder, path, downloads)
    except NoEngine:
        shutil.rmtree(folder, ignore_errors=True)
        if choice == AUTOMATIC:
            return None
        raise


def _prepare(folder: Path, path: str, downloads: Mapping[str, str]) -> Podman:
    program = shutil.which("podman", path=path)
    runtime = next(filter(None, (shutil.which(name, path=path) for name in _RUNTIMES)), None)
    if program is None:
        raise NoEngine("podman is not installed")
    if sys.platform != "linux" or os.geteuid() != 0:
        raise NoEngine("podman is used by root on Linux only")
    if runtime is None:
        raise NoEngine("podman has neither runc nor crun")
    # The namespaces of a task; `unshare` fails where this machine is itself a container without privileges.
    unshare = shutil.which("unshare", path=path)
    command = [unshare, "--net", "--mount", "true"] if unshare else ["false"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise NoEngine("this machine does not permit namespaces")
    proxies = {name: value for name, value in downloads.items() if name.lower().endswith(("_proxy", "ssl_cert_file"))}
    reason = ""
    for driver in _DRIVERS:
        _write_settings(folder, driver, runtime)
        try:
            version = Podman(program, folder).run("info", "--format", "{{.Version.Version}}", seconds=_INFO_SECONDS)
            return Podman(program, folder, version, proxies)
        except PodmanFailed as error:
            reason = str(error)
            shutil.rmtree(folder, ignore_errors=True)
    raise NoEngine(f"podman does not work: {reason}")


def _write_settings(folder: Path, driver: str, runtime: str) -> None:
    for name in ("home", "tmp"):
        (folder / name).mkdir(parents=True)
    for name, lines in {
        "containers.conf": [
            "[containers]",
            f"default_ulimits = {json.dumps([f'{name}={limit}' for name, limit in limits().items()])}",
            "[engine]",
            'cgroup_manager = "cgroupfs"',
            f"runtime = {json.dumps(Path(runtime).name)}",
            'lock_type = "file"',  # Those in shared memory outlive a killed process.
            'events_logger = "none"',
            f"static_dir = {json.dumps(str(folder / 'libpod'))}",
            f"tmp_dir = {json.dumps(str(folder / 'run' / 'libpod'))}",
            f"volume_path = {json.dumps(str(folder / 'volumes'))}",
            "[network]",
            f"network_config_dir = {json.dumps(str(folder / 'networks'))}",
        ],
        "storage.conf": [
            "[storage]",
            f"driver = {json.dumps(driver)}",
            f"graphroot = {json.dumps(str(folder / 'storage'))}",
            f"runroot = {json.dumps(str(folder / 'run' / 'storage'))}",
        ],
        "registries.conf": ['unqualified-search-registries = ["docker.io"]', 'short-name-mode = "disabled"'],
        "auth.json": ["{}"],
    }.items():
        (folder / name).write_text("\n".join(lines) + "\n")


def limits() -> dict[str, str]:
    """Limits of containers that a root user without the capability to raise limits may set, in the form SOFT:HARD."""
    found = {}
    for name, (kind, most) in _LIMITS.items():
        own = resource.getrlimit(kind)[1]
        limit = most if own == resource.RLIM_INFINITY else min(own, most)
        found[name] = f"{limit}:{limit}"
    return found
