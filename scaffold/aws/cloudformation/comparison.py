"""A stack compared with its spec: whether it can be changed to it, and whether it has to be."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.cloudformation.templates import StackSpec, parse
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.service import names
from scaffold.service.stack_kinds import FOUNDATION, StackKind

# Those of the owner, of the deployer and of a release; no file has them.
_NOT_IN_FILES = {names.PROTECT_LOAD_BALANCER, names.ROOT_COMMIT, names.SOURCE_COMMIT, names.TEMPLATE_DIGEST}


@dataclass(frozen=True)
class Difference:
    """Where a stack differs from its spec.

    Attributes:
        kind: `resource`, `parameter` or `tag`; `template` for another part of the template.
        name: Which one; empty for `template`.
        deployed: The value in AWS; None where there is none, and for parts of a template.
        committed: The value of the spec; None as for `deployed`.
    """

    kind: str
    name: str
    deployed: str | None = None
    committed: str | None = None


def check_usable(spec: StackSpec, stack: Stack) -> None:
    """Refuse a stack of another owner, or one that CloudFormation cannot update.

    Raises:
        ScaffoldError: It belongs to another service, or only the user can resolve the state it is in.
    """
    owner, wanted = stack.tags.get(names.TAG_SERVICE), spec.tags.get(names.TAG_SERVICE)
    in_review = owner is None and stack.status == "REVIEW_IN_PROGRESS"
    if owner != wanted and not in_review:
        raise foreign(stack, wanted)
    if stack.status == "UPDATE_ROLLBACK_FAILED":
        raise ScaffoldError(
            f"The stack {spec.name} is {stack.status}: an update failed, and so did its rollback.",
            "Run `scaffold repair`, which shows why and continues the rollback, then `scaffold deploy` again.",
        )
    if stack.status == "DELETE_FAILED":
        raise unfinished_deletion(stack, spec.kind)


def foreign(stack: Stack, app: str | None) -> ScaffoldError:
    """The error for a stack that has a name of the service, and another owner."""
    owner = stack.tags.get(names.TAG_SERVICE)
    return ScaffoldError(
        f"A stack named {stack.name} exists that is not this service's"
        + (f": it belongs to {owner}." if owner else f": it lacks the tag {names.TAG_SERVICE}={app}."),
        "Give this service another name (`scaffold new`), or deploy it to another account.",
    )


def unplannable(stack: Stack) -> ScaffoldError:
    """The error for a plan of a stack on which an operation is in progress."""
    return ScaffoldError(
        f"The stack {stack.name} is busy ({stack.status}), so its changes cannot be planned.",
        "Run the same command again when the operation has ended, or `scaffold deploy`, which waits for it.",
    )


def unfinished_deletion(stack: Stack, kind: StackKind) -> ScaffoldError:
    """The error for a stack whose deletion did not finish."""
    # What the foundation retains would prevent its creation; only `scaffold destroy` deletes that too.
    foundation = "Finish the deletion with `scaffold destroy`, then run `scaffold deploy` again."
    return ScaffoldError(
        f"The stack {stack.name} is {stack.status}: its deletion was started and did not finish.",
        foundation if kind is FOUNDATION else "Run `scaffold repair`, which finishes it, then `scaffold deploy` again.",
    )


def up_to_date(session: Session, spec: StackSpec, stack: Stack, template: Callable[[Stack], Any] | None = None) -> bool:
    """Whether a stack's parameters, tags, template and stack policy are those of its spec.

    Template and stack policy are read only where the stack's parameters have no digest of them.

    Args:
        template: Reads the template, by default with `template_of`.
    """
    known = stack.parameters.get(names.TEMPLATE_DIGEST, names.UNKNOWN_DIGEST) != names.UNKNOWN_DIGEST
    wanted = spec.parameters
    if not known and names.TEMPLATE_DIGEST in wanted:
        wanted[names.TEMPLATE_DIGEST] = names.UNKNOWN_DIGEST
    if stack.tags != spec.tags or not _same_parameters(wanted, stack.parameters):
        return False
    if known:
        return True
    deployed = template(stack) if template else template_of(session, stack)
    return _same_template(deployed, spec) and not policy_differs(session, spec, stack)


def template_of(session: Session, stack: Stack) -> Any:
    """The template of a stack as it was deployed: its text, or the mapping that botocore makes of a JSON template."""
    client = session.in_region(stack.region).client("cloudformation")
    return client.get_template(StackName=stack.id, TemplateStage="Original")["TemplateBody"]


def differences(spec: StackSpec, stack: Stack, deployed: Any) -> tuple[Difference, ...]:
    """Where a stack differs from its spec. Parameters that a release gives their values are not compared.

    Args:
        deployed: What `template_of` returns.
    """
    ignored = _NOT_IN_FILES | spec.released
    parameters = _different("parameter", stack.parameters, spec.parameters, ignored)
    tags = _different("tag", {key: one for key, one in stack.tags.items() if not key.startswith("aws:")}, spec.tags)
    return (*_template_differences(deployed, spec), *parameters, *tags)


def policy_differs(session: Session, spec: StackSpec, stack: Stack) -> bool:
    """Whether the stack policy differs from the spec's. A spec without a stack policy accepts any."""
    if spec.policy is None:
        return False
    text = session.client("cloudformation").get_stack_policy(StackName=stack.id).get("StackPolicyBody")
    return not text or json.loads(text) != spec.policy


def _same_parameters(wanted: dict[str, str], deployed: dict[str, str]) -> bool:
    # Every release sets the commit, so that it alone is no reason for an update.
    return not _different("parameter", deployed, wanted, {names.SOURCE_COMMIT})


def _different(
    kind: str, deployed: dict[str, str], wanted: dict[str, str], ignored: Collection[str] = ()
) -> list[Difference]:
    names = sorted((deployed.keys() | wanted.keys()) - set(ignored))
    found = [Difference(kind, name, deployed.get(name), wanted.get(name)) for name in names]
    return [one for one in found if one.deployed != one.committed and not _hidden(one)]


def _hidden(one: Difference) -> bool:
    """Whether CloudFormation hides the value: it shows that of a NoEcho parameter as asterisks."""
    return None not in (one.deployed, one.committed) and set(str(one.deployed)) == {"*"}


def _same_template(deployed: Any, spec: StackSpec) -> bool:
    if isinstance(deployed, dict):
        return deployed == spec.parsed
    # CloudFormation returns a question mark for every character outside ASCII.
    wanted = _normal(spec.body)
    return _normal(deployed) in (wanted, _ascii(wanted))


def _template_differences(deployed: Any, spec: StackSpec) -> list[Difference]:
    if _same_template(deployed, spec):
        return []
    text = _ascii(deployed) if isinstance(deployed, str) else deployed
    before, after = _resources(parse(text)), _resources(parse(_ascii(spec.body)))
    found = [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]
    return [Difference("resource", key) for key in found] or [Difference("template", "")]


def _resources(template: dict[str, Any]) -> dict[str, Any]:
    declared = template.get("Resources")
    return declared if isinstance(declared, dict) else {}


def _normal(text: str) -> str:
    return text.replace("\r\n", "\n").rstrip("\n")


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()
