"""Whether the release that a deployment causes has started, and has got past the pipeline's update of itself.

EventBridge delivers a push on a best-effort basis, a pipeline that was updated may not restart, and the first stages
of a new pipeline update stacks whose own operation may not have finished.
"""

from __future__ import annotations

import time

from botocore.exceptions import ClientError

from scaffold.aws import pipeline_state
from scaffold.aws.cloudformation.stack_events import pauses
from scaffold.aws.errors import code_of
from scaffold.aws.pipeline_state import ActionRun, Execution
from scaffold.aws.session import Session
from scaffold.console.console import Console
from scaffold.service import names
from scaffold.service.service import Service

# EventBridge delivers a push within seconds, and an updated pipeline restarts as soon; longer means a lost event.
_START_SECONDS = 60
# A stage that waits for a disabled transition or for another release is not waited for.
_SELF_UPDATE_SECONDS = 300
# An update of the pipeline cancels its execution, and starts another one. A person stops one.
_REPLACED, _STOPPED = ("Cancelled", "Superseded"), ("Stopping", "Stopped")
_RETRY_REFUSALS = ("ConflictException", "NotLatestPipelineExecutionException", "StageNotRetryableException")
# What CloudFormation says of a stack that has another operation in progress.
_BUSY = "_IN_PROGRESS state"


class ReleaseStart:
    """The start of the release of a commit."""

    def __init__(self, session: Session, service: Service, commit: str, console: Console) -> None:
        self._session = session
        self._app = service.app_name
        self._commit = commit
        self._console = console
        self._before: set[str] | None = None
        self._earlier_commits: set[str | None] = set()

    def expect(self) -> None:
        """Remember what has started already; to be called before the change that starts a release."""
        executions = self._executions() or []
        self._before = {execution.id for execution in executions}
        self._earlier_commits = {execution.commit for execution in executions} - {self._commit, None}

    def ensure(self) -> None:
        """Wait until the expected release has got past the pipeline's update of itself, if one is expected.

        The pipeline is started where no execution follows, and its failed actions are retried once where they met an
        operation in progress on their stack. Any other failure, and an execution that a person stops, is left to
        `follow` and `scaffold status`.
        """
        if self._before is None:
            return
        wait, retried, started = pauses(), False, False
        begun = no_execution_since = time.monotonic()
        while time.monotonic() - begun < _SELF_UPDATE_SECONDS:
            executions = self._executions()
            if executions is None:
                return
            execution = self._release(executions)
            if execution is None:
                if started or time.monotonic() - no_execution_since < _START_SECONDS:
                    wait()
                    continue
                self._start()
                started = True
            elif execution.status in _STOPPED:
                return
            else:
                no_execution_since = time.monotonic()
                runs = pipeline_state.action_runs(self._session, self._app, execution.id)
                if execution.status == "Failed":
                    if retried or not met_operation_in_progress(runs):
                        return
                    self._retry(execution)
                    retried = True
                elif past_self_update(runs) or waits_at_gate(runs):
                    return
            wait()

    def _executions(self) -> list[Execution] | None:
        """The newest executions; None where there is no pipeline."""
        try:
            return pipeline_state.latest_executions(self._session, self._app)
        except ClientError as error:
            if code_of(error) != "PipelineNotFoundException":
                raise
            return None

    def _release(self, executions: list[Execution]) -> Execution | None:
        """The newest execution since; None where there is none, or where it was replaced by another.

        It may have a later commit, which contains this one.
        """
        return next(
            (
                one
                for one in executions
                if one.id not in (self._before or ())
                and not one.rollback
                and one.status not in _REPLACED
                and one.commit not in self._earlier_commits
            ),
            None,
        )

    def _start(self) -> None:
        self._console.note(f"The pipeline has not started for commit {self._commit[:7]}: starting it")
        self._session.client("codepipeline").start_pipeline_execution(name=names.pipeline(self._app))

    def _retry(self, execution: Execution) -> None:
        self._console.note(f"The stage {names.SELF_UPDATE_STAGE} met an update of its own stack: retrying it")
        try:
            self._session.client("codepipeline").retry_stage_execution(
                pipelineName=names.pipeline(self._app),
                stageName=names.SELF_UPDATE_STAGE,
                pipelineExecutionId=execution.id,
                retryMode="FAILED_ACTIONS",
            )
        except ClientError as error:
            # A person retries it already, a newer execution is in the stage, or the pipeline was updated meanwhile.
            if code_of(error) not in _RETRY_REFUSALS:
                raise


def met_operation_in_progress(runs: list[ActionRun]) -> bool:
    """Whether actions of the pipeline's update of itself failed, because an operation on their stack was in progress.

    Args:
        runs: The newest attempts of one execution.
    """
    failed = [run for run in runs if run.status == "Failed"]
    return bool(failed) and all(run.stage == names.SELF_UPDATE_STAGE and _BUSY in run.reason for run in failed)


def past_self_update(runs: list[ActionRun]) -> bool:
    """Whether an execution has entered a stage after the pipeline's update of itself."""
    before = (names.GATE_STAGE, names.GATE_APPROVAL_STAGE, names.SELF_UPDATE_STAGE)
    return any(run.category != "Source" and run.stage not in before for run in runs)


def waits_at_gate(runs: list[ActionRun]) -> bool:
    """Whether an execution waits for the approval of its changes of the pipeline itself."""
    return any(run.stage == names.GATE_APPROVAL_STAGE and run.status == "InProgress" for run in runs)
