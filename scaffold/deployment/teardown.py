"""The steps of a teardown, in the one order that works. Each can look, which only reads, and do, which deletes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime

from scaffold.aws import approval_rules, cleanup, codecommit, codepipeline, git_remote
from scaffold.aws.cloudformation import stacks
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.session import Session
from scaffold.console.console import Console
from scaffold.console.titles import physical_title
from scaffold.core.errors import ScaffoldError
from scaffold.core.results import Change
from scaffold.deployment.inventory import Inventory
from scaffold.service import names
from scaffold.service.service import Service

COMMAND = "scaffold destroy"


@dataclass(frozen=True)
class Kept:
    """Something that still exists after a teardown.

    Attributes:
        type: What kind of thing it is, as in a Change.
        name: Its name.
        reason: `retained` by its template, in its `waiting-period`, `shared` with other services, `foreign` (of another
            owner), or `unpulled-commits` in it that this clone lacks.
        until: The end of the waiting period.
        commits: How many commits this clone lacks.
    """

    type: str
    name: str
    reason: str
    until: datetime | None = None
    commits: int = 0


@dataclass
class Report:
    """What a teardown has deleted and kept, in order."""

    deleted: list[Change] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    def record(self, change: Change, console: Console) -> None:
        """Add a deletion, and show it."""
        self.deleted.append(change)
        console.step(f"Deleted {physical_title(change.type, change.name)}")


class Deletion(ABC):
    """One step of a teardown."""

    @abstractmethod
    def look(self) -> list[Change]:
        """What exists and would be deleted."""

    @abstractmethod
    def do(self, report: Report, console: Console) -> None:
        """Delete it, and report what is deleted and what is kept.

        Raises:
            ScaffoldError: Something could not be deleted; later steps' things still exist.
        """


class StackGroup(Deletion):
    """Stacks that are deleted in parallel, with the data that would block their deletion or outlive it."""

    def __init__(self, session: Session, inventory: Inventory, group: list[Stack]) -> None:
        self._session = session
        self._inventory = inventory
        self._group = group

    def look(self) -> list[Change]:
        """The stacks and their data."""
        changes = []
        for stack in self._group:
            changes.append(_deletion("stack", stack.name))
            changes += [_deletion(one.type, one.id) for one in self._data(stack) if one.deletable]
        return changes

    def do(self, report: Report, console: Console) -> None:
        """Empty, then delete: a second run finds the rest through the stacks' resource lists."""
        idle = [stack for one in self._group if (stack := self._deletable(one.name, console))]
        deleted = []
        for stack in idle:
            for resource in self._data(stack):
                if remainder := cleanup.clean_up(self._session, resource):
                    report.kept.append(Kept(resource.type, resource.id, remainder.reason, remainder.until))
                elif resource.retained:
                    deleted.append(_deletion(resource.type, resource.id))
        for change in deleted:
            report.record(change, console)
        # The foundation stack has no service role. The other stacks' role may be deleted already, so pass the
        # current one.
        role = self._inventory.foundation.deploy_role
        stacks.delete(self._session, idle, console, again=COMMAND, role=role)
        for stack in idle:
            report.record(_deletion("stack", stack.name), console)

    def _data(self, stack: Stack) -> list[cleanup.DataResource]:
        return cleanup.data_resources(self._session, stack) if stack.status != "REVIEW_IN_PROGRESS" else []

    def _deletable(self, name: str, console: Console) -> Stack | None:
        """The stack once it can be deleted. A creation in progress needs no waiting: the deletion cancels it."""
        stack = stacks.find(self._session, name)
        if stack is None or stack.status in {"CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"}:
            return stack
        return stacks.wait_until_idle(self._session, name, console)


class TaskDefinitions(Deletion):
    """Every revision of an environment's task definition, also those that replacements have retained."""

    def __init__(self, session: Session, service: Service, environment: str) -> None:
        self._session = session
        self._family = names.task_family(service.app_name, environment)

    def look(self) -> list[Change]:
        """The family with the number of its revisions."""
        count = cleanup.count_task_definitions(self._session, self._family)
        return [_deletion("task-definition", self._family, count)] if count else []

    def do(self, report: Report, console: Console) -> None:
        """Deregister and delete them."""
        if count := cleanup.delete_task_definitions(self._session, self._family):
            report.record(_deletion("task-definition", self._family, count), console)


class LogGroups(Deletion):
    """Log groups of the environments, or of the whole service; those that ECS and CodeBuild created, too."""

    def __init__(self, session: Session, service: Service, environments: tuple[str, ...], *, whole: bool) -> None:
        app = service.app_name
        self._session = session
        self._prefixes = [names.log_group_prefix(app)] if whole else []
        self._exactly = [names.container_insights_log_group(app, one) for one in environments]
        if not whole:
            self._exactly += [names.log_group(app, one) for one in environments]

    def look(self) -> list[Change]:
        """The log groups that exist."""
        groups = cleanup.log_groups(self._session, self._prefixes, self._exactly)
        return [_deletion("log-group", group) for group in groups]

    def do(self, report: Report, console: Console) -> None:
        """Delete them."""
        for change in self.look():
            cleanup.delete_log_groups(self._session, [change.name])
            report.record(change, console)


class Repository(Deletion):
    """The approval rule template and the repository; both are kept while it has commits that this clone lacks."""

    def __init__(self, session: Session, service: Service) -> None:
        self._session = session
        self._service = service
        self._repository = _deletion("repository", names.repository(service.app_name))
        self._rule = _deletion("approval-rule-template", names.approval_rule_template(service.app_name))

    def look(self) -> list[Change]:
        """What exists of the two."""
        app = self._service.app_name
        rule = [self._rule] if approval_rules.exists(self._session, app) else []
        return rule + ([self._repository] if codecommit.find(self._session, app) else [])

    def do(self, report: Report, console: Console) -> None:
        """Delete them."""
        app = self._service.app_name
        exists = codecommit.find(self._session, app) is not None
        if exists and (commits := self._commits_only_there()):
            report.kept.append(Kept("repository", self._repository.name, "unpulled-commits", commits=commits))
            return
        if approval_rules.exists(self._session, app):
            approval_rules.delete(self._session, app, associated=exists)
            report.record(self._rule, console)
        if exists:
            codecommit.delete(self._session, app)
            report.record(self._repository, console)

    def _commits_only_there(self) -> int:
        heads = git_remote.remote_heads(self._session, self._service)
        if heads:
            git_remote.fetch(self._session, self._service, heads)
        return git_remote.commits_only_there(self._service, heads)


def teardown_steps(
    session: Session, service: Service, inventory: Inventory, environments: tuple[str, ...], *, whole: bool
) -> list[Deletion]:
    """Every step of a teardown.

    Args:
        environments: The environments to delete.
        whole: Whether the stacks that the service has once, and the repository, are deleted too.
    """
    groups = inventory.in_order_of_deletion(environments, whole=whole)
    return [
        *(StackGroup(session, inventory, group) for group in groups),
        *(TaskDefinitions(session, service, environment) for environment in environments),
        LogGroups(session, service, environments, whole=whole),
        *([Repository(session, service)] if whole else []),
    ]


def disable_transitions(session: Session, service: Service, environment: str | None, console: Console) -> None:
    """Keep the pipeline from creating again what is being deleted.

    Args:
        environment: The environment whose stage is meant; None for all stages.
    """
    for stage in codepipeline.disable_transitions(session, service.app_name, environment):
        console.step(f"Transition into pipeline stage {stage}: disabled")


def check_ownership(session: Session, service: Service) -> None:
    """Refuse to destroy what a service of the same name, but of another history, has deployed.

    Raises:
        ScaffoldError: The repository of that name holds another history.
    """
    if codecommit.find(session, service.app_name) is None:
        return
    main = codecommit.main_commit(session, service.app_name)
    if main and git_remote.knows(service, main) and git_remote.shares_history(service, main):
        return
    heads = git_remote.remote_heads(session, service)
    if not heads:
        return
    git_remote.fetch(session, service, heads)
    if not any(git_remote.shares_history(service, commit) for commit in heads.values()):
        raise ScaffoldError(
            f"The CodeCommit repository {names.repository(service.app_name)} in {service.region} is not this "
            "service's: it holds another history.",
            "The stacks of that name belong to the service in that repository: destroy it from a clone of that one.",
        )


def _deletion(kind: str, name: str, count: int = 1) -> Change:
    return Change(kind, name, "delete", count=count)
