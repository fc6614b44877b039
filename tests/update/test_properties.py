"""A service that is edited at random keeps every line of its owners in an update."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import copier
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from scaffold.core.git import git
from scaffold.core.temporary import temporary_folder
from scaffold.update.checks import find_repository
from scaffold.update.merge import Merged
from scaffold.update.recorded import read
from scaffold.update.repository import shown
from scaffold.update.steps import DeleteKey, RenameFile, Step
from scaffold.update.update import merge_renderings
from tests.kits import IDENTITY, commit_all, copy_kit
from tests.update.small import generated
from tests.update.test_bytes import contents

ENCODINGS = ("utf-8", "latin-1", "utf-16-le", "cp1252")
Lines = list[bytes]


class Owner:
    """Edits a service; remembers the lines and files that only the owner has written."""

    def __init__(self, service: Path, seed: int) -> None:
        self._service, self._random = service, Random(seed)
        self.lines: Lines = []

    def edit(self, kind: str) -> None:
        """Make one edit of a kind."""
        getattr(self, kind)()

    def line(self, encoding: str = "utf-8") -> bytes:
        text = f"owner's {len(self.lines)} {self._random.getrandbits(48):x} é".encode(encoding)
        self.lines.append(text)
        return text

    def file(self) -> Path:
        """Some file, and not the one with the answers."""
        files = [path for path in self._service.rglob("*") if path.is_file() and not path.is_symlink()]
        own = [path for path in files if ".git" not in path.parts and path.name != ".copier-answers.yml"]
        return self._random.choice(sorted(own))

    def _change(self, change: Callable[[Lines], object]) -> None:
        path = self.file()
        lines = path.read_bytes().split(b"\n")
        change(lines)
        path.write_bytes(b"\n".join(lines))

    def insert(self) -> None:
        encoding = self._random.choice(ENCODINGS)
        self._change(lambda lines: lines.insert(self._random.randint(0, len(lines)), self.line(encoding)))

    def replace(self) -> None:
        def change(lines: Lines) -> None:
            at = self._random.randrange(len(lines))
            if b"owner's" not in lines[at].replace(b"\0", b""):
                lines[at] = self.line()

        self._change(change)

    def append(self) -> None:
        self._change(lambda lines: lines.append(self.line()))

    def cut(self) -> None:
        def change(lines: Lines) -> None:
            at = self._random.randrange(len(lines))
            lines[at:] = [line for line in lines[at:] if b"owner's" in line.replace(b"\0", b"")]

        self._change(change)

    def carriage_returns(self) -> None:
        path = self.file()
        if b"\0" not in path.read_bytes():
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    def mode(self) -> None:
        self.file().chmod(self._random.choice((0o644, 0o755)))

    def rename(self) -> None:
        path = self.file()
        path.rename(path.with_name(f"{path.name}.{self._random.getrandbits(32):x}"))

    def move(self) -> None:
        """`git mv` to another folder, or to a path of the kit."""
        path, target = self.file(), self._service / self._random.choice(("app/new.txt", "README.md", "moved/it.txt"))
        if target.is_symlink() or (target.exists() and b"owner's" in target.read_bytes().replace(b"\0", b"")):
            return
        target.parent.mkdir(exist_ok=True)
        path.replace(target)

    def delete(self) -> None:
        path = self.file()
        if b"owner's" not in path.read_bytes().replace(b"\0", b""):
            path.unlink()

    def create(self) -> None:
        folder, encoding = self.file().parent, self._random.choice(ENCODINGS)
        name = os.fsdecode(f"é {self._random.getrandbits(32):x}".encode(self._random.choice(("utf-8", "latin-1"))))
        (folder / name).write_bytes(b"\n".join([self.line(encoding), self.line(encoding)]))

    def binary(self) -> None:
        path = self.file()
        if b"owner's" not in path.read_bytes().replace(b"\0", b""):
            path.unlink()
            path.write_bytes(b"\0\1" + self.line())

    def link(self) -> None:
        path = self.file()
        if b"owner's" not in path.read_bytes().replace(b"\0", b""):
            path.unlink()
            path.symlink_to(self.line().decode())


KINDS = (
    "insert",
    "replace",
    "append",
    "cut",
    "carriage_returns",
    "mode",
    "rename",
    "move",
    "delete",
    "create",
    "binary",
    "link",
)
Renderings = tuple[Path, Path, Path]


@functools.cache
def small() -> Renderings:
    """A committed service of the small kit's first version, and that kit's two renderings."""
    kit, service = generated()
    folder = Path(tempfile.mkdtemp(prefix="renderings-"))
    for version in ("v1.0.0", "v2.0.0"):
        copier.run_copy(str(kit), folder / version / "service", vcs_ref=version, defaults=True, quiet=True)
    return service, folder / "v1.0.0" / "service", folder / "v2.0.0" / "service"


# A file that is renamed and mostly new, and a line of JSON.
STEPS = (
    RenameFile("2.0.0", "Renamed.", "app/unchanged.txt", "app/renamed.txt"),
    DeleteKey("2.0.0", "Deleted.", ("env",), "infrastructure/*/service.json"),
)


@functools.cache
def stepping() -> Renderings:
    """The small kit with a second version that renames a file and deletes a key of JSON files."""
    service, old, new = small()
    folder = Path(tempfile.mkdtemp(prefix="renderings-"))
    changed = Path(shutil.copytree(new, folder / "service"))
    renamed = changed / "app" / "renamed.txt"
    lines = (changed / "app" / "unchanged.txt").read_text().splitlines(keepends=True)
    renamed.write_text("".join(line if number % 4 == 0 else f"new {line}" for number, line in enumerate(lines)))
    (changed / "app" / "unchanged.txt").unlink()
    plain, before = folder / "plain" / "service", folder / "before" / "service"
    shutil.copytree(service, plain, symlinks=True)
    shutil.copytree(old, before)
    for side in (plain, before, changed):
        for path in side.glob("infrastructure/*/service.json"):
            path.write_text("{}\n" if side is changed else '{\n  "env": "x"\n}\n')
    commit_all(plain)
    return plain, before, changed


@functools.cache
def real() -> Renderings:
    """The same with this kit, of which every tenth line has changed, and with another list of environments."""
    folder = Path(tempfile.mkdtemp(prefix="renderings-"))
    kit = copy_kit(folder / "kit")
    commit_all(kit, tag="v1.0.0")
    service, old, new = folder / "service", folder / "old" / "service", folder / "new" / "service"
    data = {"app_name": "orders-api"}
    copier.run_copy(str(kit), service, data=data, defaults=True, quiet=True)
    commit_all(service)
    shutil.copytree(service, old, ignore=shutil.ignore_patterns(".git"))
    changed = data | {"environments": "dev,qa,prod"}
    copier.run_copy(str(kit), new, data=changed, defaults=True, quiet=True)
    for path in new.rglob("*"):
        if path.is_file() and path.name != ".copier-answers.yml":
            lines = path.read_bytes().split(b"\n")
            lines[9::10] = [line + b" # version 2" for line in lines[9::10]]
            path.write_bytes(b"\n".join(lines))
    return service, old, new


def check(renderings: Renderings, edits: list[str], seed: int, *, follows: bool, steps: tuple[Step, ...] = ()) -> None:
    """Edit a copy of a service, update it, and look for everything that its owner has written."""
    source, old, new = renderings
    with temporary_folder("property-") as folder:
        service = Path(shutil.copytree(source, folder / "service", symlinks=True))
        owner = Owner(service, seed)
        for kind in edits:
            owner.edit(kind)
        git("-c", "core.autocrlf=false", "add", "--all", "--force", cwd=service)
        git("commit", "--quiet", "--allow-empty", "-m", "ours", cwd=service, env=IDENTITY)
        # A commit that renames .gitattributes may leave files that Git takes for changed; these are not updated.
        assume(not git("status", "--porcelain", cwd=service))
        before = contents(service)
        merged = update(service, old, new, folder, follows=follows, steps=steps)
        after = contents(service)
        everything = b"\n".join(content for _, content in after.values())
        assert [line for line in owner.lines if line not in everything] == []
        generated_old, generated_new = contents(old), contents(new)
        for name, found in before.items():
            if generated_old.get(name) == generated_new.get(name) and name not in merged.unmerged:
                assert after.get(name) == found or name not in generated_old, shown(name)
        git("fsck", "--no-dangling", cwd=service)
        git("diff", cwd=service)
        unmerged = git("diff", "--name-only", "-z", "--diff-filter=U", cwd=service)
        assert unmerged == "\0".join(sorted(name.decode("utf-8", "replace") for name in merged.unmerged)) + (
            "\0" if merged.unmerged else ""
        )
        assert git("diff", "--cached", "--name-only", "--diff-filter=u", cwd=service) == ""


def update(service: Path, old: Path, new: Path, folder: Path, *, follows: bool, steps: tuple[Step, ...] = ()) -> Merged:
    repository = find_repository(read(service))
    prepared = merge_renderings(repository, folder, old, new, skips=lambda _: False, follows=follows, steps=steps)
    prepared.work_tree(folder).write()
    return prepared.merged


EDITS = st.lists(st.sampled_from(KINDS), min_size=1, max_size=8)
# Without shrinking, which would take minutes: a failure has at most eight edits.
QUICKLY = {"suppress_health_check": list(HealthCheck), "database": None, "phases": (Phase.explicit, Phase.generate)}


@settings(max_examples=5, derandomize=True, **QUICKLY)
@given(edits=EDITS, seed=st.integers(0, 2**32))
def test_every_line_is_found(edits: list[str], seed: int) -> None:
    check(small(), edits, seed, follows=True)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(5))
@settings(max_examples=60, derandomize=True, **QUICKLY)
@given(edits=EDITS, seed=st.integers(0, 2**32))
def test_every_line_is_found_in_many_services(number: int, edits: list[str], seed: int) -> None:
    check(small(), edits, seed + number, follows=True)


@pytest.mark.slow
@settings(max_examples=50, derandomize=True, **QUICKLY)
@given(edits=EDITS, seed=st.integers(0, 2**32))
def test_every_line_is_found_after_steps(edits: list[str], seed: int) -> None:
    check(stepping(), edits, seed, follows=False, steps=STEPS)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(5))
@settings(max_examples=30, derandomize=True, **QUICKLY)
@given(edits=EDITS, seed=st.integers(0, 2**32))
def test_every_line_is_found_with_other_environments(number: int, edits: list[str], seed: int) -> None:
    check(real(), edits, seed + number, follows=False)
