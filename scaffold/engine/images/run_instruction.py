"""RUN without a container: a closed list of commands, done here. No text of a RUN is executed."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scaffold.engine.databases import programs
from scaffold.engine.downloads import for_npm, npm_settings
from scaffold.engine.images.dockerfile import words_of
from scaffold.engine.images.installed import Installed
from scaffold.engine.images.needs_engine import BuildFailed, NeedsEngine
from scaffold.engine.images.node import Node
from scaffold.engine.images.tree import Owner, Tree

_NPM_FLAGS = re.compile(r"--(omit=(dev|optional)|production|ignore-scripts|no-audit|no-fund|prefer-offline)")
_SHELL = re.compile(r"[;|<>`\n()]|\$|(?<!&)&(?!&)|&&&|\|\||\\")
_GLOB = re.compile(r"[*?\[]")
_POSTGRES_PACKAGE = re.compile(r"postgresql(-\d+)?(=\S+)?")
_APT_FLAGS = re.compile(r"-y|--yes|--no-install-recommends")


@dataclass(frozen=True)
class Place:
    """Where a RUN is done.

    Attributes:
        downloads: Environment variables with which this machine reaches registries.
        cache: The folder of npm's cache, and of what it has installed.
        say: Takes progress, a line each.
    """

    tree: Tree
    directory: str
    environment: Mapping[str, str]
    owner: Owner
    node: Node
    downloads: Mapping[str, str]
    cache: Path
    say: Callable[[str], None]


def run(text: str, place: Place) -> None:
    """Do a RUN and record its layer.

    Raises:
        NeedsEngine: It has a command that is not on the list.
        BuildFailed: A command fails.
    """
    added: list[Path] = []
    removed: list[str] = []
    owners: dict[str, Owner] = {}
    for name, words in _commands(text):
        match name:
            case "npm":
                added += _install(words[1:], place)
            case "mkdir":
                added += _make(words, place)
            case "chown":
                user, _, group = words[0].partition(":")
                inside = [place.tree.inside(place.tree.path(path, place.directory)) for path in words[1:]]
                owners |= dict.fromkeys(inside, (int(user), int(group or 0)))
            case "apt-get":
                _substitute(words, text, place)
            case _:
                removed += _remove(words[1:], place)
    place.tree.record(f"RUN {text}", [path for path in added if os.path.lexists(path)], removed, place.owner)
    place.tree.owners |= owners


def _commands(text: str) -> list[tuple[str, list[str]]]:
    """The commands of a RUN with their arguments: all of them are known, or none is done."""
    if _SHELL.search(text):
        raise NeedsEngine(f"RUN {text}")
    found = []
    for command in text.split("&&"):
        name, *words = words_of(command) or [""]
        if not _known(name, words):
            raise NeedsEngine(f"RUN {text}")
        found.append((name, words))
    if ("apt-get", ["update"]) in found and not any(words[:1] == ["install"] for _, words in found):
        raise NeedsEngine(f"RUN {text}")
    return found


def _known(name: str, words: list[str]) -> bool:
    match [name, *words]:
        case ["npm", "ci", *flags]:
            return all(_NPM_FLAGS.fullmatch(flag) for flag in flags)
        case ["mkdir", "-p", *paths] | ["mkdir", *paths]:
            return bool(paths) and not any(path.startswith("-") or _GLOB.search(path) for path in paths)
        case ["chown", owner, *paths]:
            return bool(re.fullmatch(r"\d+(:\d+)?", owner) and paths) and not any(map(_GLOB.search, paths))
        case ["apt-get", "update"]:
            return True
        case ["apt-get", "install", *words]:
            packages = [word for word in words if not _APT_FLAGS.fullmatch(word)]
            return bool(packages) and all(map(_POSTGRES_PACKAGE.fullmatch, packages))
        case ["rm", "-rf" | "-fr" | "-r" | "-f", *paths]:
            return bool(paths) and not any(path.startswith("-") for path in paths)
    return False


def _install(flags: list[str], place: Place) -> list[Path]:
    directory = place.tree.directory(".", place.directory)
    modules = place.tree.directory("node_modules", place.directory)  # npm deletes what is in it, also through a link.
    environment = {
        **{name: value for name, value in place.environment.items() if name != "PATH"},
        **for_npm(place.downloads),
        "HOME": str(place.cache),
        "PATH": os.pathsep.join([str(Path(place.node.program).parent), os.defpath]),
        "npm_config_cache": str(place.cache),
        "npm_config_update_notifier": "false",
    }
    before = place.tree.below(directory)
    installed = Installed(place.cache, _key(flags, before, environment, place))
    if installed.restore(modules):
        place.say("CACHED npm ci")
        return place.tree.below(modules)
    words = [*place.node.npm, "ci", *flags, "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    done = subprocess.run(words, cwd=directory, env=environment, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise BuildFailed(f"npm ci: exit code {done.returncode}")
    if not modules.exists():
        return []
    added = place.tree.below(modules)
    if {*place.tree.below(directory)} == {*before, *added}:  # Workspaces have folders of their own.
        installed.keep(modules)
    return added


def _key(flags: list[str], before: list[Path], environment: Mapping[str, str], place: Place) -> str:
    """What the result of `npm ci` depends on, as in the cache of Docker's layers: the files before it, and its call;
    and npm's settings on this machine."""
    known = (place.node.version, flags, sorted(environment.items()), npm_settings(environment))
    found = hashlib.sha256(repr(known).encode())
    for path in before:
        found.update(repr((place.tree.inside(path), path.lstat().st_mode)).encode())
        if path.is_symlink():
            found.update(os.fsencode(path.readlink()))
        elif path.is_file():
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _substitute(words: list[str], text: str, place: Place) -> None:
    """Let the processes of an image use a package of this machine."""
    for package in filter(_POSTGRES_PACKAGE.fullmatch, words):
        folder = programs.of_debian()
        if folder is None:
            raise NeedsEngine(f"RUN {text}, without Debian's PostgreSQL on this machine,")
        version = programs.version_of(folder)
        place.say(f"without a container engine: PostgreSQL {version} of this machine in place of {package}")


def _make(words: list[str], place: Place) -> list[Path]:
    made = []
    for word in words:
        if word == "-p":
            continue
        path = place.tree.path(word, place.directory)
        if path.exists() and "-p" not in words:
            raise BuildFailed(f"mkdir: cannot create directory '{word}': File exists")
        path.mkdir(parents="-p" in words, exist_ok=True)
        made.append(path)
    return made


def _remove(patterns: list[str], place: Place) -> list[str]:
    """Remove files. Those of the base image are not there; what is meant for them changes nothing."""
    removed = []
    for pattern in patterns:
        path = place.tree.path(pattern, place.directory)
        found = place.tree.matches(path) if _GLOB.search(place.tree.inside(path)) else [path]
        for one in found:
            if one == place.tree.root or not os.path.lexists(one):
                continue
            removed.append(place.tree.inside(one))
            if one.is_dir() and not one.is_symlink():
                shutil.rmtree(one)
            else:
                one.unlink()
    return removed
