#!/usr/bin/env python3
"""Stop a rolling deployment to an environment whose traffic is not on the primary target group.

    ENVIRONMENT_NAME=dev PRODUCTION_RULE=arn:... TARGET_GROUP=arn:... strategy_gate.py

Deployments that shift traffic use the two target groups in turn. Rolling ones leave the listener rule as it is, and ECS
may register their tasks in the primary target group while the other one has the traffic. The gate fails closed. Exit
codes: 0 open, 1 closed by the traffic, 2 usage error, 3 closed because strategy or traffic could not be read.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

OPEN, CLOSED_BY_TRAFFIC, USAGE_ERROR, CLOSED_UNREAD = 0, 1, 2, 3
SHIFTING = {"BLUE_GREEN", "CANARY", "LINEAR"}
CALL_SECONDS = 120
ROOT = Path(__file__).resolve().parents[2]


class Unread(Exception):
    """The strategy or the traffic could not be read; the message says why, and what to do."""


def strategy_of(environment: str) -> str:
    """The deployment strategy that this source gives an environment.

    Raises:
        Unread: It gives none.
    """
    name = f"infrastructure/{environment}/service.json"
    try:
        return str(json.loads((ROOT / name).read_text("utf-8"))["Parameters"]["DeploymentStrategy"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unread(f"{name} has no parameter DeploymentStrategy; add it") from error


def weights_of(rule: str) -> dict[str, int]:
    """The weights of a listener rule's target groups, by ARN.

    Raises:
        Unread: Elastic Load Balancing does not return them.
    """
    command = ["aws", "elbv2", "describe-rules", "--rule-arns", rule, "--output", "json"]
    environment = {"AWS_MAX_ATTEMPTS": "8", "AWS_RETRY_MODE": "standard", **os.environ, "AWS_PAGER": ""}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=CALL_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise Unread("the AWS CLI is not installed; install it") from error
    except subprocess.TimeoutExpired as error:
        raise Unread(f"`aws elbv2 describe-rules` timed out after {CALL_SECONDS} s; retry the stage") from error
    if done.returncode:
        message = " ".join(done.stderr.split()).rstrip(".") or f"exit code {done.returncode}"
        first = "run `scaffold deploy`, which updates the permissions" if "AccessDenied" in message else "fix this"
        raise Unread(f"{message}; {first}, then retry the stage")
    try:
        ((action,),) = [found["Actions"] for found in json.loads(done.stdout)["Rules"]]
        # With a single target group, the action may name it without a weight.
        groups = action.get("ForwardConfig", {}).get("TargetGroups") or [{**action, "Weight": 1}]
        return {group["TargetGroupArn"]: int(group["Weight"]) for group in groups}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unread(f"{rule} forwards to no target group; restore its action, then retry the stage") from error


def percentage(weights: dict[str, int], group: str) -> int:
    """The percentage of the traffic that a target group has."""
    total = sum(weights.values())
    return 100 * weights.get(group, 0) // total if total else 0


def judge(environment: str, rule: str, group: str) -> int:
    """Compare strategy and traffic, and print the result; return the exit code."""
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
    environment, rule, group = (
        os.environ.get(name, "") for name in ("ENVIRONMENT_NAME", "PRODUCTION_RULE", "TARGET_GROUP")
    )
    if not (environment and rule and group):
        print("Set ENVIRONMENT_NAME, PRODUCTION_RULE and TARGET_GROUP.", file=sys.stderr)
        return USAGE_ERROR
    try:
        return judge(environment, rule, group)
    except Unread as unread:
        print(f"Strategy gate closed: {unread}.", file=sys.stderr)
        return CLOSED_UNREAD


if __name__ == "__main__":
    sys.exit(main())
