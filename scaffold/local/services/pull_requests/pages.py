"""Pages of lists in CodeCommit's API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scaffold.local.protocol import Call, Document, ServiceError

_PAGE = 100


def page(key: str, found: Sequence[Any], call: Call, most: int = _PAGE) -> Document:
    """One page of a list.

    Args:
        most: How many results a request can ask for; it gets at most 100 without asking.

    Raises:
        ServiceError: The number of results or the token is not valid.
    """
    size = int(call.parameters.get("maxResults", _PAGE))
    if not 1 <= size <= most:
        raise ServiceError("InvalidMaxResultsException", f"The number of results must be from 1 to {most}")
    token = str(call.parameters.get("nextToken", "0"))
    if not token.isdecimal():
        raise ServiceError("InvalidContinuationTokenException", "The continuation token is not valid")
    first, last = int(token), int(token) + size
    return {key: list(found[first:last])} | ({"nextToken": str(last)} if last < len(found) else {})
