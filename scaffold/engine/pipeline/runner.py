"""Drives one pipeline: applies what happens to its state, and executes what the model asks for, in threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from scaffold.engine.clock import Clock
from scaffold.engine.events import EventStream
from scaffold.engine.pipeline.jobs import Assignment, Executor, Failed, Job, Outcome, Progress
from scaffold.engine.pipeline.machine import step
from scaffold.engine.pipeline.messages import (
    ActionEnded,
    ActionProgressed,
    Announce,
    Effect,
    EndJob,
    Message,
    RuleEnded,
    RunAction,
    RunRule,
)
from scaffold.engine.pipeline.state import PipelineState


class Runner:
    """One pipeline while it runs. May be used from any thread; none of its methods waits for an action.

    Args:
        state: The pipeline without executions.
        executors: The executors by provider, of actions and of rules.
        stream: Where state changes are published.
    """

    def __init__(
        self, state: PipelineState, executors: Mapping[str, Executor], clock: Clock, stream: EventStream
    ) -> None:
        self._state = state
        self._executors = executors
        self._clock = clock
        self._stream = stream
        self._lock = threading.RLock()
        self._jobs: dict[str, threading.Event] = {}
        self._stopped = False

    @property
    def state(self) -> PipelineState:
        """The state now. It is never changed, only replaced."""
        return self._state

    def tell(self, message: Message) -> PipelineState:
        """Let something happen, and return the state after it.

        Raises:
            Refused: A request that CodePipeline's API refuses.
        """
        with self._lock:
            self._state, effects = step(self._state, message, self._clock.now())
            for effect in effects:
                self._perform(effect)
            return self._state

    def stop(self) -> None:
        """End all jobs: whatever they still report changes nothing."""
        with self._lock:
            self._stopped = True
            for ended in self._jobs.values():
                ended.set()

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Announce():
                self._stream.publish(effect.event)
            case EndJob():
                ended = self._jobs.pop(effect.identifier, None)
                if ended:
                    ended.set()
            case RunAction():
                provider = effect.assignment.declaration["actionTypeId"]["provider"]
                self._begin(effect.assignment, provider, "ActionConfigurationError", self._end_action)
            case RunRule():
                provider = effect.assignment.declaration["ruleTypeId"]["provider"]
                self._begin(effect.assignment, provider, "RuleConfigurationError", self._end_rule)

    def _begin(
        self, assignment: Assignment, provider: str, unknown: str, end: Callable[[Assignment, Outcome], None]
    ) -> None:
        ended = self._jobs[assignment.identifier] = threading.Event()

        def report(progress: Progress) -> None:
            if not ended.is_set():
                self.tell(ActionProgressed(assignment.execution, assignment.identifier, progress))

        def work() -> None:
            outcome = self._execute(provider, unknown, Job(assignment, ended, report))
            with self._lock:
                if not self._stopped:
                    end(assignment, outcome)

        threading.Thread(target=work, name=f"{assignment.stage}/{assignment.declaration['name']}", daemon=True).start()

    def _execute(self, provider: str, unknown: str, job: Job) -> Outcome:
        executor = self._executors.get(provider)
        if executor is None:
            return Failed(unknown, f"not rehearsed: the provider {provider}")
        try:
            return executor(job)
        except Exception as error:  # An action must end, whatever happens.
            return Failed("InternalError", f"{type(error).__name__}: {error}")

    def _end_action(self, assignment: Assignment, outcome: Outcome) -> None:
        self.tell(ActionEnded(assignment.execution, assignment.identifier, outcome))

    def _end_rule(self, assignment: Assignment, outcome: Outcome) -> None:
        self.tell(RuleEnded(assignment.execution, assignment.stage, assignment.identifier, outcome))
        self._jobs.pop(assignment.identifier, None)
