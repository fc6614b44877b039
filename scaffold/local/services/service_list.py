"""The services that run in all regions, for `scaffold local status`."""

from __future__ import annotations

from typing import Any

from scaffold.engine.balancer.balancers import Balancers
from scaffold.engine.tasks.services import Services
from scaffold.local.protocol import Document, Response


class ServiceList:
    """Lists services with the URLs of their load balancers."""

    def __init__(self, services: Services, balancers: Balancers) -> None:
        self._services = services
        self._balancers = balancers

    def control(self, method: str, _: Any) -> Response:
        """List them (GET)."""
        found = [self._entry(one) for one in self._services.active()] if method == "GET" else []
        return Response({"services": found}, 200 if method == "GET" else 405)

    def _entry(self, service: Document) -> Document:
        groups = [one["targetGroupArn"] for one in service.get("loadBalancers", []) if "targetGroupArn" in one]
        ports = [port for group in groups if (port := self._balancers.port(group))]
        return {
            "region": service["serviceArn"].split(":")[3],
            "cluster": service["clusterArn"].rpartition("/")[2],
            "name": service["serviceName"],
            "running": service["runningCount"],
            "desired": service["desiredCount"],
            "url": f"http://127.0.0.1:{ports[0]}" if ports else None,
        }
