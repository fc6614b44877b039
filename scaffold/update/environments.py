"""A change of a service's environments, as new answers to the questions of its kit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import yaml

from scaffold.core.errors import UsageError
from scaffold.service.names import ENVIRONMENT_NAME
from scaffold.update.recorded import Recorded

_ENVIRONMENTS, _OVERRIDES, _PRODUCTION = "environments", "environment_overrides", "production"
_LOAD_TEST, _AUTO_PROMOTE = "load_test", "auto_promote"


@dataclass(frozen=True)
class Change:
    """The environments before and after a change.

    Attributes:
        before: In order of promotion.
        after: In order of promotion.
        old_production: None with a kit that does not ask for it.
        new_production: None with a kit that does not ask for it.
        overrides: The new settings of individual environments; None where they stay as they are.
        ends_load_test: Whether the environment with the load test is removed.
        auto_promote: The environments whose branches still move by themselves; None where they stay as they are.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    old_production: str | None
    new_production: str | None
    overrides: Mapping[str, Any] | None = None
    ends_load_test: bool = False
    auto_promote: tuple[str, ...] | None = None

    @property
    def moves_production(self) -> bool:
        """Whether another environment becomes production."""
        return self.old_production != self.new_production

    @property
    def data(self) -> dict[str, str]:
        """The new answers, as `--data` has them."""
        data = {_ENVIRONMENTS: ",".join(self.after)}
        if self.new_production is not None:
            data[_PRODUCTION] = self.new_production
        if self.overrides is not None:
            data[_OVERRIDES] = json.dumps(self.overrides)
        if self.ends_load_test:
            data[_LOAD_TEST] = ""
        if self.auto_promote is not None:
            data[_AUTO_PROMOTE] = ",".join(self.auto_promote)
        return data


def environment_names(answers: Mapping[str, Any]) -> list[str]:
    """The environments that answers name, in order of promotion; none with a kit that does not ask for them."""
    return _listed(answers.get(_ENVIRONMENTS))


def addition(
    recorded: Recorded,
    name: str,
    *,
    before: str | None = None,
    after: str | None = None,
    settings: Mapping[str, str] | None = None,
    production: str | None = None,
) -> Change:
    """The change that adds an environment.

    Args:
        before: The environment that follows it; with neither this nor `after`, production.
        after: The environment that it follows.
        settings: Settings of its own, their values in YAML.
        production: The environment that becomes production; None where that stays as it is.

    Raises:
        UsageError: The name is malformed, the service has this environment, or has none of another name given.
    """
    names = _names(recorded)
    # Before anything else: the answer is a list, in which a comma would make two environments of one name.
    if not ENVIRONMENT_NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not the name of one environment.",
            "Give 2 to 12 lower-case letters and digits that begin with a letter, for example `scaffold env add qa`.",
        )
    if name in names:
        raise UsageError(
            f"{recorded.name} has an environment {name} already.", f"Its environments are {', '.join(names)}."
        )
    if before is not None and after is not None:
        raise UsageError("--before and --after name two places.", "Leave one of them out.")
    current = _production(recorded, names)
    if after is not None:
        place = names.index(_known(recorded, names, after)) + 1
    elif before is not None or current in names:
        place = names.index(_known(recorded, names, before or str(current)))
    else:
        place = len(names)
    changed = [*names[:place], name, *names[place:]]
    overrides = None
    if settings:
        overrides = {**_overrides(recorded), name: {key: _value(key, value) for key, value in settings.items()}}
    return _change(recorded, names, changed, production, overrides)


def removal(recorded: Recorded, name: str, *, production: str | None = None) -> Change:
    """The change that removes an environment.

    Args:
        production: The environment that becomes production; None where that stays as it is.

    Raises:
        UsageError: The service has no such environment, no other one, or would be left without production.
    """
    names = _names(recorded)
    remaining = [one for one in names if one != _known(recorded, names, name)]
    if not remaining:
        raise UsageError(
            f"{name} is the only environment of {recorded.name}.", "`scaffold destroy` deletes the service from AWS."
        )
    if name == production:
        raise UsageError(
            f"{name} cannot be removed and become production.",
            f"Name another environment, for example `--production {remaining[-1]}`.",
        )
    if name == _production(recorded, names) and production is None:
        raise UsageError(
            f"{name} is the production environment of {recorded.name}.",
            f"Name the one that becomes production: `--production {remaining[-1]}`.",
        )
    overrides = _overrides(recorded)
    kept = {key: value for key, value in overrides.items() if key != name}
    return _change(recorded, names, remaining, production, kept if kept != overrides else None)


def _change(
    recorded: Recorded, names: list[str], changed: list[str], production: str | None, overrides: dict[str, Any] | None
) -> Change:
    current = _production(recorded, names)
    if production is not None:
        if current is None:
            raise UsageError(f"The kit of {recorded.name} knows no production.", "Leave --production out.")
        _known(recorded, changed, production)
    ends_load_test = recorded.answers.get(_LOAD_TEST) in set(names) - set(changed)
    # The first environment follows main, and has no branch that could move.
    moved = _listed(recorded.answers.get(_AUTO_PROMOTE))
    still = tuple(name for name in moved if name in changed[1:])
    return Change(
        before=tuple(names),
        after=tuple(changed),
        old_production=current,
        new_production=production or current,
        overrides=overrides,
        ends_load_test=ends_load_test,
        auto_promote=still if len(still) < len(moved) else None,
    )


def _listed(answer: Any) -> list[str]:
    names = answer if isinstance(answer, list) else str(answer or "").split(",")
    return [str(name).strip() for name in names if str(name).strip()]


def _names(recorded: Recorded) -> list[str]:
    names = environment_names(recorded.answers)
    if not names:
        raise UsageError(
            f"The kit of {recorded.name} does not ask for environments.",
            "`scaffold update --data KEY=VALUE` changes its answers.",
        )
    return names


def _known(recorded: Recorded, names: list[str], name: str) -> str:
    if name in names:
        return name
    near = get_close_matches(name, names, 1)
    raise UsageError(
        f"{recorded.name} has no environment {name}.",
        f"Did you mean {near[0]}?" if near else f"Its environments are {', '.join(names)}.",
    )


def _production(recorded: Recorded, names: list[str]) -> str | None:
    found = recorded.answers.get(_PRODUCTION)
    return str(found) if found in names else None


def _overrides(recorded: Recorded) -> dict[str, Any]:
    found = recorded.answers.get(_OVERRIDES)
    return dict(found) if isinstance(found, Mapping) else {}


def _value(key: str, value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UsageError(f"The value of {key} is not YAML: {value!r}.", f"Give a value such as `{key}=2`.") from error
