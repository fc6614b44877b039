"""An ECS service with its deployments and tasks, as values, and what happens to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


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
class Deployment:
    """A deployment of a service.

    Attributes:
        failed: The tasks that have failed one after the other.
        rollout: IN_PROGRESS, COMPLETED or FAILED, as DescribeServices returns it.
        status: As DescribeServiceDeployments returns it.
    """

    identifier: str
    definition: str
    created: float
    updated: float = 0.0
    failed: int = 0
    rollout: str = "IN_PROGRESS"
    reason: str = ""
    status: str = "IN_PROGRESS"


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


@dataclass(frozen=True)
class Service:
    """An ECS service.

    Attributes:
        deployments: The newest first, which is the primary one.
        history: Deployments that have ended, the newest first.
        last: The deployment that was completed last, to roll back to.
        launch_failures: The tasks that have stopped one after the other before they were healthy.
        launched: How many tasks were started.
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

    @property
    def primary(self) -> Deployment:
        """The deployment that tasks are started for."""
        return self.deployments[0]


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
class Tick:
    """Time has passed."""


Event = Updated | StopRequested | Running | Checked | Stopped | Tick


@dataclass(frozen=True)
class StartTask:
    """Start a task."""

    task: str
    deployment: str
    definition: str


@dataclass(frozen=True)
class StopTask:
    """Stop a task."""

    task: str
    reason: str


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


Effect = StartTask | StopTask | Message | RolloutChanged
