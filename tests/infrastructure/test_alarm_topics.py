"""Whom the alarms of an environment tell, and what stays the service's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.infrastructure.iam import allowed
from tests.infrastructure.stacks import ACCOUNT, REGION, Stack, Stacks, one

APP = "hello-service"
ANSWERS: dict[str, Any] = {
    "customize": True,
    "notification_email": "team@example.com",
    "environment_overrides": {"prod": {"alarm_email": "oncall@example.com"}},
    "queues": "jobs",
    "observability": "standard",
}


def topic(name: str) -> str:
    return f"arn:aws:sns:{REGION}:{ACCOUNT}:{APP}-{name}"


def actions_of_alarms(stack: Stack) -> Iterator[tuple[str, list[str]]]:
    for _, alarm in stack.of_type("AWS::CloudWatch::Alarm"):
        yield alarm["AlarmName"], [*alarm["AlarmActions"], *alarm.get("InsufficientDataActions", [])]


def test_alarms_of_an_environment_tell_its_address_and_no_other(stacks_of: Callable[..., Stacks]) -> None:
    told: dict[str, set[str]] = {"dev": set(), "staging": set(), "prod": set(), "": set()}
    names: list[str] = []
    for stack in stacks_of(**ANSWERS).values():
        for name, actions in actions_of_alarms(stack):
            environment = next((one for one in told if one and name.startswith(f"{APP}-{one}-")), "")
            told[environment].update(actions)
            names.append(name.removeprefix(f"{APP}-prod-"))
    service = {topic("notifications")}
    assert told == {"dev": service, "staging": service, "": service, "prod": {topic("prod-alarms")}}
    # All of them: those that take a deployment back, those for people, and that of a queue.
    expected = {"5xx", "load-balancer-5xx", "unhealthy", "latency", "operations", "no-healthy-task", "memory"}
    assert {*expected, "-jobs_dead-letters"} <= set(names)


def test_its_topic_has_one_address_the_key_and_its_own_alarms(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of(**ANSWERS)
    stack = one(stacks, "alarm-topic")
    assert stack.name == f"{APP}-prod-alarm-topic"
    ((_, subscription),) = stack.of_type("AWS::SNS::Subscription")
    assert (subscription["TopicArn"], subscription["Endpoint"]) == (topic("prod-alarms"), "oncall@example.com")
    ((_, own),) = one(stacks, "foundation").of_type("AWS::SNS::Subscription")
    assert (own["TopicArn"], own["Endpoint"]) == (topic("notifications"), "team@example.com")
    ((_, policy),) = stack.of_type("AWS::SNS::TopicPolicy")
    statements, source = policy["PolicyDocument"]["Statement"], "aws:SourceArn"
    for alarm, may in ((f"{APP}-prod-5xx", True), (f"{APP}-staging-5xx", False), (f"{APP}-production-5xx", False)):
        arn = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{alarm}"
        context = {source: arn, "aws:SourceAccount": ACCOUNT}
        assert allowed(statements, "sns:Publish", topic("prod-alarms"), context) is may
    ((_, key),) = one(stacks, "foundation").of_type("AWS::KMS::Key")
    for name, may in (("prod-alarms", True), ("notifications", True), ("prod-other", False)):
        context = {"kms:EncryptionContext:aws:sns:topicArn": topic(name)}
        publishers = [one for one in key["KeyPolicy"]["Statement"] if "Publishers" in one["Sid"]]
        assert allowed(publishers, "kms:GenerateDataKey", context=context) is may
