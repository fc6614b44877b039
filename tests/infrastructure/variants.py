"""Sets of answers that produce different infrastructure."""

from __future__ import annotations

from typing import Any

from allpairspy import AllPairs

LONGEST_APP = "abcdefghijklmnopqrs-tuvx"
LONGEST_ENVIRONMENT = "abcdefghijkl"

FEW: dict[str, dict[str, Any]] = {
    "default": {},
    "one environment, linear, arm64": {
        "environments": "live",
        "deployment_strategy": "linear",
        "customize": True,
        "architecture": "arm64",
        "notification_email": "team@example.com",
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
            "live": {"min_tasks": 4, "max_tasks": 40, "spot": True, "log_retention_days": 365},
        },
    },
}

_PARAMETERS: dict[str, list[Any]] = {
    "app_name": ["abc", "orders-api", LONGEST_APP],
    "aws_region": ["us-east-1", "eu-central-1", "us-gov-west-1"],
    "environments": ["live", "dev,staging,prod", "a1,b2,c3,d4,e5,f6,g7,h8"],
    "production": ["first", "last"],
    "size": [(256, 512), (512, 4096), (4096, 30720)],
    "scan_gate": ["off", "low", "critical"],
    "deployment_strategy": ["rolling", "blue_green", "canary", "linear"],
    "architecture": ["x86_64", "arm64"],
    "egress": ["public_ip", "nat_gateway"],
    "vpc_cidr": ["10.0.0.0/16", "192.168.4.0/22", "172.16.8.0/24"],
    "log_retention_days": [1, 3653],
    "notification_email": ["", "team@example.com"],
}


def pairwise() -> list[dict[str, Any]]:
    """Sets of answers that together contain every pair of values."""
    found = []
    for values in AllPairs(list(_PARAMETERS.values())):
        answers = dict(zip(_PARAMETERS, values, strict=True))
        answers["cpu"], answers["memory"] = answers.pop("size")
        answers["production"] = answers["environments"].split(",")[0 if answers["production"] == "first" else -1]
        found.append({**answers, "customize": True})
    return found
