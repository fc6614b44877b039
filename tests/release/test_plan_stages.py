"""The stages of a generated service that plan, approve and check a release, with the roles of its templates."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from scaffold.deployment.follow import ReleaseFailed
from scaffold.service.service import read
from tests.deploy.services import client, commit
from tests.release.rehearsals import small_service
from tests.release.services import decide, look, release, stage, try_again

# Several releases, each with builds.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
KINDS = ("network", "environment", "task-definition", "alarms", "service")
#: With every kind of stack.
EVERYTHING: dict[str, Any] = {
    "customize": True,
    "waf": "managed",
    "queues": "jobs",
    "database": "postgres",
    "domain_name": "shop.example.com",
    "hosted_zone_id": "Z0123456789ABCDEFGHIJ",
}
MIGRATE = {
    "app__src__migrate_js": "",
    "app__migrations__0001_create_items_sql": "CREATE TABLE items (id bigint PRIMARY KEY);\n",
}


def waiting(root: Path) -> str:
    """Release until the approval; return the execution."""
    found = release(root).release
    assert found
    assert found.waiting == "Approve-Live"
    return found.execution


def edited(root: Path, name: str, parameter: str, value: str) -> str:
    """A file of parameters with another value."""
    document = json.loads((root / "infrastructure/live" / f"{name}.json").read_text())
    assert document["Parameters"][parameter] != value
    document["Parameters"][parameter] = value
    return json.dumps(document, indent=2)


def test_what_is_approved_is_what_happens(aws: None, tmp_path: Path) -> None:
    root = small_service(tmp_path / "planned", app_name="planned")
    app = read(root).app_name
    cloudformation, codepipeline = client("cloudformation"), client("codepipeline")
    first = decide(root, environment="live", yes=True, execution=waiting(root))
    assert first.release.plan
    assert "service: new task definition, its first release creates everything" in first.release.plan
    assert release(root).exit_code == 0

    # The load balancer has outlived a release: now it is protected from deletion.
    commit(root, notes_txt="No file of a stack yet\n")
    second = decide(root, environment="live", yes=True, execution=waiting(root))
    assert second.release.plan
    assert "LoadBalancer" in second.release.plan
    assert release(root).exit_code == 0

    # Nothing changes: no approval, and production's stage runs.
    head = commit(root, notes_txt="No file of a stack\n")
    assert release(root).exit_code == 0
    assert stage(app, "Approve-Live")["latestExecution"]["status"] == "Skipped"
    assert stage(app, "Live")["latestExecution"]["status"] == "Succeeded"
    assert [one.commit for one in look(root).environments] == [head]

    # A newer release stops the older one that waits.
    commit(root, infrastructure__live__service_json=edited(root, "service", "MaxTasks", "11"))
    older = waiting(root)
    newest = commit(root, infrastructure__live__service_json=edited(root, "service", "MaxTasks", "12"))
    newer = waiting(root)
    stopped = codepipeline.get_pipeline_execution(pipelineName=app, pipelineExecutionId=older)["pipelineExecution"]
    assert stopped["status"] == "Stopped"
    assert newer in stopped["statusSummary"]
    assert newest in stopped["statusSummary"]

    # A stack that others change stops the release, and a retry releases it anyway.
    alarms = cloudformation.describe_stacks(StackName=f"{app}-live-alarms")["Stacks"][0]
    parameters = [{"ParameterKey": one["ParameterKey"], "UsePreviousValue": True} for one in alarms["Parameters"]]
    tags = [*alarms["Tags"], {"Key": "changed", "Value": "by hand"}]
    cloudformation.update_stack(
        StackName=alarms["StackName"], UsePreviousTemplate=True, Parameters=parameters, Tags=tags
    )
    cloudformation.get_waiter("stack_update_complete").wait(
        StackName=alarms["StackName"], WaiterConfig={"Delay": 0.2, "MaxAttempts": 300}
    )
    decided = decide(root, environment="live", yes=True, execution=newer)
    assert decided.release.plan
    assert decided.release.plan.startswith("service: update ")
    with pytest.raises(ReleaseFailed, match="in the action PlanCheck of the stage Live"):
        release(root)
    assert try_again(root, stage="live").actions == ("PlanCheck",)
    assert release(root).exit_code == 0
    values = {one["ParameterKey"]: one["ParameterValue"] for one in _parameters(cloudformation, f"{app}-live-service")}
    assert values["MaxTasks"] == "12"
    for kind in KINDS:
        assert cloudformation.list_change_sets(StackName=f"{app}-live-{kind}")["Summaries"] == []


@pytest.mark.skipif(not shutil.which("postgres"), reason="needs PostgreSQL")
def test_stacks_that_answers_ask_for_are_planned_like_the_others(aws: None, tmp_path: Path) -> None:
    root = small_service(tmp_path / "whole", app_name="whole", **EVERYTHING)
    commit(root, **MIGRATE)
    first = decide(root, environment="live", yes=True, execution=waiting(root))
    assert first.release.plan
    planned = {part.partition(":")[0] for part in first.release.plan.split("; ")}
    assert planned == {*KINDS, "data", "database", "domain", "waf"}
    assert release(root).exit_code == 0

    commit(root, infrastructure__live__waf_json=edited(root, "waf", "RateLimit", "500"))
    second = decide(root, environment="live", yes=True, execution=waiting(root))
    assert second.release.plan
    assert second.release.plan.partition("waf: ")[2].endswith("update WebAcl")
    assert release(root).exit_code == 0


def _parameters(cloudformation: Any, stack: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Parameters"]
    return found
