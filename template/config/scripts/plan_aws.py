"""Calls of AWS for the plan of a release and its check."""

from __future__ import annotations

import json
import os
from typing import Any

from aws_cli import Problem, again, output


def start_command(pipeline: str) -> str:
    """The command that releases the newest commit again, with a new plan."""
    region = os.environ.get("AWS_REGION")
    return f"aws codepipeline start-pipeline-execution --name {pipeline}" + (f" --region {region}" if region else "")


def retry_or_release(pipeline: str, environment: str) -> str:
    """The command that repeats the stage of an environment once the cause of its failure is gone."""
    if os.environ.get("ON_FAILURE") == "ROLLBACK":
        return f"release again with `{start_command(pipeline)}`"
    return f"run `scaffold retry {environment[:1].upper()}{environment[1:]}`"


def call(service: str, operation: str, **request: Any) -> dict[str, Any]:
    """Make a call and return the first page of its answer.

    Args:
        request: The input as the API's reference names it.

    Raises:
        Refused: AWS returned an error.
        Problem: The answer could not be read.
    """
    answered = output(service, operation, "--cli-input-json", json.dumps(request), "--no-paginate")
    if not answered.strip():
        return {}
    try:
        answer = json.loads(answered)
    except ValueError as error:
        raise Problem(f"`aws {service} {operation}` returned no JSON; {again()}") from error
    if not isinstance(answer, dict):
        raise Problem(f"`aws {service} {operation}` returned no JSON object; {again()}")
    return answer
