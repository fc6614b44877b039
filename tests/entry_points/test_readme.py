"""The generated README and AGENTS.md: say what was answered, what exists, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from scaffold.cli.app import COMMANDS
from scaffold.kit.estimate import read_costs
from scaffold.kit.rendering import open_kit
from tests.infrastructure.stacks import load
from tests.infrastructure.variants import EXISTING
from tests.kits import generate, kit_repository

TIMES = {"windows": "FRI 09-12 UTC", "freezes": "2026-12-20..2027-01-02"}
CASES: list[tuple[dict[str, Any], list[str], list[str]]] = [
    (
        {},
        [
            "a finding of severity critical stops it",
            "needs 1 approval.",
            "ECS replaces tasks",
            "pull request costs about 0.14 USD",
        ],
        ["NAT gateway", "or above", "canary", "Amazon Q", "has succeeded"],
    ),
    (
        {
            "environments": "test,live",
            "scan_gate": "off",
            "pull_request_approvals": 0,
            "deployment_strategy": "canary",
            "canary_percent": 15,
            "egress": "nat_gateway",
            "approval": "every",
            "soak_minutes": 45,
            "chat_notifications": True,
            "success_notifications": "production",
            "approvers": "Releasers,Leads",
            "load_test": "test",
            "coverage_threshold": 80,
        },
        [
            "Test and Live wait for approval",
            "to test and live after approval",
            "Only the roles Releasers, Leads may approve",
            "test_: network to service, smoke test, integration tests, load test",
            "for 45 minutes in each environment before live",
            "15 % of the traffic",
            "NAT gateway",
            "service, canary",
            "live_: smoke test",
            "topics, `hello-service-chat` and",
            "- has succeeded in live.",
        ],
        ["scan", "approvals", "needs 1 approval", "rolls", " dev", "/dev"],
    ),
    (
        {"environments": "test,live", "approval": "none", **TIMES, **EXISTING},
        [
            "No release waits for approval",
            "and have no alarm in ALARM",
            "in the window `FRI 09-12 UTC` only",
            "in the periods `2026-12-20..2027-01-02`",
            "routes of the VPC",
            "test_: environment to service",
            "Test is in `vpc-0",
            "Live is in `vpc-0",
            "## The existing VPC",
        ],
        ["network.yaml", "NAT gateways", "network, environment", "after approval", "Plan-"],
    ),
]


def check_agents(root: Path, present: str) -> None:
    """Every path, target and command that AGENTS.md names exists."""
    agents = (root / "AGENTS.md").read_text("utf-8")
    assert present in agents
    assert ("An assistant does not approve" in agents) is bool(present)
    assert not re.search(r"\n\n\n|[ \t]\n|\{\{|\{%", agents)
    rows = agents.partition("| path |")[2].split("\n\n")[0].splitlines()
    cells = [row.split("|")[1] for row in rows if row.count("|") > 1]
    named = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell) if name not in ("v*", "env/*")]
    folder = Path()
    for name in named:
        folder = Path(name).parent if "/" in name else folder
        found = name.replace("<environment>", "test" if (root / "infrastructure/test").exists() else "dev")
        assert list(root.glob(found)) or list(root.glob(f"{folder}/{found}")), name
    targets = re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"`make ([a-z-]+)", agents)) <= {*targets}
    assert set(re.findall(r"`scaffold ([a-z]+)", agents)) <= {*COMMANDS}


@pytest.mark.parametrize(("answers", "present", "absent"), CASES, ids=["defaults", "others", "existing VPC"])
def test_readme(answers: dict[str, Any], present: list[str], absent: list[str], tmp_path: Path) -> None:
    root = generate(tmp_path / "service", **answers)
    check_agents(root, "Releases without approval" if answers.get("approval") != "none" else "")
    readme = (root / "README.md").read_text("utf-8")
    names = answers.get("environments", "dev,staging,prod").split(",")
    for words in present:
        assert words in readme
    for words in absent:
        assert words not in readme, words
    assert not re.search(r"\n\n\n|[ \t]\n|\{\{|\{%", readme)
    assert readme.endswith("|\n")
    assert re.findall(r"participant (\w+)_ as (\w+)", readme) == [(name, name.capitalize()) for name in names]
    tables = re.findall(r"^\|[-|]+\|\n((?:\|.*\n)+)", readme, re.MULTILINE)
    environments, costs = (
        [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]
        for table in (tables[0], tables[-1])
    )
    assert [row[0].split()[0] for row in environments] == [name.capitalize() for name in names]
    assert [row[0] for row in costs] == [*(name.capitalize() for name in names), "Shared", "Total"]
    for row in costs:
        assert float(row[-1]) == pytest.approx(sum(float(cell) for cell in row[1:-1] if cell))
    with open_kit(str(kit_repository())) as kit:
        computed = kit.questionnaire().evaluate({"app_name": "hello-service", **answers}).all
    read = read_costs(computed)
    assert read
    shown = [(row[0], float(row[-1])) for row in costs]
    assert shown == [*((part.title, part.usd) for part in read.parts), ("Total", read.total_usd)]
    assert {row[3] for row in environments} == {computed["architecture"]}


def test_readme_names_the_key_of_each_log(tmp_path: Path) -> None:
    """The one group that the key of the service does not encrypt, and those of databases, which it does."""
    answers = {"environments": "dev", "encrypt_logs": True, "customize": True, "architecture": "arm64"}
    root = generate(tmp_path / "service", **answers, waf="managed", database="postgres")
    groups = [
        (stack.kind, "KmsKeyId" in one["Properties"])
        for stack in load(root).values()
        for one in stack.resources.values()
        if one["Type"] == "AWS::Logs::LogGroup"
    ]
    readme = (root / "README.md").read_text("utf-8")
    assert [kind for kind, encrypted in groups if not encrypted] == ["waf"]
    assert ("database", True) in groups
    assert "| log of AWS WAF | one of CloudWatch, with `encrypt_logs` too |\n" in readme
    assert "| logs of builds, checks, tasks and databases | the same; without it" in readme
    assert "| 256 / 512 MiB | arm64 |" in readme
