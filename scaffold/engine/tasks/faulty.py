"""Faults of services: injected into the tasks of the newest version, so that a canary fails for its share only."""

from __future__ import annotations

from scaffold.core.faults import Fault
from scaffold.engine.balancer.balancers import Balancers
from scaffold.engine.tasks.documents import Document
from scaffold.engine.tasks.record import Record


class Faults:
    """The faults by the names of services. Not for several threads at once."""

    def __init__(self, balancers: Balancers) -> None:
        self._balancers = balancers
        self._of: dict[str, Fault] = {}

    def replace(self, service: str, fault: Fault | None) -> None:
        """Let the newest version of a service, and each later one while it is the newest, have this fault."""
        self._of.pop(service, None)
        if fault:
            self._of[service] = fault

    def of(self, record: Record, definition: str) -> Fault | None:
        """The fault of a version of a service.

        Args:
            definition: The ARN of its task definition.
        """
        return self._of.get(record.settings["serviceName"]) if definition == record.newest else None

    def strike(self, record: Record) -> None:
        """Let requests to the tasks of a service have its faults, since there is another task, version or fault."""
        for task in record.tasks.values():
            stopped = task["lastStatus"] == "STOPPED"
            fault = None if stopped else self.of(record, task["taskDefinitionArn"])
            self._balancers.set_fault(_address(task), fault)


def _address(task: Document) -> str:
    return str(task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"])
