"""What templates suppress of checkov's findings is what the policy of the merge gate lists, and no more is listed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.variants import MOST_AND_LEAST, pairwise

SUPPRESSION = re.compile(r"checkov:skip=(\w+)")


def differences(service: Path) -> dict[str, tuple[set[str], set[str]]]:
    """The templates whose suppressions differ from those of the policy, with both."""
    folder = service / "infrastructure"
    used = {
        path.relative_to(folder).as_posix(): set(SUPPRESSION.findall(path.read_text()))
        for path in folder.rglob("*.yaml")
    }
    document = tomllib.loads((service / "config/policies/infrastructure-policy.toml").read_text())
    listed = {name: set(checks) for name, checks in document["suppressions"].items()}
    # An empty list is left out.
    return {
        name: (used.get(name, set()), listed.get(name, set()))
        for name in used.keys() | listed.keys()
        if used.get(name, set()) != listed.get(name, set()) or listed.get(name) == set()
    }


@pytest.mark.parametrize("answers", MOST_AND_LEAST)
def test_the_policy_lists_exactly_what_templates_suppress(
    generated: Callable[..., Path], answers: dict[str, Any]
) -> None:
    assert differences(generated(**answers)) == {}


@pytest.mark.slow
@pytest.mark.parametrize("row", range(len(pairwise())))
def test_it_does_for_every_pair_of_answers(generated: Callable[..., Path], row: int) -> None:
    assert differences(generated(**pairwise()[row])) == {}
