"""Delivers the engine's events to EventBridge, and EventBridge's events to pipelines."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable

from scaffold.engine.events import Event, EventStream
from scaffold.local import ministack_bridge
from scaffold.local.protocol import ACCOUNT, AwsService, Call, Document, ServiceError
from scaffold.local.services.repositories import Repository

_PUSHES = "CodeCommit Repository State Change"
_TARGETS = ("codepipeline", "events", "lambda", "sns", "sqs", "states")


def not_rehearsed(targets: Iterable[Document]) -> str:
    """The first target of a rule that gets no events here; empty for none."""
    services = [str(target.get("Arn", "")).split(":")[2:3] for target in targets]
    return next((f"a rule's target in {one[0]}" for one in services if one and one[0] not in _TARGETS), "")


class RuleTargets(AwsService):
    """Refuses the targets of rules that would get no events. The others stay with ministack."""

    name = "events"

    def put_targets(self, call: Call) -> Document:
        """Add targets to a rule."""
        if problem := not_rehearsed(call.parameters["Targets"]):
            raise ServiceError("ValidationException", f"not rehearsed: {problem}")
        return ministack_bridge.call("events", "PutTargets", call.parameters, call.region)


class EventRules:
    """EventBridge, as the engine and CodeCommit use it.

    Args:
        stream: The events of the engine.
    """

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream
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
            lambda target, rule: start(target["Arn"], rule.get("Arn", ""), target.get("RoleArn", "")),
        )

    def pushed(self, repository: Repository, changes: list[Document]) -> None:
        """Publish the changes of a repository's references."""
        for change in changes:
            common = {"repositoryName": repository.name, "repositoryId": repository.identifier}
            caller = {"callerUserArn": f"arn:aws:iam::{ACCOUNT}:root"}
            detail = common | caller | change
            self._stream.publish(
                Event("aws.codecommit", _PUSHES, repository.region, detail, (repository.arn,), time.time())
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
