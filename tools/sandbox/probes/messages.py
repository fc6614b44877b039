"""Messages that EventBridge makes of events."""

from __future__ import annotations

import json
from typing import Any

from ..queues import Queue, get, rule
from ..registry import probe
from ..roles import policy
from ..sandbox import Sandbox
from ..stacks import Template
from ..verdicts import Unavailable, Undecided, Verdict, decided, refuted

# As in the stack `events` of a service.
_PATHS = {"action": "$.detail.action", "code": "$.detail.code", "reason": "$.detail.reason"}
# The code of an event whose message arrives.
_OTHER = "OtherEvent"
_TEXT = '"<action> failed. <code> <reason> End."'
_CHAT = f'{{"version": "1.0", "source": "custom", "content": {{"title": "Failed", "description": {_TEXT}}}}}'
_LOST = "the message of the event was lost, while that of an event without this peculiarity has arrived"


def _source(sandbox: Sandbox) -> str:
    return f"gitops-scaffold.{sandbox.run}"


def _send(sandbox: Sandbox, **detail: Any) -> None:
    entry = {"Source": _source(sandbox), "DetailType": "Probe", "Detail": json.dumps(detail)}
    answer = sandbox.client("events").put_events(Entries=[entry])
    if answer["FailedEntryCount"]:
        raise Undecided(f"EventBridge did not accept the event: {answer['Entries']}")


def _message(sandbox: Sandbox, subject: str, template: str = _TEXT, **detail: str) -> str:
    """The message that is made of an event; empty if it is lost, while that of another event arrives."""
    transformer = {"InputPathsMap": _PATHS, "InputTemplate": template}
    pattern = {"source": [_source(sandbox)], "detail": {"action": [subject]}}
    queue = Queue.with_resources(sandbox, subject, {"Rule": rule(pattern, InputTransformer=transformer)})

    def look() -> str:
        # A new rule may miss the first events.
        _send(sandbox, action=subject, code=_OTHER, reason="")
        _send(sandbox, action=subject, **detail)
        return next((one for one in queue.messages() if _OTHER not in one), "")

    try:
        return sandbox.wait(look, "the arrival of a message", 120)
    except Unavailable:
        if queue.messages():
            return ""
        raise


@probe("quotation-marks")
def quotation_marks(sandbox: Sandbox) -> Verdict:
    """An event with quotation marks in a value."""
    message = _message(sandbox, "quotes", code="JobFailed", reason='Resource "A" failed')
    if not message:
        return refuted(_LOST)
    try:
        text = json.loads(message)
    except ValueError:
        return decided(False, f"the message is no JSON: {message}")
    return decided('Resource "A" failed' in text, f"the message is {message}")


@probe("quotation-marks-in-json")
def quotation_marks_in_json(sandbox: Sandbox) -> Verdict:
    """An event with quotation marks in a value, whose message is a document."""
    message = _message(sandbox, "document", _CHAT, code="JobFailed", reason='Resource "A" failed')
    if not message:
        return refuted(_LOST)
    try:
        text = json.loads(message)["content"]["description"]
    except (KeyError, TypeError, ValueError):
        return decided(False, f"the message is no such document: {message}")
    return decided('Resource "A" failed' in text, f"the message is {message}")


@probe("missing-values")
def missing_values(sandbox: Sandbox) -> Verdict:
    """An event without two of the values."""
    message = _message(sandbox, "missing")
    if not message:
        return refuted(_LOST)
    return decided("<" not in message and "End." in message, f"the message is {message}")


@probe("topic-without-source")
def topic_without_source(sandbox: Sandbox) -> Verdict:
    """Three topics: one is open to EventBridge, one if the ARN of the rule is the source, and one is not."""
    source = {"ArnLike": {"aws:SourceArn": sandbox.arn("events", f"rule/{sandbox.run}*")}}
    conditions: Template = {"Open": {}, "Conditional": {"Condition": source}, "Closed": {"Effect": "Deny"}}
    resources: Template = {}
    for name, condition in conditions.items():
        resources |= _topic(name, condition)
    resources["Rule"] = rule({"source": [_source(sandbox)], "detail": {"action": ["topics"]}})
    resources["Rule"]["DependsOn"] = [f"{name}Policy" for name in conditions]
    resources["Rule"]["Properties"]["Targets"] = [{"Id": name, "Arn": {"Ref": name}} for name in conditions]
    queue = Queue.with_resources(sandbox, "topics", resources)

    def arrived(name: str) -> bool:
        # In the ARN of the topic.
        return any(f"-{name}-" in one for one in queue.messages())

    def look() -> bool:
        _send(sandbox, action="topics")
        return arrived("Open")

    sandbox.wait(look, "the arrival of a message of the topic without a condition", 180)
    sandbox.settle(60)
    if arrived("Closed"):
        raise Undecided("the policies of topics are not checked here")
    text = "has accepted messages" if arrived("Conditional") else "has accepted none, while the other one has"
    return decided(not arrived("Conditional"), f"the topic with a condition on aws:SourceArn {text}")


def _topic(name: str, condition: Template) -> Template:
    """A topic with a policy for EventBridge, subscribed by the queue."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": {"Ref": name},
        **condition,
    }
    subscription = {"Protocol": "sqs", "TopicArn": {"Ref": name}, "Endpoint": get("Queue", "Arn")}
    return {
        name: {"Type": "AWS::SNS::Topic"},
        f"{name}Policy": {
            "Type": "AWS::SNS::TopicPolicy",
            "Properties": {"Topics": [{"Ref": name}], "PolicyDocument": policy(statement)},
        },
        f"{name}Subscription": {"Type": "AWS::SNS::Subscription", "Properties": subscription},
    }
