"""The update for a change of environments; what the kit refuses about it is said in the words of `scaffold env`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scaffold.console.console import Console
from scaffold.core.errors import UsageError
from scaffold.kit.refusal import AnswerRefused
from scaffold.update.environments import Change
from scaffold.update.kits import CURRENT
from scaffold.update.recorded import Recorded
from scaffold.update.result import UpdateResult, make

_ENVIRONMENTS, _OVERRIDES = "environments", "environment_overrides"


def make_change(
    recorded: Recorded, change: Change, name: str, *, plan: bool, console: Console
) -> tuple[UpdateResult, Mapping[str, Any]]:
    """Update a service to other environments, or find out what that would do.

    Args:
        name: The environment to add or to remove.
        plan: Write nothing.

    Returns:
        Also the values that the kit computes from the answers.

    Raises:
        ScaffoldError: The service cannot be updated, or the kit refuses the change.
    """
    try:
        without = None if name in change.after else name
        return make(recorded, change.data, CURRENT, plan=plan, console=console, without=without)
    except UsageError as error:
        if own := _refusal(recorded, change, name, error):
            raise own from error
        raise


def _refusal(recorded: Recorded, change: Change, name: str, error: UsageError) -> UsageError | None:
    """The error with a remedy that `scaffold env` has; None where it says nothing about answers."""
    said = f"{error.happened} {error.remedy}"
    question = _question(recorded, error, said)
    if question is None:
        return None
    if change.overrides is not None and ("has no question" in said or "is not asked" in said):
        return error.with_remedy("Leave --set out.")
    own = question == _ENVIRONMENTS or (question == _OVERRIDES and name in said)
    if name not in change.after or not own:
        command = f"scaffold update --to current --data {question}=…"
        return error.with_remedy(f"Change that answer first with `{command}`, and commit.")
    if " overlap" in said or ".vpc_cidr" in said:
        remedy = f"Give {name} another block, for example `--set vpc_cidr=10.64.0.0/16`."
    elif question == _OVERRIDES:
        remedy = "Give other settings, for example `--set cpu=512 --set memory=1024`."
    else:
        remedy = "Give another name, for example `scaffold env add qa`, or remove an environment first."
    reason = error.reason if isinstance(error, AnswerRefused) else error.happened
    # The kit's example is an answer for all environments.
    reason, _, _ = reason.rstrip(".").partition(", for example ")
    reason = reason.replace(f" in {_OVERRIDES}", "").removeprefix(f"{_OVERRIDES}.{name}.")
    return UsageError(f"{name} cannot be added to {recorded.name}: {reason}.", remedy)


def _question(recorded: Recorded, error: UsageError, said: str) -> str | None:
    """The question whose answer is refused. A kit that stops over a recorded answer begins with the question's name."""
    if isinstance(error, AnswerRefused):
        return error.question
    (first, *_) = error.happened.split(maxsplit=1)
    if first in recorded.answers:
        return first
    return _OVERRIDES if _OVERRIDES in said else None
