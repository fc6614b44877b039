"""An ECS service with its deployments and tasks, as values, and what happens to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from scaffold.engine.tasks.rollout import ROLLING, Deployment, Stage, Strategy


class Health(Enum):
    """What a kind of health check says about a task."""

    UNCHECKED = "UNCHECKED"
    UNKNOWN = "UNKNOWN"
    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"


@dataclass(frozen=True)
class Task:
    """A task that has not stopped yet.

    Attributes:
        running_since: When it reached RUNNING; None before.
        container: By the health checks of its containers.
        target: By the health checks of its target group.
    """

    identifier: str
    deployment: str
    running_since: float | None = None
    stopping: bool = False
    container: Health = Health.UNKNOWN
    target: Health = Health.UNKNOWN

    @property
    def healthy(self) -> bool:
        """Whether it counts for the minimum of healthy tasks."""
        good = (Health.UNCHECKED, Health.HEALTHY)
        return self.running_since is not None and not self.stopping and self.container in good and self.target in good

    def unhealthy(self, now: float, grace: float) -> bool:
        """Whether a health check has failed, after the grace period."""
        if self.running_since is None or self.stopping or now < self.running_since + grace:
            return False
        return Health.UNHEALTHY in (self.container, self.target)


@dataclass(frozen=True)
class Rules:
    """The deployment configuration of a service.

    Attributes:
        grace: Seconds after the start of a task in which failed health checks are ignored.
    """

    minimum_percent: int = 100
    maximum_percent: int = 200
    breaker: bool = False
    rollback: bool = False
    grace: float = 0.0
    strategy: Strategy = ROLLING


@dataclass(frozen=True)
class Service:
    """An ECS service.

    Attributes:
        deployments: The newest first, which is the primary one.
        history: Deployments that have ended, the newest first.
        last: The deployment that was completed last, to roll back to.
        launch_failures: The tasks that have stopped one after the other before they were healthy.
        launched: How many tasks were started.
        alternate: The percentage of the traffic that ECS has given to the alternate target group; None for none yet.
        ordered: The percentage that it is about to have; None where nothing is under way.
        tested: As `alternate`, for the traffic of the test listener rule.
        test_ordered: As `ordered`, for the traffic of the test listener rule.
    """

    name: str
    desired: int
    rules: Rules
    deployments: tuple[Deployment, ...]
    tasks: tuple[Task, ...] = ()
    history: tuple[Deployment, ...] = ()
    last: Deployment | None = None
    launch_failures: int = 0
    pause_until: float = 0.0
    launched: int = 0
    steady: bool = False
    alternate: float | None = None
    ordered: float | None = None
    tested: float | None = None
    test_ordered: float | None = None

    @property
    def primary(self) -> Deployment:
        """The deployment that tasks are started for."""
        return self.deployments[0]

    @property
    def rolling_back(self) -> bool:
        """Whether the primary deployment takes the place of one that has failed."""
        return any(one.status == "ROLLBACK_IN_PROGRESS" for one in self.deployments)

    @property
    def shifting(self) -> bool:
        """Whether a deployment that shifts traffic is under way, rolled back, or has stopped where it was."""
        decisive = [one for one in self.deployments if one.status == "ROLLBACK_IN_PROGRESS"] or [self.primary]
        return self.primary.rollout != "COMPLETED" and bool(decisive[0].strategy.shifts)

    @property
    def watching(self) -> bool:
        """Whether alarms fail the deployment under way."""
        primary = self.primary
        under_way = primary.rollout == "IN_PROGRESS" and primary.stage != Stage.CLEAN_UP and not self.rolling_back
        return under_way and bool(primary.strategy.alarms) and not primary.watch.ignored

    def of(self, deployment: str) -> tuple[Task, ...]:
        """The tasks of a deployment that are not being stopped."""
        return tuple(one for one in self.tasks if one.deployment == deployment and not one.stopping)


@dataclass(frozen=True)
class Updated:
    """UpdateService was called.

    Attributes:
        deployment: The new deployment, where the change needs one.
    """

    desired: int
    rules: Rules
    deployment: Deployment | None = None


@dataclass(frozen=True)
class StopRequested:
    """StopServiceDeployment was called."""

    rollback: bool


@dataclass(frozen=True)
class Continued:
    """ContinueServiceDeployment was called."""

    rollback: bool


@dataclass(frozen=True)
class Running:
    """A task has reached RUNNING."""

    task: str
    container: Health
    target: Health


@dataclass(frozen=True)
class Checked:
    """A health check of a task has another result."""

    task: str
    container: Health | None = None
    target: Health | None = None


@dataclass(frozen=True)
class Stopped:
    """A task has stopped.

    Attributes:
        by_user: StopTask was called, which is no failure.
    """

    task: str
    by_user: bool = False


@dataclass(frozen=True)
class Shifted:
    """A listener rule has these weights.

    Attributes:
        alternate: The percentage of the alternate target group.
        test: Whether it is the rule of test traffic.
    """

    alternate: float
    test: bool = False


@dataclass(frozen=True)
class ShiftRefused:
    """A listener rule could not be changed.

    Attributes:
        alternate: The percentage of the alternate target group that it was to have.
        test: Whether it is the rule of test traffic.
    """

    alternate: float
    reason: str
    test: bool = False


@dataclass(frozen=True)
class AlarmsSeen:
    """The alarms of a deployment were read.

    Attributes:
        asked: The moment for which the answer holds.
        ringing: The alarms in ALARM, with the moment since when; None where they could not be read.
    """

    deployment: str
    asked: float
    ringing: Mapping[str, float] | None


@dataclass(frozen=True)
class Tick:
    """Time has passed."""


Event = Updated | StopRequested | Continued | Running | Checked | Stopped | Shifted | ShiftRefused | AlarmsSeen | Tick


@dataclass(frozen=True)
class StartTask:
    """Start a task.

    Attributes:
        group: As of its deployment.
    """

    task: str
    deployment: str
    definition: str
    group: int = 0


@dataclass(frozen=True)
class StopTask:
    """Stop a task."""

    task: str
    reason: str


@dataclass(frozen=True)
class ShiftTraffic:
    """Give the alternate target group this percentage of the traffic, and the other one the rest.

    Attributes:
        test: Whether it is the traffic of the test listener rule.
    """

    alternate: float
    test: bool = False


@dataclass(frozen=True)
class AskAlarms:
    """Read the states of alarms."""

    deployment: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Message:
    """An event of the service, as DescribeServices lists them."""

    text: str


@dataclass(frozen=True)
class RolloutChanged:
    """The rollout state of a deployment is another one."""

    deployment: str
    name: str
    reason: str


@dataclass(frozen=True)
class Paused:
    """A deployment waits for somebody's decision."""

    deployment: str


Effect = StartTask | StopTask | ShiftTraffic | AskAlarms | Message | RolloutChanged | Paused
