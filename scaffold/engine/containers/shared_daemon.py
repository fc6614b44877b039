"""What calls of builds may concern on a daemon that others use: only what belongs to their local AWS.

`docker rm --force $(docker ps --all --quiet)` in a build script may not remove the user's containers.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from scaffold.engine.containers import run_call
from scaffold.engine.containers.container_engine import EngineFailed

_Words = Sequence[str]

_IDENTIFIER = re.compile(r"(sha256:)?[0-9a-f]{8,64}")
_NETWORKS = ("bridge", "default", "host", "none")
_JOINED = "container:"
_MISSING = "no such container"
_DEEPEST_NAME = 8

# The options of each command, those without a value first.
_OPTIONS: dict[str, tuple[_Words, _Words]] = {
    "cp": (("-a --archive", "-L --follow-link", "-q --quiet"), ()),
    "exec": (
        ("-d --detach", "-i --interactive", "-t --tty", "--privileged"),
        ("-e --env", "--env-file", "-u --user", "-w --workdir"),
    ),
    "images": (("-a --all", "-q --quiet", "--digests", "--no-trunc"), ("--format",)),
    "inspect": (("-s --size",), ("-f --format", "--type")),
    "kill": ((), ("-s --signal",)),
    "logs": (("-f --follow", "-t --timestamps", "--details"), ("-n --tail", "--since", "--until")),
    "ps": (
        ("-a --all", "-l --latest", "-q --quiet", "-s --size", "--no-trunc"),
        ("-f --filter", "--format", "-n --last"),
    ),
    "rm": (("-f --force", "-v --volumes"), ()),
    "rmi": (("-f --force", "--no-prune"), ()),
    "stop": ((), ("-t --time --timeout", "-s --signal")),
    "version": ((), ("-f --format",)),
    "wait": ((), ()),
}


class _Parser(argparse.ArgumentParser):
    """Refuses options that it does not know: they may name something of others."""

    def __init__(self, command: str) -> None:
        super().__init__(command, add_help=False, allow_abbrev=False)
        flags, options = _OPTIONS[command]
        self._options = [self.add_argument(*names.split(), action="store_true") for names in flags]
        self._options += [self.add_argument(*names.split(), action="append", default=[]) for names in options]

    def without_names(self, given: argparse.Namespace) -> list[str]:
        """The call with its options only."""
        words = [self.prog]
        for option in self._options:
            name, value = option.option_strings[-1], getattr(given, option.dest)
            words += ([name] if value else []) if option.nargs == 0 else [f"{name}={one}" for one in value]
        return words

    def error(self, message: str) -> NoReturn:
        """Say what is not known."""
        raise EngineFailed(f"not rehearsed: docker {self.prog}: {message}")


@dataclass(frozen=True)
class Belongings:
    """What belongs to one local AWS.

    Attributes:
        run: Runs a command of the daemon, and returns what it prints.
        label: The name of the label of its containers.
        value: The value of that label.
        names: The beginning of the names of its images.
    """

    run: Callable[..., str]
    label: str
    value: str
    names: str

    def restrict(self, words: Sequence[str]) -> list[str]:
        """A call of a build that concerns nothing else, where the daemon would let it.

        Raises:
            EngineFailed: It names something else, or is not rehearsed.
        """
        command, arguments = words[0], words[1:]
        if command in ("build", "run"):
            options = run_call.parse(arguments)[0] if command == "run" else _long_options(arguments)
            self._check_options(command, options)
            return list(words)
        if command not in _OPTIONS:
            raise EngineFailed(f"not rehearsed: docker {' '.join(words[:2])}")
        parser = _Parser(command)
        if command == "exec":
            parser.add_argument("name")
            parser.add_argument("command", nargs=argparse.REMAINDER)
            self._check_container(command, parser.parse_args(arguments).name)
            return list(words)
        parser.add_argument("names", nargs="*")
        given = parser.parse_intermixed_args(arguments)
        names: list[str] = given.names
        if command == "ps":
            return [command, f"--filter=label={self.label}={self.value}", *arguments]
        if command == "images":
            return [*parser.without_names(given), *(map(self._own_name, names) if names else self._all_names())]
        if command == "rmi":
            return [*parser.without_names(given), *(own for name in names for own in self._images(command, name))]
        if command == "inspect":
            kinds = given.type or ["container", "image"]
            return [*parser.without_names(given), *(self._object(name, kinds) for name in names)]
        for name in _in_copies(names) if command == "cp" else names:
            self._check_container(command, name)
        return list(words)

    def _own_name(self, image: str) -> str:
        return image if image.startswith(f"{self.names}/") else f"{self.names}/{image}"

    def _all_names(self) -> Iterator[str]:
        """Filters of `docker images`. An asterisk does not match a slash."""
        return (f"--filter=reference={self.names}{'/*' * depth}" for depth in range(1, _DEEPEST_NAME))

    def _owns_container(self, name: str) -> bool:
        """Whether a container belongs to this local AWS.

        Raises:
            EngineFailed: It is not known.
        """
        shown = f'{{{{index .Config.Labels "{self.label}"}}}}'
        return self.run("container", "inspect", "--format", shown, "--", name) == self.value

    def _check_container(self, command: str, name: str) -> None:
        try:
            owned = self._owns_container(name)
        except EngineFailed as error:
            if _MISSING not in str(error).lower():
                raise
            return  # The daemon says so, or with `rm --force` does not mind.
        if not owned:
            raise EngineFailed(f"docker {command}: {name} is not a container of this local AWS")

    def _images(self, command: str, name: str) -> list[str]:
        """The names of an image in this local AWS. Its identifier stands for all of them: others may have it too."""
        tags = "image", "inspect", "--format", '{{join .RepoTags " "}}', "--"
        own: list[str] = []
        with suppress(EngineFailed):
            self.run(*tags, self._own_name(name))
            return [self._own_name(name)]
        if _IDENTIFIER.fullmatch(name):
            own = [tag for tag in self.run(*tags, name).split() if tag.startswith(f"{self.names}/")]
        if not own:
            raise EngineFailed(f"docker {command}: {name} is not an image of this local AWS")
        return own

    def _object(self, name: str, kinds: Sequence[str]) -> str:
        """What `docker inspect` is to look at."""
        with suppress(EngineFailed):
            if "container" in kinds and self._owns_container(name):
                return name
        if "image" in kinds:
            return self._images("inspect", name)[0]
        raise EngineFailed(f"docker inspect: {name} does not belong to this local AWS")

    def _check_options(self, command: str, options: Iterable[tuple[str, str]]) -> None:
        """Check the options with which a new container would use something of others."""
        for name, value in options:
            joined = value.removeprefix(_JOINED)
            if name in ("--ipc", "--net", "--network", "--pid") and joined != value:
                self._check_container(command, joined)
            elif name in ("--net", "--network") and value not in _NETWORKS:
                raise EngineFailed(f"not rehearsed: docker {command} with the network {value}")
            elif name in ("--link", "--volumes-from"):
                self._check_container(command, value.partition(":")[0])
            elif volume := _named_volume(name, value):
                raise EngineFailed(f"not rehearsed: docker {command} with the volume {volume}")


def _in_copies(paths: Sequence[str]) -> Iterator[str]:
    """The containers of the paths of `docker cp`."""
    for path in paths:
        name, sign, _ = path.partition(":")
        if sign and not name.startswith(("/", ".")):
            yield name


def _long_options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The words that may be long options, with their values."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, sign, value = word.partition("=")
        if word.startswith("--"):
            yield name, value if sign else following


def _named_volume(option: str, value: str) -> str:
    """The name of the volume that an option mounts; empty for a folder of the machine, or a new volume."""
    if option in ("-v", "--volume"):
        source, sign, _ = value.partition(":")
        return source if sign and not source.startswith(("/", ".", "~")) else ""
    if option == "--mount":
        fields = dict(field.partition("=")[::2] for field in value.replace('"', "").split(","))
        if fields.get("type", "volume") not in ("bind", "tmpfs"):
            return fields.get("source", "") or fields.get("src", "")
    return ""
