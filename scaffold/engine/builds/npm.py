"""The `npm` of builds: this machine's, which reaches its registry to install packages, and for nothing else.

npm SETTINGS ARGUMENTS…        SETTINGS is the settings.json of the build's `docker`
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scaffold.engine.downloads import for_npm, npm_settings
from scaffold.engine.images import node
from scaffold.engine.images.installed import Installed
from scaffold.engine.images.needs_engine import BuildFailed

# What the result of an installation depends on.
_INPUTS = ("package.json", "package-lock.json", ".npmrc")
_NO_VULNERABILITIES = {"auditReportVersion": 2, "vulnerabilities": {}}


def call(settings: Mapping[str, Any], cache: Path, words: Sequence[str]) -> int:
    """Run npm, and return its exit code.

    Args:
        settings: Those of the build's `docker`.
        cache: The folder of npm's cache, and of what it has installed.
        words: Its arguments.

    Raises:
        BuildFailed: This machine has no Node.
    """
    name, prefix = _parse(words)
    if name == "audit":
        print("npm audit is not rehearsed: no registry was asked, and no vulnerability is known.", file=sys.stderr)
        print(json.dumps(_NO_VULNERABILITIES))
        return 0
    own = node.find(settings["path"])
    # npm prefers the variables of a user to the configuration of a project.
    quiet = {"npm_config_cache": str(cache), "npm_config_update_notifier": "false"}
    if name != "ci":
        done = subprocess.run([*own.npm, *words], env={**os.environ, **quiet}, check=False)
        return done.returncode
    environment = {**os.environ, **for_npm(settings["downloads"]), **quiet}
    inputs = [prefix / file for file in _INPUTS]
    contents = [path.read_bytes() if path.is_file() else None for path in inputs]
    known = (own.version, [word for word in words if word != str(prefix)], contents, npm_settings(environment))
    key = hashlib.sha256(repr(known).encode())
    installed, modules = Installed(cache, key.hexdigest()), prefix / "node_modules"
    if installed.restore(modules):
        print("CACHED npm ci")
        return 0
    cache.mkdir(exist_ok=True)
    done = subprocess.run([*own.npm, *words, "--prefer-offline"], env=environment, check=False)
    # Scripts of packages may have left something elsewhere.
    if done.returncode == 0 and "--ignore-scripts" in words and modules.is_dir():
        installed.keep(modules)
    return done.returncode


def _parse(words: Sequence[str]) -> tuple[str, Path]:
    """The command of npm, and the folder of its project."""
    rest, prefix = list(words), "."
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option == "--prefix" and rest:
            prefix = rest.pop(0)
        elif option.startswith("--prefix="):
            prefix = option.removeprefix("--prefix=")
    return (rest[0] if rest else ""), Path(prefix).absolute()


def main() -> int:
    """Run npm with the arguments of this process."""
    path, *words = sys.argv[1:]
    settings = Path(path)
    try:
        # That of all builds.
        return call(json.loads(settings.read_text()), settings.parents[2] / "npm-cache", words)
    except BuildFailed as failed:
        print(f"npm: {failed}", file=sys.stderr)
        return 127
