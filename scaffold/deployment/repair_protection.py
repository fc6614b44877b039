"""Repairing deletion protection that is off, and what is not repaired because it is on."""

from __future__ import annotations

from scaffold.aws import databases
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.session import Session
from scaffold.console.console import Console
from scaffold.core.results import Change
from scaffold.deployment.deletion_protection import (
    OF_DATABASES,
    OF_LOAD_BALANCERS,
    OF_TABLES,
    Protection,
    can_be_protected,
)
from scaffold.deployment.environment_database import look_for_restored
from scaffold.deployment.repair_step import Problem, Repair, Undecided
from scaffold.deployment.scope import command_for
from scaffold.service import names
from scaffold.service.service import Service
from scaffold.service.stack_kinds import DATA, DATABASE, ENVIRONMENT, StackId


class Unprotected(Repair):
    """A load balancer, a database or a table whose deletion protection is off.

    Where somebody has turned it off, no release turns it on again: CloudFormation changes what differs from the
    template that it has deployed. A database whose first release ended before it was protected would get it with the
    next one only.
    """

    def __init__(self, session: Session, protection: Protection, identifier: str) -> None:
        self._session = session
        self._protection = protection
        self._identifier = identifier

    def look(self) -> Problem:
        """The protection."""
        kind, name = self._protection.type, self._protection.title(self._identifier)
        return Problem(kind, name, "off", (Change(kind, name, "turn-on"),))

    def do(self, console: Console) -> None:  # noqa: ARG002
        """Turn it on."""
        self._protection.protect(self._session, self._identifier)


def unprotected(session: Session, stack_id: StackId, stack: Stack) -> list[Unprotected]:
    """What a stack has without the deletion protection that it is to have now."""
    protection = _protection_of(stack_id, stack)
    if protection is None or not can_be_protected(stack):
        return []
    return [Unprotected(session, protection, one) for one in protection.unprotected(session, stack)]


def unprotected_restored(session: Session, service: Service, environment: str) -> list[Unprotected]:
    """The database that is restored beside an environment's, where it is not protected."""
    cluster = look_for_restored(session, service, environment)
    return [Unprotected(session, OF_DATABASES, cluster.name)] if cluster and not cluster.protected else []


def _protection_of(stack_id: StackId, stack: Stack) -> Protection | None:
    if stack_id.kind is DATABASE:
        return OF_DATABASES
    if stack_id.kind is DATA:
        return OF_TABLES
    protects = stack_id.kind is ENVIRONMENT and stack.parameters.get(names.PROTECT_LOAD_BALANCER) == "true"
    return OF_LOAD_BALANCERS if protects else None


def stopped_deletion(session: Session, stack_id: StackId, stack: Stack, again: str) -> Undecided | None:
    """A deletion that the protection of a database has stopped; None for any other stack.

    It is not finished by itself, as that of a load balancer is: only a teardown turns the protection of data off.

    Args:
        again: The command to repeat afterwards.
    """
    if stack_id.kind is not DATABASE or stack.status != "DELETE_FAILED":
        return None
    for name in databases.protected(session, stack):
        command = f"aws rds modify-db-cluster --region {session.region} --db-cluster-identifier {name}"
        command = command_for(session.target, command, "--no-deletion-protection")
        return Undecided(
            stack.name,
            stack.status,
            stack_id.environment,
            f"The stack {stack.name} is {stack.status}, and its database is protected from deletion.",
            f"To delete the database, which leaves a snapshot, run `{command}`, then `{again}` again.",
        )
    return None
