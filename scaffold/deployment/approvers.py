"""The roles that may approve releases, as the deployed foundation has them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.errors import suppress_code
from scaffold.aws.session import Session, assume
from scaffold.core.errors import ScaffoldError
from scaffold.service import names
from scaffold.service.service import Service
from scaffold.service.stack_kinds import FOUNDATION, StackId

_ROLE = re.compile(r"arn:[^:]+:(?:sts::[0-9]{12}:assumed-role/([^/]+)/[^/]+|iam::[0-9]{12}:role/(?:.+/)?([^/]+))")


def roles(service: Service, stacks: Mapping[str, Stack]) -> tuple[str, ...]:
    """The names of the roles that may approve; none where every role may that has the policy.

    Args:
        stacks: All stacks by name.
    """
    foundation = stacks.get(StackId(FOUNDATION).name(service.app_name))
    patterns = (foundation.parameters.get(names.APPROVERS, "") if foundation else "").split(",")
    return tuple(dict.fromkeys(one.rpartition("/")[2] for one in patterns if ":role/" in one))


def check_caller(service: Service, caller: str, stacks: Mapping[str, Stack]) -> None:
    """Refuse a decision that AWS would deny, or that the pipeline would not accept.

    Args:
        caller: The caller's ARN.

    Raises:
        ScaffoldError: The caller has none of the roles.
    """
    allowed, role = roles(service, stacks), _ROLE.fullmatch(caller)
    if allowed and not (role and (role[1] or role[2]) in allowed):
        raise ScaffoldError(
            f"{caller} may not decide about releases of {service.app_name}: only the roles {', '.join(allowed)} may.",
            "Run the same command with credentials of one of them (`--profile NAME`), or ask someone who has it.",
        )


def rehearsing(service: Service, session: Session, stacks: Mapping[str, Stack]) -> Session:
    """The session that approves in a rehearsal: of the first of the roles, which is created in local AWS, or the
    rehearsal's own where every role may approve.
    """
    allowed = roles(service, stacks)
    if not allowed or not session.target.local:
        return session
    iam, role = session.client("iam"), allowed[0]
    account = {"AWS": f"arn:{session.partition}:iam::{session.account}:root"}
    trust = {"Effect": "Allow", "Principal": account, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    with suppress_code("EntityAlreadyExists", "EntityAlreadyExistsException"):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=document)
    arn = stacks[StackId(FOUNDATION).name(service.app_name)].outputs["ApproverArn"]
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    role_arn = iam.get_role(RoleName=role)["Role"]["Arn"]
    return assume(session, role_arn, "rehearsal")
