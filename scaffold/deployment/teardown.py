"""Taking a service, or one of its environments, out of an account in the one order that works."""

from __future__ import annotations

from dataclasses import dataclass, field

from scaffold.aws import cleanup as emptying
from scaffold.aws import codecommit as repository
from scaffold.aws import codepipeline as pipelines
from scaffold.aws import git_remote as publishing
from scaffold.aws.cloudformation import stacks
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.session import Account
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError
from scaffold.deployment.inventory import Inventory
from scaffold.service import names
from scaffold.service.service import Service

AGAIN = "scaffold destroy"
_ROLES_STAY = "the account's other services share them, and they cost nothing"


@dataclass(frozen=True)
class Kept:
    """Something that is still there.

    Attributes:
        what: What it is.
        why: Why it was not taken away.
    """

    what: str
    why: str


@dataclass
class Report:
    """What was taken away and what was not, in the order in which it happened.

    Attributes:
        deleted: What is gone.
        kept: What is still there.
    """

    deleted: list[str] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)


def listing(
    account: Account, service: Service, found: Inventory, environments: tuple[str, ...], whole: bool
) -> list[str]:
    """What would be taken away, in order.

    Args:
        account: The account.
        service: The service.
        found: Its stacks.
        environments: The environments to take away.
        whole: Whether the rest of the service goes too.
    """
    lines = []
    for stack in _in_order(found, environments, whole):
        lines.append(f"stack {stack.name}")
        if stack.status != "REVIEW_IN_PROGRESS":
            lines += [f"{one.title} with all it holds" for one in emptying.holdings(account, stack)]
    lines += [f"log group {group}" for group in _log_groups(account, service, environments, whole)]
    for environment in environments:
        family = names.task_family(service.app_name, environment)
        if count := emptying.task_definitions(account, family):
            lines.append(f"task definition {family} ({_times(count, 'revision')})")
    if whole:
        lines += _repository_lines(account, service)
    return lines


def tear_down(
    account: Account,
    service: Service,
    found: Inventory,
    environments: tuple[str, ...],
    *,
    whole: bool,
    console: Console,
) -> Report:
    """Take environments away, and the whole service where asked. Safe to repeat: each step looks before it acts.

    Args:
        account: The account.
        service: The service.
        found: Its stacks.
        environments: The environments to take away.
        whole: Whether the pipeline, the foundation and the repository go too.
        console: Where to show the work.

    Raises:
        ScaffoldError: Something could not be deleted; what comes after it is still there.
    """
    report = Report()
    for environment in environments if not whole else (None,):
        for stage in pipelines.stop(account, service.app_name, environment):
            console.step(f"Pipeline stage {stage}: closed")
    for kind in reversed(names.ENVIRONMENT_STACK_KINDS):
        _delete(account, found, found.of_kind(kind, environments), report, console)
    if whole:
        _delete(account, found, [found.pipeline] if found.pipeline else [], report, console)
        _delete(account, found, [found.foundation] if found.foundation else [], report, console)
    for environment in environments:
        family = names.task_family(service.app_name, environment)
        if count := emptying.delete_task_definitions(account, family):
            _done(f"task definition {family} ({_times(count, 'revision')})", report, console)
    for group in emptying.delete_logs(account, _log_groups(account, service, environments, whole)):
        _done(f"log group {group}", report, console)
    if whole:
        _delete_repository(account, service, report, console)
        report.kept.append(Kept("service-linked roles", _ROLES_STAY))
    for stack in found.foreign:
        report.kept.append(Kept(f"stack {stack.name}", f"it is not tagged {names.TAG_SERVICE}={service.app_name}"))
    return report


def check_ownership(account: Account, service: Service) -> None:
    """Refuse to destroy what a service of the same name, but of another history, has deployed.

    Args:
        account: The account.
        service: The service.

    Raises:
        ScaffoldError: The repository of that name holds another history.
    """
    if repository.find(account, service.app_name) is None:
        return
    main = repository.main_commit(account, service.app_name)
    if main and publishing.knows(service, main) and publishing.shares_history(service, main):
        return
    heads = publishing.remote_heads(account, service)
    if not heads:
        return
    publishing.fetch(account, service, heads)
    if not any(publishing.shares_history(service, commit) for commit in heads.values()):
        raise ScaffoldError(
            f"The CodeCommit repository {names.repository(service.app_name)} in {service.region} is not this "
            "service's: it holds another history.",
            "What runs there belongs to the service in that repository: destroy it from a clone of that one.",
        )


def _in_order(found: Inventory, environments: tuple[str, ...], whole: bool) -> list[Stack]:
    kinds = reversed(names.ENVIRONMENT_STACK_KINDS)
    ordered = [stack for kind in kinds for stack in found.of_kind(kind, environments)]
    return ordered + [stack for stack in (found.pipeline, found.foundation) if stack and whole]


def _delete(account: Account, found: Inventory, going: list[Stack], report: Report, console: Console) -> None:
    """Delete stacks side by side, each emptied before; its list of resources is what a repetition goes by."""
    settled = [stack for one in going if (stack := _deletable(account, one.name, console))]
    gone = []
    for stack in settled:
        for holding in emptying.holdings(account, stack) if stack.status != "REVIEW_IN_PROGRESS" else []:
            why = emptying.take_away(account, holding)
            if why:
                report.kept.append(Kept(holding.title, why))
            elif holding.retained:
                gone.append(holding.title)
    for title in gone:
        _done(title, report, console)
    # A stack of the foundation's own person has no role; the others may remember one that is no more.
    stacks.delete(account, settled, console, again=AGAIN, role=found.deploy_role)
    for stack in settled:
        _done(f"stack {stack.name}", report, console)


def _deletable(account: Account, name: str, console: Console) -> Stack | None:
    """A stack that can be deleted now. One that is being created need not be waited for: deleting it ends that."""
    stack = stacks.find(account, name)
    if stack is None or stack.status in {"CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"}:
        return stack
    return stacks.settle(account, name, console)


def _delete_repository(account: Account, service: Service, report: Report, console: Console) -> None:
    name, rule = names.repository(service.app_name), names.approval_rule_template(service.app_name)
    exists = repository.find(account, service.app_name) is not None
    if exists:
        heads = publishing.remote_heads(account, service)
        if heads:
            publishing.fetch(account, service, heads)
        if count := publishing.commits_only_there(service, heads):
            why = f"it has {_times(count, 'commit')} that this clone lacks: `git pull`, then `{AGAIN}` again deletes it"
            report.kept.append(Kept(f"repository {name}", why))
            return
    if repository.remove_approvals(account, service.app_name, associated=exists):
        _done(f"approval rule {rule}", report, console)
    if exists:
        account.client("codecommit").delete_repository(repositoryName=name)
        _done(f"repository {name}", report, console)


def _repository_lines(account: Account, service: Service) -> list[str]:
    lines = []
    if repository.rule_exists(account, service.app_name):
        lines.append(f"approval rule {names.approval_rule_template(service.app_name)}")
    if repository.find(account, service.app_name):
        lines.append(f"repository {names.repository(service.app_name)}, unless it has commits that this clone lacks")
    return lines


def _log_groups(account: Account, service: Service, environments: tuple[str, ...], whole: bool) -> list[str]:
    app = service.app_name
    exactly = [names.container_insights_log_group(app, environment) for environment in environments]
    if whole:
        return emptying.log_groups(account, [names.log_group_prefix(app)], exactly)
    return emptying.log_groups(account, [], exactly + [names.log_group(app, one) for one in environments])


def _done(what: str, report: Report, console: Console) -> None:
    report.deleted.append(what)
    console.step(f"Deleted {what}")


def _times(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count != 1 else ''}"
