"""A change is built once, which is what makes it reach production early."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.infrastructure.release_time import BUILD_START, IMAGE, rebuilt, to_production
from tests.infrastructure.stacks import Stacks


@pytest.mark.slow
@pytest.mark.parametrize(("environments", "most"), [("dev,staging,prod", 0.6), ("dev,test,qa,load,staging,prod", 0.5)])
def test_a_small_change_reaches_production_earlier_than_with_a_build_for_each_environment(
    stacks_of: Callable[..., Stacks], environments: str, most: float
) -> None:
    amount = environments.count(",") + 1
    ours = to_production(stacks_of(environments=environments), "prod")
    assert ours / rebuilt(amount) <= most, (ours, rebuilt(amount))
    # With a build for each environment, it would not.
    assert (ours + (amount - 1) * (BUILD_START + IMAGE)) / rebuilt(amount) > most
