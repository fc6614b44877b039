"""Stacks of which some may be missing, as CloudFormation describes them."""

from __future__ import annotations

import json
from typing import Any

from aws_cli import Problem, Refused, output


def read(operation: str, stack: str) -> dict[str, Any] | None:
    """What CloudFormation says about a stack; None where there is no such stack.

    Raises:
        Denied: This build may not ask. IAM may say so of a stack that does not exist, since it has no tags.
        Problem: CloudFormation returns another error, or does not answer.
    """
    try:
        answered = output("cloudformation", operation, "--stack-name", stack)
    except Refused as refused:
        if "does not exist" in refused.message:
            return None
        raise
    try:
        return dict(json.loads(answered))
    except (ValueError, TypeError) as error:
        message = f"`aws cloudformation {operation}` returned no description of {stack}; retry the stage"
        raise Problem(message) from error
