"""Valid answers are those that are valid for Copier, and give well-formed files within the limits of AWS."""

from __future__ import annotations

import json
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.kit.questionnaire import Questionnaire
from scaffold.kit.rendering import open_kit
from tests.infrastructure.variants import CERTIFICATE, EXISTING, EXISTING_VPC, INTERNAL, PRIVATE_SUBNETS, PUBLIC_SUBNETS
from tests.kits import kit_repository
from tests.limits import limits
from tests.new.running import run_new

FAST = settings(max_examples=5, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))

names = st.from_regex(r"[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,5}){0,3}", fullmatch=True)
environment = st.from_regex(r"[a-z][a-z0-9]{1,11}", fullmatch=True)
overrides = st.dictionaries(
    st.sampled_from(["dev", "prod", "live"]),
    st.fixed_dictionaries(
        {},
        optional={
            "cpu": st.sampled_from([256, 512, 1024, 16384]),
            "memory": st.sampled_from([512, 1024, 2048, 32768]),
            "min_tasks": st.integers(-1, 12),
            "max_tasks": st.integers(0, 101),
            "spot": st.booleans(),
            "egress": st.sampled_from(["public_ip", "nat_gateway"]),
            "deployment_strategy": st.sampled_from(["rolling", "blue_green", "canary", "linear", "none"]),
            "log_retention_days": st.sampled_from([1, 30, 3653, 31]),
            "vpc_cidr": st.sampled_from(["10.1.0.0/16", "192.168.0.0/24", "8.8.8.0/24"]),
            "alarm_email": st.sampled_from(["", "oncall@example.com", "on call"]),
            "vpc_id": st.sampled_from(["", EXISTING_VPC, "vpc-1"]),
            "public_subnet_ids": st.sampled_from([PUBLIC_SUBNETS, "subnet-12345678"]),
            "private_subnet_ids": st.sampled_from(["", PRIVATE_SUBNETS]),
        },
    ),
    max_size=2,
)


def with_production(answers: dict[str, Any]) -> dict[str, Any]:
    """The answers with the name of an environment as production instead of its place in their order."""
    order = answers.get("environments", "dev,staging,prod").split(",")
    return answers | ({"production": order[answers["production"] % len(order)]} if "production" in answers else {})


NETWORKS: list[dict[str, str]] = [
    {"egress": "nat_gateway"},
    {"egress": "public_ip", "vpc_cidr": "10.0.0.0/16"},
    {"vpc_cidr": "172.16.0.0/20"},
    {"egress": "nat_gateway", "vpc_cidr": "192.168.4.0/22"},
    {**EXISTING},
    {**EXISTING, "private_subnet_ids": ""},
    INTERNAL,
    {**EXISTING, "load_balancer": "internal"},
    {"vpc_id": EXISTING_VPC},
    {"vpc_id": ""},
]


sensible = st.fixed_dictionaries(
    {"app_name": names},
    optional={
        "production": st.integers(0, 7),
        "aws_region": st.sampled_from(["us-east-1", "eu-central-1", "ap-southeast-2"]),
        "environments": st.lists(environment, min_size=1, max_size=8, unique=True).map(",".join),
        "cpu": st.sampled_from([256, 512, 1024, 2048, 4096, 8192, 16384]),
        "memory": st.sampled_from([512, 1024, 2048, 4096, 8192, 16384, 32768]),
        "scan_gate": st.sampled_from(["off", "low", "medium", "high", "critical"]),
        "deployment_strategy": st.sampled_from(["rolling", "blue_green", "canary", "linear"]),
        "description": st.text(max_size=130),
        "aws_account_id": st.sampled_from(["", "123456789012"]),
        "architecture": st.sampled_from(["x86_64", "arm64"]),
        "network": st.sampled_from(NETWORKS),
        "ingress_cidrs": st.sampled_from(["0.0.0.0/0", "198.51.100.0/24, 203.0.113.7/32", "198.51.100.1/24"]),
        "domain_name": st.sampled_from(["", "shop.example.com", "Shop.example.com"]),
        "hosted_zone_id": st.sampled_from(["", "Z0123456789ABCDEFGHIJ", "zone"]),
        "certificate_arn": st.sampled_from(["", CERTIFICATE]),
        "health_check": st.booleans(),
        "port": st.sampled_from([8080, 3000, 80]),
        "health_path": st.sampled_from(["/health", "/internal/healthz", "/"]),
        "health_grace_seconds": st.sampled_from([60, 0, 180, 181]),
        "scratch_gib": st.sampled_from([0, 20, 200, 19, 201]),
        "exec": st.sampled_from(["", "dev", "dev, prod", "qa"]),
        "log_retention_days": st.sampled_from([1, 7, 30, 3653]),
        "reviews": st.one_of(
            st.just({"pull_request_approvals": 0}),
            st.fixed_dictionaries(
                {"pull_request_approvals": st.integers(1, 5)},
                optional={"reviewers": st.sampled_from(["", "Developers", "Developers, Leads"])},
            ),
        ),
        "notification_email": st.sampled_from(["", "team@example.com"]),
        "scan_engine": st.sampled_from(["basic", "sbom"]),
        "nightly_scan": st.booleans(),
        "updates": st.sampled_from(["off", "renovate"]),
        "database": st.sampled_from(["none", "postgres"]),
        "chat_notifications": st.booleans(),
        "encrypt_logs": st.booleans(),
        "audit": st.sampled_from(["off", "trail"]),
        "access_logs": st.booleans(),
        "flow_logs": st.booleans(),
        "firewall": st.one_of(
            st.just({"waf": "off"}),
            st.fixed_dictionaries(
                {"waf": st.just("managed")}, optional={"waf_rate_limit": st.sampled_from([10, 2000, 9, 2_000_000_001])}
            ),
        ),
        "buckets": st.sampled_from(["", "u", "uploads", "sales-reports, uploads", "a--b"]),
        "queues": st.sampled_from(["", "jobs", "jobs, mail-out"]),
        "tables": st.sampled_from(["", "orders", "orders,orders", "1st"]),
        "requests_per_task": st.integers(0, 100),
        "office_hours": st.sampled_from(
            ["", "MON-FRI 07-19 Europe/Berlin", "MON-FRI 07-12,13-19 UTC", "FRI-MON 07-19 UTC"]
        ),
        "monthly_budget": st.sampled_from([0, 1, 200]),
        "build_secrets": st.sampled_from(["", "NPM_TOKEN", "A, B", "PATH"]),
        "builds": st.one_of(
            st.just({"build_network": "none"}),
            st.fixed_dictionaries(
                {"build_network": st.just("vpc")},
                optional={
                    "build_vpc_id": st.sampled_from(["", EXISTING_VPC]),
                    "build_subnet_ids": st.sampled_from(["", PRIVATE_SUBNETS]),
                },
            ),
        ),
        "success_notifications": st.sampled_from(["none", "production", "every"]),
        "approvals": st.one_of(
            st.just({"approval": "none"}),
            st.sampled_from(
                [
                    {"promotion": "branches", "approvers": "Releasers"},
                    {"promotion": "branches", "auto_promote": "staging"},
                ]
            ),
            st.fixed_dictionaries(
                {"approval": st.sampled_from(["production", "every"])},
                optional={"approvers": st.sampled_from(["", "Releasers", "Releasers, Leads"])},
            ),
        ),
        "soak_minutes": st.integers(-1, 61),
        "approve_running": st.booleans(),
        "load_test": st.sampled_from(["", "dev"]),
        "coverage_threshold": st.integers(-1, 101),
        "windows": st.sampled_from(["", "MON-THU 09-16 Europe/Berlin", "FRI 16-09 UTC"]),
        "freezes": st.sampled_from(["", "2026-12-20..2027-01-02", "2027-02-29..2027-03-01"]),
        "environment_overrides": overrides,
    },
).map(
    lambda answers: with_production(
        answers
        | answers.pop("network", {})
        | answers.pop("reviews", {})
        | answers.pop("approvals", {})
        | answers.pop("builds", {})
        | answers.pop("firewall", {})
    )
)
anything = st.one_of(
    st.text(max_size=30), st.integers(-2, 99_999), st.booleans(), st.none(), st.floats(allow_nan=False)
)
careless = st.builds(
    lambda good, wrong: {**good, **wrong},
    sensible,
    st.dictionaries(
        st.sampled_from(
            [
                "app_name", "aws_region", "environments", "production", "cpu", "memory", "scan_gate",
                "deployment_strategy", "customize", "description", "aws_account_id", "architecture", "egress",
                "vpc_id", "public_subnet_ids", "private_subnet_ids", "vpc_cidr", "log_retention_days",
                "pull_request_approvals", "reviewers", "notification_email", "environment_overrides", "approval",
                "scan_engine", "nightly_scan", "updates", "windows", "freezes", "soak_minutes", "chat_notifications",
                "success_notifications",
                "build_secrets", "build_network", "build_vpc_id", "build_subnet_ids", "encrypt_logs", "audit",
                "access_logs", "flow_logs", "waf", "waf_rate_limit",
                "monthly_budget", "requests_per_task", "office_hours",
                "port", "health_path", "health_grace_seconds", "scratch_gib", "exec", "ingress_cidrs", "load_balancer",
                "domain_name", "hosted_zone_id", "certificate_arn", "health_check",
                "coverage_threshold", "approvers", "load_test", "buckets", "queues", "tables",
                "promotion", "auto_promote", "approve_running",
                "database",
            ]
        ),
        anything,
        max_size=2,
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def questionnaire() -> Iterator[Questionnaire]:
    with open_kit(str(kit_repository())) as kit:
        yield kit.questionnaire()


@contextmanager
def scratch() -> Iterator[Path]:
    """A fresh folder for one example; a fixture would serve all examples of a test."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def recorded_by_copier(answers: dict[str, Any]) -> dict[str, Any] | None:
    """The answers that Copier records, or None if it refuses them."""
    with scratch() as folder:
        try:
            copier.run_copy(str(kit_repository()), folder / "x", answers, defaults=True, quiet=True)
        except Exception:
            return None
        recorded = yaml.safe_load((folder / "x" / ".copier-answers.yml").read_text("utf-8"))
        return {key: value for key, value in recorded.items() if not key.startswith("_")}


def agree_with_copier(questionnaire: Questionnaire, answers: dict[str, Any]) -> None:
    try:
        ours: dict[str, Any] | None = questionnaire.evaluate(answers).recorded
    except ScaffoldError as error:
        # Copier would use such an answer now and forget it at the next update.
        assume("is not asked" not in error.happened)
        # Copier takes other words for yes.
        assume("is not yes or no" not in error.happened)
        ours = None
    if ours and ours["customize"] and "customize" in answers:
        answers = {**answers, "customize": True}
    assert ours == recorded_by_copier(answers)


@pytest.mark.slow
@FAST
@given(answers=careless)
def test_answers_are_the_ones_that_copier_records(questionnaire: Questionnaire, answers: dict[str, Any]) -> None:
    agree_with_copier(questionnaire, answers)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@settings(FAST, max_examples=150)
@given(answers=careless)
def test_many_answers_are_the_ones_that_copier_records(questionnaire: Questionnaire, answers: dict[str, Any]) -> None:
    agree_with_copier(questionnaire, answers)


@settings(FAST, max_examples=100)
@given(answers=careless)
def test_every_answer_is_valid_or_refused(questionnaire: Questionnaire, answers: dict[str, Any]) -> None:
    try:
        evaluated = questionnaire.evaluate({key: str(value) for key, value in answers.items()})
    except UsageError:
        return
    service = evaluated.recorded
    for limit in limits(service["app_name"], evaluated.computed["environment_names"]):
        assert limit.fits, limit


class CloudFormation(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, read without understanding them."""


CloudFormation.add_multi_constructor("!", lambda loader, suffix, node: (suffix, node.value))


def assert_well_formed(folder: Path) -> None:
    """Every YAML, JSON and TOML file parses, and no template syntax is left."""
    for path in (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts):
        text = path.read_text("utf-8")
        match path.suffix:
            case ".yaml" | ".yml":
                list(yaml.load_all(text, Loader=CloudFormation))
            case ".json":
                json.loads(text)
            case ".toml":
                tomllib.loads(text)
        assert "{%" not in text, path
        assert not path.name.endswith(".jinja")


def generated(answers: dict[str, Any], folder: Path) -> Path | None:
    """A service from these answers, or None if they are refused."""
    (folder / "answers.json").write_text(json.dumps(answers))
    try:
        run_new(folder / "service", {"app_name": answers["app_name"]}, answers_file=folder / "answers.json")
    except UsageError:
        return None
    return folder / "service"


@pytest.mark.slow
@settings(FAST, max_examples=5)
@given(answers=sensible)
def test_valid_answers_give_well_formed_files(answers: dict[str, Any]) -> None:
    with scratch() as folder:
        service = generated(answers, folder)
        assume(service is not None)
        assert service is not None
        assert_well_formed(service)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(FAST, max_examples=4)
@given(answers=sensible)
def test_valid_answers_pass_cfn_lint(answers: dict[str, Any]) -> None:
    from cfnlint.api import lint_file

    from tests.infrastructure.test_lint import OUTPUT_OF_AN_OUTPUT

    with scratch() as folder:
        service = generated(answers, folder)
        assume(service is not None)
        assert service is not None
        assert_well_formed(service)
        templates = list((service / "infrastructure").rglob("*.yaml"))
        assert len(templates) >= 5
        for template in templates:
            found = lint_file(template, config={"ignore_checks": [OUTPUT_OF_AN_OUTPUT]})
            matches = [match for match in found if match.rule.severity in {"error", "warning"}]
            assert not matches, (answers, template.name, matches)
        shutil.rmtree(service)
