"""The executors of all providers that are rehearsed."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping

from scaffold.engine.clock import Clock
from scaffold.engine.executors.approval import ManualApproval
from scaffold.engine.executors.artifacts import Artifacts
from scaffold.engine.executors.clients import Clients
from scaffold.engine.executors.cloudformation import CloudFormationAction
from scaffold.engine.executors.cloudwatch_alarm import CloudWatchAlarm
from scaffold.engine.executors.codebuild import CodeBuildAction, Runs, StartBuild
from scaffold.engine.executors.deployment_window import DeploymentWindow
from scaffold.engine.executors.rules import variable_check
from scaffold.engine.executors.source import CodeCommitSource, SourceControl
from scaffold.engine.pipeline.jobs import Executor, Job, Outcome


def executors(
    clients: Clients,
    source: SourceControl,
    clock: Clock,
    start_build: StartBuild | None = None,
    build_runs: Runs | None = None,
) -> dict[str, Executor]:
    """The executors by provider, of actions and of rules.

    Args:
        clients: The AWS clients.
        source: The repositories of CodeCommit.
        clock: Passes the time of approvals, deployment windows and alarms.
        start_build: Starts builds in place of CodeBuild's API.
        build_runs: Tells when a build has ended, so that the API is not asked all the time.
    """
    artifacts = Artifacts(clients)
    return {
        "CodeCommit": CodeCommitSource(source, artifacts),
        "CloudFormation": CloudFormationAction(clients, artifacts),
        "CodeBuild": CodeBuildAction(clients, start_build, build_runs),
        "Manual": ManualApproval(clients, clock),
        "CloudWatchAlarm": CloudWatchAlarm(clients, clock),
        "VariableCheck": variable_check,
        "DeploymentWindow": DeploymentWindow(clock),
    }


def with_roles(make: Callable[[str], Mapping[str, Executor]]) -> dict[str, Executor]:
    """Executors each of which acts with the role of its action.

    Args:
        make: Makes the executors of a role, by provider; those of actions and rules without one for an empty text.
    """
    of_role, lock = functools.cache(make), threading.Lock()

    def executor(provider: str) -> Executor:
        def execute(job: Job) -> Outcome:
            with lock:
                chosen = of_role(job.assignment.role)[provider]
            return chosen(job)

        return execute

    return {provider: executor(provider) for provider in of_role("")}
