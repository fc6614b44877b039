"""Gives service-linked roles AWS's names. ministack derives one name for two of the roles that we need."""

from __future__ import annotations

from scaffold.local import ministack_bridge
from scaffold.local.ministack_bridge import Handler, Response
from scaffold.local.protocol import Document
from scaffold.service.names import SERVICE_LINKED_ROLES

_TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"%s"},"Action":"sts:AssumeRole"}]}'
)


def install() -> None:
    """Monkeypatch the names into ministack's IAM."""
    ministack_bridge.wrap_action("iam", "CreateServiceLinkedRole", _create_service_linked_role)


def _create_service_linked_role(parameters: Document, original: Handler) -> Response:
    (principal,) = parameters.get("AWSServiceName", [""])
    name = SERVICE_LINKED_ROLES.get(principal)
    if name is None:
        return original(parameters)
    role = {
        "RoleName": [name],
        "Path": [f"/aws-service-role/{principal}/"],
        "AssumeRolePolicyDocument": [_TRUST % principal],
    }
    status, headers, body = ministack_bridge.call_action("iam", "CreateRole", parameters | role)
    if b"EntityAlreadyExists" in body:
        message = f"Service role name {name} has been taken in this account, please try a different suffix."
        return ministack_bridge.iam_error("InvalidInput", message)
    return status, headers, body.replace(b"CreateRoleRe", b"CreateServiceLinkedRoleRe")
