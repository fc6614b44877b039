"""What has to be released before an update."""

from __future__ import annotations

from typing import Any

import pytest

from scaffold.update.follow_up import follow_up


def test_a_load_balancer_keeps_its_scheme() -> None:
    environments = {"environments": "live", "production": "live"}
    (sentence,) = follow_up(environments, environments | {"load_balancer": "internal"}, (), (), ()).first
    assert sentence.startswith("AWS cannot make a public load balancer internal")
    assert follow_up({}, environments | {"load_balancer": "internal"}, (), (), ()).first == ()


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ({}, {"health_path": "/healthz"}, "/healthz"),
        ({"health_path": "/healthz"}, {"health_path": "/live"}, "/live"),
        ({"health_path": "/healthz"}, {"health_path": "/healthz"}, ""),
        ({"health_path": "/healthz"}, {}, ""),
        ({"health_path": "/healthz"}, {"health_path": "/health"}, ""),
    ],
)
def test_tasks_have_to_answer_the_health_check_before_it_changes(
    before: dict[str, Any], after: dict[str, Any], named: str
) -> None:
    environments = {"environments": "live", "production": "live"}
    first = follow_up(environments | before, environments | after, (), (), ()).first
    assert [f"asks the running tasks for {named} before" in sentence for sentence in first] == [True] * bool(named)
