"""Lets a service that runs fail, through an endpoint outside AWS's APIs."""

from __future__ import annotations

from typing import Any

from scaffold.core import faults
from scaffold.engine.tasks.services import Services
from scaffold.local.protocol import Response


class FaultControl:
    """The endpoint `/_local/faults`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._given: dict[str, list[str]] = {}

    def control(self, method: str, given: Any) -> Response:
        """Replace the faults of a service, list those of all services, or end them."""
        if method == "DELETE":
            for service in list(self._given):
                self._replace(service, [])
        elif method == "PUT":
            match given:
                case {"service": str() as service, "faults": [*texts]} if all(isinstance(one, str) for one in texts):
                    problem = self._replace(service, texts)
                case _:
                    problem = 'The body is not {"service": "NAME", "faults": ["FAULT"]}'
            if problem:
                return Response({"message": problem}, 400)
        return Response({"faults": self._given}, 200 if method in ("GET", "PUT", "DELETE") else 405)

    def _replace(self, service: str, texts: list[str]) -> str:
        """Replace the faults of a service; return what is wrong with them."""
        try:
            fault = faults.parse(texts)
        except ValueError as error:
            return f"{error} is not one of {faults.FORMS}"
        self._services.inject(service, fault if texts else None)
        self._given.pop(service, None)
        if texts:
            self._given[service] = texts
        return ""
