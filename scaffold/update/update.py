"""An update of a service: what it would do, and doing it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from scaffold.console import indicator
from scaffold.core.temporary import temporary_folder
from scaffold.kit.questionnaire import CUSTOMIZE
from scaffold.service.service import ANSWERS_FILE
from scaffold.update.changelog import between
from scaffold.update.checks import check_recorded, find_repository
from scaffold.update.follow_up import FollowUp, follow_up
from scaffold.update.kits import Versions, open_versions
from scaffold.update.merge import Merged, Trees, merge, renames, with_file
from scaffold.update.objects import Objects
from scaffold.update.recorded import Recorded
from scaffold.update.rendering import Renderings, render
from scaffold.update.report import AnswerChange, FileChange, answer_changes, file_changes
from scaffold.update.repository import Entries, Entry, Repository, shown
from scaffold.update.steps import Step, StepTaken, due, take
from scaffold.update.work_tree import WorkTree


@dataclass(frozen=True)
class Preparation:
    """A merge that is not written yet.

    Attributes:
        objects: The objects of the merge.
        head: The files of the last commit.
        merged: Their merge with the kit's changes.
        follows: Whether changes follow files that the kit renamed.
        lost_lines: Lines of the owners in the answers file that the kit's replace.
        steps: What the kit's steps do before the merge.
        renamed: The former paths of the files that a step renames, by their new ones.
    """

    repository: Repository
    objects: Objects
    head: Entries
    merged: Merged
    follows: bool
    lost_lines: list[str]
    steps: tuple[StepTaken, ...]
    renamed: Mapping[bytes, bytes]

    def work_tree(self, folder: Path) -> WorkTree:
        """The work tree that it changes.

        Args:
            folder: An empty folder for temporary files.
        """
        return WorkTree(self.repository, self.objects, self.head, self.merged, folder)

    def files(self) -> list[FileChange]:
        """What happens to each file that changes."""
        moved = renames(self.objects, self.head, self.merged.entries) if self.follows else {}
        found = {new: old for old, new in moved.items()}
        return file_changes(self.head, self.merged, self.repository.prefix, {**found, **self.renamed})


@dataclass(frozen=True)
class Update:
    """An update that is ready to be written.

    Attributes:
        kit: The kit's address.
        old: The kit's recorded version.
        new: The kit's version to update to.
        changelog: The kit's CHANGELOG between them.
        answers: The answers that change.
        dropped: Recorded answers that the kit does not accept any more, with the reason.
        files: What happens to each file.
        not_carried_over: Files that the kit changed and the owners have deleted, renamed or never committed.
        ignored: New files that the owners' ignores match.
        lost_lines: Lines of the owners in the answers file that the kit's replace.
        steps: What a merge of text cannot express.
        follow_up: What has to follow.
        computed: The values that the kit computes from the new answers.
        work_tree: The files to write.
    """

    kit: str
    old: str
    new: str
    changelog: str
    answers: list[AnswerChange]
    dropped: dict[str, str]
    files: list[FileChange]
    not_carried_over: list[str]
    ignored: list[str]
    lost_lines: list[str]
    steps: list[StepTaken]
    follow_up: FollowUp
    computed: Mapping[str, Any]
    work_tree: WorkTree


@contextmanager
def prepare(
    recorded: Recorded, data: Mapping[str, str], to: str | None, *, without: str | None = None
) -> Iterator[Update]:
    """Find out what an update does; temporary files are deleted when the block ends.

    Args:
        data: New answers.
        to: The kit's version; `current` for the recorded one, None for the newest.
        without: An environment that the new answers do not name: its files go with the owners' changes in them.

    Raises:
        ScaffoldError: The service cannot be updated, or the answers or the version are not acceptable.
    """
    repository = find_repository(recorded)
    with (
        open_versions(recorded, to) as versions,
        temporary_folder("scaffold-update-") as folder,
        indicator.busy("Merging what the kit changes"),
    ):
        renderings = render(versions, recorded, data, repository, folder)
        new = versions.new.source
        steps = due(new.folder, recorded.version) if new != versions.old.source else []
        prepared = merge_renderings(
            repository,
            folder,
            renderings.old,
            renderings.new,
            skips=renderings.skips,
            follows=renderings.same_answers,
            steps=steps,
            without=without,
        )
        work_tree = prepared.work_tree(folder)
        work_tree.check()
        yield _update(versions, recorded, data, renderings, prepared, work_tree)


def merge_renderings(
    repository: Repository,
    folder: Path,
    old: Path,
    new: Path,
    *,
    skips: Callable[[Path], bool],
    follows: bool,
    steps: Sequence[Step] = (),
    without: str | None = None,
) -> Preparation:
    """Merge two renderings with the last commit.

    Args:
        folder: A folder for temporary files.
        old: The folder in which the first one has the service's path in its repository.
        new: That of the second one.
        skips: Whether the kit leaves a file as it is where it exists.
        follows: Whether changes of the owners follow files that the kit renames.
        steps: What has to be done before.
        without: The environment whose files are deleted with the owners' changes in them.

    Raises:
        ScaffoldError: The answers file is not committed, or one side has a folder where the other has a file.
    """
    objects = Objects(repository, folder / "git")
    head = objects.entries("HEAD")
    check_recorded(repository, head)
    trees = Trees(objects.add(old, head), objects.add(new, head), head)
    stepped = take(steps, _without_skipped(trees, repository.prefix, skips), objects, repository.prefix)
    trees = stepped.trees if without is None else _without_changes(stepped.trees, without)
    merged = merge(objects, trees, follow_kit_renames=follows)
    answers = repository.prefix + ANSWERS_FILE.encode()
    lost_lines: list[str] = []
    if answers in trees.new and not _says_the_same(objects, merged, answers, trees.new[answers]):
        generated = _lines(objects, trees.new[answers]) | _lines(objects, trees.old.get(answers, trees.new[answers]))
        lost_lines = [shown(line) for line in _lines(objects, head[answers]) if line not in generated]
        merged = with_file(merged, answers, trees.new[answers])
    return Preparation(repository, objects, head, merged, follows, lost_lines, stepped.taken, stepped.renamed)


def _lines(objects: Objects, entry: Entry) -> dict[bytes, None]:
    """The lines that are not empty, in their order."""
    return dict.fromkeys(line for line in objects.read(entry[1]).split(b"\n") if line.strip())


def _without_skipped(trees: Trees, prefix: bytes, skips: Callable[[Path], bool]) -> Trees:
    """The trees without changes of the kit to files that it leaves as they are; deleted ones are created again."""
    old, new = dict(trees.old), dict(trees.new)
    for name in old.keys() | new.keys():
        if skips(Path(os.fsdecode(name.removeprefix(prefix)))):
            old.pop(name, None)
            if name in trees.head:
                new.pop(name, None)
    return Trees(old, new, trees.head)


def _without_changes(trees: Trees, environment: str) -> Trees:
    """The trees with the generated files of an environment as the kit has generated them, so that it deletes them."""
    paths = {name: PurePosixPath(os.fsdecode(name)) for name in trees.old.keys() & trees.head.keys() - trees.new.keys()}
    own = [name for name, path in paths.items() if environment in (path.stem, *path.parts[-2:-1])]
    return replace(trees, head={**trees.head, **{name: trees.old[name] for name in own}})


def _says_the_same(objects: Objects, merged: Merged, name: bytes, generated: Entry) -> bool:
    """Whether a merged answers file, which may have comments of the owners, says what the generated one does."""
    if name not in merged.entries or name in merged.unmerged:
        return False
    return bool(_read(objects, merged.entries[name]) == _read(objects, generated))


def _read(objects: Objects, entry: Entry) -> Any:
    try:
        return yaml.safe_load(objects.read(entry[1]))
    except (yaml.YAMLError, ValueError):
        return None


def _update(
    versions: Versions,
    recorded: Recorded,
    data: Mapping[str, str],
    renderings: Renderings,
    prepared: Preparation,
    work_tree: WorkTree,
) -> Update:
    files = prepared.files()
    answers = renderings.answers.recorded
    # An answer to a question below `customize` turns it on.
    given = {CUSTOMIZE, *data}
    prefix = prepared.repository.prefix
    old, new = versions.old.source.version, versions.new.source.version
    return Update(
        kit=versions.new.source.source,
        old=old,
        new=new,
        changelog=between(versions.new.source.folder, old, new),
        answers=answer_changes(recorded.answers, answers, given),
        dropped=renderings.dropped,
        files=files,
        not_carried_over=[shown(name.removeprefix(prefix)) for name in prepared.merged.not_carried_over],
        ignored=[shown(name.removeprefix(prefix)) for name in work_tree.ignored()],
        lost_lines=prepared.lost_lines,
        steps=list(prepared.steps),
        follow_up=follow_up(
            recorded.answers,
            answers,
            [file.path for file in files if file.action != "delete"],
            [file.path for file in files if file.action in ("create", "rename")],
            [file.path for file in files if file.action == "delete"],
        ),
        computed=renderings.answers.computed,
        work_tree=work_tree,
    )
