"""AWS's Session Manager plugin, which connects a terminal with a session. The AWS CLI starts it in the same way."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from scaffold.core.errors import ScaffoldError

_PROGRAM = "session-manager-plugin"
_MANUAL = (
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html"
)
# In which the plugin takes the session from since version 1.2.498: other users can read arguments of a process.
_VARIABLE = "AWS_SSM_START_SESSION_RESPONSE"
_SINCE = (1, 2, 498)
_SECONDS = 30


def find() -> str:
    """The path of the plugin.

    Raises:
        ScaffoldError: It is not installed, or too old.
    """
    program = shutil.which(_PROGRAM)
    if program is None:
        raise ScaffoldError(
            f"There is no `{_PROGRAM}` on the PATH, which connects the terminal with a task.",
            f"Install AWS's Session Manager plugin, as {_MANUAL} says.",
        )
    try:
        done = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        version = tuple(map(int, re.findall(r"\d+", done.stdout)[:3]))
    except (OSError, subprocess.TimeoutExpired):
        version = ()
    if version < _SINCE:
        raise ScaffoldError(
            f"`{program}` is older than {'.'.join(map(str, _SINCE))}, or does not say its version.",
            "Install the newest version of AWS's Session Manager plugin.",
        )
    return program


def connect(program: str, session: Mapping[str, Any], region: str, target: str, endpoint: str) -> int:
    """Connect the terminal with a session until it ends, and return the exit code.

    Args:
        program: The path of the plugin.
        session: The session, as ECS has returned it.
        target: Where it leads, as Session Manager names it.
        endpoint: The URL of Session Manager.
    """
    words = [program, _VARIABLE, region, "StartSession", "", json.dumps({"Target": target}), endpoint]
    with _left_to_the_plugin():
        code = subprocess.run(words, env={**os.environ, _VARIABLE: json.dumps(dict(session))}, check=False).returncode
    return code if code >= 0 else 128 - code


@contextmanager
def _left_to_the_plugin() -> Iterator[None]:
    """Let Ctrl-C and Ctrl-Z reach the command in the task, and not end this process."""
    # A handler of our own, not SIG_IGN, which the plugin would inherit.
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGQUIT", "SIGTSTP") if hasattr(signal, name)]
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
