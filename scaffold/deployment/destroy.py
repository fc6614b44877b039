"""Destroying a service or one of its environments, or planning that: both walk the same list of steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from scaffold.aws import service_linked_roles
from scaffold.aws.session import Session, signed_in
from scaffold.console.console import Console
from scaffold.console.titles import describe
from scaffold.core.errors import EXIT_DONE, EXIT_PLAN_HAS_CHANGES, Interrupted
from scaffold.core.results import Change, Result
from scaffold.core.target import Target
from scaffold.deployment.deletion import Kept, Report
from scaffold.deployment.inventory import take_inventory
from scaffold.deployment.ownership import check_repository
from scaffold.deployment.scope import check_environment, command_for, require_confirmation
from scaffold.deployment.teardown import teardown_steps
from scaffold.deployment.teardown_checks import check_deletable
from scaffold.service import identity
from scaffold.service.service import Service


@dataclass(frozen=True)
class DestroyResult(Result):
    """What was deleted, or would be.

    Attributes:
        environment: The environment to delete; None for the whole service.
        planned: Whether this is a plan and nothing was changed.
        changes: What is, or would be, deleted or disabled, in order.
        kept: What still exists, and why.
        production: Whether the environment is production.
        remaining_environments: The environments of the answers without the deleted one; None where the answers do not
            name it, or the whole service is deleted.
    """

    command: ClassVar[str] = "destroy"

    service: str
    account: str
    region: str
    local: bool
    environment: str | None
    planned: bool
    changes: tuple[Change, ...]
    kept: tuple[Kept, ...]
    production: bool
    remaining_environments: tuple[str, ...] | None

    @property
    def exit_code(self) -> int:
        """10 for a plan with changes, else 0."""
        return EXIT_PLAN_HAS_CHANGES if self.planned and self.changes else EXIT_DONE


def destroy(
    service: Service,
    target: Target,
    *,
    environment: str | None,
    with_data: bool = False,
    plan: bool,
    confirm: Callable[[str], bool],
    console: Console,
) -> DestroyResult:
    """Delete a service, or one of its environments, from its account.

    Args:
        environment: The environment to delete; None for the whole service.
        with_data: Delete buckets, queues and tables with their content, and the snapshots of databases, too.
        plan: Change nothing, and list what would be deleted.
        confirm: Called with the name to type (`orders`, or `orders/dev` for an environment) before the first deletion;
            false cancels.

    Raises:
        UsageError: No such environment.
        ScaffoldError: Something has to be fixed first; a repetition continues from there.
    """
    root_commit = identity.root_commit(service)
    options = [*([f"--environment {environment}"] if environment else []), *(["--data"] if with_data else [])]
    again = command_for(target, "scaffold destroy", *options)
    try:
        with signed_in(service, target, console) as session:
            return _destroy(session, service, root_commit, environment, with_data, plan, again, confirm, console)
    except KeyboardInterrupt as interruption:
        raise Interrupted(
            "Interrupted; deletions that AWS has started continue there.",
            f"`{service.enter} && {again}` deletes the rest.",
        ) from interruption


def _destroy(
    session: Session,
    service: Service,
    root_commit: str,
    environment: str | None,
    with_data: bool,
    plan: bool,
    again: str,
    confirm: Callable[[str], bool],
    console: Console,
) -> DestroyResult:
    check_repository(session, service, root_commit, "scaffold destroy")
    inventory = take_inventory(session, service, root_commit, "scaffold destroy")
    whole = environment is None
    check_environment(service, inventory.environments, environment)
    environments = inventory.environments if environment is None else (environment,)
    steps = teardown_steps(
        session,
        service,
        inventory,
        environments,
        root_commit=root_commit,
        whole=whole,
        with_data=with_data,
        again=again,
    )
    check_deletable(session, steps, again)
    looks = [step.look() for step in steps]
    report = Report(
        list(dict.fromkeys(change for look in looks for change in look.changes)),
        [kept for look in looks for kept in look.kept],
    )
    if report.changes and not plan:
        notes = map(describe, report.changes)
        require_confirmation(
            session, service, environment, notes, confirm, console, does="deletes from", done="deleted"
        )
        report = Report()
        for step in steps:
            step.do(report, console)
        report.kept += _shared(service) if whole else []
    report.kept += [Kept("stack", stack.name, "foreign") for stack in inventory.foreign.values()]
    return DestroyResult(
        service=service.app_name,
        account=session.account,
        region=session.region,
        local=session.target.local,
        environment=environment,
        planned=plan,
        changes=tuple(dict.fromkeys(report.changes)),
        kept=tuple(report.kept),
        production=environment == service.production,
        remaining_environments=_remaining(service, environment),
    )


def _remaining(service: Service, environment: str | None) -> tuple[str, ...] | None:
    if environment not in service.environments:
        return None
    return tuple(name for name in service.environments if name != environment)


def _shared(service: Service) -> list[Kept]:
    return [Kept("service-linked-role", role, "shared") for role in service_linked_roles.needed(service).values()]
