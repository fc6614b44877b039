"""The files that a buildspec's patterns select, and the archives that builds read and write."""

from __future__ import annotations

import io
import os
import re
import zipfile
import zlib
from pathlib import Path

from scaffold.engine.builds.buildspec import Files

# The oldest time of a ZIP archive: the same files give the same archive.
_TIME = (1980, 1, 1, 0, 0, 0)


class NoFiles(Exception):
    """Nothing matches, which fails the phase UPLOAD_ARTIFACTS."""


def select(source: Path, files: Files) -> dict[str, Path]:
    """The files that patterns select, by their paths in the result.

    Raises:
        NoFiles: The base directory does not exist, or no file matches.
    """
    base = source / files.base_directory
    if not base.is_dir():
        raise NoFiles(f"no matching base directory path found for {files.base_directory}")
    inside = {path.relative_to(base).as_posix(): path for path in sorted(base.rglob("*")) if path.is_file()}
    patterns = [_expression(pattern) for pattern in files.patterns]
    found = {name: path for name, path in inside.items() if any(pattern.fullmatch(name) for pattern in patterns)}
    if not found:
        raise NoFiles(f"no matching artifact paths found for {', '.join(files.patterns)}")
    return {path.name: path for path in found.values()} if files.discard_paths else found


def archive(files: dict[str, Path]) -> bytes:
    """A ZIP archive of files, with their permissions."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, path in files.items():
            entry = zipfile.ZipInfo(name, _TIME)
            entry.external_attr = path.stat().st_mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, path.read_bytes())
    return content.getvalue()


def unpack(content: bytes, folder: Path) -> None:
    """Unpack a ZIP archive, with permissions and symbolic links where it has them.

    Args:
        folder: An empty one. Links out of it are not created.

    Raises:
        zipfile.BadZipFile: It is none, or an entry of it is below another one that is not a directory.
    """
    links: dict[Path, str] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            for entry in packed.infolist():
                path = Path(packed.extract(entry, folder))
                links.pop(path, None)  # Of an earlier entry with the same name.
                mode = entry.external_attr >> 16
                if mode & 0o170000 == 0o120000:
                    links[path] = packed.read(entry).decode()
                elif mode & 0o777 and not entry.is_dir():
                    path.chmod(mode & 0o777 | 0o600)
        _link(links, folder)
    except OSError as error:
        raise zipfile.BadZipFile(error.strerror or str(error)) from error
    except (RuntimeError, NotImplementedError, zlib.error, ValueError) as error:  # Encrypted, or of a new kind.
        raise zipfile.BadZipFile(str(error)) from error


def _link(links: dict[Path, str], root: Path) -> None:
    """Replace files by links. Before, there is no link through which a file could be written elsewhere; and only with
    all of them is it known where each leads.
    """
    for path, target in links.items():
        path.unlink()
        path.symlink_to(target)
    top = os.path.realpath(root)
    left = list(links)
    while outside := [path for path in left if not Path(os.path.realpath(path)).is_relative_to(top)]:
        for path in outside:  # Without them, others may lead elsewhere.
            path.unlink()
        left = [path for path in left if path not in outside]


def _expression(pattern: str) -> re.Pattern[str]:
    """CodeBuild's patterns: `*` within a directory, `**/*` through all of them, a directory for what is in it."""
    text = pattern.removeprefix("./").rstrip("/")
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", text)
    translated = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(translated.get(part, re.escape(part)) for part in parts), re.DOTALL)
