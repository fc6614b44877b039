"""What the commands say of a release through the kit's own pipeline, and how many calls that takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scaffold.service.service import read
from scaffold.views import deploy as deploy_view
from scaffold.views.status import text
from tests.deploy.services import Wire, client
from tests.release.rehearsals import small_service
from tests.release.services import decide, list_releases, look, release

ENGINE = "without a container engine"


def check_calls(calls: list[str], environments: int) -> None:
    """Five and six for each environment, and one with which local AWS is asked for the labels of its image.

    Stacks are listed once; other tests may have left more than a page of them.
    """
    pages = client("cloudformation").get_paginator("describe_stacks").paginate()
    once = {"cloudformation:DescribeStacks": len(list(pages)), "ecr:BatchGetImage": environments}
    assert {name: calls.count(name) for name in once} == once
    assert len(calls) - sum(once.values()) + 1 <= 5 + 6 * environments


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_calls_and_words_of_a_service_that_runs(tmp_path: Path, wire: Wire) -> None:
    root = small_service(tmp_path / "service", app_name="calls", environments="dev,live,spare")
    service = read(root)
    released = release(root)
    while released.release and released.release.waiting:
        decide(root, yes=True, execution=released.release.execution)
        released = release(root)
    assert released.release
    assert released.release.stand_in
    assert ENGINE in deploy_view.text(released)

    wire.calls.clear()
    state = look(root)
    assert {one.answers for one in state.environments} == {one.version for one in state.environments} != {None}
    check_calls(wire.calls, len(service.environments))
    assert text(state).count(ENGINE) == len(service.environments)
    assert all(
        one["image"]["stand_in"] for one in json.loads(json.dumps(state.document(), default=str))["environments"]
    )

    assert list_releases(root, "live").stand_in

    # Like the kit's, it notifies the topic of the service; without data it stays in ALARM.
    foundation = client("cloudformation").describe_stacks(StackName=f"{service.app_name}-foundation")["Stacks"][0]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in foundation["Outputs"]}
    alarm = f"{service.app_name}-live-own"
    client("cloudwatch").put_metric_alarm(
        AlarmName=alarm, AlarmActions=[outputs["NotificationTopicArn"]], MetricName="E", Namespace="T", Period=60,
        EvaluationPeriods=1, Statistic="Sum", Threshold=1, ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="breaching",
    )  # fmt: skip
    client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="test")
    wire.calls.clear()
    assert alarm in next(one for one in look(root).environments if one.name == "live").alarms
    check_calls(wire.calls, len(service.environments))
