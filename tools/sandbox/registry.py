"""Which probes there are: one for each id in docs/unproven.md."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scaffold.core.errors import UsageError

from .verdicts import Verdict

if TYPE_CHECKING:
    from .sandbox import Sandbox

#: What probes share, in the order in which it is ready. The last probe of conditions waits for an hour.
SCENARIOS = ("releases", "service", "conditions")


@dataclass(frozen=True)
class Probe:
    """A probe of one assumption.

    Attributes:
        scenario: The name of the scenario that it observes; empty for a probe that needs none.
    """

    id: str
    run: Callable[[Sandbox], Verdict]
    scenario: str = ""


_PROBES: dict[str, Probe] = {}


def probe(
    identifier: str, scenario: str = ""
) -> Callable[[Callable[[Sandbox], Verdict]], Callable[[Sandbox], Verdict]]:
    """Register the function below as the probe of an assumption."""
    assert scenario in ("", *SCENARIOS), scenario  # noqa: S101
    assert identifier not in _PROBES, identifier  # noqa: S101

    def register(function: Callable[[Sandbox], Verdict]) -> Callable[[Sandbox], Verdict]:
        _PROBES[identifier] = Probe(identifier, function, scenario)
        return function

    return register


def probes() -> dict[str, Probe]:
    """All probes by their ids."""
    package = importlib.import_module(f"{__package__}.probes")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return dict(_PROBES)


def chosen(identifiers: Iterable[str]) -> list[Probe]:
    """The probes with these ids, all without any: those without a scenario first, then in the scenarios' order.

    Raises:
        UsageError: There is no probe with one of the ids.
    """
    known, wanted = probes(), list(identifiers)
    for identifier in wanted:
        if identifier not in known:
            raise UsageError(f"There is no probe {identifier}.", "`python tools/sandbox --list` lists the probes.")
    found = [known[identifier] for identifier in wanted] if wanted else list(known.values())
    order = ("", *SCENARIOS)
    return sorted(found, key=lambda one: order.index(one.scenario))
