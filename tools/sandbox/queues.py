"""Queues that receive what EventBridge and SNS send."""

from __future__ import annotations

import threading
from typing import Any

from .roles import policy
from .sandbox import Sandbox
from .stacks import Stack, Template, template


def queue() -> Template:
    """A queue, and its policy for EventBridge and SNS, as resources of a template."""
    services = {"Service": ["events.amazonaws.com", "sns.amazonaws.com"]}
    statement = {"Effect": "Allow", "Principal": services, "Action": "sqs:SendMessage", "Resource": get("Queue", "Arn")}
    properties = {"Queues": [{"Ref": "Queue"}], "PolicyDocument": policy(statement)}
    return {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "QueuePolicy": {"Type": "AWS::SQS::QueuePolicy", "Properties": properties},
    }


def rule(pattern: dict[str, Any], **target: Any) -> Template:
    """A rule that sends events to a queue, or to another target."""
    targets = [{"Id": "target", "Arn": get("Queue", "Arn"), **target}]
    return {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": pattern, "Targets": targets}}


def get(resource: str, attribute: str) -> Template:
    """The attribute of a resource."""
    return {"Fn::GetAtt": [resource, attribute]}


class Queue:
    """What a queue has received so far. May be used from any thread."""

    def __init__(self, sandbox: Sandbox, url: str) -> None:
        self._sandbox = sandbox
        self._url = url
        self._lock = threading.Lock()
        self._received: list[str] = []

    @classmethod
    def with_resources(cls, sandbox: Sandbox, subject: str, resources: Template) -> Queue:
        """Create a queue, and rules or topics that send to it, in one stack."""
        text = template({**queue(), **resources}, Outputs={"Url": {"Value": {"Ref": "Queue"}}})
        return cls(sandbox, Stack.create(sandbox, subject, text).outputs["Url"])

    def messages(self) -> list[str]:
        """The bodies of all messages that have arrived."""
        sqs = self._sandbox.client("sqs")
        with self._lock:
            while True:
                answer = sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
                found = answer.get("Messages", [])
                for one in found:
                    self._received.append(one["Body"])
                    sqs.delete_message(QueueUrl=self._url, ReceiptHandle=one["ReceiptHandle"])
                if not found:
                    return list(self._received)

    def first(self, containing: str, seconds: float = 120) -> str:
        """The first message with a text in it, once it has arrived."""

        def look() -> str:
            return next((one for one in self.messages() if containing in one), "")

        return self._sandbox.wait(look, f"the arrival of a message with {containing}", seconds)
