"""The steps of a repair: for each kind of stuck stack, and for data of the foundation that is lost."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from scaffold.aws import lost_data, service_deployments
from scaffold.aws.cloudformation import change_sets, comparison, drift, rollbacks, stacks
from scaffold.aws.cloudformation.rollbacks import FailedResource
from scaffold.aws.cloudformation.stack_events import explain
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.lost_data import Lost
from scaffold.aws.session import Session
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError
from scaffold.core.results import Change
from scaffold.deployment.deletion import Report
from scaffold.deployment.deletion_protection import OF_LOAD_BALANCERS, Unprotection
from scaffold.deployment.prepared_stack import replaceable
from scaffold.deployment.repair_step import Problem, Repair
from scaffold.deployment.teardown import StackGroup
from scaffold.service import names
from scaffold.service.service import Service
from scaffold.service.stack_kinds import FOUNDATION, SERVICE, STACK_KINDS, StackId


class FailedRollback(Repair):
    """A stack in UPDATE_ROLLBACK_FAILED, whose rollback is continued.

    Args:
        skip: What the user wants to be left as it is; other stacks' resources may be among them.
        again: The command to repeat.

    Attributes:
        later: The rollbacks that are continued after this one.
    """

    def __init__(self, session: Session, stack: Stack, skip: tuple[str, ...], again: str) -> None:
        self.later: Sequence[FailedRollback] = ()
        self._session = session
        self._stack = stack
        self._skip = skip
        self._again = again

    @cached_property
    def failures(self) -> tuple[FailedResource, ...]:
        """The resources that could not be rolled back."""
        return rollbacks.failed_resources(self._session, self._stack.id)

    @property
    def name(self) -> str:
        """The stack's name."""
        return self._stack.name

    @property
    def skipped(self) -> tuple[str, ...]:
        """The resources of this stack that are to be left as they are."""
        return tuple(one.name for one in self.failures if {one.name, f"{self.name}.{one.name}"} & set(self._skip))

    def skips(self, resource: str) -> bool:
        """Whether what the user wants to be left as it is means a resource of this stack."""
        return any(resource in (one.name, f"{self.name}.{one.name}") for one in self.failures)

    def look(self) -> Problem:
        """The stack, with the resources that could not be rolled back."""
        types = {failure.name: failure.type for failure in self.failures}
        skips = [Change(types[name], name, "skip") for name in self.skipped]
        changes = (*skips, Change("stack", self._stack.name, "continue-rollback"))
        return Problem("stack", self._stack.name, self._stack.status, changes, self.failures)

    def do(self, console: Console) -> None:
        """Continue the rollback."""
        watch = rollbacks.continue_rollback(self._session, self._stack, self.skipped, console)
        if watch.status == "UPDATE_ROLLBACK_COMPLETE":
            return
        error = explain(watch, "rolled back", self._again)
        failed = rollbacks.failed_resources(self._session, self._stack.id)
        # CloudFormation skips only what still fails: not what this run has skipped, or finished, before.
        skip = [f"{self.name}.{failure.name}" for failure in failed]
        skip += [f"{rollback.name}.{resource}" for rollback in self.later for resource in rollback.skipped]
        options = " ".join(f"--skip {one}" for one in skip)
        leave = f", or leave it as it is with `{self._again} {options}`" if failed else ""
        raise error.with_remedy(f"Fix the cause and run `{self._again}` again{leave}.")


class UnusableStack(Repair):
    """A stack that can only be deleted: its creation failed, was never started, or its deletion did not finish.

    Args:
        again: The command to repeat.

    Attributes:
        group: The stack's deletion.
    """

    def __init__(self, session: Session, stack: Stack, again: str) -> None:
        self._session = session
        self._stack = stack
        self.group = StackGroup(session, [stack], again)
        self._protection = Unprotection(session, [stack], OF_LOAD_BALANCERS)

    def look(self) -> Problem:
        """The stack with its change sets that were not executed, and with the data that it deletes."""
        found = [Change("change-set", one.name, "delete") for one in self._change_sets()]
        changes = (*found, *self._protection.look().changes, *self.group.look().changes)
        return Problem("stack", self._stack.name, self._stack.status, changes, since=self._stack.since)

    def do(self, console: Console) -> None:
        """Delete the change sets, then the stack."""
        for change_set in self._change_sets():
            change_sets.delete(self._session, change_set)
        self._protection.do(Report(), console)
        self.group.do(Report(), console)

    def _change_sets(self) -> list[change_sets.ChangeSet]:
        in_review = self._stack.status == "REVIEW_IN_PROGRESS"
        return change_sets.of_stack(self._session, self._stack.name) if in_review else []


class HungUpdate(Repair):
    """An update that waits, most often for an ECS deployment whose tasks never become healthy.

    Args:
        service: The name of the stack's ECS service, which is that of its cluster; None for stacks without one.
        again: The command to repeat.
    """

    def __init__(self, session: Session, stack: Stack, service: str | None, again: str) -> None:
        self._session = session
        self._stack = stack
        self._service = service
        self._again = again

    @cached_property
    def _deployments(self) -> list[str]:
        return service_deployments.in_progress(self._session, self._service, self._service) if self._service else []

    @property
    def stoppable(self) -> bool:
        """Whether there is something to stop; a rollback itself cannot be cancelled."""
        return bool(self._deployments) or self._stack.status == "UPDATE_IN_PROGRESS"

    def look(self) -> Problem:
        """The stack, with the deployment that it waits for."""
        changes = [Change("service-deployment", arn, "roll-back") for arn in self._deployments]
        if self._stack.status == "UPDATE_IN_PROGRESS":
            changes.append(Change("stack", self._stack.name, "cancel-update"))
        return Problem("stack", self._stack.name, self._stack.status, tuple(changes), since=self._stack.since)

    def do(self, console: Console) -> None:
        """Roll the deployment back, so that traffic returns at once; then let CloudFormation roll back the rest."""
        for arn in self._deployments:
            service_deployments.roll_back(self._session, arn)
        if self._stack.status == "UPDATE_IN_PROGRESS":
            stacks.cancel_update(self._session, self._stack)
        stack = stacks.wait_until_idle(self._session, self._stack.name, console)
        if stack is not None and stack.status == "UPDATE_ROLLBACK_FAILED":
            raise ScaffoldError(
                f"The update of the stack {stack.name} is cancelled, but its rollback failed: it is {stack.status}.",
                f"Run `{self._again}` again: it shows why, and continues the rollback.",
            )


class UnusableKey(Repair):
    """A key of the foundation that is pending deletion or disabled."""

    def __init__(self, session: Session, lost: Lost) -> None:
        self._session = session
        self._lost = lost

    def look(self) -> Problem:
        """The key."""
        enable = Change(self._lost.type, self._lost.id, "enable")
        pending = self._lost.state == "pending-deletion"
        changes = (Change(self._lost.type, self._lost.id, "cancel-deletion"), enable) if pending else (enable,)
        return Problem(self._lost.type, self._lost.id, self._lost.state, changes)

    def do(self, console: Console) -> None:  # noqa: ARG002
        """Make it usable."""
        lost_data.restore_key(self._session, self._lost)


class MissingResource(Repair):
    """A bucket or image repository of the foundation that is gone; its content does not come back."""

    def __init__(self, session: Session, lost: Lost) -> None:
        self._session = session
        self._lost = lost

    def look(self) -> Problem:
        """The resource."""
        create = Change(self._lost.type, self._lost.id, "create")
        return Problem(self._lost.type, self._lost.id, self._lost.state, (create,))

    def do(self, console: Console) -> None:  # noqa: ARG002
        """Create it with its old name, which other stacks import."""
        lost_data.recreate(self._session, self._lost)


class Drift(Repair):
    """The foundation, whose resources are to be as its template says: encryption, policies, lifecycle.

    Args:
        again: The command to repeat.
    """

    def __init__(self, session: Session, stack: Stack, again: str) -> None:
        self._session = session
        self._stack = stack
        self._again = again

    def look(self) -> Problem:
        """The stack."""
        return Problem("stack", self._stack.name, "drifted", (Change("stack", self._stack.name, "revert-drift"),))

    def do(self, console: Console) -> None:
        """Execute a drift-aware change set."""
        drift.revert(self._session, self._stack, console, again=self._again)


def repair_step(
    session: Session,
    service: Service,
    stack_id: StackId,
    stack: Stack,
    *,
    named: bool,
    skip: tuple[str, ...],
    again: str,
) -> Repair | None:
    """The repair of a stack; None where it is not stuck, or `scaffold deploy` itself repairs it.

    Args:
        stack: One of which `stopped_deletion` finds nothing to decide.
        named: Whether the user has named the stack's environment: only then are operations in progress stopped.

    Raises:
        ScaffoldError: Only another command repairs it.
    """
    if stack.status == "UPDATE_ROLLBACK_FAILED":
        return FailedRollback(session, stack, skip, again)
    if stack.status in ("UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"):
        if not named or stack_id.environment is None:
            return None
        cluster = names.cluster(service.app_name, stack_id.environment) if stack_id.kind is SERVICE else None
        hung = HungUpdate(session, stack, cluster, again)
        return hung if hung.stoppable else None
    if stack.status == "DELETE_FAILED":
        if stack_id.kind is FOUNDATION:
            raise comparison.unfinished_deletion(stack, FOUNDATION)
        return UnusableStack(session, stack, again)
    if stack.status == "REVIEW_IN_PROGRESS":
        return UnusableStack(session, stack, again)
    replaced = stack_id.environment in (None, *service.environments) and replaceable(stack_id.kind, stack)
    return UnusableStack(session, stack, again) if stack.status in stacks.UNFINISHED and not replaced else None


def in_order_of_repair(found: dict[StackId, Stack]) -> list[StackId]:
    """Stacks in an order that works for rollbacks and for deletions: what imports comes before what exports."""
    return sorted(found, key=lambda one: STACK_KINDS.index(one.kind), reverse=True)
