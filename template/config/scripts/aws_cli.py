"""Calls of the AWS CLI for all checks of a release."""

from __future__ import annotations

import os
import re
import subprocess

from remedies import again

CALL_SECONDS = 120


class Problem(Exception):
    """Why a release goes no further; the message says what happened and, after a semicolon, what to do."""


class Refused(Problem):
    """AWS returned an error.

    Attributes:
        code: Its code; empty if it has none.
    """

    def __init__(self, message: str) -> None:
        first = "run `scaffold deploy`, which updates the permissions" if "AccessDenied" in message else "fix this"
        super().__init__(f"{message}; {first}, then {again()}")
        code = re.search(r"An error occurred \((\w+)\)", message)
        self.code = code.group(1) if code else ""
        self.message = message


class Denied(Refused):
    """The role of this build may not make the call."""


def output(service: str, operation: str, *options: str, attempts: int = 8) -> str:
    """The output of a call, in JSON.

    Args:
        attempts: How often the AWS CLI makes a call that is throttled or fails.

    Raises:
        Refused: AWS returned an error; Denied where the permission is missing.
        Problem: The AWS CLI did not run, or did not end in time.
    """
    command = ["aws", service, operation, *options, "--output", "json"]
    environment = {"AWS_MAX_ATTEMPTS": str(attempts), "AWS_RETRY_MODE": "standard", **os.environ, "AWS_PAGER": ""}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=CALL_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise Problem("the AWS CLI is not installed; install it") from error
    except subprocess.TimeoutExpired as error:
        raise Problem(f"`aws {service} {operation}` timed out after {CALL_SECONDS} s; {again()}") from error
    if done.returncode:
        message = " ".join(done.stderr.split()).rstrip(".") or f"`aws {service} {operation}` failed"
        raise (Denied if "AccessDenied" in message else Refused)(message)
    return done.stdout
