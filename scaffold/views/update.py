"""The text of an update, or of its plan: versions, changelog, answers, files, and what has to follow."""

from __future__ import annotations

import shlex

from scaffold.console.console import visible
from scaffold.console.titles import count
from scaffold.core.paths import enter
from scaffold.update.follow_up import FollowUp
from scaffold.update.report import DELETED_BY_KIT, RENAMED, FileChange
from scaffold.update.result import UpdateResult
from scaffold.update.steps import StepTaken

# The explanation of a longer command follows it directly instead of in its own column.
_COMMAND_WIDTH = 30
_DONE = {"create": "created", "update": "changed", "rename": "renamed", "delete": "deleted"}


def text(result: UpdateResult, committed: str | None = None, *, deleted: bool = False) -> str:
    """The result in several lines.

    Args:
        committed: The commit of the update; None where people commit it.
        deleted: Whether the stacks of an environment that is removed were deleted before, or would be.
    """
    if not result.files:
        parts = [[f"{result.service} is already up to date with {result.new_version} of its kit: nothing to do."]]
        return _joined([*parts, _not_carried_over(result)])
    parts = [[_head(result)]]
    if result.planned:
        parts += [result.changelog.splitlines(), _answers(result), _steps(result), _files(result)]
    else:
        parts += [_answers(result), _steps(result), _conflicts(result)]
    parts += [_not_carried_over(result), [] if deleted else _removed(result), list(result.follow_up.first)]
    return _joined([*parts, _afterwards(result) if result.planned else _next(result, committed)])


def _joined(parts: list[list[str]]) -> str:
    return visible("\n\n".join("\n".join(lines) for lines in parts if lines))


def _head(result: UpdateResult) -> str:
    same = result.old_version == result.new_version
    kit = (
        f"with {result.new_version} of its kit"
        if same
        else f"from {result.old_version} to {result.new_version} of its kit"
    )
    if result.planned:
        return f"{result.service} would be updated {kit}."
    return f"{result.service} is updated {kit}: {_numbers(result)}."


def _numbers(result: UpdateResult) -> str:
    numbers = [(words, sum(file.action == action for file in result.files)) for action, words in _DONE.items()]
    done = [f"{number} {words}" for words, number in numbers if number]
    conflicts = [count(len(result.conflicts), "conflict")] if result.conflicts else []
    return ", ".join([*done, *conflicts])


def _answers(result: UpdateResult) -> list[str]:
    own = [change for change in result.answers if not change.by_default]
    changes = [f"  {change.name}: {_value(change.old)} -> {_value(change.new)}" for change in own]
    if defaults := len(result.answers) - len(own):
        number = f"{count(defaults, 'answer')} with {'its default' if defaults == 1 else 'their defaults'}"
        changes.append(f"  {'and ' if own else ''}{number}")
    return ["Answers", *changes] if changes else []


def _value(value: object) -> str:
    return "(none)" if value is None else str(value)


def _steps(result: UpdateResult) -> list[str]:
    return ["Steps", *(f"  {_step(step)}: {step.says}" for step in result.steps)] if result.steps else []


def _step(step: StepTaken) -> str:
    if step.new_path:
        return f"{step.path} -> {step.new_path}"
    if step.by_hand:
        return f"delete {step.deleted_key} from {step.path} by hand"
    return f"{step.path} without {step.deleted_key}"


def _files(result: UpdateResult) -> list[str]:
    return ["Files", *(f"  {file.action:<10}{_file(file)}" for file in result.files)]


def _file(file: FileChange) -> str:
    if file.previous_path:
        return f"{file.previous_path} -> {file.path}"
    return f"{file.path}: {file.cause}" if file.cause else file.path


def _conflicts(result: UpdateResult) -> list[str]:
    lines = []
    for file in result.conflicts:
        lines += [f"  {file.path}:{line}  {file.cause}" for line in file.lines]
        if not file.lines:
            lines.append(f"  {file.path}  {file.cause}{_without_markers(file)}")
    return ["Conflicts", *lines] if lines else []


def _without_markers(file: FileChange) -> str:
    """How to take the kit's side of a conflict that an editor does not show."""
    path = shlex.quote(file.path)
    if file.cause == DELETED_BY_KIT:
        return f": `git rm {path}` deletes it, `git add {path}` keeps it"
    if file.cause == RENAMED:
        return ": keep one of its new paths, and delete the other with `git rm`"
    return f": `git checkout --theirs {path}` takes the kit's"


def _not_carried_over(result: UpdateResult) -> list[str]:
    if not result.not_carried_over:
        return []
    said = (
        "The kit changes these files, which this service has deleted, renamed or never committed; the change is not "
        "carried over:"
    )
    return [said, *(f"  {path}" for path in result.not_carried_over)]


def _removed(result: UpdateResult) -> list[str]:
    return [
        f"The environment {name} keeps its stacks, which cost money, until `scaffold destroy --environment {name}` "
        "deletes them."
        for name in result.follow_up.removed_environments
    ]


def _afterwards(result: UpdateResult) -> list[str]:
    """What would have to follow the commit."""
    return _table("Afterwards:", steps) if (steps := following(result.follow_up)) else []


def following(follow_up: FollowUp) -> list[tuple[str, str]]:
    """What has to follow the commit of an update, in order: commands, with what each is for."""
    if follow_up.leave_vpc:
        # Before the release, after which builds may not be in the VPC. Only it lets the permissions be changed.
        return [
            *((command, "") for command in follow_up.leave_vpc),
            ("git push", "or a merge to main: the pipeline releases it, with builds outside of the VPC"),
            ("scaffold deploy", "after that release: takes their permissions away, and names the stack of the VPC"),
        ]
    release = ("git push", "or a merge to main: the pipeline releases it")
    first = [_deploy(follow_up)] if follow_up.deploy and not follow_up.release_first else []
    takes_permissions = follow_up.release_first or follow_up.deploy_again
    last = ["takes away permissions that nothing uses any more"] if takes_permissions else []
    if follow_up.health_check_again:
        last.append("lets Route 53 ask for what was released")
    if follow_up.left:
        last.append(f"deletes what is left of {', '.join(follow_up.left)}, or says how")
    if not last:
        return first
    return [*(first or [release]), ("scaffold deploy", f"after that release: {', '.join(last)}")]


def _deploy(follow_up: FollowUp) -> tuple[str, str]:
    new = ", ".join(follow_up.new_environments)
    return (
        "scaffold deploy",
        f"prepares {new}, then pushes" if new else "updates what the pipeline may not, then pushes",
    )


def _next(result: UpdateResult, committed: str | None) -> list[str]:
    steps = []
    if result.conflicts:
        steps.append(("git diff", "shows the conflicts; resolve them in the files"))
    elif committed:
        steps.append((f"git show {committed[:7]}", "shows what has changed"))
    else:
        steps.append(("git diff", "shows what has changed"))
    steps += [(f"git add --force {shlex.quote(path)}", "adds a file that is ignored here") for path in result.ignored]
    if not committed:
        steps.append(("git add --all . && git commit", "commits the update"))
    steps += following(result.follow_up)
    if (entered := enter(result.directory)) != "cd .":
        steps.insert(0, (entered, ""))
    return _table("Next:", steps)


def _table(title: str, steps: list[tuple[str, str]]) -> list[str]:
    width = max(len(command) for command, _ in steps if len(command) <= _COMMAND_WIDTH)
    return [title, *(f"  {command:<{width}}  {effect}".rstrip() for command, effect in steps)]
