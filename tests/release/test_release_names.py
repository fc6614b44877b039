"""What the commands say about the names and tags of releases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from scaffold.aws.build_exports import name_of
from scaffold.aws.pipeline_state import ActionRun
from scaffold.deployment.approval import Approval, WaitingRelease
from scaffold.deployment.completed_release import CompletedRelease
from scaffold.deployment.releases import PastRelease
from scaffold.deployment.rollback import RollbackPlan, RollbackResult
from scaffold.deployment.rollback_targets import has_version
from scaffold.deployment.status import EnvironmentStatus, NewestRelease
from scaffold.views import releases as releases_view
from scaffold.views import rollback as rollback_view
from scaffold.views.status import released_line

NAME, COMMIT = "20260131-0915-0123456789ab", "c" * 40
VERSION = "0123456789abcdef"


def environment(answers: str | None = VERSION, **completed: Any) -> EnvironmentStatus:
    release = CompletedRelease(**{"name": NAME, "version": VERSION, "commit": COMMIT, **completed})
    return EnvironmentStatus(
        "prod", True, "http://u", answers, None, VERSION, None, COMMIT, 0, None, (), None, {}, completed=release
    )


@pytest.mark.parametrize(
    ("state", "differences"),
    [
        (environment(), ()),
        (environment(tag=f"v{NAME}", tagged=COMMIT), ()),
        (environment(answers=None, tag=f"v{NAME}", tagged=COMMIT), ()),
        (environment(name=None, version=None), ()),
        (replace(environment(), completed=None), ()),
        (environment("other"), (f"other answers, but the last release that succeeded is of {VERSION}.",)),
        (replace(environment("other"), release=NewestRelease("InProgress", None, None)), ()),
        (
            replace(environment("other"), release=NewestRelease("Failed", None, None)),
            (f"other answers, but the last release that succeeded is of {VERSION}.",),
        ),
        (environment(tag=f"v{NAME}"), (f"The repository has no tag v{NAME}.",)),
        (
            environment(tag=f"v{NAME}", tagged="d" * 40),
            (f"The tag v{NAME} leads to {'d' * 40}, not to the commit of the release.",),
        ),
    ],
)
def test_what_runs_what_git_says_and_the_tag_are_compared(
    state: EnvironmentStatus, differences: tuple[str, ...]
) -> None:
    assert state.differences == differences


def test_a_release_is_shown_with_its_tag_where_it_has_one() -> None:
    assert released_line(CompletedRelease(NAME, VERSION, COMMIT)) == NAME
    assert released_line(CompletedRelease(NAME, VERSION, COMMIT, f"v{NAME}")) == NAME
    assert released_line(CompletedRelease(NAME, VERSION, COMMIT, f"v{NAME}", COMMIT)) == f"{NAME}; tag v{NAME}"


def past(name: str | None) -> PastRelease:
    nothing = dict.fromkeys(("started", "ended", "trigger", "started_by", "approved_by", "reason", "rollback_of"))
    return PastRelease(
        name=name, execution="e", version=VERSION, commit=COMMIT, tags=("v1.0",), outcome="Succeeded", waits=False,
        **nothing,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "found"),
    [(NAME, True), (f"v{NAME}", True), (VERSION, True), ("v1.0", True), (COMMIT[:7], True), (NAME[:8], False),
     ("None", False), ("vNone", False), (COMMIT[:6], False)],
)  # fmt: skip
def test_a_rollback_finds_a_release_by_its_name_too(wanted: str, found: bool) -> None:
    assert has_version(past(NAME), wanted) is found
    assert has_version(past(None), wanted) is (found and NAME not in wanted)


def test_a_rollback_names_the_release_or_its_version() -> None:
    for name, shown in ((NAME, NAME), (None, VERSION)):
        plan = RollbackPlan("prod", "Prod", "release-again", None, past(name), None)
        result = RollbackResult("shop", "1", "us-east-1", False, plan, "e")
        assert rollback_view.text(result).startswith(f"shop/prod rolls back to {shown} in ")
        assert (f"release    {NAME}" in rollback_view.describe(plan)) is (name is not None)


def test_a_decision_names_the_release() -> None:
    moment = datetime(2026, 1, 31, tzinfo=UTC)
    waiting = WaitingRelease("Approve-Prod", "Approval", "e", moment, NAME, VERSION, COMMIT, (), None)
    assert f"release    {NAME}" in releases_view.describe(waiting)
    decided = Approval("shop", "1", "us-east-1", False, "", waiting)
    assert f"release {NAME} of shop in the stage Approve-Prod" in releases_view.text(decided)
    unnamed = Approval("shop", "1", "us-east-1", False, "", replace(waiting, name=None))
    assert f"version {VERSION} of shop" in releases_view.text(unnamed)


def test_builds_of_earlier_versions_of_the_kit_name_nothing() -> None:
    def built(**variables: str) -> list[ActionRun]:
        return [ActionRun("Build", "Build", "Build", "Succeeded", "", variables)]

    assert name_of(built(RELEASE_NAME=NAME)) == NAME
    assert name_of(built(IMAGE_TAG=VERSION)) is None
    assert name_of([]) is None
