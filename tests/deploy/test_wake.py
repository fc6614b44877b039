"""Waking an environment outside of its office hours, on local AWS."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scaffold.commands.wake import WakeOptions, run
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.deployment.wake import WakeResult
from scaffold.service.service import read
from scaffold.views.wake import text
from tests.deploy.services import Wire, client
from tests.release.services import actions


def wake(root: Path, environment: str = "dev") -> WakeResult:
    return run(WakeOptions(environment, root), Console())


def put_to_sleep(app: str) -> dict[str, str]:
    """Give dev a service without tasks, with office hours; returns what identifies its scalable target."""
    name = f"{app}-dev"
    ecs, scaling = client("ecs"), client("application-autoscaling")
    ecs.create_cluster(clusterName=name)
    container = {"name": "app", "image": "registry/app", "memory": 128}
    ecs.register_task_definition(family=name, containerDefinitions=[container])
    ecs.create_service(cluster=name, serviceName=name, taskDefinition=name, desiredCount=0)
    target = {
        "ServiceNamespace": "ecs",
        "ResourceId": f"service/{name}/{name}",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    scaling.register_scalable_target(**target, MinCapacity=0, MaxCapacity=0)
    for action, schedule, least, most in (("sleep", "cron(0 19 * * ? *)", 0, 0), ("wake", "cron(0 7 ? * MON *)", 1, 3)):
        scaling.put_scheduled_action(
            **target,
            ScheduledActionName=action,
            Schedule=schedule,
            Timezone="Europe/Berlin",
            ScalableTargetAction={"MinCapacity": least, "MaxCapacity": most},
        )
    return target


def test_an_environment_wakes_for_two_hours_at_least(deployed: Path, wire: Wire) -> None:
    target = put_to_sleep(read(deployed).app_name)
    wire.calls.clear()
    result = wake(deployed)
    assert (result.awake, result.tasks) == (False, 1)
    allowed = actions("operator-policy-wake") | actions("operator-policy-release")
    assert {one for one in wire.calls if not one.startswith("sts:")} <= allowed
    assert "dev of" in text(result)
    assert "wakes with 1 task" in text(result)
    assert "cron(0 19 * * ? *) Europe/Berlin" in text(result)
    scaling = client("application-autoscaling")
    (limits,) = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[target["ResourceId"]])[
        "ScalableTargets"
    ]
    assert (limits["MinCapacity"], limits["MaxCapacity"]) == (1, 3)
    scheduled: dict[str, dict[str, Any]] = {
        one["ScheduledActionName"]: one for one in scaling.describe_scheduled_actions(**target)["ScheduledActions"]
    }
    starts = scheduled["sleep"]["StartTime"]
    assert timedelta(minutes=110) < starts - datetime.now(UTC) < timedelta(minutes=121)
    assert scheduled["sleep"]["Schedule"] == "cron(0 19 * * ? *)"
    assert "StartTime" not in scheduled["wake"]


def test_an_environment_without_office_hours_is_refused(deployed: Path, wire: Wire) -> None:
    with pytest.raises(ScaffoldError) as refused:
        wake(deployed, "prod")
    assert refused.value.happened == "prod has no office hours: its tasks run at all times, once it is released."
    with pytest.raises(UsageError) as unknown:
        wake(deployed, "qa")
    assert unknown.value.remedy == "Its environments are dev, prod."
    assert not {call for call in wire.calls if ":Put" in call or ":Register" in call}
