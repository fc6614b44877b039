"""Jobs for executors."""

from __future__ import annotations

import threading
from typing import Any

from scaffold.engine.pipeline.jobs import Assignment, Job, Location, Progress


def job(configuration: dict[str, str], ended: threading.Event | None = None, **more: Any) -> tuple[Job, list[Progress]]:
    declared = {"name": "Build", "actionTypeId": {}} | more.pop("declaration", {})
    given = {"inputs": {"Source": Location("bucket", "key")}, "commits": {"Source": "abc"}} | more
    assignment = Assignment("1", "shop", "us-east-1", "2", "Build", declared, configuration, **given)
    reports: list[Progress] = []
    return Job(assignment, ended or threading.Event(), reports.append), reports
