"""The database of an environment as it is now: its cluster, and what has migrated it last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scaffold.aws import databases
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.databases import Cluster
from scaffold.aws.pipeline_state import ActionState, StageState
from scaffold.aws.session import Session
from scaffold.service import names


@dataclass(frozen=True)
class EnvironmentDatabase:
    """A database.

    Attributes:
        migration: The newest action that has migrated it, successful or not; None before the first.
    """

    cluster: Cluster
    migration: ActionState | None


def look(
    session: Session, stack: Stack | None, environment: str, stages: Iterable[StageState]
) -> EnvironmentDatabase | None:
    """The database of a stack; None where there is none.

    Args:
        stages: Those of the pipeline.
    """
    name = stack.outputs.get("ClusterName") if stack else None
    cluster = databases.find(session, name) if name else None
    if cluster is None:
        return None
    actions = [one for stage in stages if stage.name == names.pipeline_stage(environment) for one in stage.actions]
    migrations = [one for one in actions if one.name == names.MIGRATE_ACTION and one.status]
    return EnvironmentDatabase(cluster, migrations[0] if migrations else None)
