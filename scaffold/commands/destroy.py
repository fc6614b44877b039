"""`scaffold destroy`: everything that deploying made, or one environment of it, taken away again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.aws import codepipeline as pipelines
from scaffold.aws.errors import translate
from scaffold.aws.session import Account, connect
from scaffold.console.console import Console
from scaffold.core.errors import EXIT_DONE, EXIT_PLAN_HAS_CHANGES, Interrupted, ScaffoldError, UsageError
from scaffold.core.results import Result
from scaffold.deployment import teardown
from scaffold.deployment.inventory import Inventory, take
from scaffold.deployment.teardown import Kept
from scaffold.service import preflight
from scaffold.service.service import Service, read


@dataclass(frozen=True)
class DestroyResult(Result):
    """What was taken away, or would be.

    Attributes:
        service: The service's name.
        account: The AWS account.
        region: The region.
        local: Whether that is local AWS.
        environment: The one environment that was asked for; None for the whole service.
        planned: Whether this is a plan and nothing was changed.
        deleted: What is gone, or would go, in order.
        kept: What is still there, and why.
        next: What is left for the person to do.
    """

    service: str
    account: str
    region: str
    local: bool
    environment: str | None
    planned: bool
    deleted: tuple[str, ...]
    kept: tuple[Kept, ...]
    next: str

    @property
    def exit_code(self) -> int:
        """10 for a plan that would delete something, else 0."""
        return EXIT_PLAN_HAS_CHANGES if self.planned and self.deleted else EXIT_DONE

    def text(self) -> str:
        """The result as a person reads it."""
        what = f"{self.service}'s environment {self.environment}" if self.environment else self.service
        where = f"{'local AWS' if self.local else f'account {self.account}'}, {self.region}"
        if self.planned:
            head = (
                f"Of {what} in {where} would be deleted:" if self.deleted else f"Nothing of {what} is left in {where}."
            )
            lines = [head, *(f"  {one}" for one in self.deleted)]
        else:
            gone = f"deleted {len(self.deleted)} resources" if self.deleted else "nothing to delete"
            lines = [f"{what} in {where}: {gone}."]
        if self.kept:
            lines += ["Kept:", *(f"  {one.what}: {one.why}" for one in self.kept)]
        return "\n".join([*lines, self.next] if self.next else lines)


def destroy(
    service_dir: Path,
    *,
    environment: str | None,
    profile: str | None,
    plan: bool,
    confirm: Callable[[str], bool],
    console: Console,
) -> DestroyResult:
    """Take a service, or one environment, out of its account.

    Args:
        service_dir: The service's directory.
        environment: The one environment to take away; None for everything.
        profile: The AWS profile to use; None for the standard configuration chain.
        plan: Change nothing, and list what would be deleted.
        confirm: Asked with the service's name before anything is deleted; false stops it.
        console: Where progress goes.

    Returns:
        What was deleted and what was kept.

    Raises:
        UsageError: No such environment.
        ScaffoldError: Something has to be mended first; a repetition goes on from there.
    """
    service = read(service_dir)
    preflight.check_repository(service)
    try:
        account = connect(service, profile)
        console.step(f"Signed in to {account.title} as {account.caller}")
        return _destroy(account, service, environment, plan, confirm, console)
    except (BotoCoreError, ClientError) as error:
        raise translate(error) from error
    except KeyboardInterrupt as interruption:
        raise Interrupted(
            "Stopped watching; whatever AWS has begun to delete it goes on deleting.",
            f"`{service.enter} && scaffold destroy` finishes the rest.",
        ) from interruption


def _destroy(
    account: Account,
    service: Service,
    environment: str | None,
    plan: bool,
    confirm: Callable[[str], bool],
    console: Console,
) -> DestroyResult:
    teardown.check_ownership(account, service)
    found = take(account, service)
    environments, whole = _chosen(service, found, environment), environment is None
    lines = teardown.listing(account, service, found, environments, whole)
    if plan or not lines:
        if environment and not plan:  # it may not be there yet: then it shall not come either
            for stage in pipelines.stop(account, service.app_name, environment):
                console.step(f"Pipeline stage {stage}: closed")
        return _result(account, service, environment, lines, (), planned=plan)
    if not console.json:
        console.warn(f"This deletes from {account.title}, for good:")
        for line in lines:
            console.note(line)
    if not confirm(service.app_name):
        raise ScaffoldError(
            "Nothing was deleted: the service's name was not confirmed.",
            f"Run it again and type {service.app_name}, or give --yes.",
        )
    report = teardown.tear_down(account, service, found, environments, whole=whole, console=console)
    return _result(account, service, environment, report.deleted, tuple(report.kept), planned=False)


def _chosen(service: Service, found: Inventory, environment: str | None) -> tuple[str, ...]:
    if environment is None:
        return tuple(found.environments)
    if environment not in found.environments:
        raise UsageError(
            f"{service.app_name} has no environment {environment!r}.",
            f"Its environments are {', '.join(found.environments)}.",
        )
    return (environment,)


def _result(
    account: Account,
    service: Service,
    environment: str | None,
    deleted: list[str],
    kept: tuple[Kept, ...],
    *,
    planned: bool,
) -> DestroyResult:
    return DestroyResult(
        service=service.app_name,
        account=account.id,
        region=account.region,
        local=account.local,
        environment=environment,
        planned=planned,
        deleted=tuple(deleted),
        kept=kept,
        next=_next(service, environment) if not planned else "",
    )


def _next(service: Service, environment: str | None) -> str:
    if environment is None or environment not in service.environments:
        return ""
    rest = ",".join(name for name in service.environments if name != environment)
    if not rest:
        return f"{environment} was the only environment: `scaffold destroy` takes away the rest of the service."
    return (
        f"Now take {environment} out of the answers, or the pipeline waits at its closed stage:\n"
        f"  copier update --defaults --vcs-ref=:current: --data environments={rest}\n"
        "then commit and push. To have it back after all, `scaffold deploy` opens the stage again."
    )
