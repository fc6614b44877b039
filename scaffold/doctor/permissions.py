"""Whether the caller may do what `scaffold deploy` does, by IAM's simulation of the policies in docs/."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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

# `scaffold deploy` works without them, as docs/permissions.md says of the statement `Look`.
_OPTIONAL = {
    "cloudformation:DescribeEvents",
    "ec2:DescribeAddresses",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "servicequotas:GetAWSDefaultServiceQuota",
    "servicequotas:GetServiceQuota",
}
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
        return _finding(session, decisions)
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
            # Actions with wildcards cannot be simulated; they only read.
            actions = [action for action in as_list(statement["Action"]) if "*" not in action]
            if statement["Effect"] == "Allow" and actions:
                resources = [_example(one, service) for one in as_list(statement["Resource"])]
                yield Question(actions, resources, _context(statement.get("Condition", {})))


def _example(pattern: str, service: Service) -> str:
    """A resource that a pattern of the policies is for."""
    if pattern == "*":
        return pattern
    first = pattern.replace(f"{service.app_name}-*-", f"{service.app_name}-{service.environments[0]}-")
    return first.replace("????s", "tests").replace("*", "example")


def _context(conditions: Mapping[str, Mapping[str, Any]]) -> dict[str, str | list[str]]:
    """Values with which a request meets a statement's conditions."""
    found: dict[str, str | list[str]] = {}
    for operator, keys in conditions.items():
        for key, value in keys.items():
            first = str(as_list(value)[0]).replace("*", "example")
            found[key] = [first] if operator.startswith("ForAnyValue:") else first
    return found


def _finding(session: Session, decisions: list[Decision]) -> Finding:
    denied = {one.action for one in decisions if not one.allowed and not one.open}
    left_open = [one.action for one in decisions if one.open]
    # Only an account that lacks the roles needs the permission.
    if _LINKED_ROLE in denied and not service_linked_roles.missing(session):
        denied -= {_LINKED_ROLE}
    needed, useful = sorted(denied - _OPTIONAL), sorted(denied & _OPTIONAL)
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
