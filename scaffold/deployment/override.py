"""Overriding a condition that blocks a release, such as a deployment window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.aws import pipeline_state
from scaffold.aws.cloudformation.stacks import find_all
from scaffold.aws.errors import code_of, translate
from scaffold.aws.pipeline_state import ConditionState, StageState
from scaffold.aws.session import Session, signed_in
from scaffold.console.console import Console, one_line
from scaffold.core.errors import Interrupted, ScaffoldError, UsageError
from scaffold.core.results import Result
from scaffold.core.target import Target
from scaffold.deployment.approval import LONGEST_MESSAGE
from scaffold.deployment.ownership import check_stacks
from scaffold.service import identity, names
from scaffold.service.service import Service

_CHANGED = {"ConditionNotOverridableException", "ConflictException", "NotLatestPipelineExecutionException"}


@dataclass(frozen=True)
class BlockedRelease:
    """A release that a condition blocks.

    Attributes:
        execution: The id of the pipeline execution.
        commit: None where CodePipeline does not say.
    """

    stage: str
    execution: str
    commit: str | None
    condition: ConditionState


@dataclass(frozen=True)
class OverrideResult(Result):
    """A condition that was overridden.

    Attributes:
        told: Whether the notification topic has a message about it.
        not_told: Why it has none; None where it has.
    """

    command: ClassVar[str] = "override"

    service: str
    account: str
    region: str
    local: bool
    reason: str
    release: BlockedRelease
    told: bool
    not_told: str | None


def override(
    service: Service,
    target: Target,
    *,
    stage: str,
    reason: str,
    execution: str | None,
    confirm: Callable[[BlockedRelease], bool],
    console: Console,
) -> OverrideResult:
    """Override the condition that blocks a release before or after a stage.

    The reason is recorded first, as a comment on the commit, or as a message where CodePipeline names no commit: an
    override that CodePipeline then refuses does less harm than one that is recorded nowhere.

    Args:
        stage: The stage, or its environment.
        reason: What the team reads about it.
        execution: The id of the pipeline execution that it has to be; None for any.
        confirm: Called with the release; false cancels.

    Raises:
        UsageError: No such stage, or the reason is missing or too long.
        ScaffoldError: No condition blocks the stage, another release is there, the reason cannot be recorded, or
            another service of the same name is deployed.
    """
    reason = one_line(reason)
    if not 1 <= len(reason) <= LONGEST_MESSAGE:
        raise UsageError(
            f"The reason has {len(reason)} characters.", f"Give one of 1 to {LONGEST_MESSAGE} with `--reason`."
        )
    root_commit = identity.root_commit(service)
    try:
        with signed_in(service, target, console) as session:
            stacks = find_all(session)
            check_stacks(service, root_commit, stacks.values(), "scaffold override")
            release = _blocked(session, service, stage, execution)
            if not confirm(release):
                raise ScaffoldError("Nothing was overridden.", "Run the same command again to override the condition.")
            text = _text(session, service, release, reason)
            if release.commit:
                session.client("codecommit").post_comment_for_compared_commit(
                    repositoryName=names.repository(service.app_name), afterCommitId=release.commit, content=text
                )
                _override(session, service, release)
                not_told = _tell(session, service, text)
            else:
                not_told = None
                if failure := _tell(session, service, text):
                    raise ScaffoldError(
                        "Nothing was overridden, since the reason cannot be recorded: CodePipeline names no commit, "
                        f"and the notification topic takes no message: {failure.happened}",
                        failure.remedy,
                    )
                _override(session, service, release)
            return OverrideResult(
                service=service.app_name,
                account=session.account,
                region=session.region,
                local=target.local,
                reason=reason,
                release=release,
                told=not_told is None,
                not_told=not_told.happened if not_told else None,
            )
    except KeyboardInterrupt as interruption:
        raise Interrupted(
            "Interrupted before the override was confirmed.", "`scaffold status` shows whether the release still waits."
        ) from interruption


def _blocked(session: Session, service: Service, wanted: str, execution: str | None) -> BlockedRelease:
    stages = pipeline_state.stages(session, service.app_name)
    stage = next((one for one in stages if one.name.casefold() == wanted.casefold()), None)
    if stage is None:
        raise UsageError(
            f"The pipeline of {service.app_name} has no stage {wanted!r}.",
            f"Its stages are {', '.join(one.name for one in stages)}.",
        )
    condition = next((one for one in stage.conditions if one.blocks), None)
    if condition is None or stage.status not in ("InProgress", "Failed"):
        raise ScaffoldError(
            f"No condition blocks the stage {stage.name} of {service.app_name} in {session.title}.",
            "`scaffold status` shows what the pipeline is doing.",
        )
    if execution and execution != stage.execution:
        raise ScaffoldError(
            f"The execution {execution} is not in the stage {stage.name}, but {stage.execution} is.",
            "Look at that release first: run the same command without `--yes` and `--execution` on a terminal.",
        )
    return BlockedRelease(stage.name, str(stage.execution), _commit(session, service, stage), condition)


def _commit(session: Session, service: Service, stage: StageState) -> str | None:
    found = pipeline_state.latest_executions(session, service.app_name)
    return next((one.commit for one in found if one.id == stage.execution), None)


def _text(session: Session, service: Service, release: BlockedRelease, reason: str) -> str:
    return (
        f"{session.caller} overrides the condition {release.condition.when} the stage {release.stage} of "
        f"{service.app_name} for the execution {release.execution}: {reason}"
    )


def _override(session: Session, service: Service, release: BlockedRelease) -> None:
    try:
        session.client("codepipeline").override_stage_condition(
            pipelineName=names.pipeline(service.app_name),
            stageName=release.stage,
            pipelineExecutionId=release.execution,
            conditionType=release.condition.kind,
        )
    except ClientError as error:
        if code_of(error) not in _CHANGED:
            raise
        raise ScaffoldError(
            f"The condition no longer blocks the stage {release.stage}, or cannot be overridden.",
            "`scaffold status` shows what the pipeline is doing; a comment on the commit says that you have tried.",
        ) from error


def _tell(session: Session, service: Service, text: str) -> ScaffoldError | None:
    """Send the text to the notification topic, and return why this is not possible."""
    topic = (
        f"arn:{session.partition}:sns:{session.region}:{session.account}:{names.notification_topic(service.app_name)}"
    )
    try:
        session.client("sns").publish(TopicArn=topic, Message=text)
    except (BotoCoreError, ClientError) as error:
        return translate(error)
    return None
