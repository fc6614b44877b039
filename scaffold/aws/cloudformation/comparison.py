"""A stack compared with its spec: whether it can be changed to it, and whether it has to be."""

from __future__ import annotations

import json

from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.cloudformation.templates import StackSpec
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.service import names
from scaffold.service.stack_kinds import FOUNDATION, StackKind


def check_usable(spec: StackSpec, stack: Stack) -> None:
    """Refuse a stack of another owner, or one that CloudFormation cannot update.

    Raises:
        ScaffoldError: It belongs to another service, or only the user can resolve the state it is in.
    """
    owner, wanted = stack.tags.get(names.TAG_SERVICE), spec.tags.get(names.TAG_SERVICE)
    in_review = owner is None and stack.status == "REVIEW_IN_PROGRESS"
    if owner != wanted and not in_review:
        raise ScaffoldError(
            f"A stack named {spec.name} exists that is not this service's"
            + (f": it belongs to {owner}." if owner else f": it lacks the tag {names.TAG_SERVICE}={wanted}."),
            "Give this service another name (`scaffold new`), or deploy it to another account.",
        )
    if stack.status == "UPDATE_ROLLBACK_FAILED":
        raise ScaffoldError(
            f"The stack {spec.name} is {stack.status}: an update failed, and so did its rollback.",
            "Run `scaffold repair`, which shows why and continues the rollback, then `scaffold deploy` again.",
        )
    if stack.status == "DELETE_FAILED":
        raise unfinished_deletion(stack, spec.kind)


def unfinished_deletion(stack: Stack, kind: StackKind) -> ScaffoldError:
    """The error for a stack whose deletion did not finish."""
    # What the foundation retains would prevent its creation; only `scaffold destroy` deletes that too.
    foundation = "Finish the deletion with `scaffold destroy`, then run `scaffold deploy` again."
    return ScaffoldError(
        f"The stack {stack.name} is {stack.status}: its deletion was started and did not finish.",
        foundation if kind is FOUNDATION else "Run `scaffold repair`, which finishes it, then `scaffold deploy` again.",
    )


def up_to_date(session: Session, spec: StackSpec, stack: Stack) -> bool:
    """Whether a stack's parameters, tags, template and stack policy are those of its spec.

    Template and stack policy are read only where the stack's parameters have no digest of them.
    """
    known = stack.parameters.get(names.TEMPLATE_DIGEST, names.UNKNOWN_DIGEST) != names.UNKNOWN_DIGEST
    wanted = spec.parameters
    if not known and names.TEMPLATE_DIGEST in wanted:
        wanted[names.TEMPLATE_DIGEST] = names.UNKNOWN_DIGEST
    if stack.tags != spec.tags or not _same_parameters(wanted, stack.parameters):
        return False
    if known:
        return True
    body = session.client("cloudformation").get_template(StackName=stack.id, TemplateStage="Original")["TemplateBody"]
    # CloudFormation returns a question mark for every character outside ASCII.
    same = body == spec.parsed if isinstance(body, dict) else body in (spec.body, _ascii(spec.body))
    return same and not policy_differs(session, spec, stack)


def policy_differs(session: Session, spec: StackSpec, stack: Stack) -> bool:
    """Whether the stack policy differs from the spec's. A spec without a stack policy accepts any."""
    if spec.policy is None:
        return False
    text = session.client("cloudformation").get_stack_policy(StackName=stack.id).get("StackPolicyBody")
    return not text or json.loads(text) != spec.policy


def _same_parameters(wanted: dict[str, str], deployed: dict[str, str]) -> bool:
    # CloudFormation shows the value of a NoEcho parameter as asterisks.
    return wanted.keys() == deployed.keys() and all(
        deployed[key] == value or set(deployed[key]) == {"*"} for key, value in wanted.items()
    )


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()
