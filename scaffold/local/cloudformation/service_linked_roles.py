"""Service-linked roles under the names that AWS gives them; ministack makes one up, the same for two of ours."""

from __future__ import annotations

from scaffold.local.cloudformation.ministack_bridge import Handler, Response, act, correct, iam_error
from scaffold.local.protocol import Document
from scaffold.service.names import SERVICE_LINKED_ROLES

_TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"%s"},"Action":"sts:AssumeRole"}]}'
)


def install() -> None:
    """Put the roles' real names in front of IAM's action."""
    correct("iam", "CreateServiceLinkedRole", _create)


def _create(parameters: Document, made_up: Handler) -> Response:
    (principal,) = parameters.get("AWSServiceName", [""])
    name = SERVICE_LINKED_ROLES.get(principal)
    if name is None:
        return made_up(parameters)
    role = {
        "RoleName": [name],
        "Path": [f"/aws-service-role/{principal}/"],
        "AssumeRolePolicyDocument": [_TRUST % principal],
    }
    status, headers, body = act("iam", "CreateRole", parameters | role)
    if b"EntityAlreadyExists" in body:
        message = f"Service role name {name} has been taken in this account, please try a different suffix."
        return iam_error("InvalidInput", message)
    return status, headers, body.replace(b"CreateRoleRe", b"CreateServiceLinkedRoleRe")
