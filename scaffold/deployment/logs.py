"""The logs of an environment's tasks, and of builds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.aws import builds, pipeline_state
from scaffold.aws.builds import Build
from scaffold.aws.errors import code_of, may_pass
from scaffold.aws.logs import LogEvent, LogReader
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.core.results import Result
from scaffold.deployment.inventory import live_stacks
from scaffold.deployment.scope import check_environment
from scaffold.service import identity, names, project_names
from scaffold.service.service import Service


@dataclass(frozen=True)
class LogsResult(Result):
    """A log.

    Attributes:
        environment: The environment whose tasks wrote it; None for the log of a build.
        build: The id of the build that wrote it; None for the log of tasks.
        group: The log group.
        since: The earliest event that was asked for; None for the oldest one.
        events: What was read; empty where it was written line by line instead.
    """

    command: ClassVar[str] = "logs"

    service: str
    account: str
    region: str
    local: bool
    environment: str | None
    build: str | None
    group: str | None
    since: datetime | None
    events: tuple[LogEvent, ...] = ()


def check_owner(session: Session, service: Service) -> None:
    """Refuse a service that is not deployed, or of which another one has the name.

    Raises:
        ScaffoldError: It is one of these.
    """
    pipeline_state.stages(session, service.app_name)
    live_stacks(session, service, identity.root_commit(service), "scaffold logs")


def of_environment(
    session: Session,
    service: Service,
    environment: str,
    since: datetime | None,
    write: Callable[[LogEvent], None],
    wait: Callable[[], None] | None,
) -> LogsResult:
    """Read the log of an environment's tasks.

    Args:
        since: The earliest event.
        write: Called with each event.
        wait: Called before it looks for further events, until Ctrl-C; None to end after those that there are.

    Raises:
        UsageError: No such environment.
        ScaffoldError: Nothing has run there yet.
    """
    check_environment(service, service.environments, environment)
    group = names.log_group(service.app_name, environment)
    reader = LogReader(session, group, None, since)
    try:
        _read(reader, write, wait, lambda: False)
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise
        raise ScaffoldError(
            f"{environment} of {service.app_name} has no log in {session.title}: nothing has been released to it.",
            "`scaffold status` shows what the pipeline is doing.",
        ) from error
    return _result(session, service, group, since, environment=environment)


def of_build(
    session: Session,
    service: Service,
    identifier: str | None,
    since: datetime | None,
    write: Callable[[LogEvent], None],
    wait: Callable[[], None] | None,
) -> LogsResult:
    """Read the log of a build.

    Args:
        identifier: The build's id, with or without its project; None for the newest one.
        since: The earliest event; None for the build's beginning.
        write: Called with each event.
        wait: Called before it looks for further events, until the build ends; None to end after those that there are.

    Raises:
        ScaffoldError: No such build.
    """
    build = _find_build(session, service, identifier)
    while wait and not (build.group and build.stream) and not build.complete:
        wait()
        build = _find_build(session, service, build.id)
    if build.group and build.stream:
        reader = LogReader(session, build.group, build.stream, since)
        _read(reader, write, wait, lambda: _find_build(session, service, build.id).complete)
    return _result(session, service, build.group, since, build=build.id)


def _read(
    reader: LogReader,
    write: Callable[[LogEvent], None],
    wait: Callable[[], None] | None,
    complete: Callable[[], bool],
) -> None:
    """Write events until the log is complete; a failure that may pass is waited out meanwhile."""
    last = wait is None
    while True:
        try:
            # Asked first: what was written before the end is read after it.
            last = last or complete()
            for event in reader.read():
                write(event)
            if last or wait is None:
                return
        except (BotoCoreError, ClientError) as error:
            if wait is None or not may_pass(error):
                raise
        wait()


def _find_build(session: Session, service: Service, identifier: str | None) -> Build:
    project = project_names.build(service.app_name)
    known = identifier or builds.newest(session, project)
    if known is None:
        raise ScaffoldError(
            f"{service.app_name} has no build in {session.title} yet.",
            "`scaffold status` shows what the pipeline is doing.",
        )
    build = builds.find(session, known if ":" in known else f"{project}:{known}")
    if build is None or build.id.partition(":")[0] not in project_names.every(service.app_name):
        raise ScaffoldError(
            f"{service.app_name} has no build {known} in {session.title}.",
            f"`aws codebuild list-builds-for-project --region {session.region} --project-name {project}` lists them.",
        )
    return build


def _result(
    session: Session,
    service: Service,
    group: str | None,
    since: datetime | None,
    *,
    environment: str | None = None,
    build: str | None = None,
) -> LogsResult:
    return LogsResult(
        service.app_name,
        session.account,
        session.region,
        session.target.local,
        environment,
        build,
        group,
        since,
    )
