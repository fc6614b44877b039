"""The merge of a service with two renderings of its kit, made by Git."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scaffold.core.errors import ScaffoldError
from scaffold.update.checks import shown
from scaffold.update.objects import Objects
from scaffold.update.repository import Entries, Entry

# Copier's labels of the two sides of a conflict.
_OURS, _THEIRS = b"before updating", b"after updating"
_Stages = dict[bytes, dict[int, Entry]]


@dataclass(frozen=True)
class Trees:
    """What is merged.

    Attributes:
        old: The service as the kit's recorded version generates it from the recorded answers.
        new: The service as the kit's new version generates it from the new answers.
        head: The service with its owners' changes.
    """

    old: Entries
    new: Entries
    head: Entries


@dataclass(frozen=True)
class Merged:
    """What the work tree and the index get.

    Attributes:
        entries: The files of the work tree.
        unmerged: Base, ours and theirs (1, 2, 3) of each conflict.
        lines: The line of each conflict marker, by path.
        not_carried_over: Files that the kit changed and the owners had deleted.
    """

    entries: Entries
    unmerged: _Stages
    lines: dict[bytes, tuple[int, ...]]
    not_carried_over: tuple[bytes, ...]


def merge(objects: Objects, trees: Trees, *, follow_kit_renames: bool) -> Merged:
    """Merge as Git does, with two rules of Copier: what the owners deleted stays deleted, and labels.

    Args:
        follow_kit_renames: Let changes of the owners follow a file that the kit renamed. Where answers have changed,
            a deleted file and a similar new one are no rename: they may belong to two environments.

    Raises:
        ScaffoldError: One side has a folder where the other has a file.
    """
    kept = set() if follow_kit_renames else _kept_for_now(trees)
    new = {**trees.new, **{name: trees.old[name] for name in kept}}
    base = objects.commit(objects.tree(trees.old))
    ours = objects.commit(objects.tree(trees.head), base)
    theirs = objects.commit(objects.tree(new), base)
    output = objects.run("merge-tree", "--write-tree", "--no-messages", "-z", ours, theirs, accepted=(0, 1))
    tree, _, listing = output.partition(b"\0")
    entries, unmerged = objects.entries(tree.decode()), _parse(listing)
    not_carried_over = _keep_deleted(entries, unmerged, trees)
    _undo_moves(entries, unmerged, trees, (ours.encode(), theirs.encode()))
    _delete(entries, unmerged, trees, kept)
    lines = _relabel(objects, entries, unmerged, ours.encode(), theirs.encode())
    return Merged(entries, unmerged, lines, tuple(not_carried_over))


def with_file(merged: Merged, name: bytes, entry: Entry) -> Merged:
    """The merge with another result for one file, which is no conflict."""
    unmerged = {path: stages for path, stages in merged.unmerged.items() if path != name}
    lines = {path: numbers for path, numbers in merged.lines.items() if path != name}
    return replace(merged, entries={**merged.entries, name: entry}, unmerged=unmerged, lines=lines)


def _kept_for_now(trees: Trees) -> set[bytes]:
    """Files that the kit deletes, and that are deleted after the merge only."""
    folders = {name[:end] for name in trees.new for end in _slashes(name)}
    gone = trees.old.keys() - trees.new.keys()
    return {name for name in gone if name not in folders and not any(name[:end] in trees.new for end in _slashes(name))}


def _slashes(name: bytes) -> list[int]:
    return [position for position, byte in enumerate(name) if byte == ord("/")]


def _parse(listing: bytes) -> _Stages:
    unmerged: _Stages = {}
    for line in listing.split(b"\0"):
        details, _, name = line.partition(b"\t")
        if name:
            mode, oid, stage = details.split(b" ")
            unmerged.setdefault(name, {})[int(stage)] = (mode, oid)
    return unmerged


def _undo_moves(entries: Entries, unmerged: _Stages, trees: Trees, commits: tuple[bytes, bytes]) -> None:
    """Put back what Git moved aside to PATH~COMMIT, since a path has a link on one side and a file on the other."""
    for commit in commits:
        for moved in [name for name in entries if b"~" + commit in name]:
            name = moved.partition(b"~" + commit)[0]
            if any(path.startswith(name + b"/") for path in entries):
                raise ScaffoldError(
                    f"{shown(name)} is a folder on one side of the update and a file on the other.",
                    "Rename your own (`git mv`), commit, and run the same command again.",
                )
            del entries[moved]
            unmerged.pop(moved, None)
            sides = enumerate((trees.old, trees.head, trees.new), start=1)
            unmerged[name] = {stage: side[name] for stage, side in sides if name in side}
            if name in trees.head:
                entries[name] = trees.head[name]
            if unmerged[name].keys() == {2}:
                del unmerged[name]  # What was in the folder of that name stays deleted.


def _keep_deleted(entries: Entries, unmerged: _Stages, trees: Trees) -> list[bytes]:
    """Keep files deleted that the owners deleted, although the kit changed them; return these."""
    dropped = [name for name, stages in unmerged.items() if 2 not in stages and 3 in stages]
    kept = []
    for name in dropped:
        if name in trees.old and name not in trees.head:
            kept.append(name)
            entries.pop(name, None)
            del unmerged[name]
        elif name not in trees.old and name not in trees.head:
            del unmerged[name]  # The kit renamed a file that the owners deleted: the new one is simply created.
    return kept


def _delete(entries: Entries, unmerged: _Stages, trees: Trees, gone: set[bytes]) -> None:
    """Delete the files that the kit deletes; those with changes of the owners become conflicts."""
    for name in gone & entries.keys() & trees.head.keys():
        if trees.head[name] == trees.old[name]:
            del entries[name]
        else:
            unmerged[name] = {1: trees.old[name], 2: trees.head[name]}


def _relabel(
    objects: Objects, entries: Entries, unmerged: _Stages, ours: bytes, theirs: bytes
) -> dict[bytes, tuple[int, ...]]:
    """Replace the commits in conflict markers by Copier's labels, and find the lines of the markers."""
    found = {}
    for name in unmerged.keys() & entries.keys():
        mode, oid = entries[name]
        content = objects.read(oid) if mode.startswith(b"100") else b""
        lines = content.split(b"\n")
        markers = [number for number, line in enumerate(lines, start=1) if line.startswith(b"<") and ours in line]
        if markers:
            found[name] = tuple(markers)
            entries[name] = (mode, objects.write(content.replace(ours, _OURS).replace(theirs, _THEIRS)))
    return found
