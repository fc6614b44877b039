"""Sets of answers that produce different infrastructure."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import pytest
from allpairspy import AllPairs

LONGEST_APP = "abcdefghijklmnopqrs-tuvx"
LONGEST_ENVIRONMENT = "abcdefghijkl"
EXISTING_VPC = "vpc-0123456789abcdef0"
PUBLIC_SUBNETS = "subnet-0123456789abcdef0,subnet-0123456789abcdef1"
PRIVATE_SUBNETS = "subnet-0123456789abcdef2, subnet-0123456789abcdef3"
BUILD_VPC = {"build_network": "vpc", "build_vpc_id": EXISTING_VPC, "build_subnet_ids": PRIVATE_SUBNETS}
EXISTING = {"vpc_id": EXISTING_VPC, "public_subnet_ids": PUBLIC_SUBNETS, "private_subnet_ids": PRIVATE_SUBNETS}

_INTERNAL = {"vpc_id": EXISTING_VPC, "load_balancer": "internal", "private_subnet_ids": PRIVATE_SUBNETS}
INTERNAL = _INTERNAL | BUILD_VPC
DOMAIN = {"domain_name": "shop.example.com", "hosted_zone_id": "Z0123456789ABCDEFGHIJ"}
CHECKED: dict[str, Any] = {**DOMAIN, "notification_email": "team@example.com", "health_check": True}
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef"
INGRESS = "198.51.100.0/24, 203.0.113.7/32"
FREEZE = "2026-12-20..2027-01-02"
DATA = {"buckets": "uploads, reports", "queues": "jobs, mail-out", "tables": "orders"}

FEW: dict[str, dict[str, Any]] = {
    "default": {},
    "one environment, linear, arm64": {
        "environments": "live",
        "deployment_strategy": "linear",
        "customize": True,
        "architecture": "arm64",
        "notification_email": "team@example.com",
        "chat_notifications": True,
        "success_notifications": "production",
        "encrypt_logs": True,
        "build_secrets": "NPM_TOKEN, SENTRY_AUTH_TOKEN",
        "windows": "MON-THU,SAT 09-12,13-24 America/Argentina/Buenos_Aires",
        "freezes": "2028-02-29..2028-02-29,2026-12-20..2027-01-02",
    },
    "longest names, canary, NAT gateway, no gate": {
        "app_name": LONGEST_APP,
        "environments": f"{LONGEST_ENVIRONMENT},zz",
        "production": LONGEST_ENVIRONMENT,
        "deployment_strategy": "canary",
        "scan_gate": "off",
        "customize": True,
        "egress": "nat_gateway",
        "vpc_cidr": "10.1.2.0/24",
        "waf": "managed",
        "waf_rate_limit": 100,
        **DATA,
        "database": "postgres",
    },
    "blue/green, overrides": {
        "environments": "test,uat,live",
        "production": "uat",
        "deployment_strategy": "blue_green",
        "customize": True,
        "environment_overrides": {
            "test": {"cpu": 1024, "memory": 4096, "egress": "nat_gateway", "deployment_strategy": "canary"},
            "uat": {"container_insights": True, "alarm_email": "uat@example.com"},
            "live": {"min_tasks": 4, "max_tasks": 40, "spot": True, "log_retention_days": 365},
        },
        "approval": "every",
        "soak_minutes": 30,
        "office_hours": "MON-FRI 07-19 Europe/Berlin",
        "load_test": "test",
        "approvers": "Releasers,Tech.Leads@x",
        "approve_running": True,
        "coverage_threshold": 80,
        **DOMAIN,
        "health_check": True,
        "access_logs": True,
        "flow_logs": True,
        "observability": "standard",
        "scratch_gib": 200,
        "exec": "test",
    },
    "existing VPC": {
        "environments": "dev,live",
        "customize": True,
        "approval": "none",
        "freezes": FREEZE,
        "scan_engine": "sbom",
        "nightly_scan": True,
        "audit": "trail",
        "access_logs": True,
        "waf": "managed",
        "notification_email": "team@example.com",
        "monthly_budget": 200,
        "requests_per_task": 50,
        "updates": "renovate",
        "database": "postgres",
        **BUILD_VPC,
        **EXISTING,
    },
    "branches, one by itself": {
        "environments": "dev,staging,live,dr",
        "production": "live",
        "customize": True,
        "promotion": "branches",
        "auto_promote": "staging",
        "reviewers": "Leads",
        "freezes": FREEZE,
        "soak_minutes": 30,
        "environment_overrides": {"live": {"alarm_email": "oncall@example.com"}},
        **DATA,
        "database": "postgres",
    },
    "production in an existing VPC": {
        "environments": "dev,live",
        "customize": True,
        "environment_overrides": {"live": {"vpc_id": EXISTING_VPC, "public_subnet_ids": PUBLIC_SUBNETS}},
    },
}
# With every option that adds a resource.
ALL_ANSWERS: dict[str, Any] = {
    **FEW["branches, one by itself"],
    "app_name": "payments",
    "notification_email": "team@example.com",
    "chat_notifications": True,
    "success_notifications": "every",
    "build_secrets": "NPM_TOKEN",
    "encrypt_logs": True,
    "nightly_scan": True,
    "updates": "renovate",
    "load_test": "dev",
    "coverage_threshold": 80,
    "audit": "trail",
    "access_logs": True,
    "flow_logs": True,
    "monthly_budget": 200,
    "requests_per_task": 50,
    "office_hours": "MON-FRI 07-19 Europe/Berlin",
    "port": 3000,
    "health_path": "/internal/healthz",
    "health_grace_seconds": 180,
    "scratch_gib": 21,
    "exec": "dev,live",
    "ingress_cidrs": INGRESS,
    **DOMAIN,
    "observability": "full",
    **BUILD_VPC,
}

#: The least and the most of a service in every run, and what is between them in the slow ones.
MOST_AND_LEAST = [
    *(pytest.param(one, id=name, marks=() if name == "default" else pytest.mark.slow) for name, one in FEW.items()),
    pytest.param(ALL_ANSWERS, id="all answers"),
]

_VPCS: dict[str, dict[str, Any]] = {
    "own, public": {"egress": "public_ip", "vpc_cidr": "10.0.0.0/16"},
    "own, private": {"egress": "nat_gateway", "vpc_cidr": "172.16.8.0/24"},
    "own, small": {"vpc_cidr": "192.168.4.0/22"},
    "existing, public": {"vpc_id": EXISTING_VPC, "public_subnet_ids": PUBLIC_SUBNETS},
    "existing, private": EXISTING,
    "existing, internal": INTERNAL,
    "first in its own": {**EXISTING, "environment_overrides": {"first": {"vpc_id": "", "egress": "nat_gateway"}}},
    "first in an existing one": {"environment_overrides": {"first": EXISTING}},
}
_PARAMETERS: dict[str, list[Any]] = {
    "app_name": ["abc", "orders-api", LONGEST_APP],
    "aws_region": ["us-east-1", "eu-central-1", "us-gov-west-1"],
    "environments": ["live", "dev,staging,prod", "a1,b2,c3,d4,e5,f6,g7,h8"],
    "production": ["first", "last"],
    "size": [(256, 512), (512, 4096), (4096, 30720)],
    "scan_gate": ["off", "low", "critical"],
    "scan_engine": ["basic", "sbom"],
    "nightly_scan": [False, True],
    "updates": ["off", "renovate"],
    "deployment_strategy": ["rolling", "blue_green", "canary", "linear"],
    "architecture": ["x86_64", "arm64"],
    "vpc": list(_VPCS),
    "log_retention_days": [1, 3653],
    "notification_email": ["", "team@example.com"],
    "monthly_budget": [0, 200],
    "chat_notifications": [False, True],
    "encrypt_logs": [False, True],
    "data": [{}, {"buckets": "u"}, {"queues": "jobs,mail-out,a1"}, {"tables": "orders"}],
    "database": ["none", "postgres"],
    "requests_per_task": [0, 50],
    "office_hours": ["", "MON-THU,SAT 00-23 America/Argentina/Buenos_Aires"],
    "build_secrets": ["", ",".join(f"A{number}" for number in range(10))],
    "build_network": ["none", "vpc"],
    "audit": ["off", "trail"],
    "access_logs": [False, True],
    "flow_logs": [False, True],
    "waf": ["off", "managed"],
    "observability": ["off", "standard", "full"],
    "alarm_email": ["", "first@example.com"],
    "ingress": ["everybody", "some"],
    "health": [{}, {"port": 3000, "health_path": "/internal/healthz", "health_grace_seconds": 180}],
    "scratch_gib": [0, 20, 50],
    "exec": ["", "first", "last"],
    "success_notifications": ["none", "production", "every"],
    "approval": ["none", "production", "every", "by branches"],
    "windows": ["", "MON-SUN 00-24 UTC"],
    "freezes": ["", FREEZE],
    "soak_minutes": [0, 60],
    "load_test": ["", "first"],
    "approvers": ["", "Releasers, Leads"],
    "coverage_threshold": [0, 90],
    "approve_running": [False, True],
    "domain": [{}, DOMAIN, {"domain_name": "example.com", "certificate_arn": CERTIFICATE}],
    "health_check": [False, True],
}


Row = dict[str, Any]
#: With these values, each other one is possible.
_OPEN: Row = {
    **{name: values[0] for name, values in _PARAMETERS.items()},
    "environments": "dev,staging,prod",
    "production": "last",
    "scan_gate": "critical",
    "deployment_strategy": "canary",
    "vpc": "own, private",
    "notification_email": "team@example.com",
    "build_network": "vpc",
    "approval": "production",
    "domain": DOMAIN,
}


def _admissible(row: Row) -> bool:
    """Whether the kit accepts these values together, and ignores none of them. Parameters may be missing."""

    def may_be(name: str, *values: Any) -> bool:
        return name not in row or row[name] in values

    alone = row.get("environments") == "live"
    governmental = row.get("aws_region", "").startswith("us-gov-")
    promoted = may_be("production", "last") and not alone
    shifts = may_be("deployment_strategy", "blue_green", "canary", "linear")
    own_network = not row.get("vpc", "").startswith("existing") and not (
        alone and row.get("vpc") == "first in an existing one"
    )
    possible = {
        ("scan_engine", "sbom"): may_be("scan_gate", "low", "critical"),
        ("nightly_scan", True): may_be("scan_gate", "low", "critical"),
        ("load_test", "first"): promoted and may_be("waf", "off"),
        ("office_hours", _PARAMETERS["office_hours"][-1]): promoted,
        ("approvers", "Releasers, Leads"): not may_be("approval", "none") or "approval" not in row,
        ("approve_running", True): shifts and may_be("approval", "production", "every"),
        ("ingress", "some"): may_be("build_network", "vpc"),
        ("chat_notifications", True): not governmental,
        ("monthly_budget", 200): may_be("notification_email", "team@example.com") and not governmental,
        ("database", "postgres"): not governmental and row.get("vpc") != "existing, public",
        ("flow_logs", True): own_network,
        ("app_name", LONGEST_APP): "buckets" not in row.get("data", {}),
        ("approval", "by branches"): not alone,
        ("vpc", "existing, internal"): may_be("build_network", "vpc"),
        ("health_check", True): row.get("domain", DOMAIN) != {}
        and may_be("ingress", "everybody")
        and row.get("vpc") != "existing, internal"
        and may_be("notification_email", "team@example.com")
        and not governmental,
    }
    return all(allowed for (name, value), allowed in possible.items() if row.get(name) == value)


@functools.cache
def rows() -> list[Row]:
    """Values of the parameters that together contain every pair that is possible."""

    def known(values: list[Any]) -> bool:
        return _admissible(dict(zip(_PARAMETERS, values, strict=False)))

    found = [
        dict(zip(_PARAMETERS, row, strict=True)) for row in AllPairs(list(_PARAMETERS.values()), filter_func=known)
    ]
    # AllPairs gives up pairs for which its row has no value that fits.
    missing = [one for one in every_pair() if not any(one.items() <= row.items() for row in found)]
    added: list[Row] = []
    for pair in missing:
        fits = (one for one in added if all(one.get(key, value) == value for key, value in pair.items()))
        given = next((one for one in fits if _admissible(_OPEN | one | pair)), None)
        if given is not None:
            given |= pair
        elif _admissible(_OPEN | pair):
            added.append(pair)
    return found + [_OPEN | one for one in added]


def every_pair() -> list[Row]:
    """Each value of each parameter with each of another one."""
    return [
        {one: value, other: another}
        for one, other in itertools.combinations(_PARAMETERS, 2)
        for value in _PARAMETERS[one]
        for another in _PARAMETERS[other]
    ]


@functools.cache
def pairwise() -> list[dict[str, Any]]:
    """Sets of answers that together contain every pair of values that the kit accepts together."""
    return [_answers(row) for row in rows()]


def _answers(row: Row) -> dict[str, Any]:
    """The answers that say what a row means."""
    answers = dict(row)
    names = answers["environments"].split(",")
    answers["cpu"], answers["memory"] = answers.pop("size")
    if answers["scan_gate"] == "off":
        del answers["scan_engine"], answers["nightly_scan"]
    answers |= answers.pop("health") | answers.pop("data")
    domain = answers.pop("domain")
    if "certificate_arn" in domain:
        partition = "aws-us-gov" if answers["aws_region"].startswith("us-gov-") else "aws"
        arn = CERTIFICATE.replace("us-east-1", answers["aws_region"]).replace("arn:aws:", f"arn:{partition}:")
        domain = {**domain, "certificate_arn": arn}
    answers |= domain
    if answers["approval"] == "by branches":
        del answers["approval"]
        answers |= {"promotion": "branches", "auto_promote": names[1]}
    elif answers["approval"] == "none":
        del answers["approvers"]
    answers["production"] = names[0 if answers["production"] == "first" else -1]
    answers["exec"] = {"first": names[0], "last": names[-1]}.get(answers["exec"], "")
    answers["load_test"] = names[0] if answers["load_test"] else ""
    if answers["build_network"] == "vpc":
        answers |= BUILD_VPC
    if answers.pop("ingress") == "some":
        answers["ingress_cidrs"] = INGRESS
    vpc = dict(_VPCS[answers.pop("vpc")])
    overrides = vpc.pop("environment_overrides", {})
    own = overrides.get("first", {}) | ({"alarm_email": email} if (email := answers.pop("alarm_email")) else {})
    answers |= vpc | ({"environment_overrides": {names[0]: own}} if own else {})
    if not answers["notification_email"]:
        del answers["monthly_budget"]
    for name in ("approve_running", "health_check"):
        if not answers[name]:
            del answers[name]
    return {**answers, "customize": True}
