"""Sets of answers that produce different infrastructure."""

from __future__ import annotations

import functools
from typing import Any

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
INGRESS = "198.51.100.0/24, 203.0.113.7/32"
FREEZE = "2026-12-20..2027-01-02"

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
    },
    "blue/green, overrides": {
        "environments": "test,uat,live",
        "production": "uat",
        "deployment_strategy": "blue_green",
        "customize": True,
        "environment_overrides": {
            "test": {"cpu": 1024, "memory": 4096, "egress": "nat_gateway", "deployment_strategy": "canary"},
            "uat": {"container_insights": True},
            "live": {"min_tasks": 4, "max_tasks": 40, "spot": True, "log_retention_days": 365},
        },
        "approval": "every",
        "soak_minutes": 30,
        "load_test": "test",
        "approvers": "Releasers,Tech.Leads@x",
        "approve_running": True,
        "coverage_threshold": 80,
    },
    "existing VPC": {
        "environments": "dev,live",
        "customize": True,
        "approval": "none",
        "freezes": FREEZE,
        "scan_engine": "sbom",
        "nightly_scan": True,
        "audit": "trail",
        "notification_email": "team@example.com",
        "monthly_budget": 200,
        "requests_per_task": 50,
        "updates": "renovate",
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
    "monthly_budget": 200,
    "requests_per_task": 50,
    "port": 3000,
    "health_path": "/internal/healthz",
    "health_grace_seconds": 180,
    "ingress_cidrs": INGRESS,
    **BUILD_VPC,
}

_VPCS = {
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
    "requests_per_task": [0, 50],
    "build_secrets": ["", ",".join(f"A{number}" for number in range(10))],
    "build_network": ["none", "vpc"],
    "audit": ["off", "trail"],
    "ingress": ["everybody", "some"],
    "health": [{}, {"port": 3000, "health_path": "/internal/healthz", "health_grace_seconds": 180}],
    "success_notifications": ["none", "production", "every"],
    "approval": ["none", "production", "every", "by branches"],
    "windows": ["", "MON-SUN 00-24 UTC"],
    "freezes": ["", FREEZE],
    "soak_minutes": [0, 60],
    "load_test": ["", "first"],
    "approvers": ["", "Releasers, Leads"],
    "coverage_threshold": [0, 90],
    "approve_running": [False, True],
}


@functools.cache
def pairwise() -> list[dict[str, Any]]:
    """Sets of answers that together contain every pair of values."""
    found = []
    for values in AllPairs(list(_PARAMETERS.values())):
        answers = dict(zip(_PARAMETERS, values, strict=True))
        answers["cpu"], answers["memory"] = answers.pop("size")
        if answers["scan_gate"] == "off":
            del answers["scan_engine"], answers["nightly_scan"]
        answers |= answers.pop("health")
        names = answers["environments"].split(",")
        if answers["approval"] == "by branches":
            del answers["approval"]
            # One environment has nowhere to promote to.
            answers |= {"promotion": "branches", "auto_promote": names[1]} if len(names) > 1 else {}
        answers["production"] = names[0 if answers["production"] == "first" else -1]
        answers["load_test"] = names[0] if answers["load_test"] and answers["production"] != names[0] else ""
        if answers.get("approval") == "none":
            del answers["approvers"]
        if answers.get("approval") in (None, "none") or answers["deployment_strategy"] == "rolling":
            answers["approve_running"] = False
        if answers["build_network"] == "vpc":
            answers |= BUILD_VPC
        if answers.pop("ingress") == "some":
            answers |= {**BUILD_VPC, "ingress_cidrs": INGRESS}
        vpc = dict(_VPCS[answers.pop("vpc")])
        if overrides := vpc.get("environment_overrides"):
            vpc["environment_overrides"] = {names[0]: overrides["first"]}
        answers |= vpc
        if answers["aws_region"].startswith("us-gov-"):
            answers["chat_notifications"], answers["monthly_budget"] = False, 0
        if not answers["notification_email"]:
            del answers["monthly_budget"]
        found.append({**answers, "customize": True})
    return found
