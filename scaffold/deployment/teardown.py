"""The steps of a teardown, in order: `look` only reads, `do` deletes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime

from scaffold.aws import approval_rules, cleanup, codecommit, codepipeline, data, git_remote
from scaffold.aws.cloudformation import stacks
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.data import DataResource
from scaffold.aws.session import Session
from scaffold.console.console import Console
from scaffold.console.titles import done, physical_title
from scaffold.core.results import Change
from scaffold.deployment.inventory import Inventory
from scaffold.service import names
from scaffold.service.service import Service
from scaffold.service.stack_kinds import FOUNDATION, StackId

_LOG_GROUP = "log-group"


def command(environment: str | None) -> str:
    """The command to repeat. Without `--environment` it would delete the whole service."""
    return f"scaffold destroy --environment {environment}" if environment else "scaffold destroy"


@dataclass(frozen=True)
class Kept:
    """Something that still exists after a teardown.

    Attributes:
        type: What kind of thing it is, as in a Change.
        reason: `retained` by its template, in its `waiting-period`, `shared` with other services, `foreign` (of another
            owner), or `unpulled-commits`, which this clone lacks.
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
    """What a teardown has changed and kept, in order."""

    changes: list[Change] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    def record(self, change: Change, console: Console) -> None:
        """Add a change, and show it."""
        self.changes.append(change)
        console.step(f"{done(change.action)} {physical_title(change.type, change.name)}")


class Deletion(ABC):
    """One step of a teardown."""

    @abstractmethod
    def look(self) -> Report:
        """What exists and would be deleted, and what would be kept."""

    @abstractmethod
    def do(self, report: Report, console: Console) -> None:
        """Delete it, and report what is deleted and what is kept.

        Raises:
            ScaffoldError: Something could not be deleted; the later steps were not started.
        """


class Transitions(Deletion):
    """The transitions into pipeline stages, disabled so that the pipeline does not create again what is deleted."""

    def __init__(self, session: Session, service: Service, environment: str | None) -> None:
        self._session = session
        self._app = service.app_name
        self._environment = environment

    def look(self) -> Report:
        """The stages whose inbound transition is enabled."""
        stages = codepipeline.enabled_stages(self._session, self._app, self._environment)
        return Report([Change("stage", stage, "disable") for stage in stages])

    def do(self, report: Report, console: Console) -> None:
        """Disable them, and stop the executions in these stages."""
        for change in self.look().changes:
            codepipeline.disable_transition(self._session, self._app, change.name)
            report.record(change, console)
        codepipeline.stop_executions(self._session, self._app, self._environment)


class StackGroup(Deletion):
    """Stacks that are deleted in parallel.

    Args:
        role: The deploy role, for stacks with a service role; None where the foundation has none.
        again: The command to repeat after a failure.
    """

    def __init__(self, session: Session, group: list[Stack], role: str | None, again: str) -> None:
        self.group = group
        self._session = session
        self._role = role
        self._again = again

    def data(self, stack: Stack) -> list[DataResource]:
        """The stack's data, without what `DisposableData` deletes."""
        return [one for one in data.data_resources(self._session, stack) if not (one.disposable and one.retained)]

    def look(self) -> Report:
        """The stacks with their data: deleted with them, or retained."""
        report = Report()
        for stack in self.group:
            report.changes.append(_deletion("stack", stack.name))
            for resource in self.data(stack):
                if resource.retained:
                    report.kept.append(Kept(resource.type, resource.id, "retained"))
                else:
                    report.changes.append(_deletion(_type(resource), resource.id))
        return report

    def do(self, report: Report, console: Console) -> None:
        """Delete the stacks; their data is deleted or retained with them, as the templates say."""
        idle = [stack for one in self.group if (stack := self._deletable(one.name, console))]
        found = {stack.name: self.data(stack) for stack in idle}
        # The foundation stack has no service role. The other stacks' role may be deleted already, so pass the
        # current one.
        stacks.delete(self._session, idle, console, again=self._again, role=self._role)
        for stack in idle:
            report.record(_deletion("stack", stack.name), console)
            for resource in found[stack.name]:
                if resource.retained:
                    report.kept.append(Kept(resource.type, resource.id, "retained"))
                else:
                    report.changes.append(_deletion(_type(resource), resource.id))

    def _deletable(self, name: str, console: Console) -> Stack | None:
        """The stack once it can be deleted. A creation in progress needs no waiting: the deletion cancels it."""
        stack = stacks.find(self._session, name)
        if stack is None or stack.status in {"CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"}:
            return stack
        return stacks.wait_until_idle(self._session, name, console)


class DisposableData(Deletion):
    """The foundation's disposable data, deleted after the foundation's stack; also that of stacks deleted before."""

    def __init__(self, session: Session, inventory: Inventory) -> None:
        foundation = StackId(FOUNDATION)
        self._session = session
        self._stack = inventory.stacks.get(foundation)
        self._deleted = inventory.deleted.get(foundation, [])

    def look(self) -> Report:
        """The resources that exist."""
        current = data.data_resources(self._session, self._stack) if self._stack else []
        found = [one for one in current if one.disposable and one.retained]
        return Report([_deletion(one.type, one.id) for one in (*found, *self._left(self._deleted))])

    def do(self, report: Report, console: Console) -> None:
        """Delete buckets and image repositories with their content, then schedule the deletion of keys."""
        deleted = [*self._deleted, *([self._stack] if self._stack else [])]
        for resource in sorted(self._left(deleted), key=lambda one: one.type == data.KEY):
            until = data.delete(self._session, resource)
            if resource.type == data.KEY:
                report.kept.append(Kept(resource.type, resource.id, "waiting-period", until))
            else:
                report.record(_deletion(resource.type, resource.id), console)

    def _left(self, deleted: list[Stack]) -> list[DataResource]:
        retained = [one for stack in deleted for one in data.retained_resources(self._session, stack)]
        return [one for one in dict.fromkeys(retained) if one.disposable and data.exists(self._session, one)]


class TaskDefinitions(Deletion):
    """Every revision of an environment's task definition, also those that replacements have retained."""

    def __init__(self, session: Session, service: Service, environment: str) -> None:
        self._session = session
        self._family = names.task_family(service.app_name, environment)

    def look(self) -> Report:
        """The family with the number of its revisions."""
        count = cleanup.count_task_definitions(self._session, self._family)
        return Report([_deletion("task-definition", self._family, count)] if count else [])

    def do(self, report: Report, console: Console) -> None:
        """Deregister and delete them."""
        if count := cleanup.delete_task_definitions(self._session, self._family):
            report.record(_deletion("task-definition", self._family, count), console)


class LogGroups(Deletion):
    """Log groups by their exact names: those that ECS creates, and those that a stack has left."""

    def __init__(self, session: Session, groups: list[str]) -> None:
        self._session = session
        self._groups = groups

    def look(self) -> Report:
        """The log groups that exist."""
        return Report([_deletion(_LOG_GROUP, group) for group in cleanup.log_groups(self._session, self._groups)])

    def do(self, report: Report, console: Console) -> None:
        """Delete them."""
        for change in self.look().changes:
            cleanup.delete_log_group(self._session, change.name)
            report.record(change, console)


class Repository(Deletion):
    """The approval rule template and the repository; both are kept while it has commits that this clone lacks."""

    def __init__(self, session: Session, service: Service) -> None:
        self._session = session
        self._service = service
        self._repository = _deletion("repository", names.repository(service.app_name))
        self._rule = _deletion("approval-rule-template", names.approval_rule_template(service.app_name))

    def look(self) -> Report:
        """What exists of the two."""
        exists = codecommit.find(self._session, self._service.app_name) is not None
        if exists and (commits := self._unpulled_commits()):
            return Report(kept=[self._kept(commits)])
        rule = [self._rule] if approval_rules.exists(self._session, self._service.app_name) else []
        return Report(rule + ([self._repository] if exists else []))

    def do(self, report: Report, console: Console) -> None:
        """Delete them."""
        app = self._service.app_name
        exists = codecommit.find(self._session, app) is not None
        if exists and (commits := self._unpulled_commits()):
            report.kept.append(self._kept(commits))
            return
        if approval_rules.exists(self._session, app):
            approval_rules.delete(self._session, app, associated=exists)
            report.record(self._rule, console)
        if exists:
            codecommit.delete(self._session, app)
            report.record(self._repository, console)

    def _kept(self, commits: int) -> Kept:
        return Kept("repository", self._repository.name, "unpulled-commits", commits=commits)

    def _unpulled_commits(self) -> int:
        refs = git_remote.remote_refs(self._session, self._service)
        git_remote.fetch(self._session, self._service, refs)
        return git_remote.count_unpulled(self._service, refs)


def teardown_steps(
    session: Session, service: Service, inventory: Inventory, environments: tuple[str, ...], *, whole: bool
) -> list[Deletion]:
    """Every step of a teardown.

    Args:
        environments: The environments to delete.
        whole: Whether the stacks that the service has once, and the repository, are deleted too.
    """
    app = service.app_name
    owned = [environment for environment in environments if inventory.owns(environment)]
    groups = [names.container_insights_log_group(app, one) for one in owned]
    groups += [names.log_group(app, one) for one in owned]
    if whole and inventory.owns(None):
        groups += names.build_log_groups(app)
    role = inventory.foundation.deploy_role
    again = command(None if whole else environments[0])
    steps: list[Deletion] = [Transitions(session, service, None if whole else environments[0])]
    steps += [
        StackGroup(session, group, role, again) for group in inventory.in_order_of_deletion(environments, whole=whole)
    ]
    steps += [DisposableData(session, inventory)] if whole else []
    steps += [TaskDefinitions(session, service, environment) for environment in owned]
    steps.append(LogGroups(session, groups))
    return [*steps, *([Repository(session, service)] if whole else [])]


def _type(resource: DataResource) -> str:
    return _LOG_GROUP if resource.type == "AWS::Logs::LogGroup" else resource.type


def _deletion(kind: str, name: str, count: int = 1) -> Change:
    return Change(kind, name, "delete", count=count)
