"""A deployment of an ECS service with its strategy, as values."""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass
from enum import StrEnum

#: The statuses of a deployment that is in progress.
OPEN = ("IN_PROGRESS", "ROLLBACK_IN_PROGRESS")
#: In percent.
ALL_TRAFFIC = 100.0


@dataclass(frozen=True)
class Strategy:
    """How the tasks of a deployment get the traffic, and what it waits for.

    Attributes:
        name: As the API spells it.
        shifts: Percentages of the traffic, each with the seconds to wait afterwards; the last one is 100. None where
            the deployment is a rolling one.
        bake: Seconds to wait in the end, before a deployment that shifts traffic stops the old tasks.
        alarms: The alarms that fail the deployment.
        alarms_roll_back: Whether it is rolled back then.
        tests: Whether the new tasks get the traffic of a test listener rule first.
        pause: Seconds in which somebody may decide, after that, whether the traffic shifts; None for no pause.
    """

    name: str = "ROLLING"
    shifts: tuple[tuple[float, float], ...] = ()
    bake: float = 0.0
    alarms: tuple[str, ...] = ()
    alarms_roll_back: bool = False
    tests: bool = False
    pause: float | None = None


ROLLING = Strategy()


@dataclass(frozen=True)
class Watch:
    """What a deployment knows of its alarms.

    Attributes:
        asked: When they were asked for last, while there is no answer.
        known: The moment for which their states are known.
        ignored: An alarm was in ALARM when the deployment started, so all are ignored.
        triggered: The alarms that have failed the deployment.
    """

    asked: float | None = None
    known: float = -math.inf
    ignored: bool = False
    triggered: tuple[str, ...] = ()


_UNWATCHED = Watch()


class Stage(StrEnum):
    """The stages in the life of a deployment that shifts traffic; a rolling one only bakes."""

    RECONCILE = "RECONCILE_SERVICE"
    SCALE_UP = "SCALE_UP"
    TEST = "TEST_TRAFFIC_SHIFT"
    TESTED = "POST_TEST_TRAFFIC_SHIFT"
    SHIFT = "PRODUCTION_TRAFFIC_SHIFT"
    BAKE = "BAKE_TIME"
    CLEAN_UP = "CLEAN_UP"


@dataclass(frozen=True)
class Deployment:
    """A deployment of a service.

    Attributes:
        failed: The tasks that have failed one after the other.
        rollout: IN_PROGRESS, COMPLETED or FAILED, as DescribeServices returns it.
        status: As DescribeServiceDeployments returns it.
        group: 0 where its tasks are targets of the target group, 1 for the alternate one.
        source: The deployment that it replaces; empty for none.
        shifted: How many of the strategy's shifts are done.
        until: When the wait of its stage is over.
        continued: Whether somebody has ended its pause.
    """

    identifier: str
    definition: str
    created: float
    updated: float = 0.0
    failed: int = 0
    rollout: str = "IN_PROGRESS"
    reason: str = ""
    status: str = "IN_PROGRESS"
    strategy: Strategy = ROLLING
    group: int = 0
    source: str = ""
    stage: Stage | None = None
    shifted: int = 0
    until: float | None = None
    continued: bool = False
    watch: Watch = _UNWATCHED


def pausing(deployment: Deployment) -> bool:
    """Whether a deployment waits for somebody's decision."""
    paused = deployment.stage == Stage.TESTED and deployment.until is not None and not deployment.continued
    return paused and deployment.status == "IN_PROGRESS"


def new_deployment(definition: str, now: float) -> Deployment:
    """A deployment that starts now.

    Args:
        definition: The ARN of its task definition.
    """
    return Deployment(f"ecs-svc/{str(uuid.uuid4().int)[:19]}", definition, now, now)
