"""Docker, whose daemon others use too: what belongs to a local AWS has its label, or a name of its own.

The daemon starts containers, so that the process of a task cannot give its network namespace to one. A second container
holds a namespace that both join.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from scaffold.engine.containers import pause
from scaffold.engine.containers.container_engine import Container, ContainerEngine, EngineFailed, NoEngine
from scaffold.engine.containers.shared_daemon import Belongings

#: The label of containers: the folder of their local AWS.
LABEL = "io.gitops-scaffold.folder"

#: The file with the socket of the daemon, in the folder.
SETTINGS = "docker-host"

_SOCKET = "unix://"
_PREFIX = "localhost/gitops-scaffold"
# One call of the trial and one of the removal together are shorter than the start of local AWS may take.
_SECONDS = 20.0
_REMOVAL_SECONDS = 60.0


@dataclass(frozen=True)
class Docker(ContainerEngine):
    """Docker for one local AWS.

    Attributes:
        host: The socket of the daemon, as DOCKER_HOST has it.
    """

    host: str = ""

    name: ClassVar[str] = "docker"

    @property
    def environment(self) -> dict[str, str]:
        """All environment variables of its process."""
        return {
            **self.proxies,
            "PATH": os.pathsep.join([str(Path(self.program).parent), os.defpath]),
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "DOCKER_CONFIG": str(self.folder / "home" / ".docker"),
            "DOCKER_HOST": self.host,
        }

    def has(self, image: str) -> bool:
        """Whether the daemon has an image."""
        try:
            self.run("image", "inspect", "--format", "{{.Id}}", image)
        except EngineFailed:
            return False
        return True

    def digest(self, image: str) -> str:
        """The digest with which an image was pulled; of one that was not pulled, its id."""
        digests = self.run("image", "inspect", "--format", '{{join .RepoDigests " "}}', image)
        return digests.rpartition("@")[2] or self.run("image", "inspect", "--format", "{{.Id}}", image)

    def save(self, image: str, archive: Path) -> None:
        """Write an image to an archive of the form of `docker save`."""
        self.run("save", "--output", archive, image)

    def own_name(self, image: str) -> str:
        """The name of an image that a build names: another local AWS, or the user, may have one of that name."""
        return f"{self._names}/{image}"

    def build_options(self) -> list[str]:
        """Options of each build of an image."""
        # The host's network, as the registries of packages may be on it.
        proxies = [f"--build-arg={name}" for name in self.proxies if name.lower().endswith("_proxy")]
        return ["--network=host", *proxies]

    def run_options(self) -> list[str]:
        """Options of a container that a build runs."""
        return [f"--label={LABEL}={self.folder}"]

    def restrict(self, words: Sequence[str]) -> list[str]:
        """The call of a build, where it concerns only what belongs to this local AWS."""
        return Belongings(self.run, LABEL, str(self.folder), self._names).restrict(words)

    def task_options(self, name: str, hostname: str, entry_point: Sequence[str]) -> tuple[list[str], list[str]]:
        """Options of a container of a task, and the rest of its entry point. The network that it joins is created."""
        self._hold_network(name, f"--hostname={hostname}" if hostname else "")
        options = [
            f"--network=container:{_holder(name)}",
            f"--label={LABEL}={self.folder}",
            *("--pull=never", "--no-healthcheck", "--log-driver=none"),
        ]
        if entry_point:
            options.append(f"--entrypoint={entry_point[0]}")
        return options, list(entry_point[1:])

    def container(self, name: str, stop_timeout: int) -> Container:
        """The commands for a container of a task that was created."""
        process = self.run("inspect", "--format", "{{.State.Pid}}", _holder(name))
        return Container(
            enter=_enter(process),
            prepare=[],
            start=[self.program, "start", "--attach", name],
            reason=[self.program, "inspect", "--format", "{{.State.Error}}", name],
            running=[self.program, "inspect", "--format", "{{.State.Running}}", name],
            stop=[self.program, "stop", "-t", str(stop_timeout), name],
            remove=[self.program, "rm", "--force", "--volumes", name, _holder(name)],
            inside=[self.program, "exec", name],
        )

    def discard(self, name: str) -> None:
        """Remove what there is of a container of a task whose creation has failed."""
        self.run("rm", "--force", "--volumes", name, _holder(name))

    def remove_all(self) -> None:
        """Remove the containers and images of this local AWS."""
        labelled = f"label={LABEL}={self.folder}"
        self._remove_containers(self.run("ps", "--all", "--quiet", "--filter", labelled, seconds=_SECONDS).split())
        images = self.run("images", "--format", "{{.Repository}}:{{.Tag}}", seconds=_SECONDS).split()
        own = [image for image in images if image.startswith(f"{self._names}/")]
        if own:
            self.run("rmi", "--force", *own, seconds=_REMOVAL_SECONDS)

    def remove_forgotten(self) -> None:
        """Remove containers that do not run, of a local AWS whose folder was deleted, as when a machine starts."""
        self._remove_containers(list(self._forgotten()))

    @property
    def _names(self) -> str:
        return f"{_PREFIX}/{hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]}"

    def _forgotten(self) -> Iterator[str]:
        ended = [word for status in ("created", "exited", "dead") for word in ("--filter", f"status={status}")]
        shown = f'{{{{.ID}}}} {{{{.Label "{LABEL}"}}}}'
        options = *ended, "--filter", f"label={LABEL}", "--format", shown
        for line in self.run("ps", "--all", *options, seconds=_SECONDS).splitlines():
            identifier, _, folder = line.partition(" ")
            if not Path(folder).parent.exists():
                yield identifier

    def _remove_containers(self, containers: list[str]) -> None:
        if containers:
            self.run("rm", "--force", "--volumes", *containers, seconds=_REMOVAL_SECONDS)

    def _hold_network(self, name: str, *options: str, word: str = "", seconds: float | None = None) -> None:
        """Start a container that holds a network namespace."""
        self.run(
            *("run", "--detach", "--network=none", "--name", _holder(name), f"--label={LABEL}={self.folder}"),
            *("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--log-driver=none"),
            *filter(None, options),
            *(self.own_name("pause"), pause.PROGRAM, *filter(None, [word])),
            seconds=seconds,
        )

    def check_network(self) -> None:
        """Check that containers run on this machine, and that this user may enter their networks.

        Where it fails, its container is left for `remove_all`.

        Raises:
            NoEngine: They do not, or it may not.
            EngineFailed: The daemon refuses something, or does not answer in time.
        """
        name, word = f"check-{secrets.token_hex(8)}", secrets.token_hex(16)
        self._hold_network(name, word=word, seconds=_SECONDS)
        process = self.run("inspect", "--format", "{{.State.Pid}}", _holder(name), seconds=_SECONDS)
        # The daemon may be in a virtual machine, or this process in a container.
        with suppress(OSError):
            if word.encode() not in Path("/proc", process, "cmdline").read_bytes():
                raise NoEngine("Docker runs its containers on another machine")
        try:
            command = [*_enter(process), "true"]
            entered = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise NoEngine(f"the network of Docker's container is not entered within {_SECONDS:g} seconds") from error
        if entered.returncode:
            raise NoEngine("this user may not enter the networks of Docker's containers")
        self._remove_containers([_holder(name)])


def prepare(folder: Path, path: str, downloads: Mapping[str, str], host: str) -> Docker:
    """Find a Docker daemon, and prepare a folder for its settings.

    Args:
        folder: Where settings go.
        path: The PATH to search.
        downloads: Environment variables with which this machine reaches registries.
        host: The socket of the daemon, as DOCKER_HOST has it.

    Raises:
        NoEngine: None answers, or it cannot be used.
    """
    program = shutil.which("docker", path=path)
    if program is None:
        raise NoEngine("docker is not installed")
    if sys.platform != "linux":
        raise NoEngine("Docker is used on Linux only")
    if shutil.which("nsenter") is None:
        raise NoEngine("nsenter is not installed, which Docker's containers need here")
    if not host.startswith(_SOCKET):
        raise NoEngine("Docker's daemon is not reached by a socket of this machine")
    proxies = {name: value for name, value in downloads.items() if name.lower().endswith("_proxy")}
    found = Docker(program, folder, host=host)
    for name in ("home", "tmp"):
        (folder / name).mkdir(parents=True)
    try:
        shown = found.run("version", "--format", "{{.Server.Version}} {{.Server.Arch}}", seconds=_SECONDS)
        (folder / SETTINGS).write_text(host)  # Before there is anything to remove.
        version, _, architecture = shown.partition(" ")
        archive = folder / "pause.tar"
        if not pause.write(archive, architecture):
            raise NoEngine(f"Docker runs on {architecture}, and local AWS knows it on amd64 and arm64 only")
        found.run("import", archive, found.own_name("pause"), seconds=_SECONDS)
        found.check_network()
        found.remove_forgotten()
    except EngineFailed as error:
        raise NoEngine(f"docker does not work: {error}") from error
    return Docker(program, folder, version, proxies, host)


def of_folder(folder: Path) -> Docker | None:
    """Docker, where it is the engine of a folder."""
    settings = folder / SETTINGS
    if not settings.exists():
        return None
    return Docker(shutil.which("docker") or "docker", folder, host=settings.read_text())


def _holder(name: str) -> str:
    return f"{name}-network"


def _enter(process: str) -> list[str]:
    return ["nsenter", f"--net=/proc/{process}/ns/net"]
