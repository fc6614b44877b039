"""CloudFormation's role: each resource of a stack is created, updated and deleted with the role's permissions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from scaffold.local import ministack_bridge
from scaffold.local.cloudformation.identity import InlinePolicy
from scaffold.local.cloudformation.requests import find_stack
from scaffold.local.cloudformation.resource_types import call_ministack, handler_failure
from scaffold.local.cloudformation.runtime import ScalableTarget, ScalingPolicy, target_of
from scaffold.local.ministack_bridge import Provisioning
from scaffold.local.permissions.guard import Denied, Guard
from scaffold.local.permissions.provisioning.change import Change
from scaffold.local.permissions.provisioning.replacements import replaces
from scaffold.local.permissions.provisioning.table import CALLS, needs_of_change
from scaffold.local.permissions.resource_tags import ResourceTags
from scaffold.local.protocol import ACCOUNT, Document, ServiceError
from scaffold.local.services.autoscaling import ApplicationAutoScaling

#: The name of the session in which CloudFormation assumes a role.
_SESSION = "AWSCloudFormation"
_LONGEST_NAMES = {
    "AWS::ElasticLoadBalancingV2::LoadBalancer": 32,
    "AWS::ElasticLoadBalancingV2::TargetGroup": 32,
    "AWS::IAM::Role": 64,
}


class StackRoles:
    """Lets the resources of stacks change only with the permissions of the stacks' roles.

    Args:
        role_of: The role of a stack by its id; empty where it has none.
        tags: The tags of resources. Those of resources whose services keep none here are kept in it.
    """

    def __init__(
        self, guard: Guard, role_of: Callable[[str], str], tags: ResourceTags, autoscaling: ApplicationAutoScaling
    ) -> None:
        self._guard = guard
        self._role_of = role_of
        self._tags = tags
        self._autoscaling = autoscaling
        # By region, stack and logical id. Of what has failed, ministack sends back updates in place only.
        self._denied: dict[tuple[str, str, str], tuple[Document, Document]] = {}

    def install(self) -> None:
        """Monkeypatch the check into ministack's CloudFormation."""
        ministack_bridge.wrap_provisioning(self._provision)

    def _provision(self, given: Provisioning, original: Callable[[], Any]) -> Any:
        """Create, update or delete a resource, after the check.

        Raises:
            ValueError: The role lacks a permission. The text is the reason in the stack's events.
        """
        if given.old is not None and given.new is not None and replaces(given.type, given.old, given.new):
            given = replace(given, identifier="", old=None)
        name = ministack_bridge.generated_name(given.stack, given.logical_id, _LONGEST_NAMES.get(given.type, 128))
        change = Change(given.type, ministack_bridge.get_region(), name, given.identifier, given.old, given.new)
        # The handlers of RDS make it so, in lower case.
        change = replace(change, snapshot=f"{given.stack}-snapshot-{given.logical_id}".lower())
        change = self._with_arn(change)
        stack = find_stack(given.stack) or {}
        keeps = _keeps_no_tags(given.type)
        if keeps:
            change = self._with_tags(change, stack)
        resource = change.region, given.stack, given.logical_id
        if given.old is not None and given.new is not None:
            if self._denied.pop(resource, None) == (given.new, given.old):
                return given.identifier, {}  # The rollback of an update that was denied.
            if change.old == change.new:
                return original()
        if role := self._role_of(stack.get("StackId", "")):
            try:
                self._guard.require_all(role, _SESSION, change.region, lambda: needs_of_change(change))
            except Denied as error:
                if given.old is not None and given.new is not None:
                    self._denied[resource] = (given.old, given.new)
                raise handler_failure(str(error), "AccessDenied") from error
        made = original()
        if keeps and given.new is None:
            self._tags.keep(CALLS[change.type].arn_of(change), {})
        elif keeps:
            created = self._with_arn(replace(change, identifier=made[0]))
            self._tags.keep(CALLS[change.type].arn_of(created), change.tags_after)
        return made

    def _with_arn(self, change: Change) -> Change:
        """The change with the ARN, for the types whose physical ids and properties do not tell it."""
        arn = ""
        if change.type == ScalingPolicy.name:
            arn = self._autoscaling.target_arn(change.region, target_of(change.properties))
        elif change.type == ScalableTarget.name and change.identifier:
            arn = self._autoscaling.target_arn(change.region, target_of({"ScalingTargetId": change.identifier}))
        elif change.type == "AWS::EC2::EIP" and change.identifier:
            for address in call_ministack("ec2", "DescribeAddresses", {}).get("addressesSet", []):
                if address["publicIp"] == change.identifier:
                    arn = f"arn:aws:ec2:{change.region}:{ACCOUNT}:elastic-ip/{address['allocationId']}"
        elif change.type == InlinePolicy.name and len(change.properties.get("Roles") or []) == 1:
            return _with_role(change)
        return replace(change, arn=arn) if arn else change

    def _with_tags(self, change: Change, stack: Document) -> Change:
        """The change with the tags of the stack, which ministack does not pass on to the type."""
        old, new = change.old, change.new
        if old is not None:
            kept = self._tags.kept(CALLS[change.type].arn_of(change))
            old = {**old, "Tags": [{"Key": key, "Value": value} for key, value in kept.items()]}
        if new is not None:
            tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags") or []} | replace(change, new=new).tags_after
            new = {**new, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        return replace(change, old=old, new=new)


def _with_role(change: Change) -> Change:
    """The change of an inline policy with ARN and permissions boundary of its role."""
    (name,) = change.properties["Roles"]
    try:
        role = call_ministack("iam", "GetRole", {"RoleName": name})["GetRoleResult"]["Role"]
    except ServiceError:
        return change  # The creation of the policy says that there is no such role.
    boundary = {"PermissionsBoundary": (role.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn", "")}
    old = None if change.old is None else change.old | boundary
    new = None if change.new is None else change.new | boundary
    return replace(change, arn=role["Arn"], old=old, new=new)


def _keeps_no_tags(kind: str) -> bool:
    """Whether resources of a type have tags in AWS that ministack's CloudFormation does not pass on."""
    return kind in CALLS and bool(CALLS[kind].tagging.add) and not ministack_bridge.tag_property(kind)
