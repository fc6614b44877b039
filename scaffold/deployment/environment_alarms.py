"""Which alarms are those of an environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scaffold.aws import running_service
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.running_service import Alarm
from scaffold.aws.session import Session
from scaffold.service import names
from scaffold.service.stack_kinds import ALARM_TOPIC, ALARMS, FOUNDATION, HEALTH_CHECK, SERVICE, StackId


def ringing_where(session: Session, app_name: str, stacks: Mapping[StackId, Stack]) -> tuple[Alarm, ...]:
    """The alarms that ring in each region in which a service has stacks, by their names; some may be another's."""
    regions = dict.fromkeys((session.region, *(stack.region for stack in stacks.values())))
    return tuple(alarm for one in regions for alarm in running_service.ringing(session.in_region(one), app_name))


def ringing_in(
    session: Session, app_name: str, environment: str, stacks: Mapping[StackId, Stack], ringing: Sequence[Alarm]
) -> tuple[str, ...]:
    """The names of the environment's alarms among those that ring.

    The kit's notify the topic of the service or of the environment. Others may belong to another service whose name
    begins alike, unless the environment's stacks have them.
    """
    near = [alarm for alarm in ringing if alarm.name.startswith(names.alarm(app_name, environment))]
    topics = (
        (FOUNDATION, None, "NotificationTopicArn"),
        (ALARM_TOPIC, environment, "TopicArn"),
        (HEALTH_CHECK, environment, "TopicArn"),
    )
    told = {stack.outputs.get(one) for kind, of, one in topics if (stack := stacks.get(StackId(kind, of)))}
    own = {alarm.name for alarm in near if told.intersection(alarm.actions)}
    for kind in (ALARMS, SERVICE):
        stack = stacks.get(StackId(kind, environment))
        if stack and any(alarm.name not in own for alarm in near):
            own |= set(running_service.alarms_of(session, stack.name))
    return tuple(alarm.name for alarm in near if alarm.name in own)
