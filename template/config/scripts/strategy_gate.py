#!/usr/bin/env python3
"""Stop a deployment that would lose traffic, or whose traffic an update of a stack could reset.

    APP_NAME=... ENVIRONMENT_NAME=dev PRODUCTION_RULE=arn:... TARGET_GROUP=arn:... strategy_gate.py

ECS sets the weights of the listener rule, and CloudFormation would reset them with an update of the rule: the stack
policy of the environment's stack has to deny that. Deployments that shift traffic use the two target groups in turn.
Rolling ones leave the rule as it is, and ECS may register their tasks in the primary target group while the other one
has the traffic. With BEFORE, entry_check.py comes first. The gate fails closed. Exit codes: 0 open, 1 closed by the
traffic, 2 usage error, 3 closed because something could not be read, 4 closed by the stack policy.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from aws_cli import Problem, output
from remedies import again
from source_files import text

OPEN, CLOSED_BY_TRAFFIC, USAGE_ERROR, CLOSED_UNREAD, CLOSED_BY_POLICY = 0, 1, 2, 3, 4
PROTECTED = "AWS::ElasticLoadBalancingV2::ListenerRule"
SHIFTING = {"BLUE_GREEN", "CANARY", "LINEAR"}
VARIABLES = ("APP_NAME", "ENVIRONMENT_NAME", "PRODUCTION_RULE", "TARGET_GROUP")


def strategy_of(environment: str) -> str:
    """The deployment strategy that this source gives an environment.

    Raises:
        Problem: It gives none, or with a symbolic link.
    """
    name = f"infrastructure/{environment}/service.json"
    try:
        return str(json.loads(text(name))["Parameters"]["DeploymentStrategy"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Problem(f"{name} has no parameter DeploymentStrategy; add it") from error


def ask(service: str, operation: str, *options: str) -> Any:
    """What AWS returns for a call; None for what is no JSON.

    Raises:
        Problem: It returns an error, or does not answer.
    """
    try:
        return json.loads(output(service, operation, *options) or "{}")
    except ValueError:
        return None


def protects(policy: Any) -> bool:
    """Whether a stack policy denies every update of listener rules.

    Args:
        policy: Its text; None where the stack has none.
    """
    try:
        return any(_denies(statement) for statement in json.loads(policy)["Statement"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _denies(statement: dict[str, Any]) -> bool:
    condition = statement.get("Condition", {"StringEquals": {"ResourceType": PROTECTED}})
    return (
        statement["Effect"] == "Deny"
        and bool({"*", "Update:*"} & set(_listed(statement.get("Action"))))
        and "*" in _listed(statement.get("Resource"))
        and list(condition) == ["StringEquals"]
        and list(condition["StringEquals"]) == ["ResourceType"]
        and PROTECTED in _listed(condition["StringEquals"]["ResourceType"])
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def weights_of(rule: str) -> dict[str, int]:
    """The weights of a listener rule's target groups, by ARN.

    Raises:
        Problem: Elastic Load Balancing does not return them.
    """
    found = ask("elbv2", "describe-rules", "--rule-arns", rule)
    try:
        ((action,),) = [one["Actions"] for one in found["Rules"]]
        # With a single target group, the action may name it without a weight.
        groups = action.get("ForwardConfig", {}).get("TargetGroups") or [{**action, "Weight": 1}]
        return {group["TargetGroupArn"]: int(group["Weight"]) for group in groups}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Problem(f"{rule} forwards to no target group; restore its action, then {again()}") from error


def percentage(weights: dict[str, int], group: str) -> int:
    """The percentage of the traffic that a target group has."""
    total = sum(weights.values())
    return 100 * weights.get(group, 0) // total if total else 0


def judge(app: str, environment: str, rule: str, group: str) -> int:
    """Look at stack policy, strategy and traffic, and print the result; return the exit code."""
    stack = f"{app}-{environment}-environment"
    found = ask("cloudformation", "get-stack-policy", "--stack-name", stack)
    if not (isinstance(found, dict) and protects(found.get("StackPolicyBody"))):
        print(
            f"Strategy gate closed: the stack policy of {stack} does not deny updates of {PROTECTED}; set the"
            f" StackPolicy of infrastructure/{environment}/environment.json with `aws cloudformation set-stack-policy`,"
            f" then {again()}.",
            file=sys.stderr,
        )
        return CLOSED_BY_POLICY
    strategy = strategy_of(environment)
    if strategy in SHIFTING:
        print(f"Strategy gate open: {strategy} shifts the traffic of {environment} itself.")
        return OPEN
    primary = percentage(weights_of(rule), group)
    if primary == 100:
        print(f"Strategy gate open: the primary target group of {environment} has all the traffic.")
        return OPEN
    print(
        f"Strategy gate closed: the primary target group of {environment} has {primary} % of the traffic, and a rolling"
        " deployment needs all of it there; release a new version with the previous deployment strategy, which shifts"
        " the traffic, then change the strategy again.",
        file=sys.stderr,
    )
    return CLOSED_BY_TRAFFIC


def main() -> int:
    given = [os.environ.get(name, "") for name in VARIABLES]
    if not all(given):
        print(f"Set {', '.join(VARIABLES)}.", file=sys.stderr)
        return USAGE_ERROR
    # Without a plan, a check of its own would take another build.
    if os.environ.get("BEFORE"):
        import entry_check  # Half of the start of this script.

        if closed := entry_check.main():
            return closed
    try:
        return judge(*given)
    except Problem as problem:
        print(f"Strategy gate closed: {problem}.", file=sys.stderr)
        return CLOSED_UNREAD


if __name__ == "__main__":
    sys.exit(main())
