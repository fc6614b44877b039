"""Calls of AWS with input and answer in JSON, and the remedies of what stops a release."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
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


def pages(service: str, operation: str, **request: Any) -> Iterator[dict[str, Any]]:
    """Make a call, and return the answer page by page, as far as `nextToken` leads.

    Raises:
        Refused: AWS returned an error.
        Problem: An answer could not be read.
    """
    answer = call(service, operation, **request)
    yield answer
    while answer.get("nextToken"):
        answer = call(service, operation, **request, nextToken=answer["nextToken"])
        yield answer
