"""Rolling an environment back: a deployment under way, or a release that has ended.

In production, the transition into the first of its stages is disabled: the next release would undo the rollback
otherwise. A release that was planned before the rollback is stopped by the check of its plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.aws import codepipeline, pipeline_state, running_service, service_deployments
from scaffold.aws.cloudformation.stacks import find_all
from scaffold.aws.errors import code_of, message_of
from scaffold.aws.pipeline_state import StageState
from scaffold.aws.session import Session, signed_in
from scaffold.console.console import Console
from scaffold.core.errors import Interrupted, ScaffoldError
from scaffold.core.results import Result
from scaffold.core.signals import deferred_signals
from scaffold.core.target import Target
from scaffold.deployment.ownership import check_stacks
from scaffold.deployment.releases import SUCCEEDED, PastRelease, past_releases
from scaffold.deployment.rollback_targets import before, has_version, last_success, of_others, original, originals
from scaffold.deployment.scope import check_environment, command_for
from scaffold.service import history, identity, names
from scaffold.service.service import Service

STOP, RELEASE_AGAIN = "stop-deployment", "release-again"
_BUSY = "ConflictException"
_NOT_ELIGIBLE = {"UnableToRollbackStageException", "PipelineExecutionOutdatedException"}


@dataclass(frozen=True)
class RollbackPlan:
    """What a rollback does.

    Attributes:
        stage: The pipeline's stage for the environment.
        action: `stop-deployment` for an ECS deployment under way, which ECS rolls back itself; `release-again` for an
            earlier release, with which the pipeline runs the stage again.
        deployment: The ARN of the deployment under way.
        disables: The stage into which the transition is disabled; None where it stays as it is.
    """

    environment: str
    stage: str
    action: str
    deployment: str | None
    target: PastRelease | None
    disables: str | None


@dataclass(frozen=True)
class RollbackResult(Result):
    """A rollback that has begun.

    Attributes:
        execution: The id of the pipeline execution that runs the stage again; None for a deployment under way.
    """

    command: ClassVar[str] = "rollback"

    service: str
    account: str
    region: str
    local: bool
    plan: RollbackPlan
    execution: str | None


def rollback(
    service: Service,
    target: Target,
    *,
    environment: str | None,
    version: str | None,
    confirm: Callable[[RollbackPlan], bool],
    console: Console,
) -> RollbackResult:
    """Roll an environment back.

    Args:
        environment: None for production.
        version: The name, version, Git tag or commit to roll back to; None for what ran before.
        confirm: Called with the plan; false cancels.

    Raises:
        UsageError: No such environment.
        ScaffoldError: There is nothing to roll back to, a release is in the stage, or another service of the same name
            is deployed.
    """
    check_environment(service, service.environments, environment)
    chosen = environment or service.production
    root_commit = identity.root_commit(service)
    with signed_in(service, target, console) as session:
        check_stacks(service, root_commit, find_all(session).values(), "scaffold rollback")
        plan = _plan(session, service, chosen, version)
        try:
            confirmed = confirm(plan)
        except KeyboardInterrupt as interruption:
            raise Interrupted(
                "Interrupted before the rollback was confirmed.", "Run the same command again to roll back."
            ) from interruption
        if not confirmed:
            raise ScaffoldError(f"Nothing was rolled back in {chosen}.", "Run the same command again to roll it back.")
        with deferred_signals(), _disabled_transition(session, service, plan):
            execution = _do(session, service, plan)
        return RollbackResult(service.app_name, session.account, session.region, target.local, plan, execution)


def _plan(session: Session, service: Service, environment: str, version: str | None) -> RollbackPlan:
    stages = {stage.name: stage for stage in pipeline_state.stages(session, service.app_name)}
    stage = _stage(service, environment, stages)
    disables = _disables(service, environment, stages)
    cluster = names.cluster(service.app_name, environment)
    under_way = service_deployments.in_progress(session, cluster, cluster)
    if under_way and _is_rolled_back(session, service, stage):
        raise ScaffoldError(f"A rollback of {environment} is under way.", "`scaffold status` shows its end.")
    if under_way and version:
        raise ScaffoldError(
            f"A deployment of {environment} is under way; it has to be rolled back first.",
            f"Leave --to out: `{command_for(session.target, 'scaffold rollback', environment)}`.",
        )
    if under_way:
        return RollbackPlan(environment, stage.name, STOP, under_way[0], None, disables)
    if stage.status in ("InProgress", "Stopping"):
        decide = stage.waits_for_approval
        raise ScaffoldError(
            f"A release is in the stage {stage.name}{' and waits for approval' if decide else ''}.",
            f"Reject it: `{command_for(session.target, 'scaffold reject', environment)}`."
            if decide
            else "Run the same command again when `scaffold status` shows its end, or a deployment in progress.",
        )
    earlier = _target(session, service, environment, version)
    return RollbackPlan(environment, stage.name, RELEASE_AGAIN, None, earlier, disables)


def _is_rolled_back(session: Session, service: Service, stage: StageState) -> bool:
    """Whether the pipeline is releasing an earlier release in a stage: to stop that would undo the rollback."""
    found = pipeline_state.latest_executions(session, service.app_name)
    return any(one.id == stage.execution and one.rollback and one.status == "InProgress" for one in found)


def _disables(service: Service, environment: str, stages: Mapping[str, StageState]) -> str | None:
    """The stage into which the transition has to be disabled."""
    if service.environments.index(environment) < service.environments.index(service.production):
        return None
    name = next(name for name in names.stages_of(environment) if name in stages)
    return name if stages[name].disabled_reason is None else None


def _stage(service: Service, environment: str, stages: Mapping[str, StageState]) -> StageState:
    wanted = names.pipeline_stage(environment)
    if wanted in stages:
        return stages[wanted]
    raise ScaffoldError(
        f"The pipeline of {service.app_name} has no stage {wanted} yet.",
        "`scaffold status` shows the stages of the pipeline.",
    )


def _target(session: Session, service: Service, environment: str, version: str | None) -> PastRelease:
    """The release to roll back to: the newest one with a version, or the one before that which is in effect.

    Raises:
        ScaffoldError: There is none, or CodePipeline does not roll back to it.
    """
    eligible = pipeline_state.succeeded(session, service.app_name, names.pipeline_stage(environment))
    releases = past_releases(session, service, environment, eligible)
    newest = next(releases, None)
    if newest is None:
        raise ScaffoldError(
            f"No release has reached {environment} of {service.app_name}, as far as CodePipeline remembers.",
            "`scaffold status` shows what the pipeline is doing.",
        )
    in_effect = original(newest) if newest.outcome == SUCCEEDED else None
    if version is None and in_effect and newest.rollback_of:
        earlier = next(of_others(newest, before(originals(newest, releases), in_effect)), None)
    elif version is None:
        earlier = last_success(of_others(newest, releases) if in_effect else releases)
    else:
        earlier = next((one for one in originals(newest, releases) if has_version(one, version)), None)
        if earlier is None:
            raise ScaffoldError(
                f"No release of {environment} with the name, version, tag or commit {version} has succeeded.",
                f"`{command_for(session.target, 'scaffold releases', environment)}` lists the releases.",
            )
        if earlier.execution == in_effect or (in_effect and earlier.name and earlier.name == newest.name):
            raise ScaffoldError(
                f"{earlier.name or earlier.version or version} is what {environment} was released with last.",
                f"`{command_for(session.target, 'scaffold releases', environment)}` lists earlier ones.",
            )
    if earlier is None:
        raise _revert(service, f"No earlier release of {environment} has succeeded", None)
    if earlier.execution not in {one.id for one in eligible}:
        happened = f"CodePipeline does not roll back to {earlier.version or earlier.execution}"
        raise _revert(service, f"{happened}: the pipeline's structure has changed since", earlier.commit)
    return earlier


@contextmanager
def _disabled_transition(session: Session, service: Service, plan: RollbackPlan) -> Iterator[None]:
    """Disable the transition first: a release that waits would enter the stage as soon as it is free.

    Where the rollback enters the same stage, it begins first, and keeps the others out meanwhile.
    """
    app, first = service.app_name, plan.disables != plan.stage
    if plan.disables and first:
        codepipeline.disable_transition(session, app, plan.disables, codepipeline.ROLLBACK_REASON)
    try:
        yield
    except (ScaffoldError, BotoCoreError, ClientError):
        if plan.disables and first:
            codepipeline.enable_transitions(session, app, [plan.disables])
        raise
    if plan.disables and not first:
        codepipeline.disable_transition(session, app, plan.disables, codepipeline.ROLLBACK_REASON)


def _do(session: Session, service: Service, plan: RollbackPlan) -> str | None:
    if plan.target is not None:
        return _release_again(session, service, plan.stage, plan.target)
    if not service_deployments.roll_back(session, str(plan.deployment)):
        deployment = running_service.newest_deployment(session, service.app_name, plan.environment)
        # ECS may have begun the rollback itself, or the answer to an earlier request was lost.
        if deployment is None or not deployment.status.startswith("ROLLBACK"):
            raise ScaffoldError(
                f"The deployment of {plan.environment} has ended meanwhile.",
                "Run the same command again: it shows what can be rolled back now.",
            )
    return None


def _release_again(session: Session, service: Service, stage: str, target: PastRelease) -> str:
    app = service.app_name
    try:
        answer = session.client("codepipeline").rollback_stage(
            pipelineName=names.pipeline(app), stageName=stage, targetPipelineExecutionId=target.execution
        )
    except ClientError as error:
        if code_of(error) != _BUSY and code_of(error) not in _NOT_ELIGIBLE:
            raise
        # The answer to an earlier request may have been lost.
        newest = pipeline_state.latest_executions(session, app)[0]
        if newest.target == target.execution and newest.status == "InProgress":
            return newest.id
        if code_of(error) == _BUSY:
            raise ScaffoldError(
                f"A release has entered the stage {stage} meanwhile.", "`scaffold status` shows what it is doing."
            ) from error
        raise _revert(service, message_of(error).rstrip("."), target.commit) from error
    return str(answer["pipelineExecutionId"])


def _revert(service: Service, happened: str, commit: str | None) -> ScaffoldError:
    """The error where the pipeline cannot roll back: commits that revert the others are released as any commit."""
    commands = history.revert_commands(service, commit)
    if commands is None:
        return ScaffoldError(f"{happened}.", "Run `git switch main && git pull`, then the same command again.")
    return ScaffoldError(f"{happened}.", f"Revert the commits instead, and the pipeline releases that: `{commands}`.")
