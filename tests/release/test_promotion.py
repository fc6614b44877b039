"""How releases are promoted from one environment to the next, with the roles of the templates."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.release.rehearsals import small_service
from tests.release.services import decide, release

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
