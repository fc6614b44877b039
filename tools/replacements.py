"""Write docs/replacements.md: what CloudFormation replaces or takes out of a stack when one answer changes.

    python -m tools.replacements

Computed from the kit's templates with the answers before and after, and from the create-only properties of cfn-lint's
schemas. A stack of an option that is turned off is not listed: it stays until a person deletes it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from scaffold.aws.data import holds_data
from scaffold.service.stack_kinds import STACK_KINDS, Deployer
from tests.infrastructure.stacks import REGION, Stacks, load
from tests.infrastructure.variants import BUILD_VPC, DATA, EXISTING, INGRESS
from tests.kits import ROOT, generate

PAGE = ROOT / "docs/replacements.md"
BASE: dict[str, Any] = {
    "environments": "dev,prod", "customize": True, "notification_email": "team@example.com", "nightly_scan": True,
    "deployment_strategy": "canary", **DATA, "database": "postgres",
}  # fmt: skip
#: Each setting of an environment but those of a domain, which a service without one cannot have.
OVERRIDES: dict[str, dict[str, Any]] = {
    "dev": {
        "cpu": 1024,
        "memory": 4096,
        "min_tasks": 3,
        "max_tasks": 4,
        "spot": False,
        **EXISTING,
        "log_retention_days": 365,
        "deployment_strategy": "blue_green",
        "bake_minutes": 30,
        "container_insights": True,
        "database_capacity": 8,
        "alarm_email": "dev@example.com",
    },
    "prod": {"egress": "nat_gateway", "vpc_cidr": "10.1.0.0/20", "deployment_strategy": "rolling"},
}
#: Other answers, those together that reach different resources; both ways are compared. None leaves a question out.
OTHERS: tuple[dict[str, Any], ...] = (
    {"production": "dev"},
    {"scan_gate": "off", "nightly_scan": None},
    {"deployment_strategy": "rolling"},
    {
        "cpu": 1024,
        "memory": 4096,
        "architecture": "arm64",
        "requests_per_task": 50,
        "port": 3000,
        "health_path": "/internal/healthz",
        "health_grace_seconds": 120,
        "scratch_gib": 50,
        "log_retention_days": 365,
        "encrypt_logs": True,
        "observability": "full",
        "exec": "dev",
    },
    {
        "notification_email": "other@example.com",
        "monthly_budget": 200,
        "chat_notifications": True,
        "build_secrets": "NPM_TOKEN",
        "audit": "trail",
        "updates": "renovate",
    },
    {**BUILD_VPC, "ingress_cidrs": INGRESS},
    dict(EXISTING),
    {"egress": "nat_gateway"},
    {"vpc_cidr": "10.1.0.0/20"},
    {"domain_name": "shop.example.com", "hosted_zone_id": "Z0123456789ABCDEFGHIJ"},
    {
        "domain_name": "shop.example.com",
        "hosted_zone_id": "Z0123456789ABCDEFGHIJ",
        "notification_email": "team@example.com",
        "health_check": True,
    },
    {"access_logs": True, "flow_logs": True},
    {"waf": "managed", "office_hours": "MON-FRI 07-19 UTC"},
    {"buckets": "reports", "queues": "jobs", "tables": ""},
    {"database": "none"},
    {"environment_overrides": OVERRIDES},
    {"promotion": "branches"},
    {
        "approval": "every",
        "approvers": "Releasers",
        "windows": "MON-THU 09-16 UTC",
        "freezes": "2026-12-20..2027-01-02",
        "load_test": "dev",
        "soak_minutes": 30,
        "canary_percent": 50,
        "approve_running": True,
    },
)


# What they hold are the logs of builds.
_OF_BUILDS = {kind.name for kind in STACK_KINDS if kind.deployer is Deployer.ITSELF}


#: Capacity of a cluster, which has the data.
_WITHOUT_DATA = {"AWS::RDS::DBInstance"}
#: Their change deletes what holds data beside the resource: the master secret of a database.
_LOSING = {"AWS::RDS::DBCluster": {"ManageMasterUserPassword"}}


class Loss(NamedTuple):
    """A resource that an update replaces or takes out of its stack.

    Attributes:
        kept: Whether the old resource stays in the account.
    """

    stack: str
    logical_id: str
    type: str
    replaced: bool
    kept: bool


def create_only(kind: str) -> set[str]:
    """The properties of a type that only a creation sets; those that do so on a condition count, and `_LOSING`."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
    listed = schema.get("createOnlyProperties", []) + schema.get("conditionalCreateOnlyProperties", [])
    return {path.removeprefix("/properties/").partition("/")[0] for path in listed} | _LOSING.get(kind, set())


def losses(before: Stacks, after: Stacks) -> Iterator[Loss]:
    """What the update of the stacks that are in both replaces, or takes out of them."""
    for name in before.keys() & after.keys():
        new = after[name].resources
        for logical_id, resource in before[name].resources.items():
            kind, old = resource["Type"], resource.get("Properties", {})
            if logical_id not in new:
                kept = str(resource.get("DeletionPolicy", "")).startswith("Retain")
                yield Loss(before[name].kind, logical_id, kind, replaced=False, kept=kept)
            elif any(old.get(key) != new[logical_id]["Properties"].get(key) for key in create_only(kind)):
                kept = resource.get("UpdateReplacePolicy") == "Retain"
                yield Loss(before[name].kind, logical_id, kind, replaced=True, kept=kept)


def table() -> dict[str, list[Loss]]:
    """What each change of an answer, in both directions, replaces or takes away."""
    found: dict[str, list[Loss]] = {}
    with tempfile.TemporaryDirectory() as folder:
        base = _stacks(Path(folder) / "base", BASE)
        for number, answers in enumerate(OTHERS):
            other = _stacks(Path(folder) / str(number), BASE | answers)
            found[", ".join(answers)] = sorted({*losses(base, other), *losses(other, base)})
    return found


def lost_data(found: dict[str, list[Loss]]) -> list[str]:
    """What holds data, and neither stays in its stack nor in the account. Logs of builds do not count."""
    return [
        f"{question}: {one.stack} {one.logical_id}"
        for question, rows in found.items()
        for one in rows
        if holds_data(one.type) and one.type not in _WITHOUT_DATA and not one.kept and one.stack not in _OF_BUILDS
    ]


def page(found: dict[str, list[Loss]]) -> str:
    """The document."""
    rows = [
        f"| `{question.replace(', ', '`, `')}` | {_words(losses, True)} | {_words(losses, False)} |"
        for question, losses in found.items()
    ]
    return "\n".join(
        [
            "# What a changed answer replaces",
            "",
            "CloudFormation replaces a resource whose create-only properties change, and deletes one that leaves its",
            "template. Here is what changed answers do to the stacks of a service, in either direction, computed by",
            "`python -m tools.replacements` from the templates and the schemas of cfn-lint. But for logs of builds,",
            "no data is deleted: (kept) means that the resource stays in the account, with its data, and an instance",
            "of a database has none of its own. No answer replaces a database or takes away its master secret.",
            "Stacks of an option that is turned off are not listed, since they stay until a person deletes them.",
            "Where a row is empty, resources change in place, or are added. What `environment_overrides`",
            "replaces is of the environments whose settings change, and as in the row of the answer of that name.",
            "",
            "| answer | replaced | taken out of its stack |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _words(losses: list[Loss], replaced: bool) -> str:
    texts = [
        f"`{one.logical_id}` of {one.stack}" + (" (kept)" if one.kept else "")
        for one in losses
        if one.replaced is replaced
    ]
    return ", ".join(dict.fromkeys(texts))


def _stacks(root: Path, answers: dict[str, Any]) -> Stacks:
    generate(root, app_name="orders-api", **{key: value for key, value in answers.items() if value is not None})
    return load(root)


def main() -> None:
    """Write the document, unless an answer deletes data."""
    found = table()
    if lost := lost_data(found):
        raise SystemExit("\n".join(["An answer deletes data:", *lost]))
    PAGE.write_text(page(found), "utf-8")


if __name__ == "__main__":
    main()
