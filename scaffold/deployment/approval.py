"""Approving or rejecting a release that waits in the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from botocore.exceptions import ClientError

from scaffold.aws import build_exports, paused_deployments, pipeline_state, pull_requests, release_records
from scaffold.aws.cloudformation.stacks import Stack, find_all
from scaffold.aws.errors import code_of
from scaffold.aws.pipeline_state import ActionState, StageState
from scaffold.aws.session import Session, signed_in
from scaffold.console.console import Console
from scaffold.core.errors import Interrupted, ScaffoldError, UsageError
from scaffold.core.results import Result
from scaffold.core.target import Target
from scaffold.deployment import approvers
from scaffold.deployment.ownership import check_stacks
from scaffold.deployment.scope import check_environment
from scaffold.deployment.trials import Trial, find_trials
from scaffold.service import history, identity, names
from scaffold.service.history import Commit
from scaffold.service.service import Service
from scaffold.service.stack_kinds import FOUNDATION, StackId

# CodePipeline refuses longer summaries of a decision.
LONGEST_MESSAGE = 512
_DECIDED = {"ApprovalAlreadyCompletedException", "InvalidApprovalTokenException"}


@dataclass(frozen=True)
class WaitingRelease:
    """A release that waits for a decision.

    Attributes:
        stage: The pipeline's stage that it waits in.
        action: The approval action.
        execution: The id of the pipeline execution.
        since: When it began to wait.
        name: What its build has named it; None before the build, and where the build exports no name.
        version: The image's tag; None where the pipeline's build exports none.
        commits: What it has and the last successful release to the approved stage has not, the newest first; None where
            the local clone cannot tell.
        plan: The summary of what it would change; None where no action before the approval exports one.
        pull_request: The number of the pull request whose merge approves it; None where branches do not promote.
        trial: How to try it while it waits; None where its tasks do not run yet.
    """

    stage: str
    action: str
    execution: str
    since: datetime | None
    name: str | None
    version: str | None
    commit: str | None
    commits: tuple[Commit, ...] | None
    plan: str | None
    pull_request: str | None = None
    trial: Trial | None = None


@dataclass(frozen=True)
class Decision(Result):
    """A decision about a release.

    Attributes:
        status: The decision as CodePipeline names it.
        message: What other people read about it.
    """

    status: ClassVar[str]

    service: str
    account: str
    region: str
    local: bool
    message: str
    release: WaitingRelease


@dataclass(frozen=True)
class Approval(Decision):
    """The release continues."""

    command: ClassVar[str] = "approve"
    status: ClassVar[str] = "Approved"


@dataclass(frozen=True)
class Rejection(Decision):
    """The release fails, and the environment stays as it is, or returns to that."""

    command: ClassVar[str] = "reject"
    status: ClassVar[str] = "Rejected"


def decide(
    service: Service,
    target: Target,
    decision: type[Decision],
    *,
    environment: str | None,
    execution: str | None,
    message: str,
    confirm: Callable[[WaitingRelease], bool],
    console: Console,
) -> Decision:
    """Approve or reject the release that waits.

    Args:
        environment: Whose stage it waits in; None for the only one that waits.
        execution: The id of the pipeline execution that it has to be; None for any.
        message: What the others read about the decision.
        confirm: Called with the release; false cancels.

    Raises:
        UsageError: No such environment, or the message is too long.
        ScaffoldError: Nothing waits, several releases wait, another person has decided, the caller may not decide, or
            another service of the same name is deployed.
    """
    check_environment(service, service.environments, environment)
    if len(message) > LONGEST_MESSAGE:
        raise UsageError(
            f"The message has {len(message)} characters; CodePipeline accepts {LONGEST_MESSAGE}.", "Shorten it."
        )
    root_commit = identity.root_commit(service)
    try:
        with signed_in(service, target, console) as session:
            stacks = find_all(session)
            check_stacks(service, root_commit, stacks.values(), f"scaffold {decision.command}")
            approvers.check_caller(service, session.caller, stacks)
            made = decide_in(
                session,
                service,
                decision,
                stacks,
                environment=environment,
                execution=execution,
                message=message,
                confirm=confirm,
                by=session,
            )
    except KeyboardInterrupt as interruption:
        raise Interrupted(
            "Interrupted before the decision was confirmed.", "`scaffold status` shows whether the release still waits."
        ) from interruption
    if made is None:
        raise ScaffoldError("Nothing was decided: the release still waits.", "Run the same command again to decide.")
    return made


def decide_in(
    session: Session,
    service: Service,
    decision: type[Decision],
    stacks: Mapping[str, Stack],
    *,
    environment: str | None,
    execution: str | None,
    message: str,
    confirm: Callable[[WaitingRelease], bool],
    by: Session,
) -> Decision | None:
    """Decide as `decide` does, in a session for stacks that are known to be this service's.

    Args:
        stacks: All stacks by name.
        by: The session that decides.

    Returns:
        The decision; None where it was not confirmed.
    """
    stages = pipeline_state.stages(session, service.app_name)
    trials = find_trials(session, service, stacks)
    stage, action = _waiting(session, service, stages, trials, environment, execution)
    release = _described(session, service, stage, action, _approved_stage(stage, stages))
    if action.token is None:
        release = replace(release, trial=trials[stage.name])
    if not confirm(release):
        return None
    if release.pull_request and decision is Approval:
        pull_requests.merge(by, service.app_name, release.pull_request, str(release.commit))
    if release.trial:
        _end_pause(by, service, release, release.trial, decision, stacks)
    else:
        _put(by, service, release, str(action.token), decision, message)
    if release.pull_request and decision is Rejection:
        pull_requests.close(by, release.pull_request)
    local = session.target.local
    return decision(service.app_name, session.account, session.region, local, message, release)


def _end_pause(
    session: Session,
    service: Service,
    release: WaitingRelease,
    trial: Trial,
    decision: type[Decision],
    stacks: Mapping[str, Stack],
) -> None:
    signs: AbstractContextManager[None] = nullcontext()
    if decision is Approval and release.name:
        bucket = stacks[StackId(FOUNDATION).name(service.app_name)].outputs["ArtifactBucketName"]
        signs = release_records.signed(session, bucket, release.name, trial.environment)
    with signs:
        paused_deployments.end(session, trial.deployment, proceed=decision is Approval)


def _waiting(
    session: Session,
    service: Service,
    stages: Sequence[StageState],
    trials: Mapping[str, Trial],
    environment: str | None,
    execution: str | None,
) -> tuple[StageState, ActionState]:
    wanted = names.stages_of(environment) if environment else None
    waiting = [
        (stage, action)
        for stage in stages
        for action in stage.actions
        if (action.token or (action.name == names.SERVICE_ACTION and stage.name in trials))
        and (wanted is None or stage.name in wanted)
    ]
    if execution and waiting:
        others = [stage.execution for stage, _ in waiting if stage.execution != execution]
        waiting = [one for one in waiting if one[0].execution == execution]
        if not waiting:
            raise ScaffoldError(
                f"The execution {execution} does not wait for approval, but {others[0]} does.",
                "Look at that release first: run the same command without `--yes` and `--execution` on a terminal.",
            )
    if not waiting:
        where = f" for {environment}" if environment else ""
        raise ScaffoldError(
            f"No release of {service.app_name} waits for approval{where} in {session.title}.",
            "`scaffold status` shows what the pipeline is doing.",
        )
    if len(waiting) > 1:
        where = ", ".join(stage.name for stage, _ in waiting)
        raise ScaffoldError(
            f"Several releases wait for approval: in {where}.",
            "Add the environment, or the option `--execution`, to the command.",
        )
    return waiting[0]


def _described(
    session: Session, service: Service, stage: StageState, action: ActionState, approved_stage: str
) -> WaitingRelease:
    execution = str(stage.execution)
    runs = pipeline_state.source_runs(session, service.app_name, execution)
    variables = {run.name: run.variables for run in runs if run.stage == run.name}
    commit = variables.get("Source", {}).get("CommitId")
    last = pipeline_state.last_success(session, service.app_name, approved_stage)
    commits = history.between(service, last.commit, commit) if last and last.commit and commit else None
    summaries = [run.variables["SUMMARY"] for run in runs if "SUMMARY" in run.variables]
    opened = [run for run in runs if run.name == names.PULL_REQUEST_ACTION and _plans_for(run.stage, stage.name)]
    return WaitingRelease(
        stage.name,
        action.name,
        execution,
        action.changed,
        build_exports.name_of(runs),
        build_exports.version_of(runs),
        commit,
        commits,
        summaries[-1] if summaries else None,
        next((number for number in (run.variables.get("NUMBER", "") for run in opened) if number.isdecimal()), None),
    )


def _plans_for(stage: str, approving: str) -> bool:
    return stage.removeprefix("Plan-") == approving.removeprefix("Approve-")


def _approved_stage(stage: StageState, stages: Sequence[StageState]) -> str:
    """The stage that an approval lets a release enter: its own, or the next where its own has nothing else."""
    if len(stage.actions) > 1:
        return stage.name
    following = list(stages)[list(stages).index(stage) + 1 :]
    return following[0].name if following else stage.name


def _put(
    session: Session,
    service: Service,
    release: WaitingRelease,
    token: str,
    decision: type[Decision],
    message: str,
) -> None:
    try:
        session.client("codepipeline").put_approval_result(
            pipelineName=names.pipeline(service.app_name),
            stageName=release.stage,
            actionName=release.action,
            token=token,
            result={"status": decision.status, "summary": message},
        )
    except ClientError as error:
        if code_of(error) not in _DECIDED:
            raise
        if release.pull_request and decision is Approval:
            # The merge has approved it.
            return
        raise ScaffoldError(
            f"The release no longer waits in the stage {release.stage}: it was decided, stopped or replaced meanwhile.",
            "`scaffold status` shows what the pipeline is doing.",
        ) from error
