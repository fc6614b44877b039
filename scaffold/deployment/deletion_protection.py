"""Deletion protection: what has it, and the step of a teardown that turns it off right before stacks are deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scaffold.aws import databases, load_balancers, tables
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.session import Session
from scaffold.console.console import Console
from scaffold.core.results import Change
from scaffold.deployment.deletion import Deletion, Report


@dataclass(frozen=True, kw_only=True)
class Protection:
    """The deletion protection of one kind of resource.

    Attributes:
        type: How a Change names it.
        unprotected: The resources of a stack that exist, and should have it and have it not.
        protect: Turns it on for one of them.
        title: What people call one of them.
    """

    type: str
    unprotected: Callable[[Session, Stack], list[str]]
    protect: Callable[[Session, str], None]
    title: Callable[[str], str] = str


@dataclass(frozen=True, kw_only=True)
class BlockingProtection(Protection):
    """One with which CloudFormation cannot delete the stack either; what a stack retains has another.

    Attributes:
        protected: The resources of a stack that have it.
        unprotect: Turns it off for one of them.
    """

    protected: Callable[[Session, Stack], list[str]]
    unprotect: Callable[[Session, str], None]


OF_DATABASES = BlockingProtection(
    type="database-protection",
    protected=databases.protected,
    unprotected=databases.unprotected,
    protect=databases.protect,
    unprotect=databases.unprotect,
)
OF_LOAD_BALANCERS = BlockingProtection(
    type="deletion-protection",
    protected=load_balancers.protected,
    unprotected=load_balancers.unprotected,
    protect=load_balancers.protect,
    unprotect=load_balancers.unprotect,
    title=load_balancers.full_name,
)
OF_TABLES = Protection(type="table-protection", unprotected=tables.unprotected, protect=tables.protect)


def can_be_protected(stack: Stack) -> bool:
    """Whether `scaffold repair` turns on what a stack has without its protection.

    Not while an operation is in progress. What a failed creation has left, and what a deletion has begun with, has to
    stay deletable. A failed rollback is continued first, which may change the protection, too.
    """
    return stack.released and not stack.busy and stack.status not in ("DELETE_FAILED", "UPDATE_ROLLBACK_FAILED")


class Unprotection(Deletion):
    """Turns the deletion protection of a kind of resource off in a group of stacks."""

    def __init__(self, session: Session, group: list[Stack], protection: BlockingProtection) -> None:
        self._session = session
        self._group = [stack for stack in group if stack.released]
        self._protection = protection

    def look(self) -> Report:
        """The resources that have it."""
        return Report([self._change(one) for one in self._protected()])

    def do(self, report: Report, console: Console) -> None:
        """Turn it off."""
        for one in self._protected():
            self._protection.unprotect(self._session, one)
            report.record(self._change(one), console)

    def _protected(self) -> list[str]:
        return [one for stack in self._group for one in self._protection.protected(self._session, stack)]

    def _change(self, identifier: str) -> Change:
        return Change(self._protection.type, self._protection.title(identifier), "turn-off")
