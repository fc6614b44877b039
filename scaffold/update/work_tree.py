"""Writes a merge to the work tree and the index: completely, or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from scaffold.core.errors import ScaffoldError
from scaffold.core.signals import deferred_signals
from scaffold.service.service import ANSWERS_FILE
from scaffold.update.checks import check_clean, check_room
from scaffold.update.merge import Merged
from scaffold.update.objects import Objects
from scaffold.update.repository import Entries, Repository

_REGULAR = b"100"
_SUBMODULE = b"160000"


class WorkTree:
    """The files of a repository that a merge changes.

    Args:
        head: The files of the last commit, which are those of the work tree.
        folder: A folder for files that are about to be written, and for those that they replace.

    Attributes:
        written: Whether the files are written.
    """

    def __init__(self, repository: Repository, objects: Objects, head: Entries, merged: Merged, folder: Path) -> None:
        self.written = False
        self._repository = repository
        self._objects = objects
        self._head = head
        self._merged = merged
        self._staged, self._before = folder / "staged", folder / "before"
        entries = merged.entries
        self._deleted = head.keys() - entries.keys()
        self._changed = {name: entry for name, entry in entries.items() if head.get(name) != entry}

    @property
    def changes(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._deleted or self._changed or self._merged.unmerged)

    def ignored(self) -> list[bytes]:
        """New files that the user's ignores match, so that `git add --all` leaves them out."""
        created = sorted(self._changed.keys() - self._head.keys() - self._merged.unmerged.keys())
        # Git knows no literal paths here; one that begins with a colon is one with the prefix only.
        names = b"".join(b"./" + name + b"\0" for name in created)
        ask = ("check-ignore", "-z", "--stdin")
        found = self._repository.as_user(*ask, stdin=names, env={"GIT_LITERAL_PATHSPECS": "0"}, accepted=(0, 1))
        return [name.removeprefix(b"./") for name in found.split(b"\0") if name]

    def check(self) -> None:
        """Refuse to overwrite what Git does not track.

        Raises:
            ScaffoldError: The message names a file.
        """
        check_room(self._repository, sorted(self._changed.keys() - self._head.keys()), set(self._deleted))

    def write(self) -> None:
        """Change the files, and mark conflicts in the index, of which nothing else changes. Nothing is committed.

        Raises:
            ScaffoldError: A file or the index cannot be written; all files are as before.
        """
        self._stage()
        index = self._index_lines()
        sides = [entry for stages in self._merged.unmerged.values() for entry in stages.values()]
        self._objects.give({oid for mode, oid in sides if mode != _SUBMODULE})
        check_clean(self._repository)
        self.check()
        undo: list[tuple[Path, Path | None]] = []
        with deferred_signals():
            try:
                self._replace(undo)
                if index:
                    self._repository.run("update-index", "-z", "--index-info", stdin=index)
                self.written = True
            except BaseException as error:
                for path, before in reversed(undo):
                    _restore(path, before)
                if isinstance(error, OSError):
                    raise ScaffoldError(
                        f"{error.filename or self._repository.top} cannot be written: {error.strerror or error}. The "
                        "update is undone.",
                        "Free space there, or allow your user to write it, then run the same command again.",
                    ) from error
                raise

    def _stage(self) -> None:
        """Write the new files beside the work tree, as a checkout would.

        Line endings follow .gitattributes. `core.autocrlf` and the user's own attributes count only for a file that is
        converted in the work tree already, which no other configuration reproduces.
        """
        raw = self._staged / "raw"
        self._check_out(self._changed, raw)
        known = {name: self._head[name] for name in self._changed.keys() & self._head.keys()}
        self._check_out(known, self._staged / "known")
        converted = {name for name in known if self._is_converted(name)}
        if converted:
            self._objects.load({name: self._changed[name] for name in converted})
            self._objects.run_as_user("checkout-index", "--all", "--force", f"--prefix={raw}/")
        for name, entry in known.items():
            staged = raw / os.fsdecode(name)
            if entry[0] == self._changed[name][0] and entry[0].startswith(_REGULAR):
                staged.chmod(self._repository.path(name).stat().st_mode & 0o7777)

    def _check_out(self, entries: Entries, folder: Path) -> None:
        folder.mkdir(parents=True)
        if entries:
            self._objects.load(entries)
            self._objects.run("checkout-index", "--all", "--force", f"--prefix={folder}/")

    def _is_converted(self, name: bytes) -> bool:
        path, plain = self._repository.path(name), self._staged / "known" / os.fsdecode(name)
        regular = not path.is_symlink() and not plain.is_symlink() and plain.is_file()
        return regular and path.read_bytes() != plain.read_bytes()

    def _replace(self, undo: list[tuple[Path, Path | None]]) -> None:
        """Move the old files away and the new ones in, and note what can be undone."""
        for name in sorted(self._deleted):
            self._move_away(name, undo)
        for name in sorted(self._deleted, reverse=True):
            self._remove_empty(self._repository.path(name).parent)
        # The answers file is last: where it is not changed, an update was not completed.
        for name in sorted(self._changed, key=lambda name: (name.endswith(ANSWERS_FILE.encode()), name)):
            path = self._repository.path(name)
            if name in self._head:
                self._move_away(name, undo)
            for parent in reversed([folder for folder in path.parents if not folder.exists()]):
                undo.append((parent, None))
                parent.mkdir()
            if name not in self._head:
                undo.append((path, None))  # Noted first: a copy to another file system may fail half-way.
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            shutil.move(self._staged / "raw" / os.fsdecode(name), path)

    def _move_away(self, name: bytes, undo: list[tuple[Path, Path | None]]) -> None:
        path, before = self._repository.path(name), self._before / os.fsdecode(name)
        before.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, before)
        undo.append((path, before))

    def _remove_empty(self, folder: Path) -> None:
        """Remove a folder that Git no longer needs, and those around it."""
        with suppress(OSError):
            while folder != self._repository.top:
                folder.rmdir()
                folder = folder.parent

    def _index_lines(self) -> bytes:
        """The input of `git update-index`: the sides of each conflict, and modes if Git ignores those of files."""
        lines = []
        zero = b"0" * len(next(iter(self._head.values()))[1])
        for name, stages in sorted(self._merged.unmerged.items()):
            lines.append(b"0 " + zero + b"\t" + name)
            lines += [mode + b" " + oid + b" %d\t" % side + name for side, (mode, oid) in sorted(stages.items())]
        if self._repository.setting("core.fileMode") == "false":
            for name in sorted((self._changed.keys() & self._head.keys()) - self._merged.unmerged.keys()):
                mode, (known, oid) = self._changed[name][0], self._head[name]
                if mode != known and mode.startswith(_REGULAR) and known.startswith(_REGULAR):
                    lines.append(mode + b" " + oid + b"\t" + name)
        return b"\0".join([*lines, b""]) if lines else b""


def _restore(path: Path, before: Path | None) -> None:
    """Undo one move, or the creation of a file or folder."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
    if before is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(before, path)
