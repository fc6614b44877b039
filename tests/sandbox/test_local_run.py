"""All probes on local AWS: those that it can answer, and nothing of the run is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY
from scaffold.local.environment import running_local_aws
from tests.conftest import isolated
from tests.engine.conftest import eventually
from tests.sandbox.running import COMMAND, sandbox
from tools.sandbox.document import assumptions

ROOT = Path(__file__).resolve().parents[2]

# Local AWS leaves a character outside ASCII in a template, writes values into messages as they are, tells of the
# failure of a stage before its retry, and creates a protected stack without UpdateTerminationProtection.
REFUTED = {
    "failed-event-after-retry",
    "protected-creation",
    "quotation-marks",
    "quotation-marks-in-json",
    "template-text",
}
# It does not know the permissions of these calls of roles, ...
WITHOUT_ROLES = {
    "boundary-of-role",
    "bucket-with-tags",
    "console-of-approver",
    "pass-role-to-pipeline",
}
# ... no price list, no condition keys of a simulation, no CloudTrail, no Aurora, no container engine in this test, no
# gallery, no health checks that ask, no topic policies, no registry's configuration, no events of what an update
# replaces, a value of every quota, a self-update that succeeds at once, and time that passes faster.
UNDECIDED = WITHOUT_ROLES | {
    "access-logs-principal",
    "approval-before-stop",
    "builds-by-compute-type",
    "connections-of-capacity",
    "engine-major-version",
    "enhanced-scan",
    "fargate-usage",
    "flow-log-with-policy",
    "list-prices",
    "master-secret-name-and-tag",
    "new-account-quotas",
    "new-health-check",
    "new-rule-first",
    "node-image",
    "pause-with-exported-logs",
    "pulled-image",
    "quota-without-value",
    "rds-authorities",
    "renovate-on-codecommit",
    "exec-with-volumes",
    "restored-by-stack",
    "retry-of-self-update",
    "rolled-back-cluster",
    "rule-timeout",
    "sbom-by-digest",
    "scan-sbom",
    "shift-modifies-rule",
    "simulated-deployment",
    "source-account",
    "subnet-of-interface",
    "topic-without-source",
    "undeletable-at-rollback",
    "wait-time-on-success",
}
# Local AWS itself has these for as long as it runs, or creates one for each service that needs it.
OWN_ROLES = "/aws-service-role/"


@pytest.fixture
def variables() -> Iterator[dict[str, str]]:
    with running_local_aws(runs=True, speed=60) as aws:
        yield aws.variables


def client(variables: dict[str, str], service: str) -> Any:
    session = boto3.session.Session(ACCESS_KEY, SECRET_KEY, region_name="us-east-1")
    return session.client(service, endpoint_url=variables["AWS_ENDPOINT_URL"])


def remains(variables: dict[str, str]) -> dict[str, list[str]]:
    """What is in the account, by the service that lists it. Local AWS lists no pipelines, and those that the probes
    create are in stacks.
    """
    found = {
        "stacks": [one["StackName"] for one in client(variables, "cloudformation").describe_stacks()["Stacks"]],
        "buckets": [one["Name"] for one in client(variables, "s3").list_buckets()["Buckets"]],
        "repositories": client(variables, "codecommit").list_repositories()["repositories"],
        "approval rules": client(variables, "codecommit").list_approval_rule_templates()["approvalRuleTemplateNames"],
        "images": client(variables, "ecr").describe_repositories()["repositories"],
        "projects": client(variables, "codebuild").list_projects()["projects"],
        "queues": client(variables, "sqs").list_queues().get("QueueUrls", []),
        "topics": client(variables, "sns").list_topics()["Topics"],
        "tasks": client(variables, "ecs").list_task_definitions(status="ACTIVE")["taskDefinitionArns"],
        "clusters": client(variables, "ecs").list_clusters()["clusterArns"],
        "load balancers": client(variables, "elbv2").describe_load_balancers()["LoadBalancers"],
        "networks": [one for one in client(variables, "ec2").describe_vpcs()["Vpcs"] if not one["IsDefault"]],
        "log groups": client(variables, "logs").describe_log_groups()["logGroups"],
        "rules": client(variables, "events").list_rules()["Rules"],
        "roles": [
            one["RoleName"]
            for one in client(variables, "iam").list_roles()["Roles"]
            if not one["Path"].startswith(OWN_ROLES)
        ],
    }
    return {kind: list(map(str, names)) for kind, names in found.items() if names}


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_every_probe_has_its_verdict(variables: dict[str, str], tmp_path: Path) -> None:
    done = sandbox("--yes", "--json", "--folder", str(tmp_path / "runs"), cwd=tmp_path, seconds=1400, **variables)
    assert done.stdout, done.stderr
    rows = {row["id"]: row for row in json.loads(done.stdout)["assumptions"]}
    assert list(rows) == list(assumptions())
    expected = {one: "refuted" if one in REFUTED else "undecided" if one in UNDECIDED else "proved" for one in rows}
    assert {one: row["verdict"] for one, row in rows.items()} == expected, done.stderr
    assert [one for one, row in rows.items() if row["failed"]] == []
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert remains(variables) == {}
    assert [path.suffix for path in (tmp_path / "runs").glob("*.json") if not path.name.startswith("unproven")] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_that_is_ended_cleans_up(variables: dict[str, str], tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    process = subprocess.Popen(
        [*COMMAND, "--yes", "--only", "retry-of-self-update", "missing-export", "--folder", str(runs)],
        cwd=tmp_path,
        env=isolated(tmp_path) | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )

    def deploying() -> bool:
        records = [path.read_text() for path in runs.glob("sbx-*.json")]
        return any('"service"' in text for text in records)

    assert eventually(deploying, 300)
    os.kill(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert "Traceback" not in errors
    assert remains(variables) == {}
    assert list(runs.glob("sbx-*.json")) == []
