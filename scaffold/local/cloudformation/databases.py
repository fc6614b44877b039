"""The resource type of Aurora clusters. Each has a PostgreSQL server where what was deployed runs."""

from __future__ import annotations

import uuid
from typing import Any

from scaffold.engine.databases.databases import Databases
from scaffold.engine.databases.endpoint import Endpoint
from scaffold.engine.databases.server import NoDatabase
from scaffold.local import ministack_bridge
from scaffold.local.cloudformation.resource_types import Created, Failed, Request, ResourceType, call_ministack, to_api
from scaffold.local.ministack_bridge import Handler
from scaffold.local.protocol import Document, ServiceError
from scaffold.local.wire import Response

_RESTORED = ("SourceDBClusterIdentifier", "RestoreToTime", "UseLatestRestorableTime")
_ONLY_AT_CREATION = (
    *("DatabaseName", "DBSubnetGroupName", "Engine", "MasterUsername", "StorageEncrypted", "Tags"),
    *("ManageMasterUserPassword", "EnableCloudwatchLogsExports"),
    # All endpoints are on one machine, so that each has a port of its own.
    "Port",
)


class DBCluster(ResourceType):
    """AWS::RDS::DBCluster with Aurora PostgreSQL. It calls RDS's API; ministack's own type bypasses it.

    Args:
        databases: Runs the servers; None where nothing runs.
    """

    name = "AWS::RDS::DBCluster"
    create_only = (
        *("DatabaseName", "DBClusterIdentifier", "DBSubnetGroupName", "KmsKeyId", "MasterUsername", "RestoreToTime"),
        *("RestoreType", "SnapshotIdentifier", "SourceDBClusterIdentifier", "StorageEncrypted"),
        "UseLatestRestorableTime",
    )
    tags = ("Tags", "list")
    custom_name = "DBClusterIdentifier"
    longest_name = 63

    def __init__(self, databases: Databases | None = None) -> None:
        self._databases = databases
        if databases:
            ministack_bridge.wrap_action("rds", "ModifyDBCluster", self._modified)

    def create(self, request: Request) -> Created:
        """Create the cluster and start its server. A restored one has the newest data of its source."""
        given = {"DBClusterIdentifier": request.generated_name.lower(), **request.properties}
        source: Document = {}
        if origin := given.get("SourceDBClusterIdentifier"):
            source = _cluster(origin)
            given |= {"MasterUsername": source["MasterUsername"], "DatabaseName": source["DatabaseName"] or ""}
        message = to_api("rds", "CreateDBClusterMessage", {k: v for k, v in given.items() if k not in _RESTORED})
        call_ministack("rds", "CreateDBCluster", _flat(message))
        cluster = _cluster(given["DBClusterIdentifier"])
        try:
            self._start(cluster, source)
        except NoDatabase as error:
            cluster["DeletionProtection"] = False
            call_ministack("rds", "DeleteDBCluster", _deletion(cluster["DBClusterIdentifier"]))
            raise ValueError(str(error)) from error
        return cluster["DBClusterIdentifier"], _attributes(cluster)

    def update(self, request: Request) -> Created:
        """Modify the cluster."""
        given = {key: value for key, value in request.properties.items() if key not in (*_ONLY_AT_CREATION, *_RESTORED)}
        message = to_api("rds", "ModifyDBClusterMessage", {**given, "DBClusterIdentifier": request.identifier})
        call_ministack("rds", "ModifyDBCluster", _flat(message))
        return request.identifier, _attributes(_cluster(request.identifier))

    def delete(self, request: Request) -> None:
        """Delete the cluster, unless it is protected, and stop its server."""
        found = ministack_bridge.database_clusters().get(request.identifier)
        if found is None:
            return
        arn = found["DBClusterArn"]
        call_ministack("rds", "DeleteDBCluster", _deletion(request.identifier))
        if self._databases:
            self._databases.delete(arn)

    def snapshot(self, request: Request) -> None:
        """Make the snapshot of a deletion policy."""
        if request.identifier in ministack_bridge.database_clusters():
            name = f"{request.identifier}-snapshot-{uuid.uuid4().hex[:12]}"
            given = {"DBClusterIdentifier": request.identifier, "DBClusterSnapshotIdentifier": name}
            call_ministack("rds", "CreateDBClusterSnapshot", given)

    def _start(self, cluster: Document, source: Document) -> None:
        if self._databases is None:
            return
        port = self._databases.create(
            cluster["DBClusterArn"],
            cluster["DbClusterResourceId"],
            cluster["MasterUsername"],
            cluster["_MasterUserPassword"],
            cluster["DatabaseName"] or "",
            source.get("DBClusterArn", ""),
        )
        cluster |= {"Endpoint": Endpoint.host, "ReaderEndpoint": Endpoint.host, "Port": port}

    def _modified(self, parameters: Document, original: Handler) -> Response:
        """Give the server the password that RDS has put into the master secret."""
        response = original(parameters)
        (identifier,) = parameters.get("DBClusterIdentifier", [""])[:1]
        cluster = ministack_bridge.database_clusters().get(identifier)
        if response[0] < 400 and cluster and self._databases and "RotateMasterUserPassword" in parameters:
            user, password = cluster["MasterUsername"], cluster["_MasterUserPassword"]
            self._databases.change_password(cluster["DBClusterArn"], user, password)
        return response


def _cluster(identifier: str) -> Document:
    found = ministack_bridge.database_clusters().get(identifier)
    if found is None:
        raise Failed("Rds", ServiceError("DBClusterNotFoundFault", f"DBCluster {identifier} not found."))
    return found


def _attributes(cluster: Document) -> Document:
    return {
        "DBClusterArn": cluster["DBClusterArn"],
        "DBClusterResourceId": cluster["DbClusterResourceId"],
        "Endpoint.Address": cluster["Endpoint"],
        "Endpoint.Port": str(cluster["Port"]),
        "MasterUserSecret.SecretArn": (cluster.get("MasterUserSecret") or {}).get("SecretArn", ""),
        "ReadEndpoint.Address": cluster["ReaderEndpoint"],
    }


def _deletion(identifier: str) -> Document:
    return {"DBClusterIdentifier": identifier, "SkipFinalSnapshot": "true"}


def _flat(value: Any, name: str = "") -> Document:
    """A message of the Query protocol."""
    if isinstance(value, dict):
        items = [(f"{name}.{key}" if name else key, one) for key, one in value.items()]
    elif isinstance(value, list):
        items = [(f"{name}.member.{number}", one) for number, one in enumerate(value, 1)]
    else:
        return {name: str(value).lower() if isinstance(value, bool) else str(value)}
    return {key: text for path, one in items for key, text in _flat(one, path).items()}
