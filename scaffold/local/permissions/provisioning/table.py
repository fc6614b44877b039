"""The table: the calls for each resource type of the kit's templates.

From the `handlers` of the types' public schemas (August 2026), without the calls for properties that the templates do
not use. CodeBuild's types have no handlers there: their calls are those of the API to create, read, update and delete.
"""

from __future__ import annotations

from scaffold.local.permissions.needs import Need, NotRehearsed
from scaffold.local.permissions.provisioning import (
    containers,
    data,
    databases,
    delivery,
    firewalls,
    identity,
    load_balancing,
    monitoring,
    names,
    network,
)
from scaffold.local.permissions.provisioning.calls import ResourceCalls
from scaffold.local.permissions.provisioning.change import Change

#: These only wait: nothing is called for them.
_WITHOUT_CALLS = ("AWS::CloudFormation::WaitCondition", "AWS::CloudFormation::WaitConditionHandle")

CALLS: dict[str, ResourceCalls] = {
    **network.CALLS,
    **load_balancing.CALLS,
    **firewalls.CALLS,
    **containers.CALLS,
    **delivery.CALLS,
    **monitoring.CALLS,
    **identity.CALLS,
    **data.CALLS,
    **databases.CALLS,
    **names.CALLS,
}


def needs_of_change(change: Change) -> list[Need]:
    """The permissions that a role of CloudFormation needs to create, update or delete a resource.

    Raises:
        NotRehearsed: They are not known.
    """
    if change.type in _WITHOUT_CALLS:
        return []
    if change.type not in CALLS:
        raise NotRehearsed(f"the permissions of the resource type {change.type}")
    return CALLS[change.type].needs(change)
