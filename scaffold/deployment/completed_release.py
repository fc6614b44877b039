"""The newest release that has succeeded in an environment: its name, version, commit and tag."""

from __future__ import annotations

from dataclasses import dataclass

from scaffold.aws import build_exports, codecommit, pipeline_state
from scaffold.aws.pipeline_state import Execution
from scaffold.aws.session import Session
from scaffold.service import names
from scaffold.service.service import Service


@dataclass(frozen=True)
class CompletedRelease:
    """The newest release that has succeeded in the stage of an environment.

    Attributes:
        name: What its build has named it; None where the build exports no name.
        version: The image's tag; None as for the name.
        commit: Its commit, an earlier one than the execution's where that one changes nothing but documentation.
        tag: The Git tag that the release has; None where it has none, as everywhere but in production, and while the
            stage is at work or has failed, which tags last.
        tagged: The commit that this tag leads to in the repository; None where the repository lacks it.
    """

    name: str | None
    version: str | None
    commit: str | None
    tag: str | None = None
    tagged: str | None = None


def look(
    session: Session, service: Service, environment: str, execution: Execution, *, tagged: bool
) -> CompletedRelease:
    """A release that has succeeded.

    Args:
        tagged: Whether it has a tag by now, if it has a name.
    """
    # A rollback runs its stage only: the build is that of its target.
    runs = pipeline_state.action_runs(session, service.app_name, execution.target or execution.id)
    name, version = build_exports.name_of(runs), build_exports.version_of(runs)
    commit = build_exports.release_commit_of(runs) or execution.commit
    if name is None or not tagged or environment != service.production:
        return CompletedRelease(name, version, commit)
    tag = names.release_tag(name)
    return CompletedRelease(name, version, commit, tag, codecommit.tagged_commit(session, service.app_name, tag))
