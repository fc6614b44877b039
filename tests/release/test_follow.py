"""What is said of a release that has failed. Which release is in a stage then is a race: the states are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scaffold.aws.pipeline_state import ActionRun, Execution, StageState
from scaffold.aws.session import Session
from scaffold.console.console import Console
from scaffold.core.target import Target
from scaffold.deployment import follow
from scaffold.service.service import Service

COMMIT = "c0ffee" + "0" * 34
UNREACHED = "npm error request to https://registry.example/x failed, reason: connect ECONNREFUSED 192.0.2.1:443"
RETRY = "`scaffold retry Build`"
START = "`aws codepipeline start-pipeline-execution --region eu-west-1 --name orders`"


@pytest.mark.parametrize(
    ("in_stage", "local", "log", "remedy"),
    [
        ("1", False, UNREACHED, f"Let builds reach registry.example: {{where}}, then build again: {RETRY}."),
        ("2", False, UNREACHED, f"Let builds reach registry.example: {{where}}, then build again: {START}."),
        ("1", True, UNREACHED, f"Write what npm needs to reach it into ~/.npmrc, {{npm}}, then build again: {RETRY}."),
        ("2", True, UNREACHED, f"Write what npm needs to reach it into ~/.npmrc, {{npm}}, then build again: {START}."),
        ("1", False, "no", f"Fix the cause with a commit, or run the action again: {RETRY}."),
        ("2", False, "no", "Fix the cause with a commit; `scaffold status` shows what runs now."),
    ],
)
def test_the_remedy_fits_the_cause_and_what_is_in_the_stage(
    in_stage: str, local: bool, log: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ActionRun("Build", "Build", "Build", "Failed", "Build terminated", {}, external="orders-build:1")
    given: dict[str, Any] = {
        "latest_executions": [Execution("1", "Failed", COMMIT, rollback=False)],
        "action_runs": [run],
        "stages": (StageState("Build", "Failed", in_stage, None, (), ()),),
    }
    for name, found in given.items():
        monkeypatch.setattr(follow.pipeline_state, name, lambda *_, found=found: found)
    monkeypatch.setattr(follow.release_logs, "of_build", lambda *_: (log,))
    monkeypatch.setattr(follow, "pauses", lambda: lambda: None)
    session = Session("123456789012", "arn:aws:iam::123456789012:user/me", Target("eu-west-1", local=local), None)
    service = Service(Path(), "orders", "eu-west-1", ("dev", "prod"), "prod")
    with pytest.raises(follow.ReleaseFailed) as failed:
        follow.follow(session, service, COMMIT, Console())
    words = {
        "where": "look at the network of the CodeBuild project (VPC, security group, NAT gateway or proxy)",
        "npm": "such as `registry=URL` or `https-proxy=URL`",
    }
    assert failed.value.remedy == remedy.format(**words)
