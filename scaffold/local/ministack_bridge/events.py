"""ministack's EventBridge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import eventbridge

from scaffold.local.protocol import ACCOUNT, Document


def publish_event(entry: Document, region: str) -> None:
    """Publish an event of an AWS service, which PutEvents refuses, to the rules of a region. Runs in the event loop."""
    with request_scope(ACCOUNT, region):
        eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def wrap_rule_targets(service: str, invoke: Callable[[Document, Document, str], None]) -> None:
    """Let a function invoke the targets of EventBridge rules of one service.

    Args:
        service: The service in the targets' ARNs.
        invoke: Takes the target, the rule, and the input that the target is configured with; an empty one where it
            would get the event itself.
    """
    original = eventbridge._invoke_target

    def invoke_target(target: Document, event: Document, rule: Document, view: Any = None) -> None:
        if target.get("Arn", "").split(":")[2:3] == [service]:
            invoke(target, rule, _configured_input(target, event, rule, view))
        else:
            original(target, event, rule, view)

    eventbridge._invoke_target = invoke_target


def _configured_input(target: Document, event: Document, rule: Document, view: Any) -> str:
    if transformer := target.get("InputTransformer"):
        view = view or eventbridge._pattern_event_view(event)
        return str(eventbridge._apply_input_transformer(transformer, rule, view))
    return str(target.get("Input", ""))
