"""Whether the caller may do what `scaffold deploy` does, by IAM's simulation of the policies in docs/."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws import service_linked_roles
from scaffold.aws.errors import PERMISSIONS, denial, message_of, says_denied
from scaffold.aws.session import Session
from scaffold.aws.simulation import Decision, Question, identity_of, simulate
from scaffold.doctor.findings import Finding, failed, not_checked, ok, warning
from scaffold.iam import operator_policies
from scaffold.iam.policies import as_list
from scaffold.service.service import Service
from scaffold.service.stack_kinds import (
    ALARM_TOPIC,
    AUDIT,
    BUDGET,
    BUILD_VPC,
    DATA_ROLE,
    DATABASE,
    DEPLOY_OPTIONS,
    DOMAIN,
    HEALTH_CHECK,
    STACK_KINDS,
)

# `scaffold deploy` works without them, as docs/permissions.md says of the statements `Look` and `Quotas`.
_OPTIONAL = {
    "cloudformation:DescribeEvents",
    "dynamodb:ListTables",
    "ec2:DescribeAddresses",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "elasticloadbalancing:DescribeLoadBalancers",
    "rds:DescribeDBClusters",
    "servicequotas:GetAWSDefaultServiceQuota",
    "servicequotas:GetServiceQuota",
    "wafv2:ListWebACLs",
}
# With an environment in an existing VPC, these are needed.
_OF_EXISTING_VPC = {"ec2:DescribeRouteTables", "ec2:DescribeSubnets", "ec2:DescribeVpcs"}
# Statements that only a service with this kind of stack needs, by the beginning of their Sid.
_OF_OPTIONAL_KIND = {
    "AlarmTopic": {ALARM_TOPIC},
    "AuditTrail": {AUDIT},
    "Budget": {BUDGET},
    "BuildVpc": {BUILD_VPC},
    "Database": {DATABASE},
    "Domain": {DOMAIN},
    "HealthCheck": {HEALTH_CHECK},
    "Optional": {ALARM_TOPIC, DATA_ROLE, DEPLOY_OPTIONS},
}
# How the policies name several kinds of stack.
_LETTERS = re.compile(r"(?<=-)[a-z?]*\?[a-z?]*(?=/)")
_LINKED_ROLE = "iam:CreateServiceLinkedRole"
_SHOWN = 5
_ASK = f"Ask an administrator to attach the policies for `scaffold deploy`: {PERMISSIONS} has them."


def permissions(session: Session, service: Service) -> Finding:
    """The permissions of the caller for a deployment."""
    try:
        identity = identity_of(session)
        if identity is None:
            if session.target.local:
                return not_checked(
                    "Local AWS checks none of your permissions.", "Run it with an account's credentials."
                )
            return not_checked(
                "IAM simulates no permissions of the root user, or of a federated user.",
                "Use a role, such as one of IAM Identity Center.",
            )
        decisions = simulate(session, identity, questions(service, session.account, session.partition))
        return _finding(session, service, decisions)
    except ClientError as error:
        if not says_denied(error):
            raise
        action = (denial(message_of(error)) or (f"iam:{error.operation_name}", ""))[0]
        return not_checked(
            f"IAM denies {action}, without which the permissions cannot be simulated.",
            "Allow iam:GetRole and iam:SimulatePrincipalPolicy on your role, or deploy, which names what is denied.",
        )


def questions(service: Service, account: str, partition: str) -> Iterator[Question]:
    """What to ask of the simulation: each statement of the policies, for this service."""
    for policy in operator_policies.DEPLOY:
        for statement in operator_policies.statements(
            policy,
            app=service.app_name,
            region=service.region,
            account=account,
            partition=partition,
        ):
            # Actions with wildcards cannot be simulated.
            actions = [action for action in as_list(statement["Action"]) if "*" not in action]
            if statement["Effect"] == "Allow" and actions and _concerns(service, statement["Sid"]):
                resources = [_example(one, service, account) for one in as_list(statement["Resource"])]
                yield Question(actions, resources, _context(statement.get("Condition", {})))


def _concerns(service: Service, sid: str) -> bool:
    kinds = [kinds for beginning, kinds in _OF_OPTIONAL_KIND.items() if sid.startswith(beginning)]
    return all(one.intersection(service.optional_kinds) for one in kinds)


def _optional(service: Service) -> set[str]:
    """The actions without which `scaffold deploy` works."""
    own = all((service.infrastructure / one / "network.json").is_file() for one in service.environments)
    return _OPTIONAL if own else _OPTIONAL - _OF_EXISTING_VPC


def _example(pattern: str, service: Service, account: str) -> str:
    """A resource that a pattern of the policies is for."""
    if pattern == "*":
        return pattern
    named = pattern.replace(f"{service.app_name}-*-", f"{service.app_name}-{service.environments[0]}-")
    named = _LETTERS.sub(lambda letters: _kind_like(letters[0]), named)
    return named.replace(":*:", f":{account}:").replace("*", "example").replace("?", "0")


def _kind_like(pattern: str) -> str:
    """A kind of stack whose name has these letters."""
    return next((kind.name for kind in STACK_KINDS if fnmatchcase(kind.name, pattern)), pattern)


def _context(conditions: Mapping[str, Mapping[str, Any]]) -> dict[str, str | list[str]]:
    """Values with which a request meets a statement's conditions."""
    found: dict[str, str | list[str]] = {}
    for operator, keys in conditions.items():
        for key, value in keys.items():
            first = str(as_list(value)[0]).replace("*", "example")
            found[key] = [first] if operator.startswith("ForAnyValue:") else first
    return found


def _finding(session: Session, service: Service, decisions: list[Decision]) -> Finding:
    optional = _optional(service)
    denied = {one.action for one in decisions if not one.allowed and not one.open}
    left_open = [one.action for one in decisions if one.open]
    # Only an account that lacks the roles needs the permission.
    if _LINKED_ROLE in denied and not service_linked_roles.missing(session, service):
        denied -= {_LINKED_ROLE}
    needed, useful = sorted(denied - optional), sorted(denied & optional)
    if needed:
        return failed(f"IAM's simulation denies {_listed(needed)}.", _ASK)
    if useful:
        return warning(f"IAM's simulation denies {_listed(useful)}, which only warnings and explanations need.", _ASK)
    if left_open:
        return not_checked(
            f"Whether {_listed(left_open)} {'is' if len(left_open) == 1 else 'are'} allowed depends on conditions that "
            "the simulation cannot know."
        )
    return ok(f"IAM's simulation allows the {len(decisions)} actions of `scaffold deploy`.")


def _listed(actions: list[str]) -> str:
    more = len(actions) - _SHOWN
    return ", ".join(actions[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
