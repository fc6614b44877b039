"""cfn-lint finds nothing in any template, with the rules of the service too, as its own checks run it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cfnlint.config import ConfigMixIn
from cfnlint.decode.decode import decode_str
from cfnlint.runner import Runner

from tests.infrastructure.variants import FEW, pairwise
from tests.kits import ROOT

# A warning: every stack shows the root commit, which the foundation exports.
OUTPUT_OF_AN_OUTPUT = "W6001"
OWN_RULES = ROOT / "template/config/rules"


@functools.cache  # reading the rules takes longer than applying them
def runner(region: str) -> Runner:
    settings = {"ignore_checks": [OUTPUT_OF_AN_OUTPUT], "append_rules": [str(OWN_RULES)], "mandatory_checks": ["E"]}
    return Runner(ConfigMixIn(regions=[region], **settings))


@functools.cache  # most templates are the same for all answers
def lint(text: str, region: str) -> list[str]:
    template, unreadable = decode_str(text)
    found = unreadable or runner(region).validate_template(template)
    return [f"{match.linenumber}: {match.rule.id} {match.message}" for match in found]


def findings(root: Path, region: str = "us-east-1") -> list[str]:
    paths = sorted((root / "infrastructure").rglob("*.yaml"))
    return [f"{path.relative_to(root)}:{found}" for path in paths for found in lint(path.read_text(), region)]


def test_cfn_lint_finds_nothing(generated: Callable[..., Path]) -> None:
    assert findings(generated()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "answers", [*FEW.values(), *pairwise()], ids=lambda answers: "-".join(map(str, answers.values()))
)
def test_cfn_lint_finds_nothing_over_all_pairs(generated: Callable[..., Path], answers: dict[str, Any]) -> None:
    assert findings(generated(**answers), answers.get("aws_region", "us-east-1")) == []


def test_cfn_lint_finds_a_fault() -> None:
    template = "Resources: {Topic: {Type: AWS::SNS::Topic, Properties: {Nonsense: 1}}}"
    assert "E3002" in lint(template, "us-east-1")[0]


def test_the_rules_of_the_service_find_a_fault() -> None:
    role = "Resources: {Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}}"
    assert any("E9001" in found for found in lint(role, "us-east-1"))
