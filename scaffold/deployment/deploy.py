"""Deploying a service, or planning its deployment: both walk the same list of steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from scaffold.aws import console_pages
from scaffold.aws.cloudformation import templates, validation
from scaffold.aws.cloudformation.templates import StackSpec
from scaffold.aws.git_remote import helper_hint
from scaffold.aws.remote_url import outside_url
from scaffold.aws.service_quotas import Quota
from scaffold.aws.session import Session, signed_in
from scaffold.console.console import Console
from scaffold.console.titles import title
from scaffold.core.errors import Interrupted
from scaffold.core.target import Target
from scaffold.deployment.deploy_result import DeployResult, StepResult
from scaffold.deployment.domain_checks import check_domains
from scaffold.deployment.first_run import quotas_too_small
from scaffold.deployment.inventory import left_environments
from scaffold.deployment.left_stack import LeftStack
from scaffold.deployment.network_checks import check_networks
from scaffold.deployment.ownership import check_stacks
from scaffold.deployment.release_start import ReleaseStart
from scaffold.deployment.stack_step import ExistingStacks, StackStep
from scaffold.deployment.step import Pending, Step
from scaffold.deployment.steps import Push, deployment_steps
from scaffold.service import contract, identity, names, preflight
from scaffold.service.service import Service
from scaffold.service.stack_kinds import (
    ALARM_TOPIC,
    FOUNDATION,
    OPTIONAL_KINDS,
    WITH_ROOT_COMMIT,
    WITH_SOURCE_COMMIT,
    StackId,
    deployed_by_pipeline,
    deployed_by_scaffold,
)

_PAST = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
    "none": "up to date",
}


def deploy(
    service: Service, target: Target, *, plan: bool, console: Console, ensure_start: bool = True
) -> DeployResult:
    """Deploy a service's committed files, or with `plan` only find out what that would change.

    Args:
        ensure_start: Wait until the release has started, where the target runs pipelines.

    Raises:
        ScaffoldError: Something has to be fixed first. Finished steps are kept, and a repetition continues after them.
    """
    commit = preflight.deployable_commit(service)
    root_commit = identity.root_of(service, commit)
    contract.check_dockerfile(service)
    specs = _desired_stacks(service, root_commit, commit)
    placeholders = _placeholders(service)
    change_set = names.PLAN_CHANGE_SET if plan else names.DEPLOY_CHANGE_SET
    try:
        with signed_in(service, target, console) as session:
            unasked = OPTIONAL_KINDS - set(service.optional_kinds)
            existing = ExistingStacks(session, service, [StackId(kind).name(service.app_name) for kind in unasked])
            check_stacks(service, root_commit, existing.stacks.values(), "scaffold deploy")
            steps = deployment_steps(
                session,
                service,
                commit,
                root_commit,
                specs,
                placeholders,
                existing,
                change_set=change_set,
                console=console,
            )
            check_domains(session, service, existing.stacks)
            networks = check_networks(session, service, existing.stacks)
            for warning in networks:
                console.warn(warning.sentence)
            ahead = _ReleaseAhead(session, service, commit, existing, console, plan=plan)
            results = _walk(steps, ahead, plan=plan, console=console)
            if ensure_start:
                ahead.ensure_started()
            remote = next((step.remote_name for step in steps if isinstance(step, Push)), None)
            if not plan and (hint := helper_hint()):
                console.note(hint)
            left = left_environments(service, existing.stacks.values())
            result = _result(session, service, commit, results, ahead.quotas, remote, left, notifies=_notifies(specs))
            own_alarms = tuple(name for name in service.environments if service.has(StackId(ALARM_TOPIC, name)))
            stay = tuple(step.left for step in steps if isinstance(step, LeftStack) and step.left)
            waiting = tuple(step.name for step in steps if isinstance(step, StackStep) and step.waiting)
            return replace(result, networks=networks, left_stacks=stay, waiting_stacks=waiting, own_alarms=own_alarms)
    except KeyboardInterrupt as interruption:
        raise Interrupted(
            "Interrupted; operations that AWS has started continue there.",
            f"Run `{service.enter} && scaffold deploy` to continue from their result.",
        ) from interruption


def _desired_stacks(service: Service, root_commit: str, commit: str) -> list[StackSpec]:
    """The stacks as the service's files have them, with the commits, which no file can have: root and deployed one."""
    ids = deployed_by_scaffold(service.environments, service.optional_kinds)
    specs = [templates.load(service, one) for one in ids if service.has(one)]
    deployed = (names.SOURCE_COMMIT, commit)
    given = dict.fromkeys(WITH_ROOT_COMMIT, (names.ROOT_COMMIT, root_commit))
    given |= dict.fromkeys(WITH_SOURCE_COMMIT, deployed)
    return [spec.with_parameter(*given[spec.kind]) if spec.kind in given else spec for spec in specs]


def _placeholders(service: Service) -> dict[StackId, StackSpec]:
    """The stacks of the environments, as they are before their first release."""
    ids = deployed_by_pipeline(service.environments, service.optional_kinds)
    specs = {one: templates.load_placeholder(service, one) for one in ids}
    return {one: spec for one, spec in specs.items() if spec}


class _ReleaseAhead:
    """The release that a deployment starts: what limits it is asked before, and whether it has started after.

    Attributes:
        quotas: Quotas that are too small for the first run of new environments.
    """

    def __init__(
        self, session: Session, service: Service, commit: str, existing: ExistingStacks, console: Console, *, plan: bool
    ) -> None:
        self.quotas: tuple[Quota, ...] = ()
        self._session, self._service, self._existing, self._console = session, service, existing, console
        self._start = None if plan or not session.target.runs else ReleaseStart(session, service, commit, console)
        self._comes = False

    def announce(self) -> None:
        """To be called before each change that starts a release."""
        if self._comes:
            return
        self._comes = True
        self.quotas = quotas_too_small(self._session, self._service, self._existing.stacks, self._console)
        if self._start:
            self._start.expect()

    def ensure_started(self) -> None:
        """Wait for the start of the release, if there is one."""
        if self._start:
            self._start.ensure()


def _walk(steps: list[Step], ahead: _ReleaseAhead, *, plan: bool, console: Console) -> list[StepResult]:
    """Look at every step and, unless it is a plan, do it."""
    results: list[StepResult] = []
    for step in steps:
        step.check()
    for batch in _batches(steps):
        found = [_look(step, ahead, plan=plan) for step in batch]
        if not plan:
            for step, pending in zip(batch, found, strict=True):
                if pending:
                    step.start()
        for step, pending in zip(batch, found, strict=True):
            if plan:
                step.release()
            else:
                _do(step, pending, console)
            results.append(_step_result(step, pending))
    return results


def _batches(steps: list[Step]) -> Iterator[list[Step]]:
    """The steps that are started together, in lists; each other one in a list of its own."""
    for _, batch in groupby(enumerate(steps), key=lambda one: "together" if one[1].together else one[0]):
        yield [step for _, step in batch]


def _look(step: Step, ahead: _ReleaseAhead, *, plan: bool) -> Pending | None:
    if not plan:
        step.wait()
    pending = step.look()
    if pending and step.starts_release(pending):
        ahead.announce()
    return pending


def _step_result(step: Step, pending: Pending | None) -> StepResult:
    if pending is None or step.refused:
        return StepResult(step.type, step.name, "none")
    return StepResult(step.type, step.name, pending.action, pending.changes, pending.warnings)


def _do(step: Step, pending: Pending | None, console: Console) -> None:
    if pending:
        for finding in pending.warnings:
            console.warn(f"CloudFormation's validation warns of {validation.sentence(finding)}.")
        step.do()
    step.finish()
    if step.refused or (step.quiet and not pending):
        return
    what, past = title(step.type, step.name), _PAST[pending.action if pending else "none"]
    console.step(f"{what[:1].upper()}{what[1:]}: {past}")


def _result(
    session: Session,
    service: Service,
    commit: str,
    steps: list[StepResult],
    quotas: tuple[Quota, ...],
    remote: str | None,
    left: tuple[str, ...],
    *,
    notifies: bool,
) -> DeployResult:
    local = session.target.local
    return DeployResult(
        service=service.app_name,
        account=session.account,
        region=session.region,
        local=local,
        commit=commit,
        planned=remote is None,
        steps=tuple(steps),
        quotas=quotas,
        clone_url=names.remote_url(service.app_name, session.region),
        pipeline_url=None if local else console_pages.pipeline(session, service.app_name),
        remote=remote,
        push_profile=outside_url(session),
        left_environments=left,
        notifies=notifies,
        runs=session.target.runs,
    )


def _notifies(specs: list[StackSpec]) -> bool:
    foundation = next(spec for spec in specs if spec.kind is FOUNDATION)
    return bool(foundation.parameters.get("NotificationEmail", "unknown"))
