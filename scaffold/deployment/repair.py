"""Repairing what is stuck of a service, or planning that: both walk the same list of steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from scaffold.aws.cloudformation.stacks import UNFINISHED, Stack
from scaffold.aws.data import KEY
from scaffold.aws.session import Session, signed_in
from scaffold.console.console import Console
from scaffold.console.titles import describe_repair, physical_title
from scaffold.core.errors import EXIT_DONE, EXIT_NEEDS_DECISION, EXIT_PLAN_HAS_CHANGES, Interrupted, UsageError
from scaffold.core.results import Result
from scaffold.core.target import Target
from scaffold.deployment.foundation_data import check_recoverable, look_for_lost_data
from scaffold.deployment.inventory import live_stacks
from scaffold.deployment.ownership import check_repository
from scaffold.deployment.repair_protection import stopped_deletion, unprotected, unprotected_restored
from scaffold.deployment.repair_step import Problem, Repair, Undecided
from scaffold.deployment.repair_steps import (
    Drift,
    FailedRollback,
    MissingResource,
    UnusableKey,
    UnusableStack,
    in_order_of_repair,
    repair_step,
)
from scaffold.deployment.scope import check_environment, command_for, require_confirmation
from scaffold.deployment.teardown_checks import check_deletable
from scaffold.service import identity
from scaffold.service.service import Service
from scaffold.service.stack_kinds import FOUNDATION, StackId


@dataclass(frozen=True)
class Waiting:
    """A stack that is left alone, since an operation or a release works on it.

    Attributes:
        environment: Its environment; None for a stack that the service has once.
        since: When the operation began.
    """

    stack: str
    status: str
    environment: str | None
    since: datetime | None


@dataclass(frozen=True)
class RepairResult(Result):
    """What was stuck and is repaired, or would be.

    Attributes:
        environment: The environment to repair; None for the whole service.
        profile: The AWS profile that was named; None for the standard configuration chain.
        planned: Whether this is a plan and nothing was changed.
        problems: What was stuck, in the order of the repair.
        waiting: What may be stuck too, and was left alone.
        undecided: What stays stuck, since a person has to decide.
    """

    command: ClassVar[str] = "repair"

    service: str
    account: str
    region: str
    local: bool
    environment: str | None
    profile: str | None
    planned: bool
    problems: tuple[Problem, ...]
    waiting: tuple[Waiting, ...]
    undecided: tuple[Undecided, ...] = ()

    @property
    def exit_code(self) -> int:
        """10 for a plan with changes, else 1 where something is left to decide, and 0 where nothing is."""
        if self.planned and self.problems:
            return EXIT_PLAN_HAS_CHANGES
        return EXIT_NEEDS_DECISION if self.undecided else EXIT_DONE


def repair(
    service: Service,
    target: Target,
    *,
    environment: str | None,
    skip: tuple[str, ...],
    plan: bool,
    confirm: Callable[[str], bool],
    console: Console,
) -> RepairResult:
    """Repair the stuck stacks and the lost data of a service, or the stuck stacks of one of its environments.

    Args:
        environment: The environment to repair; None for the whole service, without operations in progress.
        skip: Resources that a failed rollback leaves as they are, named as in CloudFormation's ResourcesToSkip.
        plan: Change nothing, and report what is stuck.
        confirm: Called with the name to type before something is deleted, skipped or stopped; false cancels.

    Raises:
        UsageError: No such environment, or no rollback has failed because of a resource to skip.
        ScaffoldError: Something has to be fixed or decided first; a repetition continues from there.
    """
    root_commit = identity.root_commit(service)
    again = command_for(target, "scaffold repair", *([environment] if environment else []))
    try:
        with signed_in(service, target, console) as session:
            return _repair(session, service, root_commit, environment, skip, plan, again, confirm, console)
    except KeyboardInterrupt as interruption:
        raise Interrupted(
            "Interrupted; operations that AWS has started continue there.",
            f"Run `{service.enter} && {again}` to continue from their result.",
        ) from interruption


def _repair(
    session: Session,
    service: Service,
    root_commit: str,
    environment: str | None,
    skip: tuple[str, ...],
    plan: bool,
    again: str,
    confirm: Callable[[str], bool],
    console: Console,
) -> RepairResult:
    check_repository(session, service, root_commit, "scaffold repair")
    own, _ = live_stacks(session, service, root_commit, "scaffold repair")
    others = (one.environment for one in own if one.environment)
    check_environment(service, dict.fromkeys((*service.environments, *others)), environment)
    undecided = _undecided(session, own, environment, again)
    left = {stack_id: stack for stack_id, stack in own.items() if stack.name not in {one.stack for one in undecided}}
    steps, waiting = _steps(session, service, left, environment, skip, again)
    # One environment's decision does not keep the rest of the service from its repair.
    if undecided and (environment is not None or not steps):
        raise undecided[0].error
    rollbacks = [step for step in steps if isinstance(step, FailedRollback)]
    _check_skips(rollbacks, skip)
    for index, rollback in enumerate(rollbacks, 1):
        rollback.later = rollbacks[index:]
    # All at once: a stack that imports from another is deleted before that one.
    check_deletable(session, [step.group for step in steps if isinstance(step, UnusableStack)], again)
    problems = tuple(step.look() for step in steps)
    if not plan:
        if any(problem.confirmed for problem in problems):
            notes = _notes(problems)
            require_confirmation(session, service, environment, notes, confirm, console, does="changes", done="changed")
        for step, problem in zip(steps, problems, strict=True):
            step.do(console)
            for change in problem.changes:
                console.step(f"Done: {describe_repair(change)}")
    return RepairResult(
        service=service.app_name,
        account=session.account,
        region=session.region,
        local=session.target.local,
        environment=environment,
        profile=session.target.profile,
        planned=plan,
        problems=problems,
        waiting=tuple(waiting),
        undecided=undecided,
    )


def _undecided(
    session: Session, own: dict[StackId, Stack], environment: str | None, again: str
) -> tuple[Undecided, ...]:
    looked_at = {one: stack for one, stack in own.items() if environment in (None, one.environment)}
    found = (stopped_deletion(session.in_region(stack.region), one, stack, again) for one, stack in looked_at.items())
    return tuple(one for one in found if one)


def _steps(
    session: Session,
    service: Service,
    own: dict[StackId, Stack],
    environment: str | None,
    skip: tuple[str, ...],
    again: str,
) -> tuple[list[Repair], list[Waiting]]:
    """The steps in order: keys first, which the rest may need; missing data last, once its stack can be updated."""
    steps: list[Repair] = []
    waiting = []
    for one in in_order_of_repair(own):
        stack = own[one]
        if environment not in (None, one.environment):
            continue
        step = repair_step(
            session.in_region(stack.region),
            service,
            one,
            stack,
            named=environment is not None,
            skip=skip,
            again=again,
        )
        if step is not None:
            steps.append(step)
        elif stack.status.endswith("_IN_PROGRESS") or stack.status in UNFINISHED:
            waiting.append(Waiting(stack.name, stack.status, one.environment, stack.since))
        else:
            steps += unprotected(session.in_region(stack.region), one, stack)
    restored = [environment] if environment else dict.fromkeys(one.environment for one in own if one.environment)
    steps += [step for name in restored for step in unprotected_restored(session, service, name)]
    foundation = own.get(StackId(FOUNDATION)) if environment is None else None
    if foundation is None:
        return steps, waiting
    lost = look_for_lost_data(session, foundation)
    check_recoverable(lost)
    keys = [one for one in lost if one.type == KEY]
    others = [one for one in lost if one.type != KEY]
    return [
        *(UnusableKey(session, one) for one in keys),
        *steps,
        *(MissingResource(session, one) for one in others if one.state == "missing"),
        *([Drift(session, foundation, again)] if others else []),
    ], waiting


def _check_skips(rollbacks: list[FailedRollback], skip: tuple[str, ...]) -> None:
    for resource in skip:
        stacks = [step.name for step in rollbacks if step.skips(resource)]
        if not stacks:
            names = sorted({failure.name for step in rollbacks for failure in step.failures})
            raise UsageError(
                f"No rollback of this service has failed because of {resource}.",
                f"Resources that can be skipped: {', '.join(names)}." if names else "Leave out `--skip`.",
            )
        if len(stacks) > 1:
            raise UsageError(
                f"The rollbacks of several stacks have failed because of {resource}: {', '.join(stacks)}.",
                f"Name the stack too, for example `--skip {stacks[0]}.{resource}`.",
            )


def _notes(problems: tuple[Problem, ...]) -> Iterator[str]:
    for problem in problems:
        yield f"{physical_title(problem.type, problem.name)} is {problem.state}"
        yield from (f"  {describe_repair(change)}" for change in problem.changes)
