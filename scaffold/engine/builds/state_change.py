"""The event that CodeBuild sends to EventBridge when a build starts or ends.

https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications.html
"""

from __future__ import annotations

import time
from typing import Any

from scaffold.engine.events import Event

Document = dict[str, Any]
_SOURCE = ("type", "location", "buildspec")


def state_change(build: Document, region: str, now: float) -> Event:
    """The event of a build in the form of BatchGetBuilds."""
    logs = build["logs"]
    detail = {
        "build-status": build["buildStatus"],
        "project-name": build["projectName"],
        "build-id": build["arn"],
        "current-phase": build["currentPhase"],
        "current-phase-context": "[]",
        "version": "1",
        "additional-information": {
            "build-complete": build["buildComplete"],
            "build-number": build["buildNumber"],
            "initiator": build["initiator"],
            "environment": _environment(build.get("environment", {})),
            "source": {key: build["source"][key] for key in _SOURCE if key in build["source"]},
            "queued-timeout-in-minutes": build["queuedTimeoutInMinutes"],
            "source-version": build.get("sourceVersion", ""),
            "timeout-in-minutes": build["timeoutInMinutes"],
            "build-start-time": _readable(build["startTime"]),
            "logs": {"group-name": logs.get("groupName"), "stream-name": logs.get("streamName")},
            "phases": [_phase(phase) for phase in build["phases"]],
        },
    }
    return Event("aws.codebuild", "CodeBuild Build State Change", region, detail, (build["arn"],), now)


def _environment(given: Document) -> Document:
    variables = given.get("environmentVariables", [])
    return {
        "image": given.get("image", ""),
        "privileged-mode": given.get("privilegedMode", False),
        "compute-type": given.get("computeType", ""),
        "type": given.get("type", ""),
        "environment-variables": [{"type": "PLAINTEXT", **one} for one in variables],
    }


def _phase(phase: Document) -> Document:
    described: Document = {"phase-type": phase["phaseType"], "start-time": _readable(phase["startTime"])}
    if "endTime" not in phase:
        return described
    contexts = [f"{one['statusCode']}: {one['message']}" for one in phase["contexts"]]
    return described | {
        "end-time": _readable(phase["endTime"]),
        "duration-in-seconds": phase["durationInSeconds"],
        "phase-status": phase["phaseStatus"],
        "phase-context": contexts,
    }


def _readable(seconds: float) -> str:
    """A time as in CodeBuild's events, such as `Sep 1, 2017 4:12:29 PM`."""
    moment = time.gmtime(seconds)
    return time.strftime(f"%b {moment.tm_mday}, %Y {moment.tm_hour % 12 or 12}:%M:%S %p", moment)
