"""Whose stacks and whose repository have this service's names: the root commit of main tells services apart."""

from __future__ import annotations

from collections.abc import Iterable

from scaffold.aws import codecommit, git_remote
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.session import Session
from scaffold.service.identity import another_service
from scaffold.service.service import Service
from scaffold.service.stack_kinds import identify


def check_stacks(service: Service, root_commit: str, existing: Iterable[Stack], command: str) -> None:
    """Refuse stacks that another service of the same name has deployed. A stack without a root commit passes.

    Args:
        root_commit: The root commit of this service.
        existing: Stacks of the account.
        command: The command that is refused.

    Raises:
        ScaffoldError: A stack with a name of this service shows another root commit.
    """
    for stack in existing:
        other = stack.root_commit
        if other not in (None, root_commit) and identify(service.app_name, stack.name):
            raise another_service(
                service, f"The stack {stack.name}", own=root_commit, other=str(other), command=command
            )


def check_repository(session: Session, service: Service, root_commit: str, command: str) -> None:
    """Refuse the CodeCommit repository of another service.

    Args:
        root_commit: The root commit of this service.
        command: The command that is refused.

    Raises:
        ScaffoldError: The repository's history has another root commit, or this clone is partial.
    """
    if codecommit.find(session, service.app_name) is None:
        return
    git_remote.check_not_partial(service)
    main = codecommit.main_commit(session, service.app_name)
    if main and git_remote.known(service, [main]):
        refs = {git_remote.MAIN: main}
    else:
        refs = git_remote.remote_refs(session, service, main)
        git_remote.fetch(session, service, refs)
    git_remote.check_owner(service, refs, root_commit, command)
