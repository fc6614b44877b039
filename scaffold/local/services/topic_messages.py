"""Keeps the messages of SNS topics, for the endpoint `/_local/messages`: local AWS sends no mail."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from scaffold.local import ministack_bridge
from scaffold.local.protocol import Document, Response

_KEPT = 1000


class TopicMessages:
    """The newest messages of all topics."""

    def __init__(self) -> None:
        self._messages: deque[Document] = deque(maxlen=_KEPT)

    def install(self) -> None:
        """Keep messages from now on."""
        ministack_bridge.wrap_publishing(self._keep)

    def control(self, method: str, _document: Any) -> Response:
        """List them, the oldest first, or delete them."""
        if method == "DELETE":
            self._messages.clear()
        return Response({"messages": list(self._messages)}, 200 if method in ("GET", "DELETE") else 405)

    def _keep(self, topic: str, subject: str, message: str) -> None:
        self._messages.append({"topic": topic, "subject": subject, "message": message, "at": time.time()})
