"""The office hours of an environment: the scheduled actions that bring its tasks to zero and back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scaffold.aws.session import Session
from scaffold.service import names

SLEEP, WAKE = "sleep", "wake"
_KEPT = ("Schedule", "Timezone", "ScalableTargetAction")


@dataclass(frozen=True)
class OfficeHours:
    """The two scheduled actions of an environment.

    Attributes:
        sleep: The action that brings the tasks to zero, as Application Auto Scaling describes it.
        least: The number of tasks from which an environment that is awake scales.
        most: The number to which it scales.
    """

    sleep: dict[str, Any]
    least: int
    most: int

    @property
    def ends(self) -> str:
        """When the environment falls asleep, in the words of its schedule."""
        return f"{self.sleep['Schedule']} {self.sleep.get('Timezone', 'UTC')}"


def find(session: Session, app_name: str, environment: str) -> OfficeHours | None:
    """The office hours of an environment; None where it has none, or no service yet."""
    found = session.client("application-autoscaling").describe_scheduled_actions(**_target(app_name, environment))
    actions = {one["ScheduledActionName"]: one for one in found["ScheduledActions"]}
    if not {SLEEP, WAKE} <= actions.keys():
        return None
    limits = actions[WAKE]["ScalableTargetAction"]
    return OfficeHours(dict(actions[SLEEP]), limits["MinCapacity"], limits["MaxCapacity"])


def wake(session: Session, app_name: str, environment: str, hours: OfficeHours, until: datetime) -> None:
    """Let an environment run as in its office hours, until its next evening after a time.

    Application Auto Scaling starts the tasks as soon as their least number is above zero.
    """
    client, target = session.client("application-autoscaling"), _target(app_name, environment)
    kept = {name: hours.sleep[name] for name in _KEPT if name in hours.sleep}
    client.put_scheduled_action(**target, **kept, ScheduledActionName=SLEEP, StartTime=until)
    client.register_scalable_target(**target, MinCapacity=hours.least, MaxCapacity=hours.most)


def _target(app_name: str, environment: str) -> dict[str, str]:
    cluster = names.cluster(app_name, environment)
    return {
        "ServiceNamespace": "ecs",
        "ResourceId": f"service/{cluster}/{cluster}",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
