"""A shell in a task that runs, by ECS Exec."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from scaffold.aws import shells
from scaffold.aws.cloudformation.stacks import find_all
from scaffold.aws.session import Session, signed_in
from scaffold.aws.shells import RunningTask
from scaffold.console import indicator
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.target import Target
from scaffold.deployment import session_plugin
from scaffold.deployment.ownership import check_stacks
from scaffold.deployment.scope import check_environment
from scaffold.service import identity
from scaffold.service.service import Service

_SHELL = "/bin/sh"
_READY = "RUNNING"


def open_shell(
    service: Service,
    target: Target,
    environment: str,
    command: Sequence[str],
    identifier: str | None,
    *,
    in_production: bool,
    console: Console,
) -> int:
    """Open a shell in a task, or run a command there, and return the exit code of the connection.

    Args:
        command: The words of the command; none for a shell.
        identifier: The id of the task; None for the newest one.
        in_production: Whether the environment may be production, or one after it.

    Raises:
        UsageError: There is no such environment, or it is production.
        ScaffoldError: No shell can be opened there.
    """
    check_environment(service, service.environments, environment)
    if environment in service.from_production_on and not in_production:
        raise UsageError(
            f"{environment} is {'production' if environment == service.production else 'like production'}, and a "
            "shell there can change what people use.",
            f"`{shlex.join(['scaffold', 'exec', environment, '--yes', *(['--', *command] if command else [])])}` "
            "opens it.",
        )
    root_commit = identity.root_commit(service)
    with signed_in(service, target, console) as session:
        check_stacks(service, root_commit, find_all(session).values(), "scaffold exec")
        task = _find(session, service, environment, identifier)
        if target.local:
            raise ScaffoldError(
                "Local AWS has no ECS Exec, so that no shell can be opened in its tasks.",
                f"`scaffold logs {environment}` shows what they write.",
            )
        plugin = session_plugin.find()
        _check_agent(task, environment)
        opened = shells.start(session, service.app_name, environment, task, shlex.join(command) or _SHELL)
        console.step(f"Task {task.identifier} of {environment} in {session.title}; its log has what happens here")
        reached, url = shells.target_of(service.app_name, environment, task), session.client("ssm").meta.endpoint_url
        with indicator.set_aside():
            return session_plugin.connect(plugin, opened, session.region, reached, url)


def _find(session: Session, service: Service, environment: str, identifier: str | None) -> RunningTask:
    is_open = shells.is_open(session, service.app_name, environment)
    if is_open is None:
        raise ScaffoldError(f"{environment} has no tasks yet.", "`scaffold status` shows its first release.")
    if not is_open:
        raise ScaffoldError(
            f"No shell can be opened in the tasks of {environment}: what is released there has no ECS Exec.",
            f"Name it with `scaffold update --data exec={environment}`, run `scaffold deploy`, and release that.",
        )
    running = shells.running_tasks(session, service.app_name, environment)
    if not running:
        raise ScaffoldError(f"No task of {environment} runs.", "`scaffold status` shows why.")
    if identifier is None:
        return next((one for one in running if one.agent == _READY), running[0])
    for one in running:
        if one.identifier == identifier.rpartition("/")[2]:
            return one
    raise ScaffoldError(
        f"{environment} has no running task {identifier}.",
        f"Its tasks are {', '.join(one.identifier for one in running)}.",
    )


def _check_agent(task: RunningTask, environment: str) -> None:
    """Refuse a task without the agent that opens shells, for which ECS has one sentence whatever the reason is."""
    if task.agent != _READY:
        raise ScaffoldError(
            f"The agent of ECS Exec in the task {task.identifier} of {environment} is {task.agent or 'not there'}.",
            'Try again in a minute; "Shells in tasks" in README.md says what it needs.',
        )
