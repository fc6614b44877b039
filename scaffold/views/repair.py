"""The text of a repair, or of its plan."""

from __future__ import annotations

from datetime import datetime

from scaffold.aws.cloudformation.stacks import UNFINISHED
from scaffold.console.console import one_line
from scaffold.console.titles import describe_repair, physical_title
from scaffold.core.target import Target
from scaffold.deployment.repair import RepairResult, Waiting
from scaffold.deployment.repair_step import Problem, Undecided
from scaffold.deployment.scope import command_for, start_command
from scaffold.views.place import place


def text(result: RepairResult) -> str:
    """The result in several lines."""
    what = f"{result.service}'s environment {result.environment}" if result.environment else result.service
    where = place(result.local, result.account, result.region)
    if not result.problems:
        lines = [f"Nothing of {what} is stuck in {where}."]
    elif result.planned:
        lines = [f"Repairing {what} in {where} would:"]
        lines += [line for problem in result.problems for line in _planned(problem)]
    else:
        rest = ", but for what you have to decide" if result.undecided else ""
        lines = [f"{what} in {where} is repaired{rest}.", *_next(result)]
    lines += [_waiting(one, named=result.environment is not None) for one in result.waiting]
    return "\n".join([*lines, *(_undecided(one) for one in result.undecided)])


def _planned(problem: Problem) -> list[str]:
    lines = [f"  {physical_title(problem.type, problem.name)} is {problem.state}{_since(problem.since)}"]
    lines += [f"    because of {one.name} ({one.type}): {one_line(one.reason)}" for one in problem.failures]
    return lines + [f"    {describe_repair(change)}" for change in problem.changes]


def _next(result: RepairResult) -> list[str]:
    changes = [change for problem in result.problems for change in problem.changes]
    lines = []
    if skipped := [change.name for change in changes if change.action == "skip"]:
        lines.append(f"Left as it is: {', '.join(skipped)}. Make it match its template before the next release.")
    if any(change.type == "AWS::ECR::Repository" and change.action == "create" for change in changes):
        lines.append("The image repository is empty: until the next release, no new task can start.")
    target = Target(result.region, result.profile)
    deploy, start = command_for(target, "scaffold deploy"), start_command(target, result.service)
    return [*lines, "Next:", f"  {deploy}  checks the rest", f"  {start}  releases again"]


def _waiting(one: Waiting, *, named: bool) -> str:
    line = f"Left alone: stack {one.stack} is {one.status}{_since(one.since)}"
    if one.environment and one.status == "UPDATE_IN_PROGRESS":
        return f"{line}; `scaffold repair {one.environment}` cancels that."
    # Where the environment was named, this rollback waits for no ECS deployment.
    if one.environment and one.status == "UPDATE_ROLLBACK_IN_PROGRESS" and not named:
        return f"{line}; `scaffold repair {one.environment}` rolls back an ECS deployment that it waits for."
    if one.status in UNFINISHED:
        return f"{line}; `scaffold deploy` replaces it."
    return f"{line}; wait for its end."


def _undecided(one: Undecided) -> str:
    return f"Left for you to decide: {one.happened} {one.remedy}"


def _since(moment: datetime | None) -> str:
    return f" since {moment:%Y-%m-%d %H:%M %Z}" if moment else ""
