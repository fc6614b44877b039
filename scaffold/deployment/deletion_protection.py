"""Deletion protection: what has it, and the step of a teardown that turns it off right before stacks are deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scaffold.aws import databases, load_balancers
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.session import Session
from scaffold.console.console import Console
from scaffold.core.results import Change
from scaffold.deployment.deletion import Deletion, Report


@dataclass(frozen=True)
class Protection:
    """The deletion protection of one kind of resource.

    Attributes:
        type: How a Change names it.
        protected: The resources of a stack that have it.
        unprotected: Those that exist and have it not.
        protect: Turns it on for one of them.
        unprotect: Turns it off for one of them.
        title: What people call one of them.
    """

    type: str
    protected: Callable[[Session, Stack], list[str]]
    unprotected: Callable[[Session, Stack], list[str]]
    protect: Callable[[Session, str], None]
    unprotect: Callable[[Session, str], None]
    title: Callable[[str], str] = str


OF_DATABASES = Protection(
    "database-protection", databases.protected, databases.unprotected, databases.protect, databases.unprotect
)
OF_LOAD_BALANCERS = Protection(
    "deletion-protection",
    load_balancers.protected,
    load_balancers.unprotected,
    load_balancers.protect,
    load_balancers.unprotect,
    load_balancers.full_name,
)


class Unprotection(Deletion):
    """Turns the deletion protection of a kind of resource off in a group of stacks."""

    def __init__(self, session: Session, group: list[Stack], protection: Protection) -> None:
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
