"""Gives service-linked roles AWS's names. ministack derives one name for two of the roles that we need."""

from __future__ import annotations

from xml.etree import ElementTree

from scaffold.local import ministack_bridge
from scaffold.local.ministack_bridge import Handler
from scaffold.local.protocol import Document, ServiceError
from scaffold.local.wire import Response, edit_xml
from scaffold.service.names import DATABASE_LINKED_ROLES, SERVICE_LINKED_ROLES

_TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"%s"},"Action":"sts:AssumeRole"}]}'
)


def install() -> None:
    """Monkeypatch the names into ministack's IAM."""
    create_role = ministack_bridge.handler_of("iam", "CreateRole")

    def create_service_linked_role(parameters: Document, original: Handler) -> Response:
        (principal,) = parameters.get("AWSServiceName", [""])
        name = (SERVICE_LINKED_ROLES | DATABASE_LINKED_ROLES).get(principal)
        if name is None:
            return original(parameters)
        if _exists(name):
            message = f"Service role name {name} has been taken in this account, please try a different suffix."
            return ministack_bridge.iam_error("InvalidInput", message)
        role = {
            "RoleName": [name],
            "Path": [f"/aws-service-role/{principal}/"],
            "AssumeRolePolicyDocument": [_TRUST % principal],
        }
        return edit_xml(create_role(parameters | role), _rename)

    ministack_bridge.wrap_action("iam", "CreateServiceLinkedRole", create_service_linked_role)


def _exists(role: str) -> bool:
    try:
        ministack_bridge.call("iam", "GetRole", {"RoleName": role})
    except ServiceError:
        return False
    return True


def _rename(response: ElementTree.Element) -> None:
    """Make a CreateRole response one of CreateServiceLinkedRole."""
    result = response.find("{*}CreateRoleResult")
    if result is None or not response.tag.endswith("}CreateRoleResponse"):
        raise LookupError("ministack's response to CreateRole has no CreateRoleResult")
    for element in (response, result):
        element.tag = element.tag.replace("CreateRole", "CreateServiceLinkedRole")
