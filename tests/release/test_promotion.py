"""How releases are promoted from one environment to the next, with the roles of the templates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scaffold.deployment.follow import ReleaseFailed
from scaffold.service.service import read
from tests.deploy.services import client
from tests.release.rehearsals import small_service
from tests.release.services import decide, release, try_again

# Several releases, each with builds.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_every_environment_waits_for_approval_where_the_answers_say_so(aws: None, tmp_path: Path) -> None:
    root = small_service(tmp_path / "every", app_name="every", environments="dev,live", approval="every")
    for environment, waits_in in (("dev", "Approve-Dev"), ("live", "Approve-Live")):
        found = release(root).release
        assert found
        assert found.waiting == waits_in
        decided = decide(root, environment=environment, yes=True, execution=found.execution)
        assert decided.release.plan
    assert release(root).exit_code == 0


def test_no_environment_waits_for_approval_where_the_answers_say_so(aws: None, tmp_path: Path) -> None:
    root = small_service(tmp_path / "none", app_name="no-approval", approval="none")
    assert release(root).exit_code == 0


def test_no_release_enters_production_during_a_freeze(aws: None, tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    freeze = f"{today - timedelta(days=2)}..{today + timedelta(days=2)}"
    root = small_service(tmp_path / "frozen", app_name="frozen", approval="none", freezes=freeze)
    with pytest.raises(ReleaseFailed, match="in the action EntryCheck of the stage Live"):
        release(root)
    # A retry during the freeze ends in the same way, and nothing of production has changed.
    assert try_again(root, stage="live").actions == ("EntryCheck",)
    with pytest.raises(ReleaseFailed, match="in the action EntryCheck of the stage Live"):
        release(root)
    stack = f"{read(root).app_name}-live-environment"
    (found,) = client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    assert "Prepared" in [one["OutputKey"] for one in found["Outputs"]]
