"""Calls of the AWS CLI for the plan of a release and its check."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import Any

CALL_SECONDS = 120


class Problem(Exception):
    """Why a release goes no further; the message says what happened and, after a semicolon, what to do."""


class Refused(Problem):
    """AWS refused a call."""

    def __init__(self, code: str, message: str) -> None:
        first = "run `scaffold deploy`, which updates the permissions" if "AccessDenied" in code else "fix this"
        super().__init__(f"{message}; {first}, then retry the stage")
        self.code = code
        self.message = message


def start_command(pipeline: str) -> str:
    """The command that releases the newest commit again, with a new plan."""
    region = os.environ.get("AWS_REGION")
    return f"aws codepipeline start-pipeline-execution --name {pipeline}" + (f" --region {region}" if region else "")


def call(service: str, operation: str, **request: Any) -> dict[str, Any]:
    """Make a call and return the first page of its answer.

    Args:
        request: The input as the API's reference names it.

    Raises:
        Refused: AWS returned an error.
        Problem: The answer could not be read.
    """
    command = ["aws", service, operation, "--cli-input-json", json.dumps(request), "--no-paginate", "--output", "json"]
    environment = {"AWS_MAX_ATTEMPTS": "8", "AWS_RETRY_MODE": "standard", **os.environ, "AWS_PAGER": ""}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=CALL_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise Problem("the AWS CLI is not installed; install it") from error
    except subprocess.TimeoutExpired as error:
        raise Problem(f"`aws {service} {operation}` timed out after {CALL_SECONDS} s; retry the stage") from error
    if done.returncode:
        message = " ".join(done.stderr.split()).rstrip(".") or f"`aws {service} {operation}` failed"
        code = re.search(r"An error occurred \((\w+)\)", message)
        raise Refused(code.group(1) if code else "", message)
    if not done.stdout.strip():
        return {}
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        raise Problem(f"`aws {service} {operation}` returned no JSON; retry the stage") from error
    if not isinstance(answer, dict):
        raise Problem(f"`aws {service} {operation}` returned no JSON object; retry the stage")
    return answer
