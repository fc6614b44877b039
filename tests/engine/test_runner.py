"""The runner of a pipeline: threads, failures of executors, and its end."""

from __future__ import annotations

import threading
import uuid
from typing import Any

from scaffold.engine.clock import Clock
from scaffold.engine.events import EventStream
from scaffold.engine.pipeline.jobs import Failed, Job, Outcome, Progress, Revision, Succeeded
from scaffold.engine.pipeline.messages import Start, Stop, Update
from scaffold.engine.pipeline.runner import Runner
from scaffold.engine.pipeline.state import Declaration, Execution, PipelineState
from tests.engine.conftest import eventually
from tests.engine.pipeline.driver import action, condition, pipeline, stage


def source(job: Job) -> Outcome:
    job.report(Progress("abc"))
    return Succeeded("ok", {"CommitId": "abc"}, ("Source",), Revision("abc", "A commit", "", 1.0))


def waits(job: Job) -> Outcome:
    job.ended.wait()
    return Succeeded()


def breaks(job: Job) -> Outcome:
    raise RuntimeError("out of disk")


def started(conditions: dict[str, Any] | None = None, **executors: object) -> tuple[Runner, str]:
    declaration = pipeline(stage("Deploy", action("A"), **conditions or {}))
    state = PipelineState("us-east-1", "000000000000", Declaration(declaration))
    runner = Runner(state, {"CodeCommit": source} | executors, Clock(), EventStream())  # type: ignore[arg-type]
    identifier = str(uuid.uuid4())
    runner.tell(Start(identifier, "StartPipelineExecution"))
    return runner, identifier


def ended(runner: Runner, identifier: str) -> Execution:
    eventually(lambda: not runner.state.executions[identifier].running)
    return runner.state.executions[identifier]


def test_actions_are_executed_in_threads() -> None:
    runner, identifier = started(CloudFormation=lambda job: Succeeded(threading.current_thread().name))
    execution = ended(runner, identifier)
    assert (execution.status, execution.actions[-1].summary) == ("Succeeded", "Deploy/A")
    assert execution.actions[0].progress.identifier == "abc"


def test_an_executor_that_breaks_fails_its_action() -> None:
    runner, identifier = started(CloudFormation=breaks)
    assert ended(runner, identifier).actions[-1].error == Failed("InternalError", "RuntimeError: out of disk")


def test_a_provider_without_executor_fails_its_action() -> None:
    runner, identifier = started()
    error = Failed("ActionConfigurationError", "not rehearsed: the provider CloudFormation")
    assert ended(runner, identifier).actions[-1].error == error


def test_a_rule_without_executor_does_not_skip_its_stage() -> None:
    skipping = condition("beforeEntry", "SKIP", "r")
    skipping["beforeEntry"]["conditions"][0]["rules"][0]["ruleTypeId"]["provider"] = "LambdaInvoke"
    runner, identifier = started(skipping, CloudFormation=lambda job: Succeeded())
    execution = ended(runner, identifier)
    assert (execution.status, execution.stages["Deploy"].status) == ("Failed", "Failed")
    assert execution.summary == "Rule r: not rehearsed: the provider LambdaInvoke"


def test_the_threads_of_abandoned_actions_end() -> None:
    for how in ("stop", "update", "end"):
        runner, identifier = started(CloudFormation=waits)
        eventually(lambda runner=runner, one=identifier: len(runner.state.executions[one].actions) == 2)
        (thread,) = [one for one in threading.enumerate() if one.name == "Deploy/A"]
        if how == "stop":
            runner.tell(Stop(identifier, abandon=True))
        elif how == "update":
            runner.tell(Update(runner.state.declaration | {"version": 2}))
        else:
            runner.stop()
        thread.join(10)
        assert not thread.is_alive(), how
        assert runner.state.executions[identifier].status == {"stop": "Stopped", "update": "Cancelled"}.get(
            how, "InProgress"
        )
