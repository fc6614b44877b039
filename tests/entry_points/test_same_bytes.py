"""The same answers at the same commit of the kit give the same bytes through every entry point."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from allpairspy import AllPairs
from pytest_cookies.plugin import Cookies

from scaffold.core.git import git
from tests.entry_points.entry_points import through_cookiecutter, through_copier, through_scaffold, tree
from tests.infrastructure.variants import BUILD_VPC, DOMAIN, EXISTING, INGRESS, INTERNAL
from tests.kits import kit_repository

MATRIX: dict[str, list[Any]] = {
    "app_name": ["orders-api", "abc"],
    "aws_region": ["us-east-1", "eu-central-1"],
    "environments": ["dev,staging,prod", "test,uat,live", "prod"],
    "production": [None, "first"],
    "cpu": [256, 1024],
    "scan_gate": ["critical", "off", "medium"],
    "deployment_strategy": ["rolling", "blue_green", "canary", "linear"],
    "architecture": [None, "arm64"],
    "network": [None, {"egress": "nat_gateway"}, EXISTING, {**EXISTING, "private_subnet_ids": ""}, INTERNAL],
    "log_retention_days": [None, 7],
    "reviews": [None, {"pull_request_approvals": 0}, {"pull_request_approvals": 2}, {"reviewers": "Developers,Leads"}],
    "notification_email": [None, "team@example.com"],
    "description": [None, "Ships things, isn't it (really)"],
    "environment_overrides": [
        None,
        {"spot": False, "min_tasks": 2, "max_tasks": 4, "vpc_cidr": "10.9.0.0/24", "alarm_email": "a@b.example"},
    ],
    "aws_account_id": [None, "012345678901"],
    "approvals": [
        None,
        {"approval": "none"},
        {"approval": "every"},
        {"approvers": "Releasers,Leads"},
        {"promotion": "branches"},
    ],
    "soak_minutes": [None, 30],
    "chat_notifications": [None, True],
    "success_notifications": [None, "production"],
    "encrypt_logs": [None, True],
    "audit": [None, "trail"],
    "access_logs": [None, True],
    "flow_logs": [None, True],
    "waf": [None, {"waf": "managed"}, {"waf": "managed", "waf_rate_limit": 500}],
    "buckets": [None, "u"],
    "queues": [None, "jobs, mail-out"],
    "tables": [None, "orders"],
    "observability": [None, "standard", "full"],
    "requests_per_task": [None, 50],
    "office_hours": [None, "MON-FRI 07-19 Europe/Berlin"],
    "monthly_budget": [None, 200],
    "build_secrets": [None, "NPM_TOKEN, SENTRY_AUTH_TOKEN"],
    "builds": [None, BUILD_VPC, {**BUILD_VPC, "ingress_cidrs": INGRESS}],
    "domain": [None, DOMAIN],
    "load_test": [None, "first"],
    "port": [None, 3000],
    "health_path": [None, "/internal/healthz"],
    "health_grace_seconds": [None, 0],
    "scratch_gib": [None, 20, 50],
    "exec": [None, "first"],
    "coverage_threshold": [None, 80],
    "windows": [None, "MON,WED-FRI 09-16 Europe/Berlin"],
    "freezes": [None, "2026-12-20..2027-01-02"],
    "database": [None, "postgres"],
    "health_check": [None, True],
}
STRATEGY_ANSWERS = {
    "blue_green": {"bake_minutes": 12},
    "canary": {"canary_percent": 25, "canary_bake_minutes": 9},
    "linear": {"linear_step_percent": 50, "linear_step_minutes": 2},
}


def combinations() -> list[dict[str, Any]]:
    """Answers in which every pair of values occurs."""
    found = []
    for index, values in enumerate(AllPairs(list(MATRIX.values()))):
        answers = {name: value for name, value in zip(MATRIX, values, strict=True) if value is not None}
        first = answers["environments"].split(",")[0]
        if "production" in answers:
            answers["production"] = first
        if "exec" in answers:
            answers["exec"] = first
        if "load_test" in answers:
            answers["load_test"] = "" if first in (answers.get("production"), answers["environments"]) else first
        if first in (answers.get("production"), answers["environments"]):
            answers.pop("office_hours", None)
        answers |= answers.pop("network", {}) | answers.pop("reviews", {}) | answers.pop("approvals", {})
        answers |= answers.pop("builds", {}) | answers.pop("waf", {}) | answers.pop("domain", {})
        if "waf" in answers:
            answers.pop("load_test", None)  # WAF would block it.
        if "notification_email" not in answers:
            answers.pop("monthly_budget", None)
        if not {"domain_name", "notification_email"} <= answers.keys() or answers.keys() & {
            "load_balancer",
            "ingress_cidrs",
        }:
            answers.pop("health_check", None)
        if "," not in answers["environments"]:
            answers.pop("promotion", None)
        if overrides := answers.pop("environment_overrides", None):
            # Its block is that of a VPC of its own.
            answers["environment_overrides"] = {first: overrides | ({"vpc_id": ""} if "vpc_id" in answers else {})}
            if "load_balancer" in answers:  # Nothing would reach it in a VPC of its own.
                answers["environment_overrides"] = {first: {"spot": False}}
        overridden = answers.get("environment_overrides", {}).get(first, {})
        if answers.get("vpc_id") and "vpc_id" not in overridden:
            answers.pop("flow_logs", None)  # Each VPC is somebody else's.
        if answers.get("vpc_id") and not answers.get("private_subnet_ids"):
            answers.pop("database", None)  # It is in private subnets.
        if index % 2:
            answers |= STRATEGY_ANSWERS.get(answers["deployment_strategy"], {})
        shifts = answers["deployment_strategy"] in STRATEGY_ANSWERS
        if shifts and answers.get("approval") != "none" and "promotion" not in answers:
            answers["approve_running"] = bool(index % 3)
        found.append(answers)
    return found


def check_entry_points(answers: dict[str, Any], folder: Path, cookies: Cookies) -> dict[str, tuple[int, bytes]]:
    kit = kit_repository()
    services = [
        through_copier(folder / "copier", answers, kit),
        through_scaffold(folder / "scaffold", answers, kit),
        through_cookiecutter(cookies, answers, kit),
    ]
    first, *others = (tree(service) for service in services)
    for other in others:
        assert other == first
    return first


@pytest.mark.slow
def test_defaults(tmp_path: Path, cookies: Cookies) -> None:
    files = check_entry_points({"app_name": "orders-api"}, tmp_path, cookies)
    answers = yaml.safe_load(files[".copier-answers.yml"][1])
    assert answers["_src_path"] == str(kit_repository())
    assert answers["_commit"] == "v0.0.1"
    assert answers["customize"] is False
    assert answers["production"] == "prod"


@pytest.fixture
def spoiling_settings(tmp_path: Path) -> Iterator[None]:
    """A home whose Git signs, runs hooks and ignores files, and knows no name to commit by."""
    kit_repository()
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    (tmp_path / "ignore").write_text("*.yaml\n")
    settings = Path("~/.gitconfig").expanduser()
    settings.write_text(
        f"[core]\n\thooksPath = {hooks}\n\texcludesFile = {tmp_path / 'ignore'}\n\tautocrlf = true\n"
        "[commit]\n\tgpgsign = true\n[user]\n\tuseConfigOnly = true\n"
    )
    yield
    settings.unlink()


@pytest.mark.slow
@pytest.mark.usefixtures("spoiling_settings")
def test_everything_answered(tmp_path: Path, cookies: Cookies) -> None:
    answers = {
        "app_name": "orders-api",
        "environments": "test,uat,live",
        "production": "uat",
        "deployment_strategy": "canary",
        "canary_percent": 20,
        "architecture": "arm64",
        "environment_overrides": {"live": {"cpu": 1024, "memory": 2048}, "uat": {"egress": "nat_gateway"}},
    }
    files = check_entry_points(answers, tmp_path, cookies)
    baked = tmp_path / "cookies" / "bake00" / "orders-api"
    assert git("status", "--porcelain", cwd=baked) == ""
    assert set(git("ls-files", cwd=baked).splitlines()) == set(files)
    assert git("log", "--format=%s", "main", cwd=baked) == "Generate orders-api from kit v0.0.1"
    recorded = yaml.safe_load(files[".copier-answers.yml"][1])
    assert recorded["customize"] is True
    assert recorded["environment_overrides"] == answers["environment_overrides"]
    assert {Path(name).parts[1] for name in files if name.startswith("infrastructure/") and name.count("/") == 2} == {
        "test",
        "uat",
        "live",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    # Each value with some others: the entry points differ in how they take answers, not in what follows from them.
    "answers",
    combinations()[::2],
    ids=lambda answers: f"{answers['environments']}-{answers['deployment_strategy']}",
)
def test_every_answer(answers: dict[str, Any], tmp_path: Path, cookies: Cookies) -> None:
    files = check_entry_points(answers, tmp_path, cookies)
    folders = {Path(name).parts[1] for name in files if name.startswith("infrastructure/") and name.count("/") == 2}
    assert folders == set(answers["environments"].split(","))


@pytest.mark.slow
def test_cruft_creates(tmp_path: Path) -> None:
    from cruft import create

    kit = kit_repository()
    service = create(str(kit), output_dir=tmp_path, extra_context={"app_name": "orders-api", "deploy": "yes"})
    files = tree(service)
    files.pop(".cruft.json")
    assert files == tree(through_copier(tmp_path / "copier", {"app_name": "orders-api"}, kit))
    # Neither committed nor deployed: cruft runs the same hooks when it compares versions in temporary folders.
    assert not (service / ".git").exists()


@pytest.mark.slow
def test_each_entry_point_in_an_environment_of_its_own(tmp_path: Path) -> None:
    """cookiecutter installed alone finds Copier on the PATH; Copier and scaffold do not need it."""
    from tests.packaging.environments import create_environment, wheel

    kit = kit_repository()
    homes = {
        "cookiecutter": create_environment(tmp_path / "cookiecutter-env", "cookiecutter>=2.7"),
        "copier": create_environment(tmp_path / "copier-env", "copier>=9.19.1,<10"),
        "scaffold": create_environment(tmp_path / "scaffold-env", str(wheel(tmp_path / "dist"))),
    }
    run = tmp_path / "run"
    run.mkdir()
    path = f"{homes['copier']}:/usr/local/bin:/usr/bin:/bin"
    commands = {
        "cookiecutter": [
            homes["cookiecutter"] / "cookiecutter",
            kit,
            "--no-input",
            "--output-dir",
            "baked",
            "app_name=orders-api",
        ],
        "copier": [homes["copier"] / "copier", "copy", "--defaults", "--data", "app_name=orders-api", kit, "copied"],
        "scaffold": [
            homes["scaffold"] / "scaffold",
            "new",
            "new",
            "--defaults",
            "--data",
            "app_name=orders-api",
            "--kit",
            kit,
        ],
    }
    for command in commands.values():
        done = subprocess.run(
            list(map(str, command)), cwd=run, env={**os.environ, "PATH": path}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    assert tree(run / "baked" / "orders-api") == tree(run / "copied") == tree(run / "new")
