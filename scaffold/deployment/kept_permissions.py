"""What the deploy roles of an environment may still do until its next release, which removes what needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from scaffold.aws.cloudformation import comparison, exports, templates
from scaffold.aws.cloudformation.kept_statements import with_kept_policies, with_kept_statements
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.cloudformation.templates import StackSpec
from scaffold.aws.session import Session
from scaffold.deployment.left_stack import LeftStack
from scaffold.deployment.stack_step import ExistingStacks
from scaffold.service import names
from scaffold.service.service import Service
from scaffold.service.stack_kinds import ACCESS_LOGS, DATA, DATABASE, DOMAIN, NETWORK, StackId

#: What is deployed of a role, in place of what its files say.
Adapt = Callable[[StackSpec, Stack], StackSpec]

_NAMES = ("DomainName", "HostedZoneId")
_FLOW_LOGS = "ec2:CreateFlowLogs"


def keeping(
    session: Session, service: Service, environment: str, existing: ExistingStacks, left: Sequence[LeftStack]
) -> Adapt:
    """A function that adds to the options of a deploy role what is deployed of them, while it is needed.

    CloudFormation deletes what a release removes or replaces after the update, tries that three times, and then leaves
    it in the account. What the answers add meanwhile is not withheld, or the release would not pass its preflight.

    Args:
        left: The environment's stacks whose answers were turned off.
    """
    domain, network = (
        existing.stacks.get(StackId(one, environment).name(service.app_name)) for one in (DOMAIN, NETWORK)
    )

    def is_needed(spec: StackSpec) -> bool:
        if any(step.left for step in left) or any(stack.busy for stack in (domain, network) if stack):
            return True
        wanted = {one: spec.given[one] for one in _NAMES if one in spec.given}
        if domain and domain.released and any(domain.parameters.get(one) != wanted[one] for one in wanted):
            return True
        logs = StackId(ACCESS_LOGS).name(service.app_name)
        if not network or _FLOW_LOGS in spec.body or logs not in existing.stacks:
            return False
        return network.name in exports.imports(session, f"{logs}-BucketArn")

    return _keeping(session, existing, is_needed, with_kept_statements)


def keeping_data(
    session: Session, service: Service, environment: str, existing: ExistingStacks, left: Sequence[StackId]
) -> Adapt:
    """A function that adds to the role of an environment's data what is deployed of it, while it is needed.

    A stack of data whose answer was turned off stays until a person deletes it, with the permissions of this role, and
    for that long what the other answers need may change. A queue that is given up takes its alarm with it.

    Args:
        left: The environment's stacks of data whose answers were turned off.
    """
    ids = [StackId(kind, environment) for kind in (DATA, DATABASE)]

    def is_released(one: StackId) -> bool:
        """Whether a stack is as the service's files say, or has nothing yet."""
        stack = existing.stacks.get(one.name(service.app_name))
        if stack is None or not stack.released or not service.has(one):
            return True
        return not stack.busy and not comparison.differences(
            templates.load(service, one), stack, existing.template(stack)
        )

    def is_needed(_: StackSpec) -> bool:
        return bool(left) or not all(map(is_released, ids))

    return _keeping(session, existing, is_needed, with_kept_policies)


def _keeping(
    session: Session,
    existing: ExistingStacks,
    is_needed: Callable[[StackSpec], bool],
    with_kept: Callable[[str, Mapping[str, str], str, Mapping[str, str]], str],
) -> Adapt:
    def keep(spec: StackSpec, stack: Stack) -> StackSpec:
        if comparison.up_to_date(session, spec, stack, existing.template) or not is_needed(spec):
            return spec
        deployed = existing.template(stack)
        if not isinstance(deployed, str):
            return spec
        whole = replace(spec, body=with_kept(spec.body, spec.parameters, deployed, stack.parameters))
        return whole.with_parameter(names.TEMPLATE_DIGEST, whole.digest)

    return keep
