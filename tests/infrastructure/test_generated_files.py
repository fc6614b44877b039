"""Generated files are short, pass the linters with every option, and have nothing of an option that is off."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infrastructure.variants import ALL_ANSWERS, FEW, MOST_AND_LEAST
from tests.service.conftest import TOOLS
from tests.service.test_files import accepts, ruff_accepts_scripts

LONGEST = 120
# Their formats have no way to continue a line, or a tool writes them.
UNBROKEN = (".json", ".lock", ".md", ".txt", ".copier-answers.yml")

DOCUMENTS = ("AGENTS.md", "README.md", ".copier-answers.yml")
# They judge whatever a service has, or may have had.
KNOW_ALL = ("checks.yaml", "contract.py", "parse_dockerfile.py", "plan_comment.py", "plan_stacks.py", "preflight.py")
# What only the files of an option have.
TRACES = {
    "database": r"(?i)postgres|aurora|\brds(-db)?:|\bmigrat",
    "exec": "EnableExecuteCommand|ssmmessages|managed-agents",
    "scratch_gib": "(?m)EphemeralStorage|^VOLUME|Name: scratch",
    "health_path": "HealthCheckPath: /internal",
    "waf": "(?i)wafv2|web acl",
    "domain_name": "AWS::CertificateManager|acm:|AliasTarget",
    "observability": "(?i)opentelemetry|otel|x-?ray|awsemf|operations\\.js",
    "office_hours": "(?i)office.hours",
    "updates": "(?i)renovate",
    "monthly_budget": "AWS::Budgets",
    "audit": "AWS::CloudTrail",
    "tables": "AWS::DynamoDB",
    "queues": "AWS::SQS",
    "flow_logs": "AWS::EC2::FlowLog",
    "access_logs": "access_logs.s3.bucket",
    "requests_per_task": "RequestsPerTask|requests_per_task",
    "ingress_cidrs": "198\\.51\\.100",
}


@pytest.mark.parametrize("answers", MOST_AND_LEAST)
def test_lines_are_short(generated: Callable[..., Path], answers: dict[str, Any]) -> None:
    root = generated(**answers)
    found = []
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if path.is_file() and inside.parts[0] != ".git" and not path.name.endswith(UNBROKEN):
            text = path.read_text()
            lines = _texts(text) if inside.parts[0] == "infrastructure" else text.splitlines()
            found += [f"{inside}: {line}" for line in lines if len(line) > LONGEST]
    assert not found


@pytest.mark.parametrize("answers", [FEW["existing VPC"], ALL_ANSWERS], ids=["existing VPC", "all answers"])
def test_ruff_accepts_the_scripts_of_options(generated: Callable[..., Path], answers: dict[str, Any]) -> None:
    ruff_accepts_scripts(generated(**answers))


def test_hadolint_accepts_the_dockerfile_of_each_option(generated: Callable[..., Path]) -> None:
    chosen = [{}, FEW["existing VPC"], FEW["blue/green, overrides"], ALL_ANSWERS]
    files = [generated(**answers) / "app/Dockerfile" for answers in chosen]
    # Without anything, with a database, with scratch space, and with both and another port.
    found = [[word in file.read_text() for word in ("postgresql", "VOLUME", "EXPOSE 8080")] for file in files]
    assert found == [[False, False, True], [True, False, True], [False, True, True], [True, True, False]]
    accepts(TOOLS / "hadolint", "--failure-threshold", "style", *files)


@pytest.mark.parametrize("answers", MOST_AND_LEAST)
def test_an_option_that_is_off_leaves_no_trace(generated: Callable[..., Path], answers: dict[str, Any]) -> None:
    root = generated(**answers)
    texts = {
        path: path.read_text()
        for path in root.rglob("*")
        if path.is_file()
        and path.relative_to(root).parts[0] not in (".git", *DOCUMENTS)
        and path.name not in KNOW_ALL
        and "lock" not in path.name
    }
    for option, pattern in TRACES.items():
        found = [str(path.relative_to(root)) for path, text in texts.items() if re.search(pattern, text)]
        assert bool(found) is (answers.get(option, "none") not in ("", "none", "off")), (option, found)


def _texts(template: str) -> Iterator[str]:
    """The lines of a template that are comments, descriptions or scripts; others are as long as the names of AWS."""
    lines = template.splitlines()
    yield from (line for line in lines if line.lstrip().startswith("#"))
    nodes = [yaml.compose(template, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            # A dashboard is JSON, whose lines are a widget's.
            nodes += [value for key, value in node.value if key.value != "DashboardBody"]
        elif isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
            text = lines[node.start_mark.line + 1 : node.end_mark.line]
            # Values of the pipeline, and pseudo parameters, are names of AWS, too.
            yield from (line for line in text if not re.search(r"[$#]\{", line))


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("# {long}", True),
        ("A:\n  - B: 1\n    # {long}", True),
        ("Description: >-\n  {long}", True),
        ("A:\n  - Source: {{}}\n    BuildSpec: !Sub |\n      a\n      {long}\n      b", True),
        ("A:\n  - BuildSpec: !Sub |\n      ${{Name}} {long}", False),
        ("DashboardBody: !Sub |\n  {long}", False),
        ("A: !Sub '{long}'", False),
    ],
)
def test_long_texts_of_templates_are_found(template: str, found: bool) -> None:
    texts = _texts(template.format(long="x " * LONGEST) + "\n")
    assert any(len(line) > LONGEST for line in texts) is found
