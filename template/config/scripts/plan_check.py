#!/usr/bin/env python3
"""Stop a release whose environment was changed by others since the release was planned.

    APP_NAME=... ENVIRONMENT_NAME=prod EXECUTION=... IMAGE_URI=... IMAGE_TAG=... STATE=... plan_check.py

Each stack has to be in the state that plan_release.py has recorded, or in the one that this release gives it. With
STAGE, the check is one of that stage, and not of the environment's own. A rollback returns to an older state, and a
retried stage has changed stacks itself: neither is compared. The check fails closed. Exit codes: 0 open, 1 closed by
a change, 2 usage error, 3 closed because a state could not be read.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from aws_calls import call
from aws_cli import Problem
from plan_stacks import Deployed, Source, completed, deployed, plain, policy_of, side_by_side, sources, template_of
from remedies import start_command

OPEN, CLOSED_BY_CHANGE, USAGE_ERROR, CLOSED_UNREAD = 0, 1, 2, 3
VARIABLES = ("APP_NAME", "ENVIRONMENT_NAME", "EXECUTION", "IMAGE_URI", "IMAGE_TAG", "STATE")
ACTION = "PlanCheck"


def exemption(app: str, environment: str, execution: str) -> str:
    """Why the stacks are not compared; an empty text if they are.

    Raises:
        Problem: CodePipeline does not describe the execution.
    """
    chosen = {"pipelineName": app}
    answer = call("codepipeline", "get-pipeline-execution", **chosen, pipelineExecutionId=execution)
    if answer.get("pipelineExecution", {}).get("executionType") == "ROLLBACK":
        return "a rollback returns to an older state"
    chosen_actions: dict[str, Any] = {"filter": {"pipelineExecutionId": execution}}
    actions = call("codepipeline", "list-action-executions", **chosen, **chosen_actions)
    stage = os.environ.get("STAGE") or environment[:1].upper() + environment[1:]
    for one in actions.get("actionExecutionDetails", []):
        if (one.get("stageName"), one.get("actionName")) == (stage, ACTION) and one.get("status") != "InProgress":
            return "the stage is retried"
    return ""


def changed_by_others(release: list[Source], planned: dict[str, str], stacks: dict[str, Deployed]) -> list[str]:
    """The names of the stacks that are neither in the planned state nor in the one that this release gives them.

    Raises:
        Problem: A state cannot be read.
    """
    task_definition = stacks["task-definition"].outputs.get("TaskDefinitionArn", "")
    return [
        source.name
        for source in release
        if planned.get(source.kind) != stacks[source.kind].state
        and not _is_released(source, stacks[source.kind], task_definition)
    ]


def _is_released(source: Source, stack: Deployed, task_definition: str) -> bool:
    """Whether a stack is in the state that this release gives it."""
    given = completed(source, stack, task_definition)
    declared = call("cloudformation", "validate-template", TemplateBody=source.template).get("Parameters", [])
    parameters = {one["ParameterKey"]: given.get(one["ParameterKey"], one.get("DefaultValue", "")) for one in declared}
    return (
        stack.parameters == parameters
        and source.tags in (None, stack.tags)
        and template_of(source) == plain(source.template)
        and (source.policy is None or policy_of(source) == source.policy)
    )


def main() -> int:
    given = {name: os.environ.get(name, "") for name in VARIABLES}
    if missing := [name for name, value in given.items() if not value]:
        print(f"Set {', '.join(missing)}.", file=sys.stderr)
        return USAGE_ERROR
    app, environment, execution = given["APP_NAME"], given["ENVIRONMENT_NAME"], given["EXECUTION"]
    try:
        image = given["IMAGE_URI"], given["IMAGE_TAG"]
        release = sources(app, environment, *image, protect=os.environ.get("PROTECT", ""))
        stacks = dict(zip((one.kind for one in release), side_by_side(deployed, release), strict=True))
        planned = dict(part.partition("=")[::2] for part in given["STATE"].split(","))
        differs = any(planned.get(kind) != stack.state for kind, stack in stacks.items())
        if differs and (why := exemption(app, environment, execution)):
            print(f"Plan check open: not compared with the plan, since {why}.")
            return OPEN
        changed = changed_by_others(release, planned, stacks)
    except Problem as problem:
        print(f"Plan check closed: {problem}.", file=sys.stderr)
        return CLOSED_UNREAD
    if not changed:
        print(f"Plan check open: the stacks of {environment} are as they were planned.")
        return OPEN
    print(
        f"Plan check closed: {', '.join(changed)} changed after this release was planned; plan it again with"
        f" `{start_command(app)}`.",
        file=sys.stderr,
    )
    return CLOSED_BY_CHANGE


if __name__ == "__main__":
    sys.exit(main())
