"""Termination protection in a deployment: turned on where it is missing, lifted from what failed to be created."""

from __future__ import annotations

from scaffold.aws.cloudformation import stacks
from scaffold.aws.cloudformation.stacks import UNFINISHED, Stack
from scaffold.aws.cloudformation.templates import StackSpec
from scaffold.aws.session import Session
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError
from scaffold.core.results import Change

_DEPLOY = "scaffold deploy"


def missing(spec: StackSpec, stack: Stack | None) -> tuple[Change, ...]:
    """The change that turns a stack's protection on; none where it has it or does not need it.

    Args:
        stack: The stack; None for one that is to be created.
    """
    lacks = spec.protected and not (stack and stack.protected)
    return (Change("termination-protection", spec.name, "enable"),) if lacks else ()


def turn_on(session: Session, spec: StackSpec, stack: Stack) -> None:
    """Turn a stack's protection on where it is missing."""
    if missing(spec, stack):
        stacks.set_protection(session, stack, on=True)


def delete_unfinished(session: Session, stack: Stack, console: Console) -> None:
    """Delete a stack whose creation has failed, also where it is protected.

    It is looked at again by its id: a stack that has been created successfully since keeps its protection.

    Args:
        stack: A stack of the service, as it was when its creation was found to have failed.

    Raises:
        ScaffoldError: The stack is being created, exists by now, or could not be deleted.
    """
    current = stacks.find(session, stack.id)
    if current is None:
        return
    if current.status not in UNFINISHED:
        raise ScaffoldError(
            f"The stack {stack.name} was {stack.status}, and is {current.status} now: another person works on it.",
            f"Run `{_DEPLOY}` again, which looks at all stacks again.",
        )
    console.note(f"{stack.name} is {current.status}, left by a failed creation: deleting it first")
    if current.protected:
        stacks.set_protection(session, current, on=False)
    stacks.delete(session, [current], console, again=_DEPLOY)
