"""What CodeBuild publishes about builds.

Names and dimensions are those of "CodeBuild CloudWatch metrics" in its user guide: a build counts when it starts, and
when it has succeeded or failed.
"""

from __future__ import annotations

from collections.abc import Iterator

from scaffold.engine.events import Event
from scaffold.engine.metrics.store import Metric

NAMESPACE = "AWS/CodeBuild"
_COUNTED = {
    "IN_PROGRESS": "Builds",
    "SUCCEEDED": "SucceededBuilds",
    "FAILED": "FailedBuilds",
    "FAULT": "FailedBuilds",
    "TIMED_OUT": "FailedBuilds",
}


def counted(event: Event) -> Iterator[Metric]:
    """The metrics that an event of a build raises by one: those of its project, and of all projects."""
    name = _COUNTED.get(event.detail.get("build-status", "")) if event.source == "aws.codebuild" else None
    if name is not None:
        yield Metric.of(event.region, NAMESPACE, name, {"ProjectName": event.detail["project-name"]})
        yield Metric.of(event.region, NAMESPACE, name, {})
