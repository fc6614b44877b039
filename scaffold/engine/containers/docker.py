"""The `docker` of builds with a container engine: the calls of build scripts for it, and pushes to local AWS.

docker FOLDER ARGUMENTS…        FOLDER has settings.json
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from scaffold.engine.containers import choice, run_call
from scaffold.engine.containers.archives import push
from scaffold.engine.containers.container_engine import EngineFailed
from scaffold.engine.images import docker_commands
from scaffold.engine.images.docker_commands import Command
from scaffold.engine.images.needs_engine import BuildFailed
from scaffold.engine.images.registry import Repository, is_local
from scaffold.engine.images.store import Store
from scaffold.engine.tasks.images import CannotStart, Images

# What engines call alike.
_SAME = ("cp", "exec", "images", "inspect", "kill", "logs", "ps", "rm", "rmi", "stop", "version", "wait")


class _Parser(argparse.ArgumentParser):
    """Fails without explaining its usage."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the call."""
        raise BuildFailed(f"docker {self.prog}: {message}")


class Docker:
    """The commands.

    Args:
        folder: The folder of the build's `docker`.
    """

    def __init__(self, folder: Path) -> None:
        settings: dict[str, Any] = json.loads((folder / "settings.json").read_text())
        self._engine = choice.from_document(settings["engine"])
        self._endpoint: str = settings["endpoint"]
        self._store = Store(folder)
        self._images = Images(self._endpoint, folder / "unpacked", self._engine)

    def call(self, words: Sequence[str]) -> int:
        """Run a command line, and return its exit code."""
        commands: dict[tuple[str, ...], Command] = {
            ("buildx", "imagetools", "inspect"): self.inspect,
            ("buildx", "build"): self.build,
            ("build",): self.build,
            ("login",): self.login,
            ("pull",): self.pull,
            ("push",): self.push,
            ("run",): self.run,
            ("tag",): self.tag,
        }
        code = docker_commands.call(commands, words)
        if code is not None:
            return code
        if words and words[0] in _SAME:
            return self._engine_call(*self._engine.restrict(words))
        raise BuildFailed(f"not rehearsed: docker {' '.join(words[:2])}")

    def inspect(self, words: Sequence[str]) -> int:
        """Print the digest of an image, which is pulled for it once."""
        parser = _Parser("buildx imagetools inspect")
        parser.add_argument("image")
        parser.add_argument("--format", choices=["{{.Manifest.Digest}}"], required=True)
        image = parser.parse_args(words).image
        self._fetch(image)
        print(self._engine.digest(image))
        return 0

    def login(self, words: Sequence[str]) -> int:
        """Keep a password for the registry of local AWS. Those of local AWS are of no use elsewhere."""
        return docker_commands.login(_Parser("login"), self._store, words)

    def pull(self, words: Sequence[str]) -> int:
        """Pull an image, unless it is there."""
        parser = _Parser("pull")
        parser.add_argument("--quiet", "-q", action="store_true")
        parser.add_argument("--platform", default="")
        parser.add_argument("image")
        options = parser.parse_args(words)
        self._fetch(options.image, options.platform)
        print(options.image)
        return 0

    def build(self, words: Sequence[str]) -> int:
        """Build a stage, and push it where asked to."""
        parser = _Parser("buildx build", allow_abbrev=False)
        for flag in ("--load", "--push"):
            parser.add_argument(flag, action="store_true")
        for option in ("--provenance", "--sbom", "--progress"):  # They change what is printed and attested.
            parser.add_argument(option)
        parser.add_argument("--build-context", action="append", default=[])
        parser.add_argument("--tag", "-t", action="append", default=[])
        options, others = parser.parse_known_args(words)
        for context in options.build_context:
            name, _, image = context.partition("=")
            if image.startswith(f"docker-image://{name}@sha256:"):  # The digest that `inspect` said; it is there.
                self._fetch(name)
            else:
                others = ["--build-context", context, *others]
        tags = [word for tag in options.tag for word in ("--tag", self._engine.own_name(tag))]
        call = self._engine.restrict(["build", *self._engine.build_options(), *tags, *others])
        code = self._engine_call(*call)
        if code == 0 and options.push:
            for tag in options.tag:
                self._push(tag)
        return code

    def push(self, words: Sequence[str]) -> int:
        """Push an image."""
        parser = _Parser("push")
        parser.add_argument("--quiet", "-q", action="store_true")
        parser.add_argument("image")
        self._push(parser.parse_args(words).image)
        return 0

    def run(self, words: Sequence[str]) -> int:
        """Run a container without a network, unless the call names one."""
        options, position = run_call.parse(words)
        network = [] if any(name in ("--net", "--network") for name, _ in options) else ["--network=none"]
        image = [self._name(one) for one in words[position : position + 1]]
        command = words[position + 1 :]
        call = ["run", *self._engine.run_options(), *network, *words[:position], *image, *command]
        return self._engine_call(*self._engine.restrict(call))

    def tag(self, words: Sequence[str]) -> int:
        """Give an image another name."""
        parser = _Parser("tag")
        parser.add_argument("image")
        parser.add_argument("name")
        options = parser.parse_args(words)
        return self._engine_call("tag", self._name(options.image), self._engine.own_name(options.name))

    def _fetch(self, image: str, platform: str = "") -> None:
        """Have an image in the storage."""
        if is_local(image):
            if not self._engine.has(self._engine.own_name(image)):
                token = self._store.tokens().get(image.partition("/")[0], "")
                self._engine.run("tag", self._images.pull(image, token).container, self._engine.own_name(image))
            return
        if self._engine.has(image):
            return
        print(f"Pulling {image} with {self._engine.name}", file=sys.stderr, flush=True)
        self._engine.run("pull", "--quiet", *(["--platform", platform] if platform else []), image)

    def _push(self, image: str) -> None:
        repository, sign, tag = image.rpartition(":")
        if not sign or "/" in tag:
            repository, tag = image, "latest"
        if not is_local(image):
            raise BuildFailed(f"not rehearsed: a push to {image.partition('/')[0]}")
        pushed = push(
            self._engine,
            self._engine.own_name(image),
            Repository(self._endpoint, repository, self._store.tokens()),
            tag,
        )
        print(f"pushed {pushed} as {tag}, built by {self._engine.name} {self._engine.version}", file=sys.stderr)

    def _name(self, image: str) -> str:
        """The storage's name of an image that a build has named, unless the image is a public one."""
        own = self._engine.own_name(image)
        return own if own != image and self._engine.has(own) else image

    def _engine_call(self, *words: str) -> int:
        command = [self._engine.program, *words]
        done = subprocess.run(command, env=self._engine.environment, check=False)
        return docker_commands.exit_code(done.returncode)


def main() -> int:
    """Run the command line of this process."""
    os.umask(0o022)
    try:
        return Docker(Path(sys.argv[1])).call(sys.argv[2:])
    except (BuildFailed, CannotStart, EngineFailed) as error:
        print(f"ERROR: {error}.", file=sys.stderr)
        return 1
