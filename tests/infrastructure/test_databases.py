"""Databases: who reads their master secrets, and what deletes their data."""

from __future__ import annotations

import json
import re
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from cfnlint.decode.decode import decode_str
from cfnlint.template import Template

from scaffold.aws.cloudformation.kept_statements import with_kept_policies
from scaffold.iam.policies import Context
from scaffold.service import names
from scaffold.service.names import ENVIRONMENT_NAME
from tests.infrastructure.dashboards import lines, widgets
from tests.infrastructure.iam import allowed, boundary_of, statements_of
from tests.infrastructure.regions import size
from tests.infrastructure.stacks import ACCOUNT, REGION, Stack, Stacks, as_list, parse
from tests.infrastructure.variants import EXISTING, PRIVATE_SUBNETS
from tests.kits import ROOT
from tests.service.conftest import function_of

CLUSTER = f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:shop-"
DATABASE = {"app_name": "shop", "environments": "dev,dev2", "customize": True, "database": "postgres"}
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!cluster-1-AbCdEf"


@pytest.mark.parametrize(
    ("cluster", "own"),
    # Two of the others have names that begin with the environment's.
    [("dev", True), ("dev-restored", True), ("dev2", False), ("dev-x", False), ("prod", False)],
)
def test_roles_read_the_master_secret_of_their_environment_only(
    stacks_of: Callable[..., Stacks], cluster: str, own: bool
) -> None:
    stacks = stacks_of(**DATABASE)
    context: dict[str, str | list[str]] = {"aws:ResourceTag/aws:rds:primaryDBClusterArn": CLUSTER + cluster}
    limit = boundary_of(stacks["shop-dev-deploy-role"])
    assert allowed(limit, "secretsmanager:GetSecretValue", SECRET, context) is own


#: Where a file of infrastructure/ has what, and what shortens the backups by being there instead.
SHORTENED = {
    "fewer days": ("dev2/database.json", '"BackupDays": "30"', '"BackupDays": "29"'),
    "as a number": ("dev2/database.json", '"BackupDays": "30"', '"BackupDays": 29'),
    "no number": ("dev2/database.json", '"BackupDays": "30"', '"BackupDays": "30.5"'),
    "no parameter": ("dev/database.json", '"BackupDays": "7",', ""),
    "no JSON": ("dev/database.json", "{", "["),
    "in the template": ("database.yaml", "Period: !Ref BackupDays", "Period: 30"),
    "the default": ("database.yaml", "BackupRetentionPeriod: !Ref BackupDays", "EnableHttpEndpoint: false"),
    "a condition": ("database.yaml", "Period: !Ref BackupDays", "Period: !If [HasStandby, !Ref BackupDays, 1]"),
    "a transform": ("database.yaml", "Parameters:", "Transform: AWS::LanguageExtensions\nParameters:"),
    "in the pipeline": ("pipeline.yaml", '\'{"ProtectDatabase": ', '\'{"BackupDays": "1", "ProtectDatabase": '),
}
KEPT = {
    "what was generated": ("database.yaml", "", ""),
    "more days": ("dev/database.json", '"BackupDays": "7"', '"BackupDays": "35"'),
    "fewer in another template": ("network.yaml", "Resources:", "# BackupDays: 1\nResources:"),
}


def shortened(root: Path) -> list[str]:
    """What the rule of a service finds in its templates."""
    rule = runpy.run_path(str(root / "config/rules/database_rules.py"))["BackupsAreKept"]()
    found = []
    for path in sorted((root / "infrastructure").glob("*.yaml")):
        template, unreadable = decode_str(path.read_text())
        assert not unreadable
        found += [one.message for one in rule.match(Template(str(path), template))]
    return found


@pytest.mark.parametrize("what", [*SHORTENED, *KEPT])
def test_no_merge_shortens_the_backups(generated: Callable[..., Path], tmp_path: Path, what: str) -> None:
    root = shutil.copytree(generated(**DATABASE), tmp_path / "service")
    name, old, new = (SHORTENED | KEPT)[what]
    file = root / "infrastructure" / name
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    found = shortened(root)
    assert len(found) == (what in SHORTENED), found
    if what == "fewer days":
        assert found[0].startswith("infrastructure/dev2/database.json: BackupDays of dev2 deletes backups unless")
        # With the change of the rule, which waits for approval. An environment that it does not know needs most.
        rule = root / "config/rules/database_rules.py"
        rule.write_text(rule.read_text().replace('("dev2", 30)', '("dev2", 29)'))
        assert shortened(root) == []
        (root / "infrastructure/dev").rename(root / "infrastructure/dev3")
        assert shortened(root) == [found[0].replace("dev2", "dev3").replace("30", "29")]


def data_role(stacks_of: Callable[..., Stacks]) -> list[Any]:
    return list(statements_of(stacks_of(**DATABASE)["shop-dev-data-role"], "DataRole"))


def arn(kind: str, name: str) -> str:
    return f"arn:aws:rds:{REGION}:{ACCOUNT}:{kind}:{name}"


def tags(service: str, environment: str) -> dict[str, str | list[str]]:
    found = {"service": service, "environment": environment}
    return {f"aws:ResourceTag/gitops-scaffold:{key}": value for key, value in found.items()}


def test_what_the_deletion_of_a_database_leaves_is_kept(stacks_of: Callable[..., Stacks]) -> None:
    statements = data_role(stacks_of)
    snapshot = arn("cluster-snapshot", "shop-dev-database-snapshot-cluster-1")
    for action in ("AddTagsToResource", "CreateDBClusterSnapshot", "DeleteDBCluster"):
        assert allowed(statements, f"rds:{action}", snapshot)
    for action in ("DeleteDBClusterSnapshot", "ModifyDBClusterSnapshotAttribute", "RemoveTagsFromResource"):
        assert not allowed(statements, f"rds:{action}", snapshot, tags("shop", "dev"))


def test_the_role_of_the_data_changes_nothing_else_of_a_database(stacks_of: Callable[..., Stacks]) -> None:
    rds = boto3.Session().client("rds", region_name=REGION).meta.service_model.operation_names
    changing = [one for one in rds if one.startswith(("Delete", "Modify", "Promote", "Start", "Stop"))]
    statements = data_role(stacks_of)
    kinds = {
        "cluster": "shop-dev",
        "db": "shop-dev-1",
        "subgrp": "shop-dev-database",
        "cluster-pg": "shop-dev-database-17",
    }
    found = {
        one for one in changing for kind, name in kinds.items() if allowed(statements, f"rds:{one}", arn(kind, name))
    }
    owned = ("DBCluster", "DBClusterParameterGroup", "DBInstance", "DBSubnetGroup")
    assert found == {f"{verb}{one}" for verb in ("Delete", "Modify") for one in owned}


#: A service shop-dev-database with environments that are named like the resources of the database of shop-dev.
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("cluster", "shop-dev-database-dev"),
        ("cluster-pg", "shop-dev-database-dev-database-17"),
        ("cluster-snapshot", "shop-dev-database-snapshot-database-snapshot-cluster-1"),
        ("cluster-snapshot", "shop-dev-x-database-snapshot-cluster-1"),
        ("db", "shop-dev-database-1"),
        ("subgrp", "shop-dev-database-subnetgroup-database"),
    ],
)
def test_the_role_of_the_data_reaches_no_database_of_a_service_whose_name_begins_alike(
    stacks_of: Callable[..., Stacks], kind: str, name: str
) -> None:
    statements = data_role(stacks_of)
    for action in ("AddTagsToResource", "DeleteDBCluster", "DeleteDBInstance", "ModifyDBCluster"):
        assert not allowed(statements, f"rds:{action}", arn(kind, name))


def test_the_role_of_the_data_changes_no_snapshot_with_the_tags_of_others(stacks_of: Callable[..., Stacks]) -> None:
    statements, snapshot = data_role(stacks_of), arn("cluster-snapshot", "shop-dev-database-snapshot-cluster-dev")
    assert allowed(statements, "rds:AddTagsToResource", snapshot, tags("shop", "dev"))
    for others in (tags("shop-dev-database-snapshot", "cluster"), tags("other", "dev"), tags("shop", "prod")):
        assert not allowed(statements, "rds:AddTagsToResource", snapshot, others)


def test_no_environment_of_another_service_has_a_name_of_the_database(stacks_of: Callable[..., Stacks]) -> None:
    """What `shop-dev` has in such an environment has the names of what is beside the database of `shop` in dev."""
    clusters = {
        resource.removeprefix(f"{CLUSTER}dev-")
        for statement in data_role(stacks_of)
        for resource in as_list(statement["Resource"])
        if resource.startswith(f"{CLUSTER}dev-")
    }
    definitions = stacks_of(**DATABASE)["shop-dev-task-definition"].of_type("AWS::ECS::TaskDefinition")
    families = {properties["Family"] for _, properties in definitions}
    assert families == {names.task_family("shop", "dev"), names.migration_family("shop", "dev")}
    beside = {one.removeprefix("shop-dev-") for one in families - {"shop-dev"}}
    possible = {name for name in clusters | beside if ENVIRONMENT_NAME.fullmatch(name)}
    refused = re.findall(r"database == 'postgres' and name == '(\w+)'", (ROOT / "includes/database.jinja").read_text())
    assert possible == set(refused)


@pytest.mark.parametrize(("cluster", "own"), [("dev", True), ("dev-restored", True), ("dev2", False), ("dev-x", False)])
def test_rds_tags_the_master_secrets_of_the_environment_only(
    stacks_of: Callable[..., Stacks], cluster: str, own: bool
) -> None:
    context: dict[str, str | list[str]] = {"aws:ResourceTag/aws:rds:primaryDBClusterArn": CLUSTER + cluster}
    statements = data_role(stacks_of)
    assert allowed(statements, "secretsmanager:TagResource", SECRET, context) is own
    # A secret that is created has no tags yet.
    assert allowed(statements, "secretsmanager:CreateSecret", SECRET)


@pytest.mark.parametrize("action", ["CreateRouteTable", "CreateSubnet"])
def test_the_role_of_the_data_creates_subnets_in_its_own_network_only(
    stacks_of: Callable[..., Stacks], action: str
) -> None:
    statements, vpc = data_role(stacks_of), f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc/any"
    assert allowed(statements, f"ec2:{action}", vpc, tags("shop", "dev"))
    for others in ({}, tags("shop", "prod"), tags("shop-dev", "dev")):
        assert not allowed(statements, f"ec2:{action}", vpc, others)


def test_data_may_be_added_while_a_database_is_given_up(generated: Callable[..., Path]) -> None:
    """Until a person deletes the stack of the database, it needs what its role has for it."""
    given = {"AppName": "shop", "EnvironmentName": "dev"}
    path = "infrastructure/data-role.yaml"
    before = (generated(**DATABASE) / path).read_text()
    wanted = (generated(**{**DATABASE, "database": "none", "queues": "jobs"}) / path).read_text()
    body = with_kept_policies(wanted, given, before, given)
    # The preflight finds all of the template in what is deployed.
    content = function_of("preflight.py", "content")
    assert set(content(wanted)) <= set(content(body))
    assert with_kept_policies(wanted, given, body, given) == body
    assert with_kept_policies(wanted, given, wanted, given) == wanted
    role = Stack("shop-dev-data-role", parse(body), given, imports={"shop-foundation-ReadArtifactsPolicyArn": "arn"})
    statements = [one for found in role.own_policies.values() for one in found]
    assert allowed(statements, "rds:DeleteDBCluster", arn("cluster", "shop-dev"))
    assert allowed(statements, "sqs:CreateQueue", f"arn:aws:sqs:{REGION}:{ACCOUNT}:shop-dev--jobs")
    for action, name in (
        ("rds:DeleteDBClusterSnapshot", arn("cluster-snapshot", "any")),
        ("sqs:DeleteQueue", "arn:aws:any"),
    ):
        assert not allowed(statements, action, name)
    for logical, policy in role.of_type("AWS::IAM::ManagedPolicy"):
        assert size(policy["PolicyDocument"]) <= 6_144
        assert policy["Path"] == "/shop/"
        assert ("Roles" in policy) is logical.startswith("Kept")


@pytest.mark.parametrize(
    ("environment", "cluster", "starts"),
    [
        ("dev", "shop-dev", True),
        ("dev2", "shop-dev2", True),
        ("dev", "shop-dev2", False),
        ("dev2", "shop-dev", False),
        ("dev", "shop-dev-x", False),
        ("dev", "default", False),
        ("dev", None, False),
    ],
)
def test_migrations_start_in_the_cluster_of_their_environment_only(
    stacks_of: Callable[..., Stacks], environment: str, cluster: str | None, starts: bool
) -> None:
    stacks = stacks_of(**DATABASE)
    ecs = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
    context: Context = {"ecs:cluster": f"{ecs}:cluster/{cluster}"} if cluster else {}
    role = statements_of(stacks["shop-migrations"], "MigrateRole")
    for statements in (role, boundary_of(stacks["shop-permissions"])) if starts else (role,):
        task = f"{ecs}:task-definition/shop-{environment}--migrate:7"
        assert allowed(statements, "ecs:RunTask", task, context) is starts
    assert not allowed(role, "ecs:RunTask", f"{ecs}:task-definition/shop-{environment}:7", context)


@pytest.mark.parametrize("observability", ["off", "standard"])
def test_the_dashboard_shows_whether_a_database_is_full(stacks_of: Callable[..., Stacks], observability: str) -> None:
    shown = widgets(stacks_of(**DATABASE, observability=observability))["shop-dev"]
    (database,) = [one for one in shown if one["properties"]["title"].startswith("Database")]
    ((_, cluster),) = stacks_of(**DATABASE)["shop-dev-database"].of_type("AWS::RDS::DBCluster")
    found = {(line.name, line.dimensions) for line in lines(database)}
    for metric in ("ACUUtilization", "DatabaseConnections"):
        assert (metric, (("DBClusterIdentifier", "shop-dev"),)) in found
    assert cluster["ServerlessV2ScalingConfiguration"]
    assert all(one["y"] + one["height"] <= database["y"] for one in shown if one is not database)


def test_an_instance_may_be_created_with_all_that_rds_may_ask_for(stacks_of: Callable[..., Stacks]) -> None:
    """Of the resource types of CreateDBInstance, the Service Authorization Reference calls `db` alone required.

    Whether RDS asks for the others where an instance joins a cluster is not said.
    `secgrp` is for networks without a VPC.
    """
    rds = f"arn:aws:rds:{REGION}:{ACCOUNT}"
    statements = list(statements_of(stacks_of(**DATABASE)["shop-dev-data-role"], "DataRole"))
    for cluster, stack in (("shop-dev", "shop-dev-database"), ("shop-dev-restored", "shop-dev-restored")):
        own = (f"db:{cluster}-1", f"db:{cluster}-2", f"cluster:{cluster}", f"subgrp:{stack}")
        for resource in (*own, "og:default:aurora-postgresql-17", "pg:default.aurora-postgresql17"):
            assert allowed(statements, "rds:CreateDBInstance", f"{rds}:{resource}"), resource
    for resource in ("db:shop-dev2-1", "db:shop-dev-3", "cluster:shop-dev2", "subgrp:shop-dev2-database", "pg:mine"):
        assert not allowed(statements, "rds:CreateDBInstance", f"{rds}:{resource}"), resource


@pytest.mark.parametrize(
    ("answers", "where"),
    [
        (DATABASE, "-database`, in subnets without a route to the internet.\n"),
        ({**DATABASE, **EXISTING}, "-database`, in the private subnets of that VPC that you have named.\n"),
        (
            {**DATABASE, "environment_overrides": {"dev": EXISTING}},
            "-database`, in subnets without a route to the internet; in an existing VPC, it is in the private subnets",
        ),
    ],
)
def test_a_database_is_where_the_readme_says(
    generated: Callable[..., Path], answers: dict[str, Any], where: str
) -> None:
    root = generated(**answers)
    assert where in (root / "README.md").read_text("utf-8")
    for environment in ("dev", "dev2"):
        given = json.loads((root / f"infrastructure/{environment}/database.json").read_text("utf-8"))["Parameters"]
        assert given["SubnetIds"] == (PRIVATE_SUBNETS.replace(" ", "") if given["VpcId"] else "")
