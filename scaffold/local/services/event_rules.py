"""Delivers the engine's events to EventBridge, and EventBridge's events to pipelines."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable

from scaffold.engine.events import Event, EventStream
from scaffold.local import ministack_bridge
from scaffold.local.protocol import ACCOUNT, Document
from scaffold.local.services.repositories import Repository

_PUSHES = "CodeCommit Repository State Change"


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
