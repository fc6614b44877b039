#!/usr/bin/env python3
"""Wait until no alarm of an environment is in ALARM.

    APP_NAME=... ENVIRONMENT_NAME=dev alarm_check.py

It ends the deployment of an environment whose alarms are watched afterwards: the rules that watch them fail at their
first look, also on an alarm that the release has ended and that has not returned to OK yet. The check fails closed.
Exit codes: 0 open, 1 closed by an alarm, 2 usage error, 3 closed because something could not be read.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable

from aws_calls import call
from aws_cli import Problem
from remedies import retry_or_release

OPEN, CLOSED, USAGE_ERROR, CLOSED_UNREAD = 0, 1, 2, 3
VARIABLES = ("APP_NAME", "ENVIRONMENT_NAME")
# Of each environment. A prefix would find those of other services, too.
ALARMS = ("5xx", "latency", "load-balancer-5xx", "memory", "no-healthy-task", "unhealthy")
# An alarm needs up to eight minutes to return to OK.
LOOKS, PAUSE_SECONDS = 40, 15


def ringing(app: str, environment: str) -> list[str]:
    """The alarms of an environment that are in ALARM.

    Raises:
        Problem: CloudWatch does not describe them.
    """
    names = [f"{app}-{environment}-{alarm}" for alarm in ALARMS]
    found = call("cloudwatch", "describe-alarms", AlarmNames=names, StateValue="ALARM").get("MetricAlarms", [])
    return sorted(one["AlarmName"] for one in found)


def still_ringing(app: str, environment: str, looks: int, pause: Callable[[], None]) -> list[str]:
    """As `ringing`, after some time: an alarm that a release has ended needs minutes to return to OK.

    Args:
        looks: How often to look at them, at most.
        pause: Called between two looks.
    """
    found = ringing(app, environment)
    for _ in range(looks - 1):
        if not found:
            break
        print(f"Waiting for alarms of {environment}: {', '.join(found)}.", flush=True)
        pause()
        found = ringing(app, environment)
    return found


def why_ringing(app: str, environment: str, stage: str, looks: int, pause: Callable[[], None]) -> str:
    """Which alarms of an environment stop a stage, and what to do; an empty text if none does.

    Raises:
        Problem: CloudWatch does not describe them.
    """
    if not (alarms := still_ringing(app, environment, looks, pause)):
        return ""
    return (
        f"in ALARM in {environment}: {', '.join(alarms)}; fix the cause and {retry_or_release(app, stage)}, or release"
        " a commit that changes the alarm for this environment in infrastructure/alarms.yaml"
    )


def patience(name: str, description: str) -> tuple[int, Callable[[], None]]:
    """How often the command line tells a check to look at alarms, and the pause between two looks."""
    parser = argparse.ArgumentParser(prog=name, description=description)
    looks = f"looks at alarms before the release is stopped ({LOOKS})"
    parser.add_argument("--looks", type=int, default=LOOKS, help=looks)
    pause = f"seconds between two looks ({PAUSE_SECONDS})"
    parser.add_argument("--pause-seconds", type=float, default=PAUSE_SECONDS, help=pause)
    arguments = parser.parse_args()
    return arguments.looks, lambda: time.sleep(arguments.pause_seconds)


def main() -> int:
    looks, pause = patience("alarm_check.py", (__doc__ or "").splitlines()[0])
    app, environment = (os.environ.get(name, "") for name in VARIABLES)
    if not (app and environment):
        print(f"Set {', '.join(VARIABLES)}.", file=sys.stderr)
        return USAGE_ERROR
    try:
        why = why_ringing(app, environment, environment, looks, pause)
    except Problem as problem:
        print(f"Alarm check closed: {problem}.", file=sys.stderr)
        return CLOSED_UNREAD
    if why:
        print(f"Alarm check closed: {why}.", file=sys.stderr)
        return CLOSED
    print(f"Alarm check open: no alarm of {environment} is in ALARM.")
    return OPEN


if __name__ == "__main__":
    sys.exit(main())
