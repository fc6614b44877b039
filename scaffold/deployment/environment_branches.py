"""The branches that environments follow where branches promote releases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scaffold.aws import codecommit
from scaffold.aws.pipeline_state import StageState
from scaffold.aws.session import Session
from scaffold.service import names
from scaffold.service.service import Service


@dataclass(frozen=True)
class EnvironmentBranch:
    """The branch that an environment follows.

    Attributes:
        commit: What it leads to; None before the first release that got as far.
    """

    name: str
    commit: str | None

    def difference(self, released: str | None) -> str:
        """That it leads to another commit than the last release that succeeded, as a sentence."""
        leads = f"leads to {self.commit[:7]}" if self.commit else "is missing"
        of = f"of {released[:7]}" if released else "unknown"
        return f"The branch {self.name} {leads}, but the last release that succeeded is {of}."


def followed(service: Service, stages: Iterable[StageState]) -> set[str]:
    """The environments that follow a branch of their own: a stage of the pipeline moves it, or opens a pull request."""
    actions = {(stage.name, action.name) for stage in stages for action in stage.actions}
    return {
        one
        for one in service.environments
        if (names.plan_stage(one), names.PULL_REQUEST_ACTION) in actions
        or any((stage, names.MOVE_ACTION) in actions for stage in names.stages_of(one))
    }


def look(session: Session, service: Service, environment: str) -> EnvironmentBranch:
    """The branch of an environment now."""
    name = names.environment_branch(environment)
    return EnvironmentBranch(name, codecommit.branch_commit(session, service.app_name, name))
