"""An environment is added, deployed and removed by its name, with the whole kit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import forked_scaffold
from tests.deploy.services import listed
from tests.entry_points.entry_points import through_copier
from tests.kits import IDENTITY, commit_all, kit_repository

pytestmark = pytest.mark.slow


def stacks_of(app: str, environment: str) -> list[str]:
    stacks = listed("cloudformation", "describe_stacks", "Stacks")
    found = [one["StackName"] for one in stacks if one["StackStatus"] != "DELETE_COMPLETE"]
    return [name for name in found if name.startswith(f"{app}-{environment}-")]


def test_an_environment_comes_and_goes(aws: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    answers = {"app_name": "orders-api", "environments": "dev,prod"}
    service = through_copier(tmp_path / "service", answers, kit_repository())
    commit_all(service)

    def scaffold(*words: str, code: int = 0) -> str:
        done = forked_scaffold(*words, cwd=service)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    scaffold("deploy")
    scaffold("env", "add", "qa", "--commit")
    scaffold("deploy")
    assert len(stacks_of("orders-api", "qa")) == 6

    planned = scaffold("env", "remove", "qa", "--plan", code=10)
    assert "Destroying orders-api's environment qa" in planned
    assert "would be removed from orders-api" in planned
    assert len(stacks_of("orders-api", "qa")) == 6
    refused = scaffold("env", "remove", "qa", code=2)
    assert "add `--yes`" in refused.replace("Add", "add")
    assert (service / "infrastructure/qa").is_dir()

    removed = scaffold("env", "remove", "qa", "--yes", "--commit")
    assert "The environment qa is removed from orders-api." in removed
    assert "6 resources deleted in AWS." in removed
    assert "keeps its stacks" not in removed
    assert stacks_of("orders-api", "qa") == []
    assert not (service / "infrastructure/qa").exists()
    scaffold("deploy")
    assert stacks_of("orders-api", "qa") == []

    # Its termination protection is lifted by hand; nothing changes before that.
    refused = scaffold("env", "remove", "prod", "--production", "dev", "--yes", code=1)
    assert "termination protection" in refused
    assert len(stacks_of("orders-api", "prod")) == 6
    assert (service / "infrastructure/prod").is_dir()
