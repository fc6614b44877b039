"""Databases: Aurora clusters as the stack of a database has them, and the authorities of Amazon RDS."""

from __future__ import annotations

import json
import re
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from ..registry import probe
from ..sandbox import Sandbox
from ..stacks import HANDLE, Stack, Template, failing, template
from ..verdicts import Undecided, Verdict, decided, refuted

_BUNDLE = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
_OURS = Path(__file__).resolve().parents[3] / "includes" / "rds"
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_SECONDS = 30
_NO_AURORA = "local AWS has PostgreSQL in place of Aurora"
# What AWS says of a largest capacity of 1 ACU: the connections of 2 GiB.
_CONNECTIONS = 189
# The pause comes after five minutes; its metric is some minutes late.
_UNTIL_PAUSE = 1500.0
# Until a new cluster can be restored from.
_UNTIL_RESTORABLE = 1200.0


@probe("rds-authorities")
def rds_authorities(sandbox: Sandbox) -> Verdict:
    """The certificates of the kit in the bundle that AWS publishes."""
    if sandbox.account.local:
        raise Undecided("AWS's bundle of certificates is not part of local AWS")
    with urllib.request.urlopen(_BUNDLE, timeout=_SECONDS) as answer:
        published = _certificates(answer.read().decode("ascii"))
    unknown = [path.stem for path in sorted(_OURS.iterdir()) if not _certificates(path.read_text()) <= published]
    said = f"not in it: those of {', '.join(unknown)}" if unknown else "all of the kit's are in it"
    return decided(not unknown, f"AWS publishes {len(published)} certificates; {said}")


def _certificates(text: str) -> set[str]:
    return {"".join(found.split()) for found in _CERTIFICATE.findall(text)}


@probe("engine-major-version")
def engine_major_version(sandbox: Sandbox) -> Verdict:
    """An update of the stack whose template names the major version only, after AWS has chosen a minor one."""
    if sandbox.account.local:
        raise Undecided(_NO_AURORA)
    with sandbox.alone("the cluster"):
        stack = _cluster(sandbox)
        before = _described(sandbox, stack)
        status = stack.update(_template(BackupRetentionPeriod=3))
        after = _described(sandbox, stack)
    same = (before["DBClusterArn"], before["EngineVersion"]) == (after["DBClusterArn"], after["EngineVersion"])
    evidence = (
        f"the update is {status}; the engine is {before['EngineVersion']} before and {after['EngineVersion']} after"
    )
    return decided(status == "UPDATE_COMPLETE" and same and before["EngineVersion"].startswith("17."), evidence)


@probe("master-secret-name-and-tag")
def master_secret_name_and_tag(sandbox: Sandbox) -> Verdict:
    """The name and the tags of the secret that RDS has made for a cluster."""
    if sandbox.account.local:
        raise Undecided(_NO_AURORA)
    cluster = _described(sandbox, _cluster(sandbox))
    arn = cluster["MasterUserSecret"]["SecretArn"]
    found = sandbox.client("secretsmanager").describe_secret(SecretId=arn)
    tags = {one["Key"]: one["Value"] for one in found.get("Tags", [])}
    named, tagged = found["Name"].startswith("rds!cluster-"), tags.get("aws:rds:primaryDBClusterArn")
    evidence = f"its name begins with rds!cluster-: {named}; its tags are {', '.join(sorted(tags))}"
    return decided(named and tagged == cluster["DBClusterArn"], evidence)


@probe("pause-with-exported-logs")
def pause_with_exported_logs(sandbox: Sandbox) -> Verdict:
    """The capacity of a cluster without connections whose logs are exported."""
    if sandbox.account.local:
        raise Undecided(_NO_AURORA)
    identifier = _described(sandbox, _cluster(sandbox))["DBClusterIdentifier"]
    began = datetime.now(UTC)

    def paused() -> list[float]:
        found = sandbox.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/RDS",
            MetricName="ServerlessDatabaseCapacity",
            Dimensions=[{"Name": "DBClusterIdentifier", "Value": identifier}],
            StartTime=began,
            EndTime=datetime.now(UTC) + timedelta(minutes=1),
            Period=60,
            Statistics=["Average"],
        )["Datapoints"]
        values = [one["Average"] for one in sorted(found, key=lambda one: one["Timestamp"])]
        waited = datetime.now(UTC) - began > timedelta(seconds=_UNTIL_PAUSE)
        return values or [-1.0] if waited or (values and values[-1] == 0) else []

    values = sandbox.wait(paused, "a data point of the capacity", _UNTIL_PAUSE + 120)
    return decided(values[-1] == 0, f"the capacities of its minutes are {', '.join(map(str, values))}")


@probe("connections-of-capacity")
def connections_of_capacity(sandbox: Sandbox) -> Verdict:
    """What the server says of its connections, with a least capacity of 0 and a largest one of 1."""
    if sandbox.account.local:
        raise Undecided(_NO_AURORA)
    cluster = _described(sandbox, _cluster(sandbox))
    data = sandbox.client("rds-data")
    given = {"resourceArn": cluster["DBClusterArn"], "secretArn": cluster["MasterUserSecret"]["SecretArn"]}

    def look() -> list[list[dict[str, Any]]]:
        try:
            answer = data.execute_statement(**given, database="app", sql="SHOW max_connections")
        except ClientError as error:
            # While the cluster resumes.
            if "Resuming" not in error.response["Error"]["Code"]:
                raise
            return []
        records: list[list[dict[str, Any]]] = answer["records"]
        return records

    ((value,),) = sandbox.wait(look, "an answer of the database")
    return decided(int(value["stringValue"]) >= _CONNECTIONS, f"max_connections is {value['stringValue']}")


@probe("restored-by-stack")
def restored_by_stack(sandbox: Sandbox) -> Verdict:
    """A stack that restores the cluster: its master secret, and that an update with the same source keeps it."""
    if sandbox.account.local:
        raise Undecided(_NO_AURORA)
    source = _described(sandbox, _cluster(sandbox))

    def restorable() -> bool:
        return "LatestRestorableTime" in _described(sandbox, _cluster(sandbox))

    sandbox.wait(restorable, "a time to which the cluster can be restored", _UNTIL_RESTORABLE)
    restored = {"SourceDBClusterIdentifier": source["DBClusterIdentifier"], "UseLatestRestorableTime": True}
    stack = Stack.create(sandbox, "database-restored", _template(**restored))
    cluster = _described(sandbox, stack)
    secret = cluster.get("MasterUserSecret", {}).get("SecretArn")
    if not secret or secret == source["MasterUserSecret"]["SecretArn"]:
        return refuted(f"the restored cluster has no master secret of its own: {secret}")
    status = stack.update(_template(**restored, BackupRetentionPeriod=3))
    same = _described(sandbox, stack)["DbClusterResourceId"] == cluster["DbClusterResourceId"]
    return decided(status == "UPDATE_COMPLETE" and same, f"its master secret is its own; an update is {status}")


@probe("rolled-back-cluster")
def rolled_back_cluster(sandbox: Sandbox) -> Verdict:
    """An update of a prepared stack that creates a cluster and fails: whether the cluster stays, and its snapshot."""
    if sandbox.account.local:
        raise Undecided(_NO_AURORA)
    rds = sandbox.client("rds")
    stack = Stack.create(sandbox, "database-failing", template())
    identifier = stack.name.lower()
    body = json.loads(_template(DBClusterIdentifier=identifier))
    body["Resources"]["Cluster"]["DeletionPolicy"] = "Snapshot"
    status = stack.update(template({**body["Resources"], **HANDLE, **failing("Cluster")}))

    def left() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
        own = [one for one in found if one["DBClusterIdentifier"] == identifier]
        return own if all(one["Status"] == "available" for one in own) else []

    snapshots = [one["DBClusterSnapshotIdentifier"] for one in sandbox.wait(left, "the snapshot of the cluster", 900)]
    for name in snapshots:
        rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=name)
    clusters = [one["DBClusterIdentifier"] for one in rds.describe_db_clusters()["DBClusters"]]
    named = all(name.startswith(f"{identifier}-snapshot-cluster-") for name in snapshots)
    evidence = f"the update is {status}; the cluster is there: {identifier in clusters}; it left {', '.join(snapshots)}"
    return decided(status == "UPDATE_ROLLBACK_COMPLETE" and identifier not in clusters and named, evidence)


def _cluster(sandbox: Sandbox) -> Stack:
    """The cluster that all probes look at."""
    return sandbox.once("database", lambda: Stack.create(sandbox, "database", _template()))


def _described(sandbox: Sandbox, stack: Stack) -> dict[str, Any]:
    identifier = stack.resource("Cluster")
    found: dict[str, Any] = sandbox.client("rds").describe_db_clusters(DBClusterIdentifier=identifier)["DBClusters"][0]
    return found


def _template(**properties: Any) -> str:
    """A cluster with an instance in a network of its own; nothing of it is kept."""
    restored = "SourceDBClusterIdentifier" in properties
    subnets: Template = {
        f"Subnet{number}": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {
                "VpcId": {"Ref": "Vpc"},
                "CidrBlock": f"10.98.{number}.0/24",
                "AvailabilityZone": {"Fn::Select": [number, {"Fn::GetAZs": ""}]},
            },
        }
        for number in (0, 1)
    }
    group = {"DBSubnetGroupDescription": "Probe", "SubnetIds": [{"Ref": name} for name in subnets]}
    cluster: Template = {
        "Engine": "aurora-postgresql",
        "EngineVersion": "17",
        **({} if restored else {"DatabaseName": "app", "MasterUsername": "migrator", "StorageEncrypted": True}),
        "DBSubnetGroupName": {"Ref": "Group"},
        "ManageMasterUserPassword": True,
        "EnableHttpEndpoint": True,
        "EnableCloudwatchLogsExports": ["postgresql"],
        "ServerlessV2ScalingConfiguration": {"MinCapacity": 0, "MaxCapacity": 1, "SecondsUntilAutoPause": 300},
        **properties,
    }
    instance = {
        "DBClusterIdentifier": {"Ref": "Cluster"},
        "DBInstanceClass": "db.serverless",
        "Engine": "aurora-postgresql",
    }
    return template(
        {
            "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.98.0.0/16"}},
            **subnets,
            "Group": {"Type": "AWS::RDS::DBSubnetGroup", "Properties": group},
            "Cluster": {"Type": "AWS::RDS::DBCluster", "DeletionPolicy": "Delete", "Properties": cluster},
            "Instance": {"Type": "AWS::RDS::DBInstance", "DeletionPolicy": "Delete", "Properties": instance},
        }
    )
