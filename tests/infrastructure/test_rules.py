"""The rules of our own find nothing in generated services, and each finds a problem in its faulty template."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure import rules_pipeline, rules_runtime, rules_trust
from tests.infrastructure.rules import RULES
from tests.infrastructure.stacks import Stack, Stacks, parse
from tests.infrastructure.variants import FEW, pairwise

WRONG = parse((Path(__file__).parent / "wrong.yaml").read_text())
# Reports in public issues about faults that a generated service could have. Reports about databases and the scan gate
# are left out: there is no database, and the gate has its own tests.
REPORTED = """
    ecs-02 ecs-05 ecs-08 ecs-10 ecs-12 ecs-13 ecs-18 iam-02 iam-04 iam-05 iam-07 iam-08 kms-02 kms-05 kms-09 name-05
    name-06 name-07 net-01 net-03 net-07 pipe-01 pipe-02 pipe-03 pipe-07 pipe-14 sh-01
"""


def broken(stacks: Stacks) -> list[str]:
    return [f"{name}: {problem}" for name, check in RULES.items() for problem in check(stacks)]


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_generated_stacks_follow_the_rules(stacks_of: Callable[..., Stacks], answers: dict[str, Any]) -> None:
    assert broken(stacks_of(**answers)) == []


@pytest.mark.slow
@pytest.mark.parametrize("answers", pairwise(), ids=lambda answers: "-".join(map(str, answers.values())))
def test_generated_stacks_follow_the_rules_over_all_pairs(
    stacks_of: Callable[..., Stacks], answers: dict[str, Any]
) -> None:
    assert broken(stacks_of(**answers)) == []


@pytest.mark.parametrize("name", RULES)
def test_a_rule_finds_its_fault(name: str) -> None:
    stacks = {f"wrong-{kind}": Stack(f"wrong-{kind}", template) for kind, template in WRONG[name].items()}
    assert list(RULES[name](stacks)), f"{name} finds nothing in its faulty template"


def test_every_report_has_a_rule() -> None:
    assert set(REPORTED.split()) <= set(RULES)
    assert set(WRONG) == set(RULES)
    assert {rules_pipeline.__name__, rules_runtime.__name__, rules_trust.__name__} == {
        check.__module__ for check in RULES.values()
    }
