"""A recorded answer that the new kit refuses stops an update with the rule: Copier drops it, and uses the default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import copier
import pytest
import yaml

from tests.kits import commit_all, copy_kit

CANARY = {"app_name": "orders-api", "customize": True, "deployment_strategy": "canary"}
LINEAR = {**CANARY, "deployment_strategy": "linear"}
# What an older kit has accepted.
LAX = {
    "includes/rules.jinja": [
        ("slowest_alarm_minutes = 8", "slowest_alarm_minutes = 1"),
        ("minutes > 1980", "minutes > 99999"),
        ("'delivery', ", ""),
    ],
    "copier.yml": [("canary_percent, 1, 99", "canary_percent, 0, 99"), ("step_percent, 3, 99", "step_percent, 1, 99")],
}


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kit as v0.0.2, after a v0.0.1 whose rules are lax."""
    root = copy_kit(tmp_path_factory.mktemp("kit") / "kit")
    rules = {name: (root / name).read_text() for name in LAX}
    for name, changes in LAX.items():
        text = rules[name]
        for strict, lax in changes:
            assert strict in text
            text = text.replace(strict, lax)
        (root / name).write_text(text)
    commit_all(root, tag="v0.0.1")
    for name, text in rules.items():
        (root / name).write_text(text)
    commit_all(root, tag="v0.0.2")
    return root


def update(kit: Path, service: Path, answers: dict[str, Any], **given: Any) -> dict[str, Any]:
    """Generate a service from the older kit and update it; its answers afterwards."""
    copier.run_copy(str(kit), service, data=answers, defaults=True, quiet=True, vcs_ref="v0.0.1")
    commit_all(service)
    copier.run_update(service, data=given, defaults=True, overwrite=True, quiet=True)
    return dict(yaml.safe_load((service / ".copier-answers.yml").read_text()))


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({**CANARY, "canary_bake_minutes": 5}, "canary_bake_minutes is a whole number from 8"),
        pytest.param({**CANARY, "bake_minutes": 5}, "bake_minutes is a whole number from 8", marks=pytest.mark.slow),
        pytest.param({**CANARY, "canary_percent": 0}, "canary_percent is a whole number", marks=pytest.mark.slow),
        pytest.param({**LINEAR, "linear_step_percent": 1}, "linear_step_percent is a whole", marks=pytest.mark.slow),
        pytest.param({**LINEAR, "linear_step_minutes": 1440}, "may take 33 hours", marks=pytest.mark.slow),
        pytest.param({**CANARY, "environments": "delivery,prod"}, "may not be named", marks=pytest.mark.slow),
    ],
)
def test_an_update_stops_where_a_recorded_answer_no_longer_fits(
    kit: Path, tmp_path: Path, answers: dict[str, Any], words: str
) -> None:
    with pytest.raises(Exception, match=words):
        update(kit, tmp_path / "service", answers)


@pytest.mark.slow
def test_another_answer_is_taken(kit: Path, tmp_path: Path) -> None:
    answers = {**CANARY, "canary_bake_minutes": 5}
    found = update(kit, tmp_path / "service", answers, canary_bake_minutes=9)
    assert (found["canary_bake_minutes"], found["_commit"]) == (9, "v0.0.2")
