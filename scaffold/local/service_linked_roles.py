"""Service-linked roles under the names that AWS gives them; ministack makes one up, the same for two of ours."""

from __future__ import annotations

from ministack.services import iam  # type: ignore[import-untyped]

from scaffold.local.protocol import Document
from scaffold.names import SERVICE_LINKED_ROLES


def install() -> None:
    """Put the roles' real names in front of IAM's action."""
    made_up = iam._IAM_HANDLERS["CreateServiceLinkedRole"]

    def create(parameters: Document) -> object:
        principal = iam._p(parameters, "AWSServiceName")
        name = SERVICE_LINKED_ROLES.get(principal)
        if name is None:
            return made_up(parameters)
        if name in iam._roles:
            message = f"Service role name {name} has been taken in this account, please try a different suffix."
            return iam._error(400, "InvalidInput", message, ns="iam")
        answer = iam._create_role(
            {
                **parameters,
                "RoleName": [name],
                "Path": [f"/aws-service-role/{principal}/"],
                "AssumeRolePolicyDocument": [_TRUST % principal],
            }
        )
        return answer[0], answer[1], answer[2].replace(b"CreateRoleRe", b"CreateServiceLinkedRoleRe")

    iam._IAM_HANDLERS["CreateServiceLinkedRole"] = create


_TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"%s"},"Action":"sts:AssumeRole"}]}'
)
