"""Waking an environment outside of its office hours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from scaffold.aws import office_hours, running_service
from scaffold.aws.cloudformation.stacks import find_all
from scaffold.aws.session import signed_in
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError
from scaffold.core.results import Result
from scaffold.core.target import Target
from scaffold.deployment.ownership import check_stacks
from scaffold.deployment.scope import check_environment
from scaffold.service import identity
from scaffold.service.service import Service

#: For which an environment stays awake at least, so that nobody wakes it a minute before its evening in vain.
HOURS = 2


@dataclass(frozen=True)
class WakeResult(Result):
    """An environment that was woken.

    Attributes:
        awake: Whether it was awake already. It stays awake at least until `until` then, too.
        tasks: The least number of its tasks.
        until: Before which it does not fall asleep.
        ends: When it falls asleep after that, in the words of its schedule.
    """

    command: ClassVar[str] = "wake"

    service: str
    account: str
    region: str
    local: bool
    environment: str
    awake: bool
    tasks: int
    until: datetime
    ends: str


def wake(service: Service, target: Target, *, environment: str, console: Console) -> WakeResult:
    """Start the tasks of an environment that is asleep.

    Raises:
        UsageError: The service has no such environment.
        ScaffoldError: The environment has no office hours, or another service of the same name is deployed.
    """
    check_environment(service, service.environments, environment)
    root_commit = identity.root_commit(service)
    with signed_in(service, target, console) as session:
        check_stacks(service, root_commit, find_all(session).values(), "scaffold wake")
        hours = office_hours.find(session, service.app_name, environment)
        if hours is None:
            raise ScaffoldError(
                f"{environment} has no office hours: its tasks run at all times, once it is released.",
                "`scaffold status` shows what runs.",
            )
        tasks = running_service.tasks(session, service.app_name, environment)
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=HOURS)
        office_hours.wake(session, service.app_name, environment, hours, until)
        return WakeResult(
            service=service.app_name,
            account=session.account,
            region=session.region,
            local=session.target.local,
            environment=environment,
            awake=bool(tasks and tasks.desired),
            tasks=hours.least,
            until=until,
            ends=hours.ends,
        )
