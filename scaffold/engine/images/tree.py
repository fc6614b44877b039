"""The files of a stage on disk, and the layers that its instructions made of them."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import posixpath
import shutil
import stat
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from scaffold.engine.images.needs_engine import BuildFailed

Owner = tuple[int, int]


@dataclass(frozen=True)
class Layer:
    """The changes of one instruction, by paths inside the image without the leading slash."""

    made_by: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass
class Tree:
    """The file system of a stage.

    Attributes:
        root: The directory on disk that is the image's `/`.
        owners: The owners of paths that do not belong to root.
    """

    root: Path
    layers: list[Layer] = field(default_factory=list)
    owners: dict[str, Owner] = field(default_factory=dict)

    def path(self, inside: str, working_directory: str = "/") -> Path:
        """The path on disk of a path in the image.

        Raises:
            BuildFailed: A symbolic link leads out of the image.
        """
        absolute = posixpath.normpath(posixpath.join("/", working_directory, inside)).lstrip("/")
        path = self.root / absolute
        self._check_parent(path, inside)
        return path

    def directory(self, inside: str, working_directory: str = "/") -> Path:
        """The path on disk of a directory in which a program is to work. It need not exist.

        Raises:
            BuildFailed: It leads out of the image: it is a symbolic link itself, or is below one.
        """
        path = self.path(inside, working_directory)
        self._check(path, inside)
        return path

    def matches(self, pattern: Path) -> list[Path]:
        """The paths on disk that match a pattern, sorted. The pattern itself has been through `path`.

        Raises:
            BuildFailed: A symbolic link that matches a part of the pattern leads out of the image.
        """
        found = sorted(self.root.glob(self.inside(pattern)))
        for path in found:
            self._check_parent(path, self.inside(pattern))
        return found

    def _check_parent(self, path: Path, inside: str) -> None:
        self._check(path if path == self.root else path.parent, inside)

    def _check(self, path: Path, inside: str) -> None:
        # Before Python 3.13, Path.resolve raises a RuntimeError for a loop of links.
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.root)):
            raise BuildFailed(f"{inside} leads out of the image")

    def inside(self, path: Path) -> str:
        """The path in the image, without the leading slash."""
        return path.relative_to(self.root).as_posix()

    def below(self, path: Path) -> list[Path]:
        """A path and everything below it, sorted; links are not followed."""
        if path.is_symlink() or not path.is_dir():
            return [path]
        found = [path]
        for directory, directories, names in os.walk(path):
            found += [Path(directory, name) for name in [*directories, *names]]
        return sorted(found)

    def put(self, source: Path, target: Path, mode: int | None = None, shared: bool = False) -> None:
        """Copy a file or a link.

        Args:
            shared: The file may be the same one on disk: nothing writes into it.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_symlink() or target.is_file():
            target.unlink()
        if source.is_symlink():
            target.symlink_to(source.readlink())
        elif shared and mode is None:
            os.link(source, target)
        else:
            shutil.copyfile(source, target)
            target.chmod(mode if mode is not None else stat.S_IMODE(source.stat().st_mode))

    def record(self, made_by: str, added: list[Path], removed: list[str], owner: Owner = (0, 0)) -> None:
        """Record what an instruction has changed; nothing, if it has changed nothing."""
        names = tuple(dict.fromkeys(self.inside(path) for path in added))
        if owner != (0, 0):
            self.owners |= dict.fromkeys(names, owner)
        if names or removed:
            self.layers.append(Layer(made_by, names, tuple(removed)))

    def copy(self, root: Path) -> Tree:
        """The same files in another directory, for a stage that builds on this one."""
        shutil.copytree(self.root, root, symlinks=True)
        return Tree(root, list(self.layers), dict(self.owners))


def pack(tree: Tree, layer: Layer) -> bytes:
    """A layer as a tar archive: the same files give the same bytes.

    A path that a later layer has removed or changed is as the last layer has left it: only the whole matters.
    """
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in _with_parents(layer.added):
            path = tree.root / name
            if os.path.lexists(path):
                _add(archive, name, path, tree.owners.get(name, (0, 0)))
        for name in layer.removed:
            directory, _, base = name.rpartition("/")
            archive.addfile(tarfile.TarInfo(posixpath.join(directory, f".wh.{base}")))
    return content.getvalue()


def compress(content: bytes) -> bytes:
    """Compress a layer, without the time."""
    return gzip.compress(content, compresslevel=6, mtime=0)


def digest(content: bytes) -> str:
    """The digest of a blob."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _with_parents(names: tuple[str, ...]) -> list[str]:
    parents = {parent.as_posix() for name in names for parent in Path(name).parents} - {"."}
    return sorted({*names, *parents})


def _add(archive: tarfile.TarFile, name: str, path: Path, owner: Owner) -> None:
    entry = tarfile.TarInfo(name)
    information = path.lstat()
    entry.mode, (entry.uid, entry.gid) = stat.S_IMODE(information.st_mode), owner
    if path.is_symlink():
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, os.fspath(path.readlink()), 0o777
        archive.addfile(entry)
    elif path.is_dir():
        entry.type = tarfile.DIRTYPE
        archive.addfile(entry)
    else:
        entry.size = information.st_size
        with path.open("rb") as content:
            archive.addfile(entry, content)
