"""Which local AWS a command with `--local` works on, and how later commands reach the same one."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace

from scaffold.core.target import RUNS_VARIABLE, Endpoint, Target, local_endpoint
from scaffold.local import background
from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY
from scaffold.local.environment import inside

_BACKGROUND = 'eval "$(scaffold local env)" && '
# Alone, each works on the account that the user's configuration selects.
_ALONE = re.compile(
    r"(?<!-- )\b(?=scaffold (?:deploy(?! --local)|status|approve|reject|override|rollback|retry|releases|wake|secret|"
    r"logs|open|repair|destroy)\b|aws [a-z])"
)


@dataclass(frozen=True)
class Selected:
    """A local AWS that outlives this command.

    Attributes:
        url: The URL of all its services.
        reach: What comes before a command of this shell, so that it works on this local AWS.
    """

    target: Target
    url: str
    reach: str = ""


def find(region: str) -> Selected | None:
    """The local AWS of this shell, else the one in the background; None where neither runs.

    Args:
        region: The region of every call.

    Raises:
        ScaffoldError: The one in the background cannot be used.
    """
    if inside() and (url := local_endpoint()):
        # Not what all variables say: one of them may lead the calls of a single service elsewhere.
        endpoint = Endpoint(url, ACCESS_KEY, SECRET_KEY, {})
        target = Target(region, endpoint=endpoint, local=True, runs=os.environ.get(RUNS_VARIABLE) == "1")
        return Selected(target, url)
    found = background.find()
    return _in_background(found, region) if found else None


def start(region: str) -> Selected:
    """Start one in the background in which everything runs, unless another process has just started one.

    Raises:
        ScaffoldError: It does not start.
    """
    return _in_background(background.start_in_background(region, 1.0).background, region)


def _in_background(found: background.Background, region: str) -> Selected:
    target = replace(found, region=region).aws.target
    return Selected(target, f"http://{found.endpoint}", _BACKGROUND)


def reaching(remedy: str, reach: str) -> str:
    """A remedy whose commands work on the local AWS that has this `reach`."""
    return _ALONE.sub(lambda _: reach, remedy)
