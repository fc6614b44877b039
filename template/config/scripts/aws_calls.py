"""Calls of AWS with input and answer in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from aws_cli import Problem, output
from remedies import again


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
