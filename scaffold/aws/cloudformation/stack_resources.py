"""The resources of a stack by their type."""

from __future__ import annotations

from scaffold.aws.session import Session


def physical_ids(session: Session, stack: str, resource_type: str) -> list[str]:
    """The physical ids of a stack's resources of a type; arguments as for `by_logical_id`."""
    return list(by_logical_id(session, stack, resource_type).values())


def by_logical_id(session: Session, stack: str, resource_type: str) -> dict[str, str]:
    """The physical ids of a stack's resources of a type by their names in the template.

    A resource whose creation has failed, or that is deleted, may have none.

    Args:
        stack: Name or id.
        resource_type: Such as `AWS::RDS::DBCluster`.
    """
    pages = session.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    resources = (one for page in pages for one in page["StackResourceSummaries"])
    found = {
        one["LogicalResourceId"]: one.get("PhysicalResourceId")
        for one in resources
        if one["ResourceType"] == resource_type
    }
    return {name: identifier for name, identifier in found.items() if identifier}
