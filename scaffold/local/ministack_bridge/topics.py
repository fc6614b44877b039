"""ministack's SNS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import sns


def wrap_publishing(published: Callable[[str, str, str], None]) -> None:
    """Tell a function of each message that a topic gets, from Publish as from EventBridge.

    Args:
        published: Takes the ARN of the topic, the subject and the message.
    """
    original = sns.publish_internal

    def publish(topic_arn: str, message: Any, subject: str = "", **options: Any) -> Any:
        result = original(topic_arn, message, subject, **options)
        if result and not result["duplicate"]:
            published(topic_arn, subject, str(message))
        return result

    sns.publish_internal = publish
