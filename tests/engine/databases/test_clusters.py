"""Clusters of Aurora on local AWS: a PostgreSQL server each, behind an endpoint that knows tokens of IAM."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from botocore.exceptions import ClientError, WaiterError

from scaffold.local.environment import running_local_aws

REGION = "us-east-1"
TRUST = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}
PROPERTIES: dict[str, Any] = {
    "DBClusterIdentifier": "shop-dev",
    "Engine": "aurora-postgresql",
    "EngineVersion": "17",
    "Port": 5432,
    "DatabaseName": "app",
    "MasterUsername": "migrator",
    "ManageMasterUserPassword": True,
    "EnableIAMDatabaseAuthentication": True,
    "DeletionProtection": True,
    "CopyTagsToSnapshot": True,
    "StorageEncrypted": True,
}
Psql = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = [
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with running_local_aws(REGION, runs=True) as found:
        yield found


@pytest.fixture(scope="module")
def client(aws: Any) -> Callable[..., Any]:
    def make(service: str, **credentials: str) -> Any:
        given = credentials or {
            "aws_access_key_id": aws.variables["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": aws.variables["AWS_SECRET_ACCESS_KEY"],
        }
        endpoint = aws.variables["AWS_ENDPOINT_URL"]
        return boto3.Session().client(service, region_name=REGION, endpoint_url=endpoint, **given)

    return make


def _create(client: Callable[..., Any], name: str, properties: dict[str, Any]) -> dict[str, str]:
    attributes = ["Endpoint.Address", "Endpoint.Port", "DBClusterResourceId", "MasterUserSecret.SecretArn"]
    outputs = {one.replace(".", ""): {"Value": {"Fn::GetAtt": ["Cluster", one]}} for one in attributes}
    cluster = {"Type": "AWS::RDS::DBCluster", "DeletionPolicy": "Snapshot", "Properties": properties}
    template = json.dumps({"Resources": {"Cluster": cluster}, "Outputs": outputs})
    api = client("cloudformation")
    api.create_stack(StackName=name, TemplateBody=template, Tags=[{"Key": "service", "Value": "shop"}])
    try:
        api.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    except WaiterError as error:
        reasons = [one.get("ResourceStatusReason") for one in api.describe_stack_events(StackName=name)["StackEvents"]]
        raise AssertionError(reasons) from error
    (stack,) = api.describe_stacks(StackName=name)["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}


@pytest.fixture(scope="module")
def cluster(client: Callable[..., Any]) -> dict[str, str]:
    return _create(client, "shop-dev-database", PROPERTIES)


@pytest.fixture(scope="module")
def psql(aws: Any, tmp_path_factory: pytest.TempPathFactory) -> Psql:
    def run(cluster: dict[str, str], user: str, password: str, sql: str, mode: str = "require") -> Any:
        address = f"{quote(user)}@{cluster['EndpointAddress']}:{cluster['EndpointPort']}"
        command = ["psql", f"postgresql://{address}/app?sslmode={mode}", "-qAtc", sql]
        environment = {"PATH": os.environ["PATH"], "PGPASSWORD": password, "HOME": "/nonexistent"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    return run


def _master(client: Callable[..., Any], cluster: dict[str, str]) -> tuple[str, str]:
    found = client("secretsmanager").get_secret_value(SecretId=cluster["MasterUserSecretSecretArn"])["SecretString"]
    secret = json.loads(found)
    return secret["username"], secret["password"]


@pytest.fixture(scope="module")
def tasks(client: Callable[..., Any], cluster: dict[str, str], psql: Psql) -> Callable[..., str]:
    """Makes tokens of a role that may connect as app."""
    setup = "CREATE ROLE app LOGIN IN ROLE rds_iam; CREATE TABLE t (n int); GRANT SELECT, INSERT ON t TO app"
    prepared = psql(cluster, *_master(client, cluster), setup)
    assert prepared.returncode == 0, prepared.stderr
    iam = client("iam")
    role = iam.create_role(RoleName="tasks", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]

    def token(allowed: str, **changed: Any) -> str:
        resource = f"arn:aws:rds-db:{REGION}:*:dbuser:{allowed}"
        statement = {"Effect": "Allow", "Action": "rds-db:connect", "Resource": resource}
        iam.put_role_policy(RoleName="tasks", PolicyName="p", PolicyDocument=json.dumps({"Statement": [statement]}))
        given = client("sts").assume_role(RoleArn=role, RoleSessionName="task")["Credentials"]
        rds = client(
            "rds",
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )
        place = {"DBHostname": cluster["EndpointAddress"], "Port": int(cluster["EndpointPort"]), "DBUsername": "app"}
        return str(rds.generate_db_auth_token(**(place | changed)))

    return token


def test_a_token_lets_the_role_in_that_may_connect(
    cluster: dict[str, str], psql: Psql, tasks: Callable[..., str]
) -> None:
    mine = f"{cluster['DBClusterResourceId']}/app"
    done = psql(cluster, "app", tasks(mine), "INSERT INTO t VALUES (7); SELECT current_user, n FROM t")
    assert done.stdout == "app|7\n", done.stderr


@pytest.mark.parametrize(
    ("allowed", "changed"),
    [
        ("cluster-OTHER/app", {}),
        ("{mine}/other", {}),
        ("{mine}/app", {"DBUsername": "migrator"}),
        ("{mine}/app", {"Port": 1}),
    ],
)
def test_another_token_does_not(
    cluster: dict[str, str], psql: Psql, tasks: Callable[..., str], allowed: str, changed: dict[str, Any]
) -> None:
    token = tasks(allowed.format(mine=cluster["DBClusterResourceId"]), **changed)
    assert "PAM authentication failed for user" in psql(cluster, "app", token, "SELECT 1").stderr


def test_a_changed_token_does_not(cluster: dict[str, str], psql: Psql, tasks: Callable[..., str]) -> None:
    token = tasks(f"{cluster['DBClusterResourceId']}/app").replace("X-Amz-Expires=900", "X-Amz-Expires=901")
    assert "PAM authentication failed for user" in psql(cluster, "app", token, "SELECT 1").stderr


def test_without_tls_nobody_gets_in(client: Callable[..., Any], cluster: dict[str, str], psql: Psql) -> None:
    done = psql(cluster, *_master(client, cluster), "SELECT 1", mode="disable")
    assert "no pg_hba.conf entry" in done.stderr
    assert "no encryption" in done.stderr


def test_a_rotated_password_replaces_the_former_one(
    client: Callable[..., Any], cluster: dict[str, str], psql: Psql, tasks: Callable[..., str]
) -> None:
    before = _master(client, cluster)
    client("rds").modify_db_cluster(
        DBClusterIdentifier="shop-dev", RotateMasterUserPassword=True, ApplyImmediately=True
    )
    after = _master(client, cluster)
    assert psql(cluster, *after, "SELECT 1").stdout == "1\n"
    assert "password authentication failed" in psql(cluster, *before, "SELECT 1").stderr
    # The application has no password that could change.
    token = tasks(f"{cluster['DBClusterResourceId']}/app")
    assert psql(cluster, "app", token, "SELECT 1").stdout == "1\n"


def test_an_update_leaves_the_endpoint_where_it_is(client: Callable[..., Any], cluster: dict[str, str]) -> None:
    """Its port is one of this machine, whatever the template says, and others import it."""
    api, rds = client("cloudformation"), client("rds")
    found = api.get_template(StackName="shop-dev-database")["TemplateBody"]
    template = json.loads(found) if isinstance(found, str) else json.loads(json.dumps(found))
    template["Resources"]["Cluster"]["Properties"]["BackupRetentionPeriod"] = 5
    api.update_stack(StackName="shop-dev-database", TemplateBody=json.dumps(template))
    api.get_waiter("stack_update_complete").wait(
        StackName="shop-dev-database", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    (updated,) = rds.describe_db_clusters(DBClusterIdentifier="shop-dev")["DBClusters"]
    assert (updated["BackupRetentionPeriod"], str(updated["Port"])) == (5, cluster["EndpointPort"])


def test_a_restored_cluster_has_the_data_of_its_source(
    client: Callable[..., Any], cluster: dict[str, str], psql: Psql, tasks: Callable[..., str]
) -> None:
    assert psql(cluster, *_master(client, cluster), "INSERT INTO t VALUES (8)").returncode == 0
    kept = {key: one for key, one in PROPERTIES.items() if key not in ("DatabaseName", "MasterUsername")}
    kept |= {"DBClusterIdentifier": "restored", "SourceDBClusterIdentifier": "shop-dev"}
    kept |= {"UseLatestRestorableTime": True}
    restored = _create(client, "restored", kept)
    assert psql(restored, *_master(client, restored), "INSERT INTO t VALUES (9); SELECT max(n) FROM t").stdout == "9\n"
    assert psql(cluster, *_master(client, cluster), "SELECT max(n) FROM t").stdout == "8\n"


@pytest.mark.parametrize("protected", [False, True])
def test_a_creation_that_fails_takes_back_what_is_not_protected(client: Callable[..., Any], protected: bool) -> None:
    name = f"failing-{'protected' if protected else 'unprotected'}"
    handle = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    api, rds = client("cloudformation"), client("rds")
    api.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {"Placeholder": handle}}))
    api.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    properties = {**PROPERTIES, "DBClusterIdentifier": name, "DeletionProtection": protected}
    cluster = {"Type": "AWS::RDS::DBCluster", "DeletionPolicy": "Snapshot", "Properties": properties}
    # RDS refuses it, as its name is taken.
    second = {"Type": "AWS::RDS::DBCluster", "DependsOn": "Cluster", "Properties": properties}
    api.update_stack(StackName=name, TemplateBody=json.dumps({"Resources": {"Cluster": cluster, "Second": second}}))
    with pytest.raises(WaiterError, match="UPDATE_ROLLBACK"):
        api.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    left = [one["DBClusterIdentifier"] for one in rds.describe_db_clusters()["DBClusters"]]
    assert (name in left) is protected


def test_a_protected_cluster_stays_and_an_unprotected_one_leaves_a_snapshot(client: Callable[..., Any]) -> None:
    _create(client, "gone", {**PROPERTIES, "DBClusterIdentifier": "gone"})
    api, rds = client("cloudformation"), client("rds")
    api.delete_stack(StackName="gone")
    with pytest.raises(WaiterError, match="DELETE_FAILED"):
        api.get_waiter("stack_delete_complete").wait(StackName="gone", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    rds.modify_db_cluster(DBClusterIdentifier="gone", DeletionProtection=False)
    api.delete_stack(StackName="gone")
    api.get_waiter("stack_delete_complete").wait(StackName="gone", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    with pytest.raises(ClientError, match="not found"):
        rds.describe_db_clusters(DBClusterIdentifier="gone")
    found = rds.describe_db_cluster_snapshots(DBClusterIdentifier="gone")["DBClusterSnapshots"]
    assert {"Key": "service", "Value": "shop"} in found[0]["TagList"]
