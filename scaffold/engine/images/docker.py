"""The `docker` of builds without a container engine: the calls of build scripts, over the other modules.

docker FOLDER ARGUMENTS…        FOLDER has the images and containers of one build, and settings.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from scaffold.core.stand_in import PROCESS_LABEL
from scaffold.engine.images import docker_commands, node
from scaffold.engine.images.docker_commands import Command
from scaffold.engine.images.needs_engine import BuildFailed, NeedsEngine
from scaffold.engine.images.store import Store
from scaffold.engine.images.tree import Tree

_PROGRAMS = ("node", "npm", "npx", "sh", "/bin/sh")


class _Parser(argparse.ArgumentParser):
    """Refuses what it does not know instead of explaining its usage."""

    def error(self, message: str) -> NoReturn:
        """Say that a container engine would know it."""
        raise NeedsEngine(f"docker {self.prog}: {message}; this call")


class Docker:
    """The commands.

    Args:
        folder: The folder of the build's `docker`.
    """

    def __init__(self, folder: Path) -> None:
        self._store = Store(folder)
        self._settings: dict[str, Any] = json.loads((folder / "settings.json").read_text())

    def call(self, words: Sequence[str]) -> int:
        """Run a command line, and return its exit code."""
        commands: dict[tuple[str, ...], Command] = {
            ("buildx", "imagetools", "inspect"): self.inspect,
            ("buildx", "build"): self.build,
            ("build",): self.build,
            ("login",): self.login,
            ("pull",): self.pull,
            ("run",): self.run,
            ("cp",): self.copy,
            ("rm",): self.remove,
        }
        code = docker_commands.call(commands, words)
        if code is not None:
            return code
        raise NeedsEngine(f"docker {' '.join(words[:2])}")

    def inspect(self, words: Sequence[str]) -> int:
        """Print the digest of a public image: always the same for a name, and of no image that exists."""
        parser = _Parser("buildx imagetools inspect")
        parser.add_argument("image")
        parser.add_argument("--format", choices=["{{.Manifest.Digest}}"], required=True)
        print(f"sha256:{hashlib.sha256(parser.parse_args(words).image.encode()).hexdigest()}")
        return 0

    def login(self, words: Sequence[str]) -> int:
        """Keep a password for the registry. It is not checked before it is used."""
        return docker_commands.login(_Parser("login"), self._store, words)

    def pull(self, words: Sequence[str]) -> int:
        """Nothing is pulled: base images have no files here."""
        parser = _Parser("pull")
        parser.add_argument("--quiet", "-q", action="store_true")
        parser.add_argument("--platform")
        parser.add_argument("image")
        print(parser.parse_args(words).image)
        return 0

    def build(self, words: Sequence[str]) -> int:
        """Build a stage, and keep or push it."""
        # Here, since the other commands start in half the time without them.
        from scaffold.engine.images.build import Builder
        from scaffold.engine.images.context import Context
        from scaffold.engine.images.dockerfile import parse
        from scaffold.engine.images.registry import Repository

        options = _build_options(words)
        given = dict(word.partition("=")[::2] for word in options.build_arg)
        system, _, architecture = options.platform.partition("/")
        for side in ("TARGET", "BUILD"):
            given |= {f"{side}PLATFORM": options.platform, f"{side}OS": system, f"{side}ARCH": architecture}
        path = options.file or options.context / "Dockerfile"
        if not path.is_file():
            raise BuildFailed(f"failed to read dockerfile: open {path}: no such file or directory")
        registries = []
        for name in options.tag if options.push else []:
            repository, _, tag = name.rpartition(":")
            registries.append((Repository(self._settings["endpoint"], repository, self._store.tokens()), tag))
        cache = self._store.folder.parent.parent / "npm-cache"
        cache.mkdir(exist_ok=True)
        built = Builder(
            parse(path.read_text("utf-8", "replace"), given),
            Context(options.context),
            given,
            node.find(self._settings["path"]),
            self._settings["downloads"],
            cache,
            self._store.new_folder(),
            lambda line: print(line, file=sys.stderr, flush=True),
        ).build(options.target)
        config = built.settings.document()
        config["Labels"] |= dict(word.partition("=")[::2] for word in options.label) | {PROCESS_LABEL: "node"}
        for name in options.tag:
            self._store.tag(name, built.tree, config)
        for repository, tag in registries:
            pushed = repository.push(tag, built.tree, config, architecture)
            print(f"pushed {pushed} as {tag}, without a container engine", file=sys.stderr)
        return 0

    def run(self, words: Sequence[str]) -> int:
        """Run an image's command as a process of this machine, in a copy of the image's files."""
        parser = _Parser("run")
        parser.add_argument("--name", default="")
        parser.add_argument("--rm", action="store_true")
        parser.add_argument("--env", "-e", action="append", default=[])
        parser.add_argument("image")
        parser.add_argument("command", nargs=argparse.REMAINDER)
        options = parser.parse_args(words)
        image = self._store.image(options.image)
        if image is None:
            raise NeedsEngine(f"The image {options.image}, which this build has not built,")
        config = image.config
        command = [*config.get("Entrypoint", []), *(options.command or config.get("Cmd", []))]
        if not command or command[0] not in _PROGRAMS:
            raise NeedsEngine(f"The command {' '.join(command)} of an image")
        name = options.name or f"container-{os.getpid()}"
        if self._store.container(name).exists():
            raise BuildFailed(f'the container name "{name}" is already in use')
        container = self._store.create(name, image)
        programs = container / "bin"
        node.find(self._settings["path"]).install(programs)
        environment = dict(word.partition("=")[::2] for word in [*config["Env"], *options.env])
        environment |= {"HOME": str(container / "home"), "PATH": os.pathsep.join([str(programs), os.defpath])}
        directory = Tree(container / "root").directory(".", config["WorkingDir"])
        done = subprocess.run(command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, check=False)
        if options.rm:
            shutil.rmtree(container)
        return docker_commands.exit_code(done.returncode)

    def copy(self, words: Sequence[str]) -> int:
        """Copy a file out of a container."""
        parser = _Parser("cp")
        parser.add_argument("source")
        parser.add_argument("target", type=Path)
        options = parser.parse_args(words)
        name, sign, inside = options.source.partition(":")
        container = self._store.container(name)
        if not sign or not container.exists():
            raise BuildFailed(f"No such container: {name}")
        path = Tree(container / "root").path(inside)
        if not path.is_file() or not path.resolve().is_relative_to(container.resolve()):
            raise BuildFailed(f"Could not find the file {inside} in container {name}")
        target = options.target / PurePosixPath(inside).name if options.target.is_dir() else options.target
        shutil.copyfile(path, target)
        return 0

    def remove(self, words: Sequence[str]) -> int:
        """Remove containers."""
        parser = _Parser("rm")
        parser.add_argument("--force", "-f", action="store_true")
        parser.add_argument("containers", nargs="+")
        options = parser.parse_args(words)
        for name in options.containers:
            if not self._store.container(name).exists() and not options.force:
                raise BuildFailed(f"No such container: {name}")
            shutil.rmtree(self._store.container(name), ignore_errors=True)
            print(name)
        return 0


def _build_options(words: Sequence[str]) -> argparse.Namespace:
    parser = _Parser("buildx build")
    for flag in ("--load", "--push", "--quiet", "--no-cache", "--pull"):
        parser.add_argument(flag, action="store_true")
    for option in ("--provenance", "--sbom", "--progress"):  # They change what is printed and attested.
        parser.add_argument(option)
    # Secrets are for RUN --mount, which needs a container engine.
    for option in ("--label", "--build-arg", "--build-context", "--secret"):
        parser.add_argument(option, action="append", default=[])
    parser.add_argument("--tag", "-t", action="append", default=[])
    parser.add_argument("--target", default="")
    parser.add_argument("--platform", default="linux/amd64")
    parser.add_argument("--file", "-f", type=Path)
    parser.add_argument("context", type=Path)
    options = parser.parse_args(words)
    for context in options.build_context:  # The digest of a base image; the name stays in the Dockerfile.
        name, _, image = context.partition("=")
        if not image.startswith(f"docker-image://{name}@sha256:"):
            raise NeedsEngine(f"The build context {context}")
    return options


def main() -> int:
    """Run the command line of this process."""
    os.umask(0o022)
    try:
        return Docker(Path(sys.argv[1])).call(sys.argv[2:])
    except (NeedsEngine, BuildFailed) as error:
        print(f"ERROR: {error}.", file=sys.stderr)
        return 1
