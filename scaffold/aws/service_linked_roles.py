"""The roles that AWS services use on their own behalf, which an empty account lacks."""

from __future__ import annotations

from botocore.exceptions import ClientError

from scaffold.aws.errors import code_of, message_of
from scaffold.aws.session import Account
from scaffold.service.names import SERVICE_LINKED_ROLES

_PATH = "/aws-service-role/"


def missing(account: Account) -> dict[str, str]:
    """The roles that the account lacks: service principal → role name.

    Args:
        account: The account.
    """
    # One listing in place of a question for each role; an account has a few dozen of them.
    pages = account.client("iam").get_paginator("list_roles")
    listing = pages.paginate(PathPrefix=_PATH, PaginationConfig={"PageSize": 1000})
    # The path names the principal, whatever AWS calls the role.
    present = {role["Path"] for page in listing for role in page["Roles"]}
    return {
        principal: role for principal, role in SERVICE_LINKED_ROLES.items() if f"{_PATH}{principal}/" not in present
    }


def create(account: Account, principal: str) -> None:
    """Create one of the roles; that somebody else has created it meanwhile is as good.

    Args:
        account: The account.
        principal: The service principal that will use the role.
    """
    try:
        account.client("iam").create_service_linked_role(AWSServiceName=principal)
    except ClientError as error:
        taken = code_of(error) in {"InvalidInput", "EntityAlreadyExists"} and "taken" in message_of(error)
        if not taken and code_of(error) != "EntityAlreadyExists":
            raise
