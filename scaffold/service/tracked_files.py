"""Files that must not be deployed as they are: unresolved conflicts, submodules, pointers of Git LFS."""

from __future__ import annotations

import shlex

from scaffold.core.errors import ScaffoldError
from scaffold.core.git import git
from scaffold.core.git_failures import GitFailed
from scaffold.service.service import Service

# The folders that the pipeline builds and deploys from.
_SHIPPED = ("app", "config", "infrastructure")
_SUBMODULE = "160000"
# A user may have configured Git to descend into submodules.
_SEARCH = ("-c", "submodule.recurse=false", "grep", "-z", "-l", "-E", "--all-match")


def check_merged(service: Service) -> None:
    """Refuse files that a merge or `scaffold update` has left for the user to finish.

    A file that shows conflict markers on purpose has another `conflict-marker-size` in .gitattributes.

    Raises:
        ScaffoldError: There are unmerged files, rejected changes or conflict markers.
    """
    unmerged = _paths(service, "diff", "--name-only", "-z", "--diff-filter=U")
    if unmerged:
        raise _unfinished(unmerged, "unresolved conflicts")
    others = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.rej")
    rejected = [path for path in _paths(service, *others) if (service.root / path).is_file()]
    if rejected:
        raise ScaffoldError(
            f"{_list(rejected)} {_has(rejected)} a change that an update could not make.",
            "Make the change by hand, delete the .rej file, commit, and run the same command again.",
        )
    marked = _paths(service, *_SEARCH, "-I", "--untracked", "-e", "^<{7} ", "-e", "^>{7} ")
    if found := [path for path in marked if _has_usual_markers(service, path)]:
        raise _unfinished(found, "conflict markers (`<<<<<<<`)")


def check_shipped(service: Service) -> None:
    """Refuse what CodeCommit's archive for the pipeline would lack, in the folders that the pipeline uses.

    Raises:
        ScaffoldError: There is a submodule, or a pointer of Git LFS in place of a file.
    """
    entries = _paths(service, "ls-tree", "-r", "-z", "HEAD", "--", *_SHIPPED)
    if submodules := [entry.partition("\t")[2] for entry in entries if entry.startswith(_SUBMODULE)]:
        path = shlex.quote(submodules[0])
        raise ScaffoldError(
            f"{_list(submodules)} {_is(submodules)} a submodule, of which the pipeline gets an empty folder.",
            f"Commit its files instead: `git rm --cached {path} && rm -rf {path}/.git && git add {path}`, delete its "
            "entry in .gitmodules, and commit.",
        )
    pointer = ("-e", "^version https://git-lfs\\.github\\.com/spec/", "-e", "^oid sha256:", "-e", "^size [0-9]+$")
    pointers = [path.removeprefix("HEAD:") for path in _paths(service, *_SEARCH, *pointer, "HEAD", "--", *_SHIPPED)]
    if pointers:
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


def _paths(service: Service, *arguments: str) -> list[str]:
    """The output of a command that lists paths; `git grep` fails where it finds none."""
    try:
        return [path for path in git(*arguments, cwd=service.root).split("\0") if path]
    except GitFailed:
        return []


def _unfinished(paths: list[str], what: str) -> ScaffoldError:
    return ScaffoldError(
        f"{_list(paths)} {_has(paths)} {what}: a merge or an update is not finished.",
        "Edit the conflicting lines, commit, and run the same command again.",
    )


def _list(paths: list[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def _has(paths: list[str]) -> str:
    return "has" if len(paths) == 1 else "have"


def _is(paths: list[str]) -> str:
    return "is" if len(paths) == 1 else "are each"
