"""Files that must not be deployed as they are: unresolved conflicts, submodules, pointers of Git LFS."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from scaffold.core.errors import ScaffoldError
from scaffold.core.git import git
from scaffold.core.git_failures import GitFailed
from scaffold.core.git_status import Status
from scaffold.service.service import Service

# The folders that the pipeline builds and deploys from.
_SHIPPED = ("app", "config", "infrastructure")
_SUBMODULE = "160000"
# A user may have configured Git to descend into submodules.
_SEARCH = ("-c", "submodule.recurse=false", "grep", "-z", "-l", "-E", "--all-match")


def file_modes(service: Service, commit: str) -> dict[str, str]:
    """The mode of each file and submodule of a commit, by its path."""
    listed = git("ls-tree", "-r", "-z", commit, cwd=service.root).split("\0")
    entries = (entry.partition("\t") for entry in listed if entry)
    return {path: about.partition(" ")[0] for about, _, path in entries}


def check_merged(service: Service, state: Status, committed: Iterable[str]) -> None:
    """Refuse files that a merge or `scaffold update` has left for the user to finish.

    A file that shows conflict markers on purpose has another `conflict-marker-size` in .gitattributes.

    Args:
        committed: The paths of the commit that is checked out.

    Raises:
        ScaffoldError: There are unmerged files, rejected changes or conflict markers.
    """
    if state.unmerged:
        raise _unfinished(state.unmerged, "unresolved conflicts")
    rejected = sorted(path for path in {*committed, *state.changed} if _is_rejected(service.root / path))
    if rejected:
        raise ScaffoldError(
            f"{_list(rejected)} {_has(rejected)} a change that an update could not make.",
            "Make the change by hand, delete the .rej file, commit, and run the same command again.",
        )
    marked = _listed(service, *_SEARCH, "-I", "--untracked", "-e", "^<{7} ", "-e", "^>{7} ")
    if found := [path for path in marked if _has_usual_markers(service, path)]:
        raise _unfinished(found, "conflict markers (`<<<<<<<`)")


def check_shipped(service: Service, commit: str, committed: Mapping[str, str]) -> None:
    """Refuse what CodeCommit's archive for the pipeline would lack, in the folders that the pipeline uses.

    Args:
        committed: The modes of the commit's files.

    Raises:
        ScaffoldError: There is a submodule, or a pointer of Git LFS in place of a file.
    """
    submodules = [path for path, mode in committed.items() if mode == _SUBMODULE and _is_shipped(path)]
    if submodules:
        path = shlex.quote(submodules[0])
        raise ScaffoldError(
            f"{_list(submodules)} {_is(submodules)} a submodule, of which the pipeline gets an empty folder.",
            f"Commit its files instead: `git rm --cached {path} && rm -rf {path}/.git && git add {path}`, delete its "
            "entry in .gitmodules, and commit.",
        )
    pointer = ("-e", "^version https://git-lfs\\.github\\.com/spec/", "-e", "^oid sha256:", "-e", "^size [0-9]+$")
    found = _listed(service, *_SEARCH, *pointer, commit, "--", *_SHIPPED)
    if pointers := [path.removeprefix(f"{commit}:") for path in found]:
        path = shlex.quote(pointers[0])
        raise ScaffoldError(
            f"{_list(pointers)} {_is(pointers)} kept in Git LFS, which CodeCommit does not have: the pipeline gets a "
            "pointer.",
            f"Keep it in Git: `git lfs untrack {path} && git add --renormalize {path}`, and commit; or let the build "
            "download it.",
        )


def _has_usual_markers(service: Service, path: str) -> bool:
    size = git("check-attr", "-z", "conflict-marker-size", "--", path, cwd=service.root).split("\0")[2]
    return size in ("unspecified", "7")


def _is_shipped(path: str) -> bool:
    return path.partition("/")[0] in _SHIPPED


def _is_rejected(path: Path) -> bool:
    return path.name.endswith(".rej") and path.is_file()


def _listed(service: Service, *arguments: str) -> list[str]:
    """The list that a command prints; `git grep` fails where it finds nothing."""
    try:
        return [one for one in git(*arguments, cwd=service.root).split("\0") if one]
    except GitFailed:
        return []


def _unfinished(paths: Sequence[str], what: str) -> ScaffoldError:
    return ScaffoldError(
        f"{_list(paths)} {_has(paths)} {what}: a merge or an update is not finished.",
        "Edit the conflicting lines, commit, and run the same command again.",
    )


def _list(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def _has(paths: Sequence[str]) -> str:
    return "has" if len(paths) == 1 else "have"


def _is(paths: Sequence[str]) -> str:
    return "is" if len(paths) == 1 else "are each"
