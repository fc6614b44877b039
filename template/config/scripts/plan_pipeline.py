"""The pipeline around the plan of a release: the release before it, and those that wait for approval."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from aws_calls import call
from aws_cli import Problem, Refused
from remedies import start_command

BUSY = {"InProgress", "Stopping"}
ENDED_MEANWHILE = {"PipelineExecutionNotStoppableException", "DuplicatedStopRequestException"}
NEWEST_EXECUTIONS = 100
LONGEST_REASON = 200


@dataclass(frozen=True)
class Pipeline:
    """The pipeline, seen from the execution that plans a release to an environment."""

    name: str
    environment: str
    execution: str

    @property
    def stage(self) -> str:
        """The stage that deploys to the environment."""
        return self.environment[:1].upper() + self.environment[1:]

    def wait_for_turn(self, pause: Callable[[], None]) -> object:
        """Wait until no other release is in the environment's stage.

        Args:
            pause: Called between two looks.

        Returns:
            What the stage has run so far; it differs once another release has run.
        """
        return self._runs(self._free_stages(pause))

    def stop_older_approvals(self, commit: str, pause: Callable[[], None]) -> object:
        """Stop the older releases that wait to enter this environment's stages: this one has all of their commits.

        Args:
            commit: The commit of this release.
            pause: As in `wait_for_turn`.

        Returns:
            As `wait_for_turn`: from then on, only this release or a newer one is approved and enters the stage.
        """
        while True:
            stages = self._free_stages(pause)
            waiting = self._waiting(stages)
            newer = self._newer() if waiting else set()
            older = [execution for execution in waiting if execution not in newer]
            if not older:
                return self._runs(stages)
            for execution in older:
                # It may have entered the stage since: what has begun in production is not abandoned.
                if execution in self._waiting(self._stages()):
                    self._stop(execution, commit)
            pause()

    def _free_stages(self, pause: Callable[[], None]) -> dict[str, dict[str, Any]]:
        """The stages by their names, once no other release is in the environment's stage."""
        told = ""
        while True:
            stages = self._stages()
            occupant = next((one for state in self._own(stages) for one in self._occupants(state)), "")
            if not occupant:
                return stages
            if occupant != told:
                print(f"Waiting for the release {occupant} to leave the stage {self.stage}.", flush=True)
                told = occupant
            pause()

    def _occupants(self, state: dict[str, Any]) -> Iterator[str]:
        """The other executions that are in a stage, or are about to enter it."""
        if _waits_for_window(state):
            return
        # A release that waits for a disabled transition or a deployment window may wait for days.
        enabled = state.get("inboundTransitionState", {}).get("enabled", True)
        yield from self._others(state if enabled else {**state, "inboundExecutions": []})

    def _own(self, stages: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
        """The stages that deploy to the environment: that of its data, if it has one, and its own."""
        return [stages[name] for name in (f"Data-{self.stage}", self.stage) if name in stages]

    def _runs(self, stages: dict[str, dict[str, Any]]) -> object:
        """What the stages that deploy to the environment have run last."""
        return [_runs(state) for state in self._own(stages)]

    def _waiting(self, stages: dict[str, dict[str, Any]]) -> list[str]:
        """The other executions that wait for the approval or the deployment window of this environment."""
        before = [stages[f"Approve-{self.stage}"], *filter(_waits_for_window, self._own(stages))]
        return [execution for one in before for execution in self._others(one)]

    def _others(self, state: dict[str, Any]) -> Iterator[str]:
        """The other executions that are in a stage, or wait to enter it."""
        latest = state.get("latestExecution", {})
        for one in [*([latest] if latest.get("status") in BUSY else []), *state.get("inboundExecutions", [])]:
            if one.get("pipelineExecutionId") != self.execution:
                yield one["pipelineExecutionId"]

    def _stop(self, execution: str, commit: str) -> None:
        reason = f"The newer release {self.execution} of commit {commit} replaces it."[:LONGEST_REASON]
        print(f"Stopping the release {execution}, which waits to enter {self.stage}: {reason}", flush=True)
        chosen = {"pipelineName": self.name, "pipelineExecutionId": execution}
        try:
            call("codepipeline", "stop-pipeline-execution", **chosen, abandon=True, reason=reason)
        except Refused as refused:
            if refused.code not in ENDED_MEANWHILE:
                raise

    def _newer(self) -> set[str]:
        """The executions that started after this one."""
        answer = call("codepipeline", "list-pipeline-executions", pipelineName=self.name, maxResults=NEWEST_EXECUTIONS)
        found = [one["pipelineExecutionId"] for one in answer.get("pipelineExecutionSummaries", [])]
        return set(found[: found.index(self.execution)] if self.execution in found else found)

    def _stages(self) -> dict[str, dict[str, Any]]:
        """The stages by their names, as long as this execution plans.

        Raises:
            Problem: It was stopped. CodeBuild continues the build of an abandoned execution.
        """
        states = call("codepipeline", "get-pipeline-state", name=self.name).get("stageStates", [])
        stages = {one["stageName"]: one for one in states}
        for wanted in (self.stage, f"Approve-{self.stage}", f"Plan-{self.stage}"):
            if wanted not in stages:
                raise Problem(f"the pipeline {self.name} has no stage {wanted}; restore it with a commit")
        planning = stages[f"Plan-{self.stage}"].get("latestExecution", {})
        if (planning.get("pipelineExecutionId"), planning.get("status")) != (self.execution, "InProgress"):
            raise Problem(
                f"the release {self.execution} has been stopped; unless a newer one has replaced it, run"
                f" `{start_command(self.name)}`"
            )
        return stages


def _runs(state: dict[str, Any]) -> object:
    """What a stage has run last."""
    return [one.get("latestExecution", {}) for one in (state, *state.get("actionStates", []))]


def _waits_for_window(state: dict[str, Any]) -> bool:
    """Whether a release waits for the condition before a stage: nothing of the stage has begun."""
    condition = state.get("beforeEntryConditionState", {}).get("latestExecution", {})
    return bool(condition.get("status") == "InProgress")
