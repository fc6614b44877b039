"""Builds the stages of a Dockerfile whose base image is one of Node."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from scaffold.engine.images.context import Context, pattern_expression
from scaffold.engine.images.dockerfile import Dockerfile, Instruction, Stage, declared, substitute, words_of
from scaffold.engine.images.needs_engine import BuildFailed, NeedsEngine
from scaffold.engine.images.node import Node
from scaffold.engine.images.run_instruction import Place, run
from scaffold.engine.images.tree import Owner, Tree

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_COPY_FLAGS = ("from", "chown", "chmod", "link")
_NODE_IMAGE = re.compile(r"(?:.*/)?node(?::[^/@]*)?(?:@sha256:[0-9a-f]{64})?")


@dataclass(frozen=True)
class Settings:
    """The configuration of an image, in the form of its `config` key."""

    env: Mapping[str, str] = field(default_factory=lambda: {"PATH": _PATH})
    directory: str = "/"
    user: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ("node",)
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = ""

    def document(self) -> dict[str, Any]:
        """The configuration as JSON."""
        found: dict[str, Any] = {
            "Env": [f"{name}={value}" for name, value in self.env.items()],
            "WorkingDir": self.directory,
            "User": self.user,
            "Entrypoint": list(self.entrypoint) or None,
            "Cmd": list(self.command) or None,
            "ExposedPorts": {port: {} for port in self.ports} or None,
            "Volumes": {place: {} for place in self.volumes} or None,
            "Labels": dict(self.labels),
            "StopSignal": self.stop_signal or None,
        }
        return {key: value for key, value in found.items() if value not in (None, "")}


@dataclass(frozen=True)
class Built:
    """A stage that has been built."""

    tree: Tree
    settings: Settings


class Builder:
    """Builds stages, each of them once.

    Args:
        folder: Where the files of stages go.
        given: The build arguments of the command line.
        say: Takes progress, a line each.
    """

    def __init__(
        self,
        dockerfile: Dockerfile,
        context: Context,
        given: Mapping[str, str],
        node: Node,
        downloads: Mapping[str, str],
        cache: Path,
        folder: Path,
        say: Callable[[str], None],
    ) -> None:
        self._dockerfile = dockerfile
        self._context = context
        self._given = given
        self._node = node
        self._downloads = downloads
        self._cache = cache
        self._folder = folder
        self._say = say
        self._built: dict[str, Built] = {}

    def build(self, target: str) -> Built:
        """Build a stage and those that it needs.

        Args:
            target: The stage's name; empty for the last one.

        Raises:
            NeedsEngine: The Dockerfile has something that cannot be done without a container engine.
            BuildFailed: It cannot be built.
        """
        stage = self._dockerfile.stage(target) if target else self._dockerfile.stages[-1]
        if stage is None:
            raise BuildFailed(f"target stage {target!r} could not be found")
        try:
            return self._stage(stage)
        except (OSError, ValueError) as error:  # A file where a directory is needed, a name that no file can have.
            raise BuildFailed(str(error)) from error

    def _stage(self, stage: Stage) -> Built:
        if stage.name not in self._built:
            self._built[stage.name] = self._build_stage(stage)
        return self._built[stage.name]

    def _build_stage(self, stage: Stage) -> Built:
        root = self._folder / str(self._dockerfile.stages.index(stage))
        earlier = self._dockerfile.stage(stage.base)
        if earlier is not None and self._dockerfile.stages.index(earlier) < self._dockerfile.stages.index(stage):
            below = self._stage(earlier)
            tree, settings = below.tree.copy(root), below.settings
        elif _NODE_IMAGE.fullmatch(stage.base):
            root.mkdir(parents=True)
            tree, settings = Tree(root), Settings()
            self._say(f"[{stage.name}] without a container engine: Node {self._node.version} in place of {stage.base}")
        else:
            raise NeedsEngine(f"An image on {stage.base}")
        arguments = dict(self._given_platform())
        for instruction in stage.instructions:
            self._say(f"[{stage.name}] {instruction}")
            if instruction.keyword == "ARG":
                arguments |= self._declare(instruction, arguments)
            else:
                settings = self._apply(instruction, tree, settings, {**arguments, **settings.env})
        return Built(tree, settings)

    def _given_platform(self) -> dict[str, str]:
        return {name: value for name, value in self._given.items() if name.startswith(("TARGET", "BUILD"))}

    def _declare(self, instruction: Instruction, arguments: Mapping[str, str]) -> dict[str, str]:
        found = declared(instruction, self._given, arguments)
        for name in words_of(instruction.rest):  # One without a value has that of the ARG before the first stage.
            if name in self._dockerfile.arguments:
                found.setdefault(name, self._dockerfile.arguments[name])
        return found

    def _apply(
        self, instruction: Instruction, tree: Tree, settings: Settings, variables: Mapping[str, str]
    ) -> Settings:
        if instruction.flags and instruction.keyword != "COPY":
            raise NeedsEngine(str(instruction))
        rest = substitute(instruction.rest, variables)
        match instruction.keyword:
            case "WORKDIR":
                directory = posixpath.normpath(posixpath.join(settings.directory, rest))
                path = tree.directory(directory)
                if not path.exists():
                    path.mkdir(parents=True)
                    tree.record(str(instruction), [path], [])
                return replace(settings, directory=directory)
            case "COPY":
                self._copy(instruction, rest, tree, settings)
            case "RUN":
                place = Place(
                    *(tree, settings.directory, variables, _owner(settings.user)),
                    *(self._node, self._downloads, self._cache, self._say),
                )
                run(instruction.rest, place)
            case "ENV":
                return replace(settings, env={**settings.env, **_pairs(rest)})
            case "LABEL":
                return replace(settings, labels={**settings.labels, **_pairs(rest)})
            case "USER":
                return replace(settings, user=rest)
            case "EXPOSE":
                ports = [port if "/" in port else f"{port}/tcp" for port in rest.split()]
                return replace(settings, ports=(*settings.ports, *ports))
            case "VOLUME":
                places = instruction.exec_form or words_of(rest)
                return replace(settings, volumes=(*settings.volumes, *places))
            case "ENTRYPOINT":  # It resets the command of the base image.
                return replace(settings, entrypoint=_command(instruction), command=())
            case "CMD":
                return replace(settings, command=_command(instruction))
            case "STOPSIGNAL":
                return replace(settings, stop_signal=rest)
            case _:
                raise NeedsEngine(str(instruction))
        return settings

    def _copy(self, instruction: Instruction, rest: str, tree: Tree, settings: Settings) -> None:
        unknown = [flag for flag in instruction.flags if flag not in _COPY_FLAGS]
        words = instruction.exec_form or words_of(rest)
        if len(words) < 2:
            raise BuildFailed(f"COPY requires at least two arguments: {rest}")
        *sources, target = words
        if unknown:
            raise NeedsEngine(str(instruction))
        origin = instruction.flags.get("from")
        available = self._context.files if origin is None else self._files_of(origin, instruction)
        into = len(sources) > 1 or target.endswith("/") or target in (".", "..")
        mode = _mode(instruction)
        added: list[Path] = []
        for source in sources:
            for name, path in _targets(source, target, into, available, tree, settings.directory):
                tree.put(available[name], path, mode, shared=origin is not None)
                added.append(path)
        tree.record(str(instruction), added, [], _owner(instruction.flags.get("chown", "")))

    def _files_of(self, name: str, instruction: Instruction) -> dict[str, Path]:
        stage = self._dockerfile.stage(name)
        if stage is None:
            raise NeedsEngine(str(instruction))
        root = self._stage(stage).tree.root
        tree = Tree(root)
        return {tree.inside(path): path for path in tree.below(root) if path.is_symlink() or path.is_file()}


def _targets(
    source: str, target: str, into: bool, available: Mapping[str, Path], tree: Tree, directory: str
) -> Iterator[tuple[str, Path]]:
    """The files that a source of COPY means, each with its path on disk, checked when those before it are there: one of
    them may be a link, and on the way to the next one.
    """
    found, of_directory = _select(source, available)
    if not found:
        raise BuildFailed(f"COPY {source}: not found")
    into = into or of_directory or len(found) > 1 or tree.path(target, directory).is_dir()
    for name, relative in found.items():
        yield name, tree.path(posixpath.join(target, relative) if into else target, directory)


def _select(source: str, available: Mapping[str, Path]) -> tuple[dict[str, str], bool]:
    """The files that a source of COPY means, with their paths below the target; and whether it means a directory."""
    inside = posixpath.normpath(source).lstrip("/")
    if inside in (".", ""):
        return {name: name for name in available}, True
    pattern = pattern_expression(inside)
    found, of_directory = {}, False
    for name in available:
        folders = [str(parent) for parent in PurePosixPath(name).parents][:-1]
        folder = next((folder for folder in folders if pattern.fullmatch(folder)), "")
        if pattern.fullmatch(name):
            found[name] = posixpath.basename(name)
        elif folder:
            found[name], of_directory = name[len(folder) + 1 :], True
    return found, of_directory


def _owner(user: str) -> Owner:
    """The numbers of a user; a name belongs to files of the base image, which are not there."""
    numbers = re.fullmatch(r"(\d+)(?::(\d+))?", user)
    return (int(numbers[1]), int(numbers[2] or 0)) if numbers else (0, 0)


def _mode(instruction: Instruction) -> int | None:
    given = instruction.flags.get("chmod")
    if given is not None and not re.fullmatch("[0-7]{3,4}", given):
        raise NeedsEngine(str(instruction))
    return None if given is None else int(given, 8)


def _pairs(text: str) -> dict[str, str]:
    words = words_of(text)
    if not all("=" in word for word in words):  # The old form, `ENV NAME value`.
        name, _, value = text.partition(" ")
        return {name: value.strip()}
    return dict(word.split("=", 1) for word in words)


def _command(instruction: Instruction) -> tuple[str, ...]:
    words = instruction.exec_form
    return tuple(words) if words is not None else ("/bin/sh", "-c", instruction.rest)
