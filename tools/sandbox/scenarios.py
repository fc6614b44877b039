"""The scenarios that probes observe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .conditions import Conditions
from .kit import Service
from .releases import Releases
from .runner import explained
from .sandbox import Sandbox
from .scenario import Scenario
from .services import Environment


def scenarios(sandbox: Sandbox) -> dict[str, Scenario[Any]]:
    """The scenarios by their names; none of them has started."""
    service = Service(sandbox)

    def deploy() -> None:
        service.generate()
        service.commit("Shorten the bake times of the sandbox")
        service.deploy()

    def second_release() -> None:
        service.change_application("2")
        service.commit("Release another version")
        service.release()
        production = Environment(sandbox, service, "prod")
        service.production = production.describe(), production.deployments()[0]

    steps = {"deployed": deploy, "first release": service.release, "second release": second_release}

    def told(what: str) -> Callable[[str], None]:
        return lambda milestone: sandbox.tell(f"{what}: {milestone}")

    releases, conditions = Releases(sandbox), Conditions(sandbox)
    found: dict[str, Scenario[Any]] = {
        "releases": Scenario(releases, releases.steps, explained, told("small pipeline")),
        "conditions": Scenario(conditions, conditions.steps, explained, told("conditions")),
        "service": Scenario(service, steps, explained, told("service")),
    }
    for name, scenario in found.items():
        sandbox.shares(name, scenario)
    return found
