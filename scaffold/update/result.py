"""An update that is made, or planned: what it reports, and what is said when it is interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, ClassVar

from scaffold.console.console import Console
from scaffold.core.errors import EXIT_CONFLICTS, EXIT_DONE, EXIT_PLAN_HAS_CHANGES, Interrupted
from scaffold.core.results import Result
from scaffold.service.service import ANSWERS_FILE
from scaffold.update.follow_up import FollowUp
from scaffold.update.recorded import Recorded
from scaffold.update.report import AnswerChange, FileChange
from scaffold.update.steps import StepTaken
from scaffold.update.update import Update, prepare
from scaffold.update.work_tree import WorkTree


@dataclass(frozen=True)
class UpdateResult(Result):
    """An update that was made, or with `--plan` would be.

    Attributes:
        service: The service's name.
        directory: Its directory, to which paths are relative.
        kit: The kit's address, as Copier records it.
        old_version: The kit's version before.
        new_version: The kit's version after.
        planned: Whether nothing was written.
        changelog: The kit's CHANGELOG between the versions, in Markdown; empty if it has none.
        answers: The answers that change.
        dropped_answers: Recorded answers that the kit does not accept any more, with the reason; defaults replace them.
        files: What happens to each file.
        not_carried_over: Files that the kit changed and that are not committed here under their name: they stay out.
        ignored: New files that are ignored here, so that only `git add --force` adds them.
        steps: What a merge of text cannot express, and the update does before it.
        follow_up: What has to follow, beside the commit.
    """

    command: ClassVar[str] = "update"

    service: str
    directory: str
    kit: str
    old_version: str
    new_version: str
    planned: bool
    changelog: str
    answers: list[AnswerChange]
    dropped_answers: dict[str, str]
    files: list[FileChange]
    not_carried_over: list[str]
    ignored: list[str]
    steps: list[StepTaken]
    follow_up: FollowUp

    @property
    def conflicts(self) -> list[FileChange]:
        """The files with conflicts."""
        return [file for file in self.files if file.action == "conflict"]

    @property
    def exit_code(self) -> int:
        """10 for a plan with changes, 3 for an update with conflicts."""
        if self.planned:
            return EXIT_PLAN_HAS_CHANGES if self.files else EXIT_DONE
        return EXIT_CONFLICTS if self.conflicts else EXIT_DONE


def make(
    recorded: Recorded,
    data: Mapping[str, str],
    to: str | None,
    *,
    plan: bool,
    console: Console,
    without: str | None = None,
) -> tuple[UpdateResult, Mapping[str, Any]]:
    """Update a service, or find out what an update would do.

    Args:
        data: New answers.
        to: The kit's tag or commit; `current` for the recorded one, None for the newest.
        plan: Write nothing.
        without: An environment that the new answers do not name: its files go with the owners' changes in them.

    Returns:
        Also the values that the kit computes from the answers.

    Raises:
        ScaffoldError: The service cannot be updated, or an answer or the version is not acceptable.
    """
    work_tree: WorkTree | None = None
    try:
        with ExitStack() as stack:
            update = stack.enter_context(prepare(recorded, data, to, without=without))
            work_tree = update.work_tree
            result, computed, lost_lines = _result(recorded, update, plan), update.computed, update.lost_lines
            if work_tree.changes and not plan:
                work_tree.write()
    except KeyboardInterrupt:
        raise _interrupted(recorded, work_tree) from None
    except SystemExit:  # SIGTERM or SIGHUP
        console.warn(_interrupted(recorded, work_tree).happened)
        raise
    for name, reason in result.dropped_answers.items():
        console.warn(f"The recorded answer to {name} is replaced by the default, since the kit refuses it: {reason}")
    if lost_lines:
        said = "is replaced by the kit's, without your lines" if not plan else "would lose your lines"
        console.warn(f"{ANSWERS_FILE} {said}: {'; '.join(line.strip() for line in lost_lines)}")
    return result, computed


def _interrupted(recorded: Recorded, work_tree: WorkTree | None) -> Interrupted:
    if work_tree and work_tree.written:
        return Interrupted(
            f"Interrupted: the update of {recorded.name} is complete, and not committed.",
            "See it with `git status` and `git diff`; `git stash -u` puts it aside.",
        )
    return Interrupted("Interrupted: nothing was written.", "Run the same command again to start over.")


def _result(recorded: Recorded, update: Update, plan: bool) -> UpdateResult:
    return UpdateResult(
        service=recorded.name,
        directory=str(recorded.root),
        kit=update.kit,
        old_version=update.old,
        new_version=update.new,
        planned=plan,
        changelog=update.changelog,
        answers=update.answers,
        dropped_answers=update.dropped,
        files=update.files,
        not_carried_over=update.not_carried_over,
        ignored=update.ignored,
        steps=update.steps,
        follow_up=update.follow_up,
    )
