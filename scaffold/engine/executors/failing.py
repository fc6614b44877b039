"""An action that fails on request, whatever it would do."""

from __future__ import annotations

from collections.abc import Mapping

from scaffold.engine.pipeline.jobs import Executor, Failed, Job, Outcome


def with_failing_action(executors: Mapping[str, Executor], failing: str) -> dict[str, Executor]:
    """Executors by provider, of which one action of every pipeline fails.

    Args:
        failing: The action, as STAGE/ACTION.
    """
    return {provider: _FailingAction(executor, failing) for provider, executor in executors.items()}


class _FailingAction:
    """Fails the action each time it is executed, also in a retry or a rollback, and executes everything else."""

    def __init__(self, executor: Executor, failing: str) -> None:
        self._executor = executor
        self._failing = failing

    def __call__(self, job: Job) -> Outcome:
        assignment = job.assignment
        # A rule of the stage's conditions may have the action's name.
        is_action = "actionTypeId" in assignment.declaration
        name = f"{assignment.stage}/{assignment.declaration['name']}"
        if is_action and name.casefold() == self._failing.casefold():
            return Failed("JobFailed", f"{name} was requested to fail")
        return self._executor(job)
