"""ministack's ECS and its image repositories."""

from __future__ import annotations

import json
import time
from typing import cast

from ministack.services import ecr, ecs

from scaffold.local.protocol import Document
from scaffold.local.wire import Response


def ecs_tags() -> dict[str, list[Document]]:
    """The tags of ECS's resources by their ARNs: ministack's own dictionary, not a copy."""
    return cast(dict[str, list[Document]], ecs._tags)


def refine_creation_times() -> None:
    """Give image repositories creation times with milliseconds, as ECR does. ministack's have whole seconds."""
    original = ecr._create_repository

    def create_repository(data: Document) -> Response:
        status, headers, body = original(data)
        if status == 200:
            answer = json.loads(body)
            answer["repository"]["createdAt"] = round(time.time(), 3)
            ecr._repositories[data["repositoryName"]]["createdAt"] = answer["repository"]["createdAt"]
            body = json.dumps(answer).encode()
        return status, headers, body

    ecr._create_repository = create_repository
