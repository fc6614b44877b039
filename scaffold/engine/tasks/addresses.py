"""The private IP addresses of tasks, and the target groups in which they are targets."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Addresses:
    """Which task has which address. Not for several threads at once."""

    _given: int = 0
    _owners: dict[str, tuple[str, str]] = field(default_factory=dict)
    _groups: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def give(self, service: str, task: str, groups: tuple[str, ...]) -> str:
        """Give a task an address.

        Args:
            service: Its service's ARN.
            groups: The ARNs of its target groups.
        """
        self._given += 1
        ip = f"10.0.{self._given // 250 % 250}.{self._given % 250 + 4}"
        self._owners[ip] = service, task
        self._groups[ip] = groups
        return ip

    def target(self, group: str, ip: str) -> tuple[str, str] | None:
        """The service and the task of a target."""
        return self._owners[ip] if group in self._groups.get(ip, ()) else None

    def targets(self, task: str) -> list[tuple[str, str]]:
        """The target groups of a task with its address."""
        found = [ip for ip, (_, owner) in self._owners.items() if owner == task]
        return [(group, ip) for ip in found for group in self._groups[ip]]

    def forget(self, task: str) -> None:
        """Free the address of a task that has stopped."""
        for ip in [ip for ip, (_, owner) in self._owners.items() if owner == task]:
            del self._owners[ip], self._groups[ip]
