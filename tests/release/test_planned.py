"""Releases through a stage that plans them and one that holds their approval, as those of a generated service."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaffold.deployment.approval import Rejection
from scaffold.deployment.follow import ReleaseFailed
from scaffold.service.service import read
from scaffold.views import releases as releases_view
from scaffold.views import retry as retry_view
from scaffold.views.past_releases import text
from scaffold.views.rollback import describe
from tests.deploy.services import commit
from tests.release.services import (
    ENVIRONMENT,
    PIPELINE,
    PLANNED,
    decide,
    list_releases,
    look,
    release,
    roll_back,
    stage,
    try_again,
)
from tests.release.test_rollback import ended

CHANGES = "export CHANGED=yes SUMMARY='service: new task definition'\n"


@pytest.fixture
def planned(service: Path) -> Path:
    """A service whose pipeline has both stages."""
    before, rest = PIPELINE.split("        - Name: Prod\n")
    template = (
        before + PLANNED + rest[rest.index("            - Name: Environment\n") :].replace("RunOrder: 2", "RunOrder: 1")
    )
    commit(
        service, infrastructure__pipeline_yaml=template, infrastructure__environment_yaml=ENVIRONMENT, plan_env=CHANGES
    )
    return service


def approve(root: Path) -> str:
    """Release, and approve it; return the execution."""
    waiting = release(root).release
    assert waiting
    assert waiting.waiting == "Approve-Prod"
    decide(root, environment="prod", yes=True, execution=waiting.execution)
    assert release(root).exit_code == 0
    return waiting.execution


@pytest.mark.slow
def test_a_decision_shows_the_plan_and_a_release_without_changes_needs_none(planned: Path) -> None:
    app = read(planned).app_name
    approve(planned)
    second = commit(planned, version_txt="v2\n")
    waiting = release(planned).release
    assert waiting
    (newest, _) = list_releases(planned, "prod").releases
    assert (newest.version, newest.waits, newest.outcome) == ("v2", True, "InProgress")
    decided = decide(planned, Rejection, environment="prod", yes=True, execution=waiting.execution, message="Later")
    assert decided.release.stage == "Approve-Prod"
    assert decided.release.plan == "service: new task definition"
    assert "plan       service: new task definition" in releases_view.describe(decided.release)
    assert decided.release.commits
    assert [one.id for one in decided.release.commits] == [second]
    with pytest.raises(ReleaseFailed, match="in the action Approval of the stage Approve-Prod: Later"):
        release(planned)
    assert "v2  failed, Approval: Later" in text(list_releases(planned, "prod"))

    third = commit(planned, version_txt="v3\n", plan_env="export CHANGED=no SUMMARY='nothing changes'\n")
    assert release(planned).exit_code == 0
    assert stage(app, "Approve-Prod")["latestExecution"]["status"] == "Skipped"
    newest, rejected, first = list_releases(planned, "prod").releases
    assert (newest.version, newest.outcome, newest.approved_by) == ("v3", "Succeeded", None)
    assert (rejected.outcome, first.outcome) == ("Failed", "Succeeded")
    assert first.approved_by
    assert {one.name: one.commit for one in look(planned).environments} == {"dev": third, "prod": third}


@pytest.mark.slow
def test_after_a_rollback_nothing_newer_is_planned_until_a_retry(planned: Path) -> None:
    app = read(planned).app_name
    approve(planned)
    commit(planned, version_txt="v2\n")
    approve(planned)
    rolled = roll_back(planned)
    assert (rolled.plan.stage, rolled.plan.disables) == ("Prod", "Plan-Prod")
    assert any(line.startswith("The transition into the stage Plan-Prod is disabled") for line in describe(rolled.plan))
    # It needs no approval.
    assert ended(planned, "prod", rolled.execution).outcome == "Succeeded"
    assert stage(app, "Plan-Prod")["inboundTransitionState"]["disabledReason"] == "scaffold rollback"
    assert stage(app, "Prod")["inboundTransitionState"]["enabled"]

    commit(planned, version_txt="v3\n")
    with pytest.raises(ReleaseFailed, match="into the stage Plan-Prod is disabled: scaffold rollback") as shut:
        release(planned)
    assert "`scaffold retry Plan-Prod`" in shut.value.remedy
    opened = try_again(planned, stage="prod")
    assert (opened.stage, opened.enabled, opened.failed) == ("Plan-Prod", True, None)
    assert "the stage Plan-Prod" in retry_view.text(opened)
    approve(planned)
    assert stage(app, "Plan-Prod")["inboundTransitionState"]["enabled"]
