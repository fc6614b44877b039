"""What happens to services and tasks, as EventBridge delivers it."""

from __future__ import annotations

from scaffold.engine.clock import Clock
from scaffold.engine.events import Event, EventStream
from scaffold.engine.tasks.announcer import Announcer
from scaffold.engine.tasks.documents import advance_task, new_task
from scaffold.engine.tasks.service import RolloutChanged

SERVICE = {
    "serviceArn": "arn:aws:ecs:eu-west-1:000000000000:service/shop/web",
    "serviceName": "web",
    "clusterArn": "arn:aws:ecs:eu-west-1:000000000000:cluster/shop",
}
DEFINITION = {"taskDefinitionArn": "arn:td", "containerDefinitions": [{"name": "app", "image": "i"}]}


def listening() -> tuple[EventStream, list[Event]]:
    """A stream, and the events that it has passed on."""
    stream, heard = EventStream(), list[Event]()
    stream.subscribe(heard.append)
    return stream, heard


def test_a_deployment_is_announced() -> None:
    stream, heard = listening()
    change = RolloutChanged("ecs-svc/1", "SERVICE_DEPLOYMENT_FAILED", "tasks failed to start.")
    Announcer(stream, Clock()).rollout(SERVICE, change)
    (event,) = heard
    assert (event.source, event.detail_type) == ("aws.ecs", "ECS Deployment State Change")
    assert (event.region, event.resources) == ("eu-west-1", (SERVICE["serviceArn"],))
    assert event.detail["eventType"] == "ERROR"
    assert event.detail["updatedAt"].endswith("Z")


def test_a_pause_is_announced() -> None:
    stream, heard = listening()
    Announcer(stream, Clock()).pause(SERVICE, "ecs-svc/1")
    (event,) = heard
    assert (event.source, event.detail_type) == ("aws.ecs", "ECS Hook State Change")
    assert (event.resources, event.detail["eventName"]) == ((SERVICE["serviceArn"],), "HOOK_AWAITING_ACTION")


def test_a_task_is_announced_as_it_is_then() -> None:
    stream, heard = listening()
    task = new_task(SERVICE, "0" * 32, "ecs-svc/1", DEFINITION, "10.0.0.5", 1.0)
    announcer = Announcer(stream, Clock())
    announcer.task(task)
    for change in ({"status": "RUNNING"}, {"status": "STOPPED", "stop_code": "X", "reason": "r", "exit_code": 3}):
        advance_task(task, change, 2.0)
        announcer.task(task)
    assert {one.detail_type for one in heard} == {"ECS Task State Change"}
    assert [one.detail["lastStatus"] for one in heard] == ["PROVISIONING", "RUNNING", "STOPPED"]
    assert [one.detail["desiredStatus"] for one in heard] == ["RUNNING", "RUNNING", "STOPPED"]
    assert [one.detail["containers"][0].get("exitCode") for one in heard] == [None, None, 3]
    assert heard[0].detail["createdAt"] == "1970-01-01T00:00:01.000000Z"
    assert (task["stopCode"], task["stoppedReason"], task["version"]) == ("X", "r", 3)
