"""The steps of a teardown, in order: `look` only reads, `do` deletes."""

from __future__ import annotations

from datetime import datetime

from scaffold.aws import approval_rules, cleanup, codecommit, codepipeline, data, databases, git_remote
from scaffold.aws.cloudformation import stacks
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.data import DataResource
from scaffold.aws.data_stores import TYPES
from scaffold.aws.session import Session
from scaffold.console.console import Console
from scaffold.core.results import Change
from scaffold.deployment.data_deletion import data_steps
from scaffold.deployment.deletion import Deletion, Kept, Report
from scaffold.deployment.deletion_protection import OF_DATABASES, OF_LOAD_BALANCERS, Unprotection
from scaffold.deployment.inventory import Inventory
from scaffold.deployment.secret_deletion import Secrets
from scaffold.service import names
from scaffold.service.service import Service
from scaffold.service.stack_kinds import DATABASE, ENVIRONMENT, FOUNDATION, PIPELINE, StackId, identify

_LOG_GROUP = "log-group"
_RULE = "approval-rule-template"


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
        again: The command to repeat after a failure.
        foundation: The stack whose disposable data `DisposableData` deletes.
        deleted_as_data: The beginnings of the names that `Data` deletes.
    """

    def __init__(
        self,
        session: Session,
        group: list[Stack],
        again: str,
        foundation: Stack | None = None,
        deleted_as_data: tuple[str, ...] = (),
    ) -> None:
        self.group = group
        self._deleted_as_data = deleted_as_data
        self._session = session
        self._again = again
        self._foundation = foundation

    def data(self, stack: Stack) -> list[DataResource]:
        """The stack's data, without what `DisposableData` or `Data` deletes."""
        return [
            one
            for one in data.data_resources(self._session, stack)
            if not (one.disposable and one.retained and stack == self._foundation)
            and not (one.type in TYPES and one.id.rpartition("/")[2].startswith(self._deleted_as_data))
        ]

    def look(self) -> Report:
        """The stacks with their data: deleted with them, or retained."""
        report = Report()
        for stack in self.group:
            report.changes.append(_deletion("stack", stack.name))
            self._report(self.data(stack), report)
        return report

    def do(self, report: Report, console: Console) -> None:
        """Delete the stacks; their data is deleted or retained with them, as the templates say."""
        idle = [stack for one in self.group if (stack := self._deletable(one.name, console))]
        found = {stack.name: self.data(stack) for stack in idle}
        stacks.delete(self._session, idle, console, again=self._again)
        for stack in idle:
            report.record(_deletion("stack", stack.name), console)
            self._report(found[stack.name], report)

    def _report(self, resources: list[DataResource], report: Report) -> None:
        report.kept += [Kept(_type(one), one.id, "retained") for one in resources if one.retained]
        report.changes += [_deletion(_type(one), one.id) for one in resources if not one.retained]
        if not self._deleted_as_data:  # Otherwise `Data` deletes the snapshots.
            clusters = (one for one in resources if one.type == databases.CLUSTER)
            report.kept += [Kept(_type(one), one.id, "snapshot") for one in clusters]

    def _deletable(self, name: str, console: Console) -> Stack | None:
        """The stack once it can be deleted. A creation in progress needs no waiting: the deletion cancels it."""
        stack = stacks.find(self._session, name)
        if stack is None or not stack.busy or stack.status in {"CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"}:
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
        return Report([_deletion(one.type, one.id) for one in self._disposable(current, self._deleted)])

    def do(self, report: Report, console: Console) -> None:
        """Delete buckets and image repositories with their content, then schedule the deletion of keys."""
        deleted = [*([self._stack] if self._stack else []), *self._deleted]
        for resource in sorted(self._disposable([], deleted), key=lambda one: one.type == data.KEY):
            until = data.delete(self._session, resource)
            report.record(_deletion(resource.type, resource.id), console)
            if resource.type == data.KEY:
                report.kept.append(Kept(resource.type, resource.id, "waiting-period", until))

    def _disposable(self, current: list[DataResource], deleted: list[Stack]) -> list[DataResource]:
        """Disposable data of the current stack, and what is left of deleted ones. The latest template decides: a name
        that an earlier stack called disposable may mean a resource by now that is to be kept.
        """
        latest: dict[tuple[str, str], tuple[DataResource, datetime | None]]
        latest = {(one.type, one.id): (one, None) for one in current}
        for stack in deleted:
            for one in data.retained_resources(self._session, stack):
                latest.setdefault((one.type, one.id), (one, stack.deleted))
        found = [(one, until) for one, until in latest.values() if one.disposable and one.retained]
        return [one for one, until in found if data.exists(self._session, one, before=until)]


class TaskDefinitions(Deletion):
    """Every revision of a family of an environment, also those that replacements have retained.

    Args:
        before: Later revisions of that family are not the service's.
    """

    def __init__(self, session: Session, family: str, before: datetime | None) -> None:
        self._session = session
        self._family = family
        self._before = before

    def look(self) -> Report:
        """The family with the number of its revisions."""
        count = cleanup.count_task_definitions(self._session, self._family, self._before)
        return Report([_deletion("task-definition", self._family, count)] if count else [])

    def do(self, report: Report, console: Console) -> None:
        """Deregister and delete them."""
        if count := cleanup.delete_task_definitions(self._session, self._family, self._before):
            report.record(_deletion("task-definition", self._family, count), console)


class LogGroup(Deletion):
    """The log group that ECS creates for Container Insights, by its exact name. Stacks own the others.

    Args:
        before: A later log group of that name is not the service's.
    """

    def __init__(self, session: Session, name: str, before: datetime | None) -> None:
        self._session = session
        self._name = name
        self._before = before

    def look(self) -> Report:
        """The log group, if it exists."""
        exists = cleanup.log_group_exists(self._session, self._name, self._before)
        return Report([_deletion(_LOG_GROUP, self._name)] if exists else [])

    def do(self, report: Report, console: Console) -> None:
        """Delete it."""
        for change in self.look().changes:
            cleanup.delete_log_group(self._session, change.name)
            report.record(change, console)


class Repository(Deletion):
    """The approval rule templates and the repository; all are kept while it has commits that this clone lacks."""

    def __init__(self, session: Session, service: Service) -> None:
        self._session = session
        self._service = service
        self._repository = _deletion("repository", names.repository(service.app_name))

    def look(self) -> Report:
        """What exists of them."""
        exists = codecommit.find(self._session, self._service.app_name) is not None
        if exists and (commits := self._unpulled_commits()):
            return Report(kept=[self._kept(commits)])
        rules = [_deletion(_RULE, name) for name in approval_rules.existing(self._session, self._service.app_name)]
        return Report(rules + ([self._repository] if exists else []))

    def do(self, report: Report, console: Console) -> None:
        """Delete them."""
        app = self._service.app_name
        exists = codecommit.find(self._session, app) is not None
        if exists and (commits := self._unpulled_commits()):
            report.kept.append(self._kept(commits))
            return
        for name in approval_rules.existing(self._session, app):
            if approval_rules.delete(self._session, app, name, associated=exists):
                report.record(_deletion(_RULE, name), console)
            else:
                report.kept.append(Kept(_RULE, name, "shared"))
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
    session: Session,
    service: Service,
    inventory: Inventory,
    environments: tuple[str, ...],
    *,
    root_commit: str,
    whole: bool,
    with_data: bool,
    again: str,
) -> list[Deletion]:
    """Every step of a teardown.

    Args:
        environments: The environments to delete.
        whole: Whether the stacks that the service has once, and the repository, are deleted too.
        with_data: Whether buckets, queues and tables are deleted too.
        again: The command to repeat after a failure.
    """
    steps: list[Deletion] = []
    if StackId(PIPELINE) in inventory.stacks:
        steps.append(Transitions(session, service, None if whole else environments[0]))
    as_data = tuple(names.data(service.app_name, one) for one in environments) if with_data else ()
    for group in inventory.in_order_of_deletion(environments, whole=whole, with_data=whole or with_data):
        # Of one kind, and so in one region.
        at = session.in_region(group[0].region)
        if (found := identify(service.app_name, group[0].name)) and found.kind is ENVIRONMENT:
            steps.append(Unprotection(session, group, OF_LOAD_BALANCERS))
        elif found and found.kind is DATABASE:
            steps.append(Unprotection(session, group, OF_DATABASES))
        steps.append(StackGroup(at, group, again, inventory.stacks.get(StackId(FOUNDATION)), as_data))
    steps += data_steps(session, service, inventory, environments, whole=whole, with_data=with_data)
    if whole and inventory.owns(None):
        steps.append(DisposableData(session, inventory))
    for environment in environments:
        if inventory.owns(environment):
            until = inventory.owned_until(environment)
            insights = names.container_insights_log_group(service.app_name, environment)
            families = [names.task_family(service.app_name, environment)]
            if DATABASE in service.optional_kinds or StackId(DATABASE, environment) in inventory.deleted:
                families.append(names.migration_family(service.app_name, environment))
            steps += [TaskDefinitions(session, family, until) for family in families]
            steps.append(LogGroup(session, insights, until))
    steps += [Secrets(session, service, environment, root_commit) for environment in environments]
    return [*steps, *([Repository(session, service)] if whole else [])]


def _type(resource: DataResource) -> str:
    return _LOG_GROUP if resource.type == "AWS::Logs::LogGroup" else resource.type


def _deletion(kind: str, name: str, count: int = 1) -> Change:
    return Change(kind, name, "delete", count=count)
