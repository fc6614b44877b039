"""The topic of an environment's alarms: deployed by a person for the environments with an address, and left to one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scaffold.deployment.left_stack import Left
from scaffold.service.service import read
from tests.deploy.services import client, commit, make_kit_service, remove, run


@pytest.mark.slow
def test_an_environment_gets_a_topic_gives_it_back_and_leaves_nothing(tmp_path: Path, aws: None) -> None:
    overrides = {"live": {"alarm_email": "oncall@example.com"}}
    answers = {"notification_email": "team@example.com", "environment_overrides": overrides}
    service = make_kit_service(tmp_path / "service", environments="dev,live", customize=True, **answers)
    infrastructure, app = service / "infrastructure", read(service).app_name
    files = {path: path.read_text() for path in infrastructure.rglob("alarm-topic.*")}
    assert {path.relative_to(infrastructure).as_posix() for path in files} == {
        "alarm-topic.yaml",
        "live/alarm-topic.json",
    }

    def told() -> dict[str, list[str]]:
        """Topic name → addresses."""
        pages = client("sns").get_paginator("list_subscriptions").paginate()
        found = [
            (one["TopicArn"].rpartition(":")[2], one["Endpoint"]) for page in pages for one in page["Subscriptions"]
        ]
        return {name: [to for topic, to in found if topic == name] for name, _ in found if name.startswith(f"{app}-")}

    def put(files: dict[Path, str]) -> None:
        for path, text in files.items():
            path.write_text(text)
        commit(service)

    def take() -> None:
        for path in files:
            path.unlink()
        commit(service)

    take()
    run(service)
    assert told() == {f"{app}-notifications": ["team@example.com"]}
    put(files)
    result = run(service)
    assert [step.name for step in result.steps if step.action == "create"] == [f"{app}-live-alarm-topic"]
    assert result.own_alarms == ("live",)
    both = {f"{app}-notifications": ["team@example.com"], f"{app}-live-alarms": ["oncall@example.com"]}
    assert told() == both
    assert run(service, plan=True).changed is False
    # Of one environment only: the template stays, for the others.
    (configuration,) = [path for path in files if path.suffix == ".json"]
    configuration.unlink()
    commit(service)
    result = run(service)
    assert result.own_alarms == ()
    (left,) = result.left_stacks
    assert left == Left(f"{app}-live-alarm-topic", "person", protected=True)
    assert told() == both
    # Another address is another subscription.
    put(
        {
            configuration: json.dumps(
                json.loads(files[configuration])
                | {"Parameters": {"AppName": app, "EnvironmentName": "live", "Email": "night@example.com"}}
            )
        }
    )
    run(service)
    assert told()[f"{app}-live-alarms"] == ["night@example.com"]
    remove(service)
    assert told() == {}
