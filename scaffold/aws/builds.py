"""Builds of CodeBuild, and where their logs are."""

from __future__ import annotations

from dataclasses import dataclass

from scaffold.aws.errors import suppress_code
from scaffold.aws.session import Session


@dataclass(frozen=True)
class Build:
    """A build.

    Attributes:
        id: Its id with the project, `PROJECT:UUID`.
        status: As CodeBuild names it, such as `SUCCEEDED`.
        complete: Whether it has ended.
        group: The log group of its log; None before it has one.
        stream: The log stream of its log; None before it has one.
    """

    id: str
    status: str
    complete: bool
    group: str | None
    stream: str | None


def newest(session: Session, project: str) -> str | None:
    """The id of a project's newest build; None where there is none."""
    with suppress_code("ResourceNotFoundException"):
        builds = session.client("codebuild").list_builds_for_project(projectName=project, sortOrder="DESCENDING")
        return next(iter(builds.get("ids", [])), None)
    return None


def find(session: Session, build: str) -> Build | None:
    """A build by its id; None where CodeBuild does not know it."""
    for one in session.client("codebuild").batch_get_builds(ids=[build]).get("builds", []):
        logs = one.get("logs", {})
        complete = bool(one.get("buildComplete"))
        return Build(one["id"], one["buildStatus"], complete, logs.get("groupName"), logs.get("streamName"))
    return None
