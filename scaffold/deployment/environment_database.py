"""The database of an environment as it is now: its cluster, and what has migrated it last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scaffold.aws import databases
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.databases import Cluster
from scaffold.aws.pipeline_state import ActionState, StageState
from scaffold.aws.session import Session
from scaffold.deployment.deletion_protection import can_be_protected
from scaffold.deployment.inventory import restored_database
from scaffold.service import names
from scaffold.service.service import Service


@dataclass(frozen=True)
class EnvironmentDatabase:
    """A database.

    Attributes:
        migration: The newest action that has migrated it, successful or not; None before the first.
        repair: What `scaffold repair` does first with its stack or its protection, as the action of a Change:
            `turn-on`, `continue-rollback`, or `delete`, about which a protected cluster needs a decision before. None
            where it does nothing.
    """

    cluster: Cluster
    migration: ActionState | None
    repair: str | None = None


def look(
    session: Session, stack: Stack | None, environment: str, stages: Iterable[StageState]
) -> EnvironmentDatabase | None:
    """The database of a stack; None where there is none.

    Args:
        stages: Those of the pipeline.
    """
    cluster = _cluster(session, stack)
    if stack is None or cluster is None:
        return None
    actions = [one for stage in stages if stage.name == names.pipeline_stage(environment) for one in stage.actions]
    migrations = [one for one in actions if one.name == names.MIGRATE_ACTION and one.status]
    return EnvironmentDatabase(cluster, migrations[0] if migrations else None, _repair(stack, cluster))


def look_for_restored(session: Session, service: Service, environment: str) -> Cluster | None:
    """The cluster of the database that is restored beside an environment's; None where there is none.

    None also before it is complete, and once its deletion has begun: either needs it without protection.
    """
    stack = restored_database(session, service, environment)
    if stack is None or stack.busy or not stack.released or stack.status == "DELETE_FAILED":
        return None
    return _cluster(session, stack)


def _cluster(session: Session, stack: Stack | None) -> Cluster | None:
    name = stack.outputs.get("ClusterName") if stack else None
    return databases.find(session, name) if name else None


def _repair(stack: Stack, cluster: Cluster) -> str | None:
    if stack.status == "UPDATE_ROLLBACK_FAILED":
        return "continue-rollback"
    if stack.status == "DELETE_FAILED":
        return "delete"
    return "turn-on" if can_be_protected(stack) and not cluster.protected else None
