"""Delivers the engine's events to EventBridge, and EventBridge's events to pipelines and builds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable

from scaffold.engine.events import Event, EventStream
from scaffold.local import ministack_bridge
from scaffold.local.protocol import AwsService, Call, Document, ServiceError

_TARGETS = ("codebuild", "codepipeline", "events", "lambda", "sns", "sqs", "states")


def not_rehearsed(targets: Iterable[Document]) -> str:
    """The first target of a rule that gets no events here, or not what it asks for; empty for none."""
    for target in targets:
        service = str(target.get("Arn", "")).split(":")[2:3]
        if service and service[0] not in _TARGETS:
            return f"a rule's target in {service[0]}"
        if service == ["codebuild"] and "InputPath" in target:
            return "the InputPath of a rule's target in codebuild"
    return ""


def missing_role(targets: Iterable[Document]) -> str:
    """What EventBridge says of the first target that needs a role and has none; empty for none."""
    projects = [target for target in targets if ":codebuild:" in str(target.get("Arn", ""))]
    return next((f"RoleArn is required for target {one['Arn']}." for one in projects if not one.get("RoleArn")), "")


class RuleTargets(AwsService):
    """Refuses the targets of rules that EventBridge refuses, or that would get no events. The others stay with
    ministack.
    """

    name = "events"

    def put_targets(self, call: Call) -> Document:
        """Add targets to a rule."""
        if problem := not_rehearsed(call.parameters["Targets"]):
            raise ServiceError("ValidationException", f"not rehearsed: {problem}")
        if problem := missing_role(call.parameters["Targets"]):
            raise ServiceError("ValidationException", problem)
        return ministack_bridge.call("events", "PutTargets", call.parameters, call.region)


class EventRules:
    """EventBridge, as the engine uses it.

    Args:
        stream: The events of the engine.
    """

    def __init__(self, stream: EventStream) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        stream.subscribe(self._deliver)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver in this loop from now on: ministack's state is changed in its thread only."""
        self._loop = loop

    @staticmethod
    def start_pipelines(start: Callable[[str, str, str], None]) -> None:
        """Let rules whose target is a pipeline start it, which ministack does not.

        Args:
            start: Takes the ARNs of the pipeline, of the rule and of the target's role.
        """
        ministack_bridge.wrap_rule_targets(
            "codepipeline",
            lambda target, rule, _: start(target["Arn"], rule.get("Arn", ""), target.get("RoleArn", "")),
        )

    @staticmethod
    def start_builds(start: Callable[[str, str, str, str], None]) -> None:
        """Let rules whose target is a project start a build of it, which ministack does not.

        Args:
            start: Takes the ARNs of the project, of the rule and of the target's role, and the target's input.
        """
        ministack_bridge.wrap_rule_targets(
            "codebuild",
            lambda target, rule, given: start(target["Arn"], rule.get("Arn", ""), target.get("RoleArn", ""), given),
        )

    def _deliver(self, event: Event) -> None:
        entry = {
            "Source": event.source,
            "DetailType": event.detail_type,
            "Detail": json.dumps(event.detail),
            "Resources": list(event.resources),
        }
        if self._loop:
            self._loop.call_soon_threadsafe(ministack_bridge.publish_event, entry, event.region)
