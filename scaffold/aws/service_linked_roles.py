"""Service-linked roles, which an account lacks until its first use of the service."""

from __future__ import annotations

from botocore.exceptions import ClientError

from scaffold.aws.errors import says_role_exists
from scaffold.aws.session import Session
from scaffold.service.names import DATABASE_LINKED_ROLES, SERVICE_LINKED_ROLES
from scaffold.service.service import Service
from scaffold.service.stack_kinds import DATABASE

_PATH = "/aws-service-role/"


def needed(service: Service) -> dict[str, str]:
    """The roles that the stacks of a service need: service principal → role name."""
    return SERVICE_LINKED_ROLES | (DATABASE_LINKED_ROLES if DATABASE in service.optional_kinds else {})


def missing(session: Session, service: Service) -> dict[str, str]:
    """Those of them that the account lacks."""
    # One listing instead of one call for each role; an account has a few dozen of them.
    pages = session.client("iam").get_paginator("list_roles")
    listing = pages.paginate(PathPrefix=_PATH, PaginationConfig={"PageSize": 1000})
    # The path names the principal, whatever AWS calls the role.
    present = {role["Path"] for page in listing for role in page["Roles"]}
    return {principal: role for principal, role in needed(service).items() if f"{_PATH}{principal}/" not in present}


def create(session: Session, principal: str) -> None:
    """Create the role of a service principal, unless it exists by now."""
    try:
        session.client("iam").create_service_linked_role(AWSServiceName=principal)
    except ClientError as error:
        if not says_role_exists(error):
            raise
