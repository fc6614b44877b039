"""Whatever happens in whatever order, a pipeline never gets stuck, and never does two things in one stage."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scaffold.engine.pipeline.jobs import Succeeded
from scaffold.engine.pipeline.machine import step
from scaffold.engine.pipeline.messages import (
    ActionEnded,
    Approve,
    EndJob,
    Message,
    Override,
    Refused,
    Retry,
    Rollback,
    RuleEnded,
    RunAction,
    RunRule,
    SetTransition,
    Start,
    Stop,
    Update,
)
from scaffold.engine.pipeline.state import RUNNING, Declaration, Execution, PipelineState
from tests.engine.pipeline.driver import BROKEN, action, condition, pipeline, stage

OUTCOMES = st.sampled_from([Succeeded(written=("Source",), variables={"CommitId": "abc"}), BROKEN])
FAILURES: list[dict[str, Any]] = [
    {},
    {"onFailure": {"result": "ROLLBACK"}},
    {"onFailure": {"result": "RETRY", "retryConfiguration": {"retryMode": "FAILED_ACTIONS"}}},
    {"onFailure": {"result": "RETRY", "retryConfiguration": {"retryMode": "ALL_ACTIONS"}}},
    condition("onFailure", "ROLLBACK", "f"),
]
ENTRIES: list[dict[str, Any]] = [{}, condition("beforeEntry", "FAIL", "a", "b"), condition("beforeEntry", "SKIP", "a")]
SUCCESSES: list[dict[str, Any]] = [{}, condition("onSuccess", "FAIL", "s"), condition("onSuccess", "ROLLBACK", "s")]
NAMES = ("First", "Second", "Third")


@st.composite
def stages(draw: Any) -> list[dict[str, Any]]:
    made = []
    for name in NAMES[: draw(st.integers(1, 3))]:
        orders = draw(st.lists(st.integers(1, 2), min_size=1, max_size=3))
        actions = [action(f"A{index}", order, draw(PROVIDERS)) for index, order in enumerate(orders)]
        kinds = [draw(st.sampled_from(kind)) for kind in (FAILURES, ENTRIES, SUCCESSES)]
        made.append(stage(name, *actions, **kinds[0], **kinds[1], **kinds[2]))
    return made


PROVIDERS = st.sampled_from(["CloudFormation", "Manual"])


def in_progress(execution: Execution) -> set[str]:
    """The actions and rules of an execution that are in progress."""
    rules = [rule for run in execution.stages.values() for one in run.conditions.values() for rule in one.rules]
    found = [one.identifier for one in execution.actions if one.status == "InProgress"]
    return {*found, *(rule.identifier for rule in rules if rule.status == "InProgress")}


class World:
    """A pipeline, and the jobs that it has started."""

    def __init__(self, state: PipelineState) -> None:
        self.state = state
        self.jobs: dict[str, Any] = {}
        self.started = 0

    def tell(self, message: Message) -> None:
        before = repr(self.state)
        try:
            state, effects = step(self.state, message, 1000.0)
        except Refused:
            assert repr(self.state) == before
            return
        assert repr(self.state) == before
        self.state = state
        for effect in effects:
            if isinstance(effect, RunAction | RunRule):
                self.jobs[effect.assignment.identifier] = effect
            elif isinstance(effect, EndJob):
                self.jobs.pop(effect.identifier, None)
        if isinstance(message, RuleEnded):
            self.jobs.pop(message.rule, None)
        self.check()

    def check(self) -> None:
        """What is true of every pipeline at every moment."""
        executions = list(self.state.executions.values())
        for name in ("Source", *NAMES):
            runs = [one.stages[name].status for one in executions if one.running and name in one.stages]
            assert sum(status in RUNNING for status in runs) <= 1, name
        working = {identifier for one in executions for identifier in in_progress(one)}
        assert working == set(self.jobs)
        for one in executions:
            if not one.running:
                assert not in_progress(one)
                assert not one.waiting
                assert all(run.status not in RUNNING for run in one.stages.values())
            elif one.waiting:
                name = one.stage["name"]
                assert self.closed(name) or self.occupied(name), f"nothing keeps an execution out of {name}"
            else:
                assert in_progress(one), "an execution in a stage does nothing"

    def closed(self, name: str) -> bool:
        names = [one["name"] for one in self.state.declaration.stages]
        before = names[names.index(name) - 1] if names.index(name) else ""
        return (name, "Inbound") in self.state.transitions or (before, "Outbound") in self.state.transitions

    def occupied(self, name: str) -> bool:
        executions = [one for one in self.state.executions.values() if one.running and name in one.stages]
        return any(one.stages[name].status in RUNNING for one in executions)

    def start(self) -> None:
        self.started += 1
        self.tell(Start(f"00000000-0000-0000-0000-{self.started:012}", "StartPipelineExecution"))

    def end(self, identifier: str, outcome: Any) -> None:
        """Let a job end, an approval by its answer."""
        assignment = self.jobs[identifier].assignment
        if isinstance(self.jobs[identifier], RunRule):
            self.tell(RuleEnded(assignment.execution, assignment.stage, identifier, outcome))
        elif assignment.token:
            approved = isinstance(outcome, Succeeded)
            name = assignment.declaration["name"]
            self.tell(Approve(assignment.stage, name, assignment.token, approved, "seen"))
        else:
            self.tell(ActionEnded(assignment.execution, identifier, outcome))


def happen(world: World, data: Any) -> None:
    """One thing that may happen."""
    kinds = ["start", "end", "end", "end", "stop", "retry", "rollback", "override", "transition", "update"]
    kind = data.draw(st.sampled_from(kinds))
    names = [one["name"] for one in world.state.declaration.stages]
    executions = list(world.state.executions)
    if kind == "start" and world.started < 8:
        world.start()
    elif kind == "end" and world.jobs:
        world.end(data.draw(st.sampled_from(sorted(world.jobs))), data.draw(OUTCOMES))
    elif kind == "transition":
        directions = st.sampled_from(["Inbound", "Outbound"])
        reason = data.draw(st.sampled_from([None, "why"]))
        world.tell(SetTransition(data.draw(st.sampled_from(names)), data.draw(directions), reason))
    elif kind == "update" and data.draw(st.integers(0, 3)) == 0:
        declaration = world.state.declaration
        world.tell(Update({**declaration, "version": declaration["version"] + 1}))
    elif executions:
        chosen, name = data.draw(st.sampled_from(executions)), data.draw(st.sampled_from(names))
        if kind == "stop":
            world.tell(Stop(chosen, data.draw(st.booleans())))
        elif kind == "retry":
            world.tell(Retry(chosen, name, data.draw(st.sampled_from(["FAILED_ACTIONS", "ALL_ACTIONS"]))))
        elif kind == "override":
            world.tell(Override(chosen, name, data.draw(st.sampled_from(["beforeEntry", "onSuccess"]))))
        elif kind == "rollback":
            world.started += 1
            world.tell(Rollback(f"00000000-0000-0000-0000-{world.started:012}", name, chosen))


@settings(max_examples=15, deadline=None)
@given(stages(), st.sampled_from(["QUEUED", "SUPERSEDED"]), st.data())
def test_a_pipeline_never_gets_stuck(made: list[dict[str, Any]], mode: str, data: Any) -> None:
    world = World(PipelineState("us-east-1", "000000000000", Declaration(pipeline(*made, mode=mode))))
    world.start()
    for _ in range(data.draw(st.integers(0, 40))):
        happen(world, data)
    for name, direction in list(world.state.transitions):
        world.tell(SetTransition(name, direction))
    for _ in range(500):
        if not world.jobs:
            break
        world.end(sorted(world.jobs)[0], Succeeded(written=("Source",)))
    assert not [one for one in world.state.executions.values() if one.running]
