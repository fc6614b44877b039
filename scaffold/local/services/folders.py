"""The files of a folder at a commit, as CodeCommit's GetFolder returns them."""

from __future__ import annotations

from scaffold.core.git_failures import GitFailed
from scaffold.local.protocol import Document, ServiceError
from scaffold.local.services.repositories import Repository

_LISTS = {
    "040000": "subFolders",
    "100644": "files",
    "100755": "files",
    "120000": "symbolicLinks",
    "160000": "subModules",
}
_MODES = {"100644": "NORMAL", "100755": "EXECUTABLE", "120000": "SYMLINK"}


def get_folder(repository: Repository, parameters: Document) -> Document:
    """A folder without what is below its folders.

    Args:
        parameters: The input of GetFolder.
    """
    specifier, path = str(parameters.get("commitSpecifier", "HEAD")), str(parameters["folderPath"]).strip("/")
    try:
        commit = repository.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{specifier}^{{commit}}")
    except GitFailed:
        raise ServiceError("CommitDoesNotExistException", f"{specifier} does not exist") from None
    try:
        tree = repository.git("rev-parse", "--verify", "--quiet", f"{commit}:{path}")
        lines = repository.git("ls-tree", "-z", tree).split("\0")
    except GitFailed:
        raise ServiceError("FolderDoesNotExistException", f"{path} does not exist") from None
    found: Document = {"commitId": commit, "folderPath": path or "/", "treeId": tree}
    found |= {name: [] for name in _LISTS.values()}
    for line in filter(None, lines):
        entry, _, name = line.partition("\t")
        mode, _, identifier = entry.split(" ")
        place = {"absolutePath": f"{path}/{name}".lstrip("/"), "relativePath": name}
        key = {"040000": "treeId", "160000": "commitId"}.get(mode, "blobId")
        found[_LISTS[mode]].append({key: identifier, **place} | ({"fileMode": _MODES[mode]} if mode in _MODES else {}))
    return found
