"""Messages to people: a text for e-mail, and for chat a document in the schema of Amazon Q's custom notifications."""

from __future__ import annotations

import json
import os
import re

from aws_calls import call

LONGEST_TITLE = 100
LONGEST_IN_CHAT = 4000


def tell(title: str, text: str) -> None:
    """Publish a message to the topic of notifications, and to that of chat where there is one.

    Args:
        title: One line, which becomes the subject of an e-mail.

    Raises:
        Problem: It was not published.
    """
    subject = re.sub(r"[^ -~]", "?", title)[:LONGEST_TITLE]
    call("sns", "publish", TopicArn=os.environ["NOTIFICATION_TOPIC"], Subject=subject, Message=readable(text))
    if topic := os.environ.get("CHAT_TOPIC"):
        # In angle brackets, chat applications have links and mentions, which a commit's message could contain.
        shown = readable(text).translate(str.maketrans("<>", "()"))
        if len(shown) > LONGEST_IN_CHAT:
            shown = shown[: LONGEST_IN_CHAT - 3] + "..."
        document = {"version": "1.0", "source": "custom", "content": {"title": subject, "description": shown}}
        call("sns", "publish", TopicArn=topic, Message=json.dumps(document))


def readable(text: str) -> str:
    """A text without control characters other than line breaks."""
    return "".join(one if one == "\n" or one.isprintable() else "?" for one in text)
