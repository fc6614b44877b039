"""The content of approval rules: which branches they are for, and whose approvals count.

https://docs.aws.amazon.com/codecommit/latest/userguide/how-to-create-template.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from scaffold.iam.policies import matches
from scaffold.local.protocol import Document

_APPROVERS = re.compile(r"CodeCommitApprovers:(?P<account>\d{12}):(?P<name>.+)")
_CALLER = re.compile(r"arn:[\w-]+:(?:iam|sts)::(?P<account>\d{12}):(?:user|federated-user|assumed-role)/(?P<name>.+)")
_ROLE = re.compile(r"arn:[\w-]+:sts::\d{12}:assumed-role/[^/]+")
_ARN = re.compile(r"arn:[\w-]+:(?:iam|sts)::\d{12}:.+")


def is_form_of_member(member: object) -> bool:
    """Whether a text can be a member of an approval pool."""
    return isinstance(member, str) and any(form.fullmatch(member) for form in (_APPROVERS, _ARN))


def applies_to(content: str, destination: str) -> bool:
    """Whether a template creates a rule for pull requests to a branch, which has its full name."""
    wanted = json.loads(content).get("DestinationReferences")
    return not wanted or any(matches(pattern, destination) for pattern in wanted)


def is_satisfied(content: str, approvers: Iterable[str]) -> bool:
    """Whether a rule has the approvals that it needs. Each ARN, with the name of its session, counts once."""
    return all(_has_enough(statement, set(approvers)) for statement in json.loads(content)["Statements"])


def _has_enough(statement: Document, approvers: set[str]) -> bool:
    pool = statement.get("ApprovalPoolMembers")
    counted = [one for one in approvers if not pool or any(is_member(one, member) for member in pool)]
    return len(counted) >= int(statement["NumberOfApprovalsNeeded"])


def is_member(caller: str, member: str) -> bool:
    """Whether a member of an approval pool, which may have wildcards, covers a caller.

    Args:
        caller: The ARN of a user or of a role's session.
    """
    by_name = _APPROVERS.fullmatch(member)
    if by_name is None:
        # A role without a session's name covers all of its sessions.
        return matches(f"{member}/*" if _ROLE.fullmatch(member) else member, caller)
    found = _CALLER.fullmatch(caller)
    return found is not None and found["account"] == by_name["account"] and matches(by_name["name"], found["name"])
