"""Aurora clusters: their capacity, their deletion protection, and the snapshots that their stacks leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scaffold.aws.cloudformation.stack_resources import physical_ids
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.data_stores import DataStore
from scaffold.aws.errors import suppress_code
from scaffold.aws.session import Session

CLUSTER = "AWS::RDS::DBCluster"
SNAPSHOT = "AWS::RDS::DBClusterSnapshot"


@dataclass(frozen=True)
class Cluster:
    """A cluster as it is now.

    Attributes:
        status: As RDS names it, such as `available`.
        least: Its least capacity in ACU; with 0 it pauses.
        largest: Its largest capacity in ACU.
        protected: Whether it is protected from deletion.
    """

    name: str
    status: str
    least: float
    largest: float
    protected: bool


def find(session: Session, name: str) -> Cluster | None:
    """A cluster by its identifier; None where there is none."""
    if found := _described(session, name):
        limits = found.get("ServerlessV2ScalingConfiguration", {})
        least, largest = (limits.get(key, 0) for key in ("MinCapacity", "MaxCapacity"))
        return Cluster(name, found["Status"], least, largest, bool(found.get("DeletionProtection")))
    return None


def protected(session: Session, stack: Stack) -> list[str]:
    """The identifiers of a stack's clusters that are protected from deletion."""
    return [name for name, protection in _protections(session, stack).items() if protection]


def unprotected(session: Session, stack: Stack) -> list[str]:
    """The identifiers of a stack's clusters that are not protected from deletion."""
    return [name for name, protection in _protections(session, stack).items() if not protection]


def protect(session: Session, name: str) -> None:
    """Turn the protection of a cluster on. Its tasks notice nothing."""
    session.client("rds").modify_db_cluster(DBClusterIdentifier=name, DeletionProtection=True)


def unprotect(session: Session, name: str) -> None:
    """Turn the protection of a cluster off; one that is deleted already is no error."""
    with suppress_code("DBClusterNotFoundFault"):
        session.client("rds").modify_db_cluster(DBClusterIdentifier=name, DeletionProtection=False)


class Snapshots(DataStore):
    """The snapshots of an environment's cluster that RDS does not delete by itself."""

    type = SNAPSHOT

    def find(self, prefix: str) -> list[str]:
        """Those of the cluster whose name is the beginning of other data without its dashes.

        RDS lists those of the region: it may know no cluster by a name once it is deleted.
        """
        cluster = prefix.rstrip("-")
        paginator = self._session.client("rds").get_paginator("describe_db_cluster_snapshots")
        found = (one for page in paginator.paginate(SnapshotType="manual") for one in page["DBClusterSnapshots"])
        return sorted(one["DBClusterSnapshotIdentifier"] for one in found if one["DBClusterIdentifier"] == cluster)

    def tags(self, identifier: str) -> Mapping[str, str]:
        """Those of the cluster, which RDS copies."""
        with suppress_code("DBClusterSnapshotNotFoundFault"):
            found = self._session.client("rds").describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=identifier)
            return {tag["Key"]: tag["Value"] for tag in found["DBClusterSnapshots"][0].get("TagList", [])}
        return {}

    def delete(self, identifier: str) -> None:
        """Delete it for good."""
        with suppress_code("DBClusterSnapshotNotFoundFault"):
            self._session.client("rds").delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=identifier)


def _protections(session: Session, stack: Stack) -> dict[str, bool]:
    """Whether the clusters of a stack that exist are protected from deletion, by their identifiers."""
    clusters = {name: _described(session, name) for name in physical_ids(session, stack.id, CLUSTER)}
    return {name: bool(found.get("DeletionProtection")) for name, found in clusters.items() if found}


def _described(session: Session, name: str) -> dict[str, Any]:
    """What RDS says of a cluster; nothing where there is none."""
    with suppress_code("DBClusterNotFoundFault"):
        found: dict[str, Any] = session.client("rds").describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]
        return found
    return {}
