"""The list of a service's secrets in Git, and the service's own script that writes it into the task definitions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from scaffold.core.errors import ScaffoldError
from scaffold.service.own_script import run_own_script
from scaffold.service.service import Service

SCRIPT = "config/scripts/task_settings.py"
SECRETS = "config/environments/secrets.json"


@dataclass(frozen=True)
class ListedSecret:
    """A secret that the repository lists.

    Attributes:
        store: `parameter-store` or `secrets-manager`.
        versions: How often its value was set, by each environment whose tasks get it.
        retired: The environments whose tasks get it no more, and may still read it.
    """

    store: str
    versions: dict[str, int] = field(default_factory=dict)
    retired: tuple[str, ...] = ()

    def with_version(self, environment: str, version: int) -> ListedSecret:
        """The secret with a new value in an environment."""
        retired = tuple(one for one in self.retired if one != environment)
        return replace(self, versions={**self.versions, environment: version}, retired=retired)

    def without(self, environment: str) -> ListedSecret | None:
        """The secret without an environment; None where it is left with none."""
        versions = {name: version for name, version in self.versions.items() if name != environment}
        left = replace(self, versions=versions, retired=tuple(one for one in self.retired if one != environment))
        return left if left.versions or left.retired else None


def knows_secrets(service: Service) -> bool:
    """Whether the service's version of the kit has settings of tasks."""
    return (service.root / SCRIPT).is_file()


def listed_secrets(service: Service) -> dict[str, ListedSecret]:
    """The secrets of a service by name.

    Raises:
        ScaffoldError: The list is damaged, or the service's kit knows no secrets.
    """
    if not knows_secrets(service):
        raise ScaffoldError(
            f"{SCRIPT} is missing: the kit of this service knows no secrets yet.", "Update it with `scaffold update`."
        )
    run_own_script(service, SCRIPT, "check the task definitions", "--check")
    path = service.root / SECRETS
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return {
        name: ListedSecret(one["store"], one["environments"], tuple(one.get("retired", ())))
        for name, one in found.items()
    }


@contextmanager
def listing(service: Service, secrets: dict[str, ListedSecret]) -> Iterator[list[str]]:
    """Write the list and the task definitions. Without success of what follows, they are as before.

    Returns:
        The files that have changed.

    Raises:
        ScaffoldError: The service's script refuses the list.
    """
    paths = [service.root / SECRETS, *sorted(service.root.glob("infrastructure/*/task-definition.yaml"))]
    before = {path: path.read_bytes() if path.is_file() else None for path in paths}
    try:
        write_list(service.root, secrets)
        run_own_script(service, SCRIPT, "write the task definitions")
        yield [
            path.relative_to(service.root).as_posix()
            for path, content in before.items()
            if (path.read_bytes() if path.is_file() else None) != content
        ]
    except BaseException:
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)
        raise


def without_environment(secrets: dict[str, ListedSecret], environment: str) -> dict[str, ListedSecret]:
    """The secrets without what they say about an environment; those of no other one are left out."""
    found = {name: one.without(environment) for name, one in secrets.items()}
    return {name: one for name, one in found.items() if one}


def write_list(root: Path, secrets: dict[str, ListedSecret]) -> None:
    """Write the list of a service, or remove it where it is empty. The task definitions stay as they are."""
    path = root / SECRETS
    if not secrets:
        path.unlink(missing_ok=True)
        return
    document = {
        name: {"store": one.store, "environments": dict(sorted(one.versions.items()))}
        | ({"retired": sorted(one.retired)} if one.retired else {})
        for name, one in sorted(secrets.items())
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n", "utf-8", newline="\n")
