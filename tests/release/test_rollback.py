"""`scaffold rollback`: deployments under way, earlier releases, and what can only be reverted with Git."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.git import git
from scaffold.core.target import Target
from scaffold.deployment import rollback as rollback_module
from scaffold.deployment.follow import ReleaseFailed
from scaffold.deployment.releases import PastRelease
from scaffold.deployment.rollback import rollback
from scaffold.service import history, names
from scaffold.service.service import read
from scaffold.views import retry as retry_view
from scaffold.views.rollback import describe, text
from tests.deploy.services import IDENTITY, Wire, client, commit, run
from tests.release.services import (
    ENVIRONMENT,
    actions,
    decide,
    forget_successes,
    list_releases,
    release,
    roll_back,
    try_again,
)

DIGEST = f"sha256:{'0' * 64}"


def to_production(root: Path) -> None:
    waiting = release(root).release
    assert waiting
    decide(root, yes=True, execution=waiting.execution)
    assert release(root).exit_code == 0


def ended(root: Path, environment: str, execution: str | None) -> PastRelease:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        newest = list_releases(root, environment, limit=1).releases[0]
        if newest.execution == execution and newest.outcome != "InProgress":
            return newest
        time.sleep(0.2)
    raise AssertionError(f"{execution} has not ended")


def transition(app: str, stage: str) -> dict[str, Any]:
    states = client("codepipeline").get_pipeline_state(name=app)["stageStates"]
    found: dict[str, Any] = next(one for one in states if one["stageName"] == stage)["inboundTransitionState"]
    return found


@pytest.mark.slow
def test_an_earlier_release_is_released_again(service: Path, wire: Wire) -> None:
    app = read(service).app_name
    with pytest.raises(ScaffoldError, match="has no pipeline"):
        roll_back(service)
    first = commit(service, infrastructure__environment_yaml=ENVIRONMENT)
    to_production(service)
    with pytest.raises(ScaffoldError, match="No earlier release of prod has succeeded") as refused:
        roll_back(service)
    assert "`git revert HEAD && git push`" in refused.value.remedy
    assert transition(app, "Prod")["enabled"]

    second = commit(service, version_txt="v2\n")
    to_production(service)
    with pytest.raises(UsageError) as unasked:
        roll_back(service, to="v1", yes=False)
    assert f"`scaffold rollback --to v1 --directory {service} --yes`" in unasked.value.remedy
    assert transition(app, "Prod")["enabled"]
    wire.refuse("RollbackStage", "UnableToRollbackStageException", "Unable to roll back: the target is too old.")
    with pytest.raises(ScaffoldError, match="the target is too old") as refused:
        roll_back(service)
    assert f"`git revert --no-edit {first}..HEAD && git push`" in refused.value.remedy
    assert transition(app, "Prod")["enabled"]
    wire.faults.clear()
    forget_successes(wire)
    with pytest.raises(ScaffoldError, match="CodePipeline does not roll back to v1"):
        roll_back(service)
    wire.touched.clear()

    # Nothing is disabled before production.
    rolled = roll_back(service, "dev")
    assert rolled.plan.target
    assert (rolled.plan.target.version, rolled.plan.target.commit, rolled.plan.disables) == ("v1", first, None)
    assert ended(service, "dev", rolled.execution).outcome == "Succeeded"
    assert transition(app, "Dev")["enabled"]

    wire.calls.clear()
    rolled = roll_back(service)
    made = {call for call in wire.calls if not call.startswith("sts:")}
    # All executions, and those that have succeeded in the stage.
    assert wire.calls.count("codepipeline:ListPipelineExecutions") == 2
    # The stage has no plan: the rollback enters it before the transition is disabled.
    order = [wire.calls.index(f"codepipeline:{name}") for name in ("RollbackStage", "DisableStageTransition")]
    assert order == sorted(order)
    assert transition(app, "Prod")["disabledReason"] == "scaffold rollback"
    assert f"{app}/prod rolls back to v1 in local AWS" in text(rolled)
    assert any(line.startswith("The transition into the stage Prod is disabled") for line in describe(rolled.plan))
    json.dumps(rolled.document(), default=str)
    with pytest.raises(ScaffoldError, match="is in the stage Prod and waits for approval"):
        roll_back(service)
    decided = decide(service, yes=True, execution=rolled.execution)
    assert (decided.release.version, decided.release.commit) == ("v1", first)
    done = ended(service, "prod", rolled.execution)
    assert (done.outcome, done.version, done.commit, done.trigger) == ("Succeeded", "v1", first, "ManualRollback")
    # The rollback is what runs now.
    with pytest.raises(ScaffoldError, match="v1 is what prod was released with last"):
        roll_back(service, to=first[:8])
    with pytest.raises(ScaffoldError, match="No earlier release of prod"):
        roll_back(service)
    with pytest.raises(ScaffoldError, match="with the name, version, tag or commit v9 has succeeded"):
        roll_back(service, to="v9")

    # Later releases wait before production, until the transition is enabled again.
    commit(service, version_txt="v3\n")
    with pytest.raises(
        ReleaseFailed, match="the transition into the stage Prod is disabled: scaffold rollback"
    ) as shut:
        release(service)
    assert "`scaffold retry Prod`" in shut.value.remedy
    wire.calls.clear()
    opened = try_again(service)
    made |= {call for call in wire.calls if not call.startswith("sts:")}
    assert (opened.stage, opened.enabled, opened.actions) == ("Prod", True, ())
    assert "is enabled again" in retry_view.text(opened)
    assert release(service).exit_code == 11

    # After a change of the pipeline's structure, no earlier release is eligible.
    template = (service / "infrastructure/pipeline.yaml").read_text()
    commit(service, infrastructure__pipeline_yaml=template.replace("Name: Environment\n", "Name: Stack\n"))
    run(service)
    client("codepipeline").start_pipeline_execution(name=app)
    assert release(service).exit_code == 11
    with pytest.raises(ScaffoldError, match="structure has changed since") as refused:
        roll_back(service, "dev", to=second)
    assert f"git revert --no-edit {second}..HEAD" in refused.value.remedy
    assert made <= actions("operator-policy-release")


def test_a_deployment_under_way_is_rolled_back(service: Path, wire: Wire) -> None:
    run(service)
    with pytest.raises(UsageError, match="has no environment 'test'"):
        roll_back(service, "test")
    with pytest.raises(ScaffoldError, match="No release has reached prod"):
        roll_back(service)
    app, ecs = read(service).app_name, client("ecs")
    name = names.cluster(app, "prod")
    ecs.create_cluster(clusterName=name)
    container = {"name": "app", "image": f"{app}@{DIGEST}", "essential": True}
    for _ in range(2):
        ecs.register_task_definition(
            family=name, containerDefinitions=[container], networkMode="awsvpc", cpu="256", memory="512",
            requiresCompatibilities=["FARGATE"],
        )  # fmt: skip
    ecs.create_service(
        cluster=name, serviceName=name, taskDefinition=f"{name}:1", desiredCount=0, launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
    )  # fmt: skip
    ecs.get_waiter("services_stable").wait(cluster=name, services=[name], WaiterConfig={"Delay": 1})
    # Its image does not exist, and without a circuit breaker it is tried for ever.
    ecs.update_service(cluster=name, service=name, taskDefinition=f"{name}:2", desiredCount=1)
    try:
        with pytest.raises(ScaffoldError, match="has to be rolled back first"):
            roll_back(service, to="v1")
        with pytest.raises(ScaffoldError, match="Nothing was rolled back in prod"):
            rollback(
                read(service), Target("us-east-1"), environment=None, version=None, confirm=lambda _plan: False,
                console=Console(),
            )  # fmt: skip
        wire.lose_answer("StopServiceDeployment")
        rolled = roll_back(service)
        assert wire.lost == ["StopServiceDeployment"]
        assert (rolled.plan.action, rolled.plan.target, rolled.execution) == ("stop-deployment", None, None)
        assert transition(app, "Prod")["disabledReason"] == "scaffold rollback"
        assert f"ECS rolls the deployment of {app}/prod back" in text(rolled)
        assert describe(rolled.plan)[0] == "The ECS deployment of prod under way is stopped, and ECS rolls it back."
    finally:
        ecs.delete_service(cluster=name, service=name, force=True)


def past(execution: str, outcome: str, rollback_of: str | None = None) -> PastRelease:
    nothing = dict.fromkeys(("name", "commit", "started", "ended", "trigger", "started_by", "approved_by", "reason"))
    return PastRelease(
        execution=execution, version=execution.lower(), tags=(), outcome=outcome, waits=False, rollback_of=rollback_of,
        **nothing,
    )  # fmt: skip


A, B = past("A", "Succeeded"), past("B", "Succeeded")
BACK_TO_A = past("R", "Succeeded", "A")
FAILED = past("C", "Failed")
# Their commits differ in documentation only, so that they are one release.
B_OF, D_OF = (replace(past(one, "Succeeded"), name="b") for one in "BD")
BACK_TO_D = replace(past("R", "Succeeded", "D"), name="b")


@pytest.mark.parametrize(
    ("releases", "target"),
    [
        ([B, A], "A"),
        ([FAILED, A], "A"),
        ([FAILED, B, A], "B"),
        ([FAILED, BACK_TO_A, B, A], "A"),
        ([past("S", "Failed", "B"), FAILED, BACK_TO_A, B, A], "A"),
        ([past("D", "Succeeded"), BACK_TO_A, B, A], "A"),
        ([past("Q", "Succeeded", "B"), past("D", "Succeeded"), B, A], "A"),
        ([D_OF, B_OF, A], "A"),
        ([FAILED, D_OF, B_OF, A], "D"),
        ([BACK_TO_D, FAILED, D_OF, B_OF, A], "A"),
    ],
)
def test_what_ran_before(
    service: Path, monkeypatch: pytest.MonkeyPatch, releases: list[PastRelease], target: str
) -> None:
    monkeypatch.setattr(rollback_module, "past_releases", lambda *_: iter(releases))
    eligible = [SimpleNamespace(id=one) for one in "ABD"]
    monkeypatch.setattr(rollback_module.pipeline_state, "succeeded", lambda *_: eligible)
    session = SimpleNamespace(target=Target("us-east-1"))
    found = rollback_module._target(session, read(service), "dev", None)  # type: ignore[arg-type]
    assert found.execution == target


def test_a_rollback_under_way_is_not_undone(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = SimpleNamespace(
        execution="R", status="InProgress", disabled_reason=None, waits_for_approval=False, name="Dev"
    )
    monkeypatch.setattr(rollback_module.pipeline_state, "stages", lambda *_: (stage,))
    monkeypatch.setattr(rollback_module.service_deployments, "in_progress", lambda *_: ["arn"])
    session = SimpleNamespace(target=Target("us-east-1"))
    for rolls_back in (True, False):
        running = SimpleNamespace(id="R", rollback=rolls_back, status="InProgress")
        monkeypatch.setattr(rollback_module.pipeline_state, "latest_executions", lambda *_, one=running: [one])
        if rolls_back:
            with pytest.raises(ScaffoldError, match="A rollback of dev is under way"):
                rollback_module._plan(session, read(service), "dev", None)  # type: ignore[arg-type]
        else:
            plan = rollback_module._plan(session, read(service), "dev", None)  # type: ignore[arg-type]
            assert plan.deployment == "arn"


def test_commits_that_are_merges_are_reverted_too(service: Path) -> None:
    """The command that is shown is run."""
    first = commit(service, a__b_txt="1\n")
    commit(service, a__b_txt="2\n")
    git("switch", "-q", "-c", "feature", cwd=service)
    commit(service, a__c_txt="3\n")
    git("switch", "-q", "main", cwd=service)
    git("merge", "-q", "--no-ff", "-m", "Merge", "feature", cwd=service, env=IDENTITY)
    commit(service, a__b_txt="4\n")
    shown = history.revert_commands(read(service), first)
    assert shown
    assert shown.startswith("git revert --no-edit -m 1 $(")
    revert, push = shown.split(" && ")
    assert push == "git push"
    git("-c", f"alias.undo=!{revert}", "undo", cwd=service, env=IDENTITY)
    assert (service / "a/b.txt").read_text() == "1\n"
    assert not (service / "a/c.txt").exists()
    head = git("rev-parse", "HEAD", cwd=service)
    assert history.revert_commands(read(service), head) is None
    assert history.revert_commands(read(service), "c0ffee" + "0" * 34) is None
