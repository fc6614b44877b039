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
    moved_by_kit = renames(objects, trees.old, trees.new) if follow_kit_renames else {}
    moved_here = renames(objects, trees.old, trees.head)
    deleted_by_kit = _deleted(trees.old, trees.new) - moved_by_kit.keys()
    deleted_here = _deleted(trees.old, trees.head) - moved_here.keys()
    base = objects.commit(objects.tree(trees.old))
    ours = objects.commit(objects.tree(_with(trees.head, trees.old, deleted_here)), base)
    theirs = objects.commit(objects.tree(_with(trees.new, trees.old, deleted_by_kit)), base)
    output = objects.run("merge-tree", "--write-tree", "--no-messages", "-z", ours, theirs, accepted=(0, 1))
    tree, _, listing = output.partition(b"\0")
    entries, unmerged = objects.entries(tree.decode()), _parse(listing)
    not_carried_over = _keep_deleted(entries, unmerged, trees, deleted_here)
    _undo_moves(entries, unmerged, trees, (ours.encode(), theirs.encode()))
    _delete(entries, unmerged, trees, {name: moved_here.get(name, name) for name in deleted_by_kit})
    lines = _relabel(objects, entries, unmerged, ours.encode(), theirs.encode())
    return Merged(entries, unmerged, lines, tuple(not_carried_over))


def renames(objects: Objects, old: Entries, new: Entries) -> dict[bytes, bytes]:
    """The new paths of renamed files, by their former ones."""
    compare = ("diff-tree", "-r", "-z", "-M", "--diff-filter=R", "--name-status")
    fields = objects.run(*compare, objects.tree(old), objects.tree(new)).split(b"\0")[:-1]
    return dict(zip(fields[1::3], fields[2::3], strict=True))


def with_file(merged: Merged, name: bytes, entry: Entry) -> Merged:
    """The merge with another result for one file, which is no conflict."""
    unmerged = {path: stages for path, stages in merged.unmerged.items() if path != name}
    lines = {path: numbers for path, numbers in merged.lines.items() if path != name}
    return replace(merged, entries={**merged.entries, name: entry}, unmerged=unmerged, lines=lines)


def _deleted(old: Entries, new: Entries) -> set[bytes]:
    """Files without a successor, except those in place of which there is a folder, or in place of whose folder a file.

    They are in both trees while Git merges. A merge does not look for the new path of a file that the other side left
    alone, so that it could take a deleted file for the former path of another one, and put the changes there.
    """
    folders = {name[:end] for name in new for end in _slashes(name)}
    gone = old.keys() - new.keys() - folders
    return {name for name in gone if not any(name[:end] in new for end in _slashes(name))}


def _with(entries: Entries, others: Entries, names: set[bytes]) -> Entries:
    return {**entries, **{name: others[name] for name in names}}


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


def _keep_deleted(entries: Entries, unmerged: _Stages, trees: Trees, gone: set[bytes]) -> list[bytes]:
    """Keep files deleted that the owners deleted, although the kit changed them; return these."""
    for name in gone:
        entries.pop(name, None)
    kept = [name for name in gone if name in trees.new and trees.new[name] != trees.old[name]]
    for name in [name for name, stages in unmerged.items() if stages.keys() == {1, 3} and name not in trees.head]:
        # Without a base of that path, the kit renamed a file that the owners deleted: the new one is simply created.
        if name in trees.old:
            kept.append(name)
            entries.pop(name, None)
        del unmerged[name]
    return sorted(kept)


def _delete(entries: Entries, unmerged: _Stages, trees: Trees, gone: dict[bytes, bytes]) -> None:
    """Delete the files that the kit deletes; those that the owners changed or renamed become conflicts.

    Args:
        gone: The path of each file in the service, by its path in the kit.
    """
    for name, here in gone.items():
        if here in entries and here in trees.head and (here == name or here not in trees.new):
            if trees.head.get(name) == trees.old[name]:
                del entries[name]
            else:
                unmerged[here] = {1: trees.old[name], 2: trees.head[here]}


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
