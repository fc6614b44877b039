"""The state that one step builds: copies of the executions that change, and the effects."""

from __future__ import annotations

import copy
from dataclasses import replace

from scaffold.engine.pipeline.announcements import action_event, pipeline_event, stage_event
from scaffold.engine.pipeline.messages import Announce, Effect, EndJob, Refused
from scaffold.engine.pipeline.state import RUNNING, ActionRun, ConditionRun, Execution, PipelineState, StageRun


class Draft:
    """The next state of a pipeline, and what has to be done.

    Args:
        state: The state before, which stays as it is.
        now: Seconds since the epoch.
    """

    def __init__(self, state: PipelineState, now: float) -> None:
        self.state = replace(state, executions=dict(state.executions), transitions=dict(state.transitions))
        self.now = now
        self.effects: list[Effect] = []
        self._own: set[str] = set()

    def execution(self, identifier: str) -> Execution:
        """An execution, to be changed.

        Raises:
            Refused: It does not exist.
        """
        if identifier not in self.state.executions:
            message = f"There is no pipeline execution with ID '{identifier}'"
            raise Refused("PipelineExecutionNotFoundException", message)
        if identifier not in self._own:
            self.state.executions[identifier] = copy.deepcopy(self.state.executions[identifier])
            self._own.add(identifier)
        return self.state.executions[identifier]

    def add(self, execution: Execution) -> None:
        """Add a new execution."""
        self.state.executions[execution.identifier] = execution
        self._own.add(execution.identifier)

    def running(self) -> list[Execution]:
        """The executions that have not ended, to be changed, the oldest first."""
        return [self.execution(one.identifier) for one in list(self.state.executions.values()) if one.running]

    def next(self) -> int:
        """The next place in the pipeline's history."""
        self.state.sequence += 1
        return self.state.sequence

    def occupant(self, stage: str) -> Execution | None:
        """The execution that a stage executes now."""
        for execution in self.state.executions.values():
            if execution.running and stage in execution.stages and execution.stages[stage].status in RUNNING:
                return execution
        return None

    def set_status(self, execution: Execution, status: str, summary: str = "", resumed: bool = False) -> None:
        """Change the status of an execution, and announce it."""
        execution.status, execution.summary, execution.updated = status, summary, self.now
        self.effects.append(Announce(pipeline_event(self.state, execution, self.now, resumed)))

    def set_stage_status(self, execution: Execution, run: StageRun, status: str, resumed: bool = False) -> None:
        """Change the status of a stage, and announce it. No event exists for a skipped stage."""
        run.status, execution.updated = status, self.now
        if status != "Skipped":
            event = stage_event(self.state, execution, run.stage, status, self.now, resumed)
            self.effects.append(Announce(event))

    def set_action_status(self, execution: Execution, action: ActionRun, status: str) -> None:
        """Change the status of an action, and announce it."""
        action.status, action.updated, execution.updated = status, self.now, self.now
        self.effects.append(Announce(action_event(self.state, execution, action, self.now)))
        if status != "InProgress":
            self.effects.append(EndJob(action.identifier))

    def end_work(self, execution: Execution, stage_status: str) -> None:
        """Abandon the actions and rules of an execution, and give its current stage a last status."""
        for action in execution.actions:
            if action.status == "InProgress":
                self.set_action_status(execution, action, "Abandoned")
        for run in execution.stages.values():
            if run.status not in RUNNING:
                continue
            if run.checking:
                condition = run.conditions[run.checking]
                condition.status, run.checking = "Abandoned", ""
                self.abandon_rules(condition)
            self.set_stage_status(execution, run, stage_status)
        execution.waiting = False

    def abandon_rules(self, condition: ConditionRun) -> None:
        """Abandon the rules of a condition that are evaluated."""
        for rule in condition.rules:
            if rule.status == "InProgress":
                rule.status, rule.updated = "Abandoned", self.now
                self.effects.append(EndJob(rule.identifier))
