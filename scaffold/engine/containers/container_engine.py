"""What a container engine does for one local AWS, whichever it is."""

from __future__ import annotations

import re
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar

_ADVICE = re.compile(r"(Run|See) '")
_BEGINNING = re.compile(r"(docker: )?(Error: |Error response from daemon: )?")


class NoEngine(Exception):
    """A container engine cannot be used. The text says why; the beginning of a sentence."""


class EngineFailed(Exception):
    """A call of a container engine has failed. The text is its last message."""


@dataclass(frozen=True)
class Container:
    """A container that an engine has created: the commands for its life.

    Attributes:
        enter: Runs a command in the network namespace of the container, or in a new one that the container gets.
        variables: Environment variables of `enter`.
        prepare: Finds out whether it can start; empty where only its start does.
        start: Starts it, and passes its output on until its end.
        reason: Prints why it could not start; empty where `prepare` does.
        running: Prints whether it runs, `true` or `false`.
        inside: Begins a command that runs another one in it.
    """

    enter: list[str]
    prepare: list[str]
    start: list[str]
    reason: list[str]
    running: list[str]
    stop: list[str]
    remove: list[str]
    inside: list[str]
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ContainerEngine(ABC):
    """A container engine, for one local AWS.

    Attributes:
        folder: Its storage and settings, as far as they are of one local AWS.
        version: Such as `4.3.1`.
        proxies: Environment variables with which it reaches registries.
    """

    program: str
    folder: Path
    version: str = ""
    proxies: Mapping[str, str] = field(default_factory=dict)

    name: ClassVar[str]

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"

    @property
    @abstractmethod
    def environment(self) -> dict[str, str]:
        """All environment variables of its process."""

    @abstractmethod
    def has(self, image: str) -> bool:
        """Whether an image is in the storage."""

    @abstractmethod
    def digest(self, image: str) -> str:
        """The digest of an image in the storage."""

    @abstractmethod
    def save(self, image: str, archive: Path) -> None:
        """Write an image to an archive of the form of `docker save`."""

    @abstractmethod
    def own_name(self, image: str) -> str:
        """The name in the storage of an image that a build names, since others may use the same storage."""

    @abstractmethod
    def build_options(self) -> list[str]:
        """Options of each build of an image."""

    @abstractmethod
    def run_options(self) -> list[str]:
        """Options of a container that a build runs."""

    @abstractmethod
    def restrict(self, words: Sequence[str]) -> list[str]:
        """A call of a build that concerns only what belongs to its local AWS, since others may use the same storage.

        Raises:
            EngineFailed: It names something else, or is not rehearsed.
        """

    @abstractmethod
    def task_options(self, name: str, hostname: str, entry_point: Sequence[str]) -> tuple[list[str], list[str]]:
        """Options of a container of a task, and the words between its image and its command.

        Args:
            name: The container's name.
            hostname: Empty for any.
            entry_point: Empty for that of the image.
        """

    @abstractmethod
    def container(self, name: str, stop_timeout: int) -> Container:
        """The commands for a container of a task that was created."""

    @abstractmethod
    def discard(self, name: str) -> None:
        """Remove what there is of a container of a task whose creation has failed."""

    def run(self, *words: str | Path, seconds: float | None = None, variables: Mapping[str, str] | None = None) -> str:
        """Run a command of the engine, and return what it prints.

        Args:
            seconds: How long it may take; None for any time.
            variables: Further environment variables, which cannot replace its own.

        Raises:
            EngineFailed: It has failed.
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
            raise EngineFailed(str(error)) from error
        except subprocess.TimeoutExpired as error:
            raise EngineFailed(f"{self.name} {words[0]} has not ended within {seconds:g} seconds") from error
        if done.returncode:
            raise EngineFailed(_last_message(done.stderr) or f"{self.name} {words[0]} has failed")
        return done.stdout.strip()

    def document(self) -> dict[str, object]:
        """These properties as JSON."""
        return {"name": self.name, **asdict(self), "folder": str(self.folder), "proxies": dict(self.proxies)}


def _last_message(said: str) -> str:
    """The last message of an engine, without its advice to read the help."""
    lines = [line for line in said.splitlines() if line.strip() and not _ADVICE.match(line)]
    return _BEGINNING.sub("", lines[-1]) if lines else ""
