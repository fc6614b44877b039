"""Podman with storage and settings of its own: nothing of this machine's images, containers and registry passwords."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from scaffold.engine.containers import pause
from scaffold.engine.containers.container_engine import Container, ContainerEngine, EngineFailed

#: The beginning of the names of the variables that podman sets in the user namespace of an ordinary user.
IN_NAMESPACE = "_CONTAINERS_"

_SECONDS = 30.0


@dataclass(frozen=True)
class Podman(ContainerEngine):
    """Podman for one local AWS."""

    name: ClassVar[str] = "podman"

    @property
    def environment(self) -> dict[str, str]:
        """All environment variables of its process."""
        return {
            **self.proxies,
            # What podman says to what it starts in the user namespace of an ordinary user.
            **{name: value for name, value in os.environ.items() if name.startswith(IN_NAMESPACE)},
            "PATH": os.pathsep.join([str(Path(self.program).parent), os.defpath, "/usr/sbin", "/sbin"]),
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            # Where the process is that keeps the namespaces of an ordinary user's containers.
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(self.folder / "registries.conf"),
            "REGISTRY_AUTH_FILE": str(self.folder / "auth.json"),
        }

    def has(self, image: str) -> bool:
        """Whether an image is in the storage."""
        try:
            self.run("image", "exists", image)
        except EngineFailed:
            return False
        return True

    def digest(self, image: str) -> str:
        """The digest of an image in the storage."""
        return self.run("image", "inspect", "--format", "{{.Digest}}", image)

    def save(self, image: str, archive: Path) -> None:
        """Write an image to an archive of the form of `docker save`."""
        self.run("save", "--quiet", "--format", "docker-archive", "--output", archive, image)

    def own_name(self, image: str) -> str:
        """The name itself: the storage belongs to one local AWS."""
        return image

    def build_options(self) -> list[str]:
        """Options of each build of an image."""
        # The host's network, as the registries of packages may be on it; --layers reuses those of earlier builds.
        return ["--network=host", "--layers"]

    def run_options(self) -> list[str]:
        """Options of a container that a build runs."""
        return ["--http-proxy=false"]

    def restrict(self, words: Sequence[str]) -> list[str]:
        """The call itself: the storage belongs to one local AWS."""
        return list(words)

    def task_options(self, name: str, hostname: str, entry_point: Sequence[str]) -> tuple[list[str], list[str]]:  # noqa: ARG002
        """Options of a container of a task, and no further words."""
        # The network is that of the process that starts the container: it has a namespace of its own.
        options = ["--network=host", "--http-proxy=false", "--log-driver=none", "--read-only-tmpfs=false"]
        if hostname:
            options.append(f"--hostname={hostname}")
        if entry_point:
            options.append(f"--entrypoint={json.dumps(list(entry_point))}")
        return options, []

    def container(self, name: str, stop_timeout: int) -> Container:
        """The commands for a container of a task that was created."""
        return Container(
            enter=self._enter,
            prepare=[self.program, "init", name],
            start=[self.program, "start", "--attach", "--sig-proxy=false", name],
            reason=[],
            running=[self.program, "inspect", "--format", "{{.State.Running}}", name],
            stop=[self.program, "stop", "--time", str(stop_timeout), name],
            remove=[self.program, "rm", "--force", "--volumes", "--time", "0", name],
            inside=[self.program, "exec", name],
            variables=self._entering,
        )

    @property
    def _enter(self) -> list[str]:
        """The command that runs another one in a new network namespace, in which podman works."""
        unshare = ["unshare", "--net", "--fork", "--kill-child"]
        if os.geteuid() == 0:
            return unshare
        return [self.program, "unshare", *unshare]

    @property
    def _entering(self) -> dict[str, str]:
        """The environment variables of that command. A proxy's password would be seen in its arguments."""
        return {} if os.geteuid() == 0 else self.environment

    def check_container(self) -> None:
        """Check that the container of a task can be made: for an ordinary user, or with this machine's control groups.

        Raises:
            EngineFailed: It cannot.
        """
        archive, name = self.folder / "pause.tar", "check"
        machine = self.run("info", "--format", "{{.Host.Arch}}", seconds=_SECONDS)
        if not pause.write(archive, machine):
            raise EngineFailed(f"this machine is {machine}, and only amd64 and arm64 are known")
        self.run("import", "--quiet", archive, name, seconds=_SECONDS)
        options, _ = self.task_options(name, "", [])
        self.run("create", "--name", name, *options, name, pause.PROGRAM, seconds=_SECONDS)
        try:
            inside = subprocess.run(
                [*self._enter, self.program, "init", name],
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise EngineFailed("a container is not made in time") from error
        if inside.returncode:
            raise EngineFailed((inside.stderr.strip().splitlines() or ["a container cannot be made"])[-1])
        self.run("rm", "--force", "--time", "0", name)

    def discard(self, name: str) -> None:
        """Remove what there is of a container of a task whose creation has failed."""
        self.run("rm", "--force", "--volumes", "--ignore", name)
