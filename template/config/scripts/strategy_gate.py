#!/usr/bin/env python3
"""Stop a deployment that would lose traffic, or whose traffic an update of a stack could reset.

    APP_NAME=... ENVIRONMENT_NAME=dev PRODUCTION_RULE=arn:... TARGET_GROUP=arn:... strategy_gate.py

ECS sets the weights of the listener rule, and CloudFormation would reset them with an update of the rule: the stack
policy of the environment's stack has to deny that. Deployments that shift traffic use the two target groups in turn.
Rolling ones leave the rule as it is, and ECS may register their tasks in the primary target group while the other one
has the traffic. A service with a domain names the rule for HTTPS, and ECS changes the rule that the service names.
Where it goes from one rule to the other, both have to lead to the same tasks; and no shift may leave behind the rule of
a domain that the answers have given up, as long as its stack exists. With BEFORE, entry_check.py comes first. The gate
fails closed. Exit codes: 0 open, 1 closed by the traffic, 2 usage error, 3 closed because something could not be read,
4 closed by the stack policy, 5 closed by the rule for HTTPS.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import https_rule
from aws_cli import Problem, output
from https_rule import HttpsRule
from remedies import again
from source_files import exists, text

OPEN, CLOSED_BY_TRAFFIC, USAGE_ERROR, CLOSED_UNREAD, CLOSED_BY_POLICY, CLOSED_BY_HTTPS = 0, 1, 2, 3, 4, 5
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


def unprotected(app: str, environment: str, kind: str) -> str:
    """Why the stack policy of a stack closes the gate; empty if it protects the stack's listener rule."""
    stack = f"{app}-{environment}-{kind}"
    found = ask("cloudformation", "get-stack-policy", "--stack-name", stack)
    if isinstance(found, dict) and protects(found.get("StackPolicyBody")):
        return ""
    return (
        f"the stack policy of {stack} does not deny updates of {PROTECTED}; set the StackPolicy of"
        f" infrastructure/{environment}/{kind}.json with `aws cloudformation set-stack-policy`, then {again()}"
    )


def leaves_wrong_rule(rule: str, https: HttpsRule | None, *, domain: bool, shifts: bool) -> str:
    """Why a release closes the gate that takes the service from one rule to the other; empty if it does not.

    Args:
        rule: The production rule on port 80.
        domain: Whether this source gives the environment a domain.
    """
    if https is None or (domain and https.named):
        return ""
    if not domain and shifts:
        first = "release this once with the strategy rolling, then run" if https.named else "run"
        return (
            f"a shift of the traffic would leave the listener rule of {https.stack} with a target group without tasks;"
            f" {first} `scaffold deploy`, which deletes the stack"
        )
    if weights_of(rule) != weights_of(https.arn):
        return (
            f"the listener rule of {https.stack} and that on port 80 lead to different tasks; release a new version"
            " without approve_running and without this change first, which shifts the traffic"
        )
    return ""


def judge(app: str, environment: str, rule: str, group: str) -> int:
    """Look at stack policies, strategy and traffic, and print the result; return the exit code."""
    domain = exists(f"infrastructure/{environment}/domain.json")
    for kind in ("environment", "domain") if domain else ("environment",):
        if why := unprotected(app, environment, kind):
            return refuse(CLOSED_BY_POLICY, why)
    strategy = strategy_of(environment)
    https = https_rule.find(app, environment)
    if why := leaves_wrong_rule(rule, https, domain=domain, shifts=strategy in SHIFTING):
        return refuse(CLOSED_BY_HTTPS, why)
    if strategy in SHIFTING:
        print(f"Strategy gate open: {strategy} shifts the traffic of {environment} itself.")
        return OPEN
    primary = percentage(weights_of(https.arn if https and https.named else rule), group)
    if primary == 100:
        print(f"Strategy gate open: the primary target group of {environment} has all the traffic.")
        return OPEN
    return refuse(
        CLOSED_BY_TRAFFIC,
        f"the primary target group of {environment} has {primary} % of the traffic, and a rolling"
        " deployment needs all of it there; release a new version with the previous deployment strategy, which shifts"
        " the traffic, then change the strategy again",
    )


def refuse(code: int, why: str) -> int:
    """Print why the gate is closed; return the exit code."""
    print(f"Strategy gate closed: {why}.", file=sys.stderr)
    return code


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
        return refuse(CLOSED_UNREAD, str(problem))


if __name__ == "__main__":
    sys.exit(main())
