"""Whether the foundation's data exists: CloudFormation calls a stack unchanged whose resources are gone."""

from __future__ import annotations

from scaffold.aws.cloudformation.stacks import UNFINISHED, Stack
from scaffold.aws.data import KEY
from scaffold.aws.lost_data import Lost, lost_resources
from scaffold.aws.session import Session
from scaffold.console.titles import physical_title
from scaffold.core.errors import ScaffoldError
from scaffold.service import names

_STATES = {
    "missing": "does not exist any more",
    "unconfigured": f"lacks the tag {names.TAG_SERVICE} and with it the configuration of its template",
    "pending-deletion": "is pending deletion",
    "disabled": "is disabled",
}


def look_for_lost_data(session: Session, stack: Stack | None) -> list[Lost]:
    """What of the foundation's data is gone or unusable; nothing while its stack is being changed or is unfinished."""
    if stack is None or stack.busy or stack.status in UNFINISHED or stack.status == "DELETE_FAILED":
        return []
    return lost_resources(session, stack)


def check_data(session: Session, stack: Stack | None) -> None:
    """Refuse to deploy on a foundation whose data is gone or unusable.

    Raises:
        ScaffoldError: A bucket, an image repository or a key is missing, or the key cannot be used.
    """
    lost = look_for_lost_data(session, stack)
    check_recoverable(lost)
    if lost:
        raise ScaffoldError(
            f"The foundation is incomplete: {_sentence(lost)}.",
            "Run `scaffold repair`, then `scaffold deploy` again.",
        )


def check_recoverable(lost: list[Lost]) -> None:
    """Refuse the loss of a key: no other key has its ARN, which the stacks of the service import.

    Raises:
        ScaffoldError: A key is deleted.
    """
    keys = [one for one in lost if one.type == KEY and one.state == "missing"]
    if keys:
        raise ScaffoldError(
            f"The foundation cannot be repaired: {_sentence(keys)}, and what it encrypted is lost.",
            "Start again with `scaffold destroy`, then `scaffold deploy`; the repository is pushed again.",
        )


def _sentence(lost: list[Lost]) -> str:
    return ", ".join(f"{physical_title(one.type, one.id)} {_STATES[one.state]}" for one in lost)
