"""Finds podman, and gives it settings of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from scaffold.engine.containers import leftovers
from scaffold.engine.containers.container_engine import EngineFailed, NoEngine
from scaffold.engine.containers.limits import limits
from scaffold.engine.containers.podman import Podman

_RUNTIMES = ("runc", "crun")
_DRIVERS = ("overlay", "vfs")  # The first one does not work on every file system.
_SECONDS = 30.0


def prepare(folder: Path, path: str, downloads: Mapping[str, str], _host: str = "") -> Podman:
    """Find podman, and prepare its folder.

    Args:
        folder: Where its storage and settings go.
        path: The PATH to search.
        downloads: Environment variables with which this machine reaches registries.

    Raises:
        NoEngine: It does not work.
    """
    program = shutil.which("podman", path=path)
    ordinary = os.geteuid() != 0
    # Debian has them where only root looks.
    search = os.pathsep.join([path, "/usr/sbin", "/sbin"])
    runtimes = reversed(_RUNTIMES) if ordinary else _RUNTIMES
    runtime = next(filter(None, (shutil.which(name, path=search) for name in runtimes)), None)
    if program is None:
        raise NoEngine("podman is not installed")
    if sys.platform != "linux":
        raise NoEngine("podman is used on Linux only")
    if runtime is None:
        raise NoEngine("podman has neither runc nor crun")
    # The namespaces of a task; `unshare` fails where this machine is itself a container without privileges.
    unshare = shutil.which("unshare", path=path)
    user = ["--map-root-user"] if ordinary else []
    command = [unshare, *user, "--net", "--mount", "true"] if unshare else ["false"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise NoEngine("this machine does not permit namespaces")
    proxies = {name: value for name, value in downloads.items() if name.lower().endswith(("_proxy", "ssl_cert_file"))}
    reason = ""
    for driver in _DRIVERS:
        _write_settings(folder, driver, runtime)
        try:
            version = Podman(program, folder).run("info", "--format", "{{.Version.Version}}", seconds=_SECONDS)
            Podman(program, folder).check_container()
            return Podman(program, folder, version, proxies)
        except EngineFailed as error:
            reason = str(error)
            leftovers.remove(folder)
    raise NoEngine(f"podman does not work: {reason}")


def _write_settings(folder: Path, driver: str, runtime: str) -> None:
    for name in ("home", "tmp", "run"):
        (folder / name).mkdir(parents=True)
    (folder / "run").chmod(0o700)
    # Not everybody may write control groups, root in a container neither, and nothing here needs them. Only crun does
    # without.
    without_groups = ['cgroups = "disabled"'] if Path(runtime).name == "crun" else []
    for name, lines in {
        "containers.conf": [
            "[containers]",
            *without_groups,
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
