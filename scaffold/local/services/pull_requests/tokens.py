"""Client request tokens: the same request with the same token is answered with what the first one has made."""

from __future__ import annotations

from collections.abc import Callable

from scaffold.local.protocol import Call, Document, ServiceError


class Tokens:
    """The tokens of one operation, as long as local AWS runs."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[Document, str]] = {}

    def once(self, call: Call, make: Callable[[], str]) -> str:
        """The id of what a request makes, or of what the first request with its token has made.

        Raises:
            ServiceError: The first request had other parameters.
        """
        token = call.parameters.get("clientRequestToken")
        if not token:
            return make()
        known = self._known.get((call.region, token))
        if known is None:
            known = self._known[call.region, token] = call.parameters, make()
        if known[0] != call.parameters:
            raise ServiceError(
                "IdempotencyParameterMismatchException", "The token was used in a request with other parameters"
            )
        return known[1]
