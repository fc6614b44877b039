"""What an update refuses before anything is written."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from scaffold.core.errors import ScaffoldError
from scaffold.core.git import clean_environment, git_bytes
from scaffold.core.git_failures import GitFailed, GitFailure, explain
from scaffold.core.paths import enter
from scaffold.service.service import ANSWERS_FILE
from scaffold.update.recorded import Recorded
from scaffold.update.repository import AGAIN, Entries, Repository, shown

_NEEDED = (2, 38)
# The path in Git's message, which is the top of the repository; the second form is that of older versions.
_OWNED = re.compile(r"(?:repository at |unsafe repository \()'(.+?)'")
_UNMERGED = (b"DD", b"AU", b"UD", b"UA", b"DU", b"AA", b"UU")
# The file that Git has while an operation is unfinished, and how that is finished or given up.
_UNFINISHED = {
    "MERGE_HEAD": ("merge", "merge"),
    "CHERRY_PICK_HEAD": ("cherry-pick", "cherry-pick"),
    "REVERT_HEAD": ("revert", "revert"),
    "rebase-merge": ("rebase", "rebase"),
    "rebase-apply": ("rebase", "rebase"),
}


def find_repository(recorded: Recorded) -> Repository:
    """The repository of a service that can be updated now.

    Raises:
        ScaffoldError: Git is too old; the service is in no repository, or has no commit; or something is unfinished.
    """
    root = recorded.root
    check_git(root)
    names = [part for name in _UNFINISHED for part in ("--git-path", name)]
    where = ("--show-toplevel", "--absolute-git-dir", "--git-path", "objects", *names)
    try:
        lines = _ask(root, "rev-parse", "--path-format=absolute", *where)
    except GitFailed as error:
        if error.kind is GitFailure.DUBIOUS_OWNERSHIP:
            owned = _OWNED.search(error.reason)
            top = owned[1] if owned else str(root)
            trust = f"If you trust it, run `git config --global --add safe.directory {shlex.quote(top)}`, {AGAIN}"
            raise explain(error, f"The repository {top}", {error.kind: trust}) from error
        raise ScaffoldError(
            f"{root} is in no Git work tree, and an update merges what Git has.",
            f"Run `{_inside(root)}git init -b main && git add --all . && git commit -m 'First commit'`, {AGAIN}",
        ) from error
    top, git_dir, objects, *states = map(Path, lines)
    prefix = os.fsencode(root.resolve().relative_to(top.resolve()).as_posix())
    repository = Repository(top, git_dir, objects, b"" if prefix == b"." else prefix + b"/")
    try:
        _ask(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    except GitFailed as error:
        raise ScaffoldError(
            f"The repository {top} has no commit yet.",
            f"Commit the service (`{_inside(root)}git add --all . && git commit -m 'First commit'`), {AGAIN}",
        ) from error
    for (operation, command), state in zip(_UNFINISHED.values(), states, strict=True):
        if state.exists():
            raise ScaffoldError(
                f"A {operation} is not finished in {top}.",
                f"Finish it (`git {command} --continue`) or give it up (`git {command} --abort`), {AGAIN}",
            )
    check_clean(repository)
    return repository


def check_clean(repository: Repository) -> None:
    """Refuse a service with uncommitted changes, as Copier does, and files that Git does not compare.

    Raises:
        ScaffoldError: The message names one of them.
    """
    scope = os.fsdecode(repository.prefix.rstrip(b"/")) or "."
    if (lock := repository.git_dir / "index.lock").exists():
        raise ScaffoldError(
            f"Another Git command works in {repository.top}, or was killed there: {lock} exists.",
            f"Wait for it, or delete that file if none is running, {AGAIN}",
        )
    status = repository.as_user("status", "--porcelain", "-z", "--no-renames", "--untracked-files=normal", "--", scope)
    if status:
        entries = status.split(b"\0")[:-1]
        if unmerged := [entry[3:] for entry in entries if entry[:2] in _UNMERGED]:
            raise ScaffoldError(
                f"There are unresolved conflicts: {_several(unmerged)}.",
                f"Edit the conflicting lines, commit, {AGAIN}",
            )
        inside = _inside(repository.path(repository.prefix))
        updated = b" M " + repository.prefix + ANSWERS_FILE.encode() in entries  # which an update writes last
        missing = [] if updated else [entry[3:] for entry in entries if entry[:2] == b" D"]
        restore = ""
        if missing:
            lost = f"If {_several(missing)} was not deleted by you, but lost when an update was killed"
            restore = f"{lost}, run `{inside}git restore .` first. "
        raise ScaffoldError(
            f"There are uncommitted changes: {_several([entry[3:] for entry in entries])}.",
            f"{restore}Commit them (`{inside}git add --all . && git commit`) or put them aside "
            f"(`git stash -u`), {AGAIN}",
        )
    flagged = [line for line in repository.as_user("ls-files", "-v", "-z").split(b"\0") if line and line[:1] != b"H"]
    if repository.setting("core.sparseCheckout") == "true":
        raise ScaffoldError(
            "This is a sparse checkout, in which an update could not write every file.",
            f"Run `git sparse-checkout disable`, {AGAIN}",
        )
    if skipped := [line[2:] for line in flagged if line[:1] in b"Ss"]:
        raise ScaffoldError(
            f"Git is told to skip {shown(skipped[0])} in the work tree, so that an update could overwrite it.",
            f"Run `git update-index --no-skip-worktree {shlex.quote(shown(skipped[0]))}`, {AGAIN}",
        )
    if unchecked := [line[2:] for line in flagged if line[:1].islower()]:
        raise ScaffoldError(
            f"Git is told to assume that {shown(unchecked[0])} is unchanged, so that an update could overwrite it.",
            f"Run `git update-index --no-assume-unchanged {shlex.quote(shown(unchecked[0]))}`, {AGAIN}",
        )


def check_recorded(repository: Repository, head: Entries) -> None:
    """Refuse a service whose answers file is not committed.

    Raises:
        ScaffoldError: It is ignored, or in a submodule.
    """
    if repository.prefix + ANSWERS_FILE.encode() not in head:
        raise ScaffoldError(
            f"{ANSWERS_FILE} is not committed, so that Git could not merge what it says.",
            f"Commit it (`git add --force {ANSWERS_FILE} && git commit`), {AGAIN}",
        )


def check_room(repository: Repository, created: list[bytes], deleted: set[bytes]) -> None:
    """Refuse an update that would overwrite files that Git does not know, or write through a symbolic link.

    Raises:
        ScaffoldError: The message names one of them.
    """
    occupied = []
    for name in created:
        parents = [b"/".join(name.split(b"/")[:depth]) for depth in range(1, name.count(b"/") + 1)]
        blocking = [
            parent
            for parent in parents
            if parent not in deleted
            and os.path.lexists(repository.path(parent))
            and (repository.path(parent).is_symlink() or not repository.path(parent).is_dir())
        ]
        if blocking:
            occupied.append(blocking[0])
        elif os.path.lexists(repository.path(name)) and not _is_replaced_folder(repository.path(name), name, deleted):
            occupied.append(name)
    if occupied and repository.path(occupied[0]).is_dir() and not repository.path(occupied[0]).is_symlink():
        raise ScaffoldError(
            f"The update creates the file {shown(occupied[0])}, and there is a folder of that name.",
            f"Move or delete that folder, {AGAIN}",
        )
    if occupied:
        raise ScaffoldError(
            f"The update would overwrite {_several(occupied)}, which Git does not track.",
            f"Move or delete that, or commit it (`git add --force`), {AGAIN}",
        )


def _is_replaced_folder(path: Path, name: bytes, deleted: set[bytes]) -> bool:
    """Whether a folder is in the way that the update deletes, since it has nothing but files that are deleted."""
    if path.is_symlink() or not path.is_dir():
        return False
    gone = {*deleted, *(file[: at.start()] for file in deleted for at in re.finditer(b"/", file))}
    below = [name + b"/" + os.fsencode(found.relative_to(path).as_posix()) for found in path.rglob("*")]
    return name in gone and all(entry in gone for entry in below)


def _inside(folder: Path) -> str:
    """What has to come before a command that is for a folder; nothing in that folder."""
    command = enter(folder)
    return "" if command == "cd ." else f"{command} && "


def _several(names: list[bytes]) -> str:
    return shown(names[0]) + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def check_git(root: Path) -> None:
    """Refuse a Git that cannot merge trees.

    Raises:
        ScaffoldError: It is too old, or not installed.
    """
    text = "".join(_ask(root, "--version"))
    found = re.search(r"(\d+)\.(\d+)", text)
    if found and (int(found[1]), int(found[2])) < _NEEDED:
        raise ScaffoldError(
            f"Git {found[0]} cannot merge trees, which an update needs: that came with Git 2.38.",
            f"Upgrade Git to 2.38 or later, {AGAIN}",
        )


def _ask(root: Path, *arguments: str) -> list[str]:
    output = git_bytes(*arguments, cwd=root, env=clean_environment())
    return os.fsdecode(output).removesuffix("\n").split("\n")
