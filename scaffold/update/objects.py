"""Objects that an update needs while it runs, in a database of their own: the repository gets none of them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from scaffold.core.errors import ScaffoldError
from scaffold.core.git_failures import GitFailed
from scaffold.update.repository import AGAIN, Entries, Entry, Repository

_ATTRIBUTES = b".gitattributes"
# Rendered files are UTF-8, as those are that Git has committed with this attribute.
_ENCODING = re.compile(rb"(?<=[ \t])working-tree-encoding=\S+")
_FILTER_FAILED = re.compile(r"(?:(?P<path>[^;]+): )?(?:clean|smudge) filter '?(?P<filter>[^' ]+)'? failed")
_PERSON = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "scaffold"), ("EMAIL", "scaffold@localhost"), ("DATE", "1700000000 +0000"))
}


class Objects:
    """An object database that borrows from the repository's, with an index of its own.

    Args:
        folder: An empty folder.
    """

    def __init__(self, repository: Repository, folder: Path) -> None:
        self._repository = repository
        database = folder / "objects"
        (database / "info").mkdir(parents=True)
        (database / "info" / "alternates").write_bytes(os.fsencode(repository.objects) + b"\n")
        self._index = folder / "index"
        self._env = {"GIT_OBJECT_DIRECTORY": str(database), "GIT_INDEX_FILE": str(self._index)}

    def run(
        self, *arguments: str, stdin: bytes = b"", cwd: Path | None = None, accepted: tuple[int, ...] = (0,)
    ) -> bytes:
        """Run Git with these objects and this index. Takes the arguments of `Repository.run`."""
        try:
            return self._repository.run(*arguments, env=self._env, stdin=stdin, cwd=cwd, accepted=accepted)
        except GitFailed as error:
            if failed := _FILTER_FAILED.search(error.reason):
                name = failed["filter"]
                raise ScaffoldError(
                    f"The filter {name} failed, which .gitattributes names"
                    f"{' for ' + failed['path'].strip() if failed['path'] else ''}.",
                    f"Repair its commands, which `git config --get-regexp 'filter.{name}.*'` shows, {AGAIN}",
                ) from error
            raise

    def run_as_user(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Run Git in the work tree with these objects, this index and the user's configuration."""
        place = {"GIT_DIR": str(self._repository.git_dir), "GIT_WORK_TREE": str(self._repository.top)}
        return self._repository.as_user(*arguments, stdin=stdin, env={**place, **self._env})

    def entries(self, tree: str) -> Entries:
        """Every file and submodule of a tree."""
        found: Entries = {}
        for line in self.run("ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0"):
            details, _, name = line.partition(b"\t")
            if name:
                mode, _, oid = details.split(b" ")
                found[name] = (mode, oid)
        return found

    def tree(self, entries: Entries) -> str:
        """Write a tree."""
        self.load(entries)
        return self.run("write-tree").decode().strip()

    def load(self, entries: Entries) -> None:
        """Replace the content of the index."""
        self._index.unlink(missing_ok=True)
        lines = (mode + b" " + oid + b"\t" + name for name, (mode, oid) in entries.items())
        self.run("update-index", "-z", "--index-info", stdin=b"\0".join([*lines, b""]))

    def commit(self, tree: str, *parents: str) -> str:
        """Write a commit that nothing refers to."""
        more = [argument for parent in parents for argument in ("-p", parent)]
        env = {**self._env, **_PERSON}
        return self._repository.run("commit-tree", tree, *more, env=env, stdin=b"update\n").decode().strip()

    def write(self, content: bytes) -> bytes:
        """Write a blob."""
        return self.run("hash-object", "-w", "--stdin", stdin=content).strip()

    def read(self, oid: bytes) -> bytes:
        """The content of a blob."""
        return self.run("cat-file", "blob", oid.decode())

    def add(self, work_tree: Path, head: Entries) -> Entries:
        """The files of a rendered service as Git would commit them in the repository, with its .gitattributes.

        Args:
            work_tree: The folder in which the service is at the path that it has in the repository.
            head: The files of the last commit.
        """
        prefix = self._repository.prefix
        replaced = self._use_attributes_of(head, work_tree)
        self.load({name: entry for name, entry in head.items() if not name.startswith(prefix)})
        scope = ("--", os.fsdecode(prefix)) if prefix else ()
        self.run("add", "--all", "--force", *scope, cwd=work_tree)
        found = dict(_staged(self.run("ls-files", "--stage", "-z", cwd=work_tree)))
        for name, content in replaced.items():
            found.pop(name, None)
            if content is not None:
                found[name] = (b"100644", self.write(content))
        return found

    def _use_attributes_of(self, head: Entries, work_tree: Path) -> dict[bytes, bytes | None]:
        """Give a rendered service the .gitattributes of the last commit, by which Git has committed its files.

        Returns:
            What the kit has generated in place of each of them; None for nothing.
        """
        prefix, replaced = self._repository.prefix, dict[bytes, bytes | None]()
        for path in work_tree.rglob(os.fsdecode(_ATTRIBUTES)):
            replaced[os.fsencode(path.relative_to(work_tree))] = path.read_bytes()
            path.unlink()
        for name, (mode, oid) in head.items():
            folder, _, last = name.rpartition(b"/")
            around = prefix.startswith(folder + b"/") if folder else True
            if last == _ATTRIBUTES and mode.startswith(b"100") and (name.startswith(prefix) or around):
                path = work_tree / os.fsdecode(name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(_ENCODING.sub(b"", self.read(oid)))
                if name.startswith(prefix):
                    replaced.setdefault(name, None)
        return replaced

    def give(self, oids: set[bytes]) -> None:
        """Copy blobs to the repository's own objects."""
        if oids:
            pack = self.run("pack-objects", "--stdout", "-q", stdin=b"".join(oid + b"\n" for oid in sorted(oids)))
            self._repository.run("unpack-objects", "-q", stdin=pack)


def _staged(listing: bytes) -> list[tuple[bytes, Entry]]:
    lines = (line.partition(b"\t") for line in listing.split(b"\0") if line)
    return [(name, (details.split(b" ")[0], details.split(b" ")[1])) for details, _, name in lines]
