#!/usr/bin/env python3
"""Compare what runs in each environment with what the pipeline has released there, and tell people of differences.

    APP_NAME=... ARTIFACT_BUCKET=... ENVIRONMENTS="dev prod" NOTIFICATION_TOPIC=arn:... PRODUCTION=prod drift.py

The task definition that the ECS service has is that of its stack, and that of the last release. In production, its
image is that of the release's record, and the release's tag leads to its commit. The branch of an environment in
BRANCHES leads to the commit of its last release. An environment whose release is under way, failed or has never been is
not compared: people know. Nothing is changed. Chat gets the message too where CHAT_TOPIC is set. Exit codes: 0
compared, 1 something could not be compared or people could not be told, 2 usage error.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

from approvals import actions
from aws_calls import call
from aws_cli import Problem, Refused
from release_record import PRODUCTION, find, record_key
from remedies import start_command
from tell_people import tell

COMPARED, FAILED, USAGE_ERROR = 0, 1, 2
VARIABLES = ("APP_NAME", "ARTIFACT_BUCKET", "ENVIRONMENTS", "NOTIFICATION_TOPIC", "PRODUCTION")
BUSY = ("InProgress", "Stopping")
SETTLED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
# A release that starts between two calls looks like a difference, for seconds.
PAUSE_SECONDS = 60
END = (
    "This is told each night until nothing differs. `scaffold status` shows what runs, and `scaffold status --drift`"
    " compares all stacks with the commits."
)


def differences(app: str, environments: list[str]) -> list[str]:
    """What differs now, as one line for each difference.

    Raises:
        Problem: AWS does not describe something.
    """
    states = {one["stageName"]: one for one in call("codepipeline", "get-pipeline-state", name=app)["stageStates"]}
    try:
        return [
            f"- {environment}: {found}"
            for environment in environments
            for found in _in_environment(app, environment, states)
        ]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise Problem(f"an answer of AWS has not the usual form ({error!r}); read the log") from error


def _in_environment(app: str, environment: str, states: dict[str, Any]) -> Iterator[str]:
    title = environment[:1].upper() + environment[1:]
    state = states.get(title, {})
    latest = state.get("latestExecution", {})
    stack = _stack(f"{app}-{environment}-service")
    given = stack.get("parameters", {}).get("TaskDefinitionArn")
    if latest.get("status") in BUSY or stack.get("status") not in SETTLED or not given:
        return
    yield from _service(app, environment, given)
    if latest.get("status") != "Succeeded":
        return
    done = [one for one in actions(app, latest["pipelineExecutionId"]) if one.get("status") == "Succeeded"]
    released = _released(done, title)
    if released and released != given:
        yield (
            f"its stack has the task definition {_name(given)} since {stack['since']}, but the last release has given"
            f" it {_name(released)}. To release again: {start_command(app)}"
        )
    if environment == os.environ["PRODUCTION"]:
        yield from _record(app, given)
    stages = (f"Plan-{title}", f"Approve-{title}", f"Data-{title}", title)
    waiting = any(_is_entered(states.get(one, {})) for one in stages)
    # A rollback leads no branch back, as branches move only forward.
    if environment in os.environ.get("BRANCHES", "").split() and not waiting and latest.get("type") != "ROLLBACK":
        yield from _branch(app, environment, done)


def _is_entered(state: dict[str, Any]) -> bool:
    return state.get("latestExecution", {}).get("status") in BUSY or bool(state.get("inboundExecutions"))


def _stack(name: str) -> dict[str, Any]:
    """Status, parameters and last change of a stack; nothing if there is none."""
    try:
        (found,) = call("cloudformation", "describe-stacks", StackName=name)["Stacks"]
    except Refused as refused:
        if "does not exist" not in refused.message:
            raise
        return {}
    parameters = {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters") or []}
    since = found.get("LastUpdatedTime") or found["CreationTime"]
    return {"status": found["StackStatus"], "parameters": parameters, "since": since}


def _service(app: str, environment: str, given: str) -> Iterator[str]:
    """Whether the ECS service has the task definition of its stack."""
    name = f"{app}-{environment}"
    found = call("ecs", "describe-services", cluster=name, services=[name]).get("services") or [{}]
    if found[0].get("status") != "ACTIVE":
        yield (
            f"the ECS service {name} was deleted. To create it again, execute a change set of the stack"
            f" {name}-service with the deployment mode REVERT_DRIFT"
        )
    elif (runs := found[0]["taskDefinition"]) != given:
        since = next(
            (one["createdAt"] for one in found[0]["deployments"] if one["status"] == "PRIMARY"), "an unknown time"
        )
        command = f"aws ecs update-service --cluster {name} --service {name} --task-definition {given}"
        yield (
            f"the ECS service runs the task definition {_name(runs)} with {_images(runs)} since {since}, but its stack"
            f" has {_name(given)} with {_images(given)}. To return to that: {command}"
        )


def _released(done: list[dict[str, Any]], stage: str) -> str | None:
    """The task definition that an execution has released to a stage; None where CodePipeline does not say it."""
    for one in done:
        if (one.get("stageName"), one.get("actionName")) == (stage, "Service"):
            parameters = json.loads(one["input"]["resolvedConfiguration"].get("ParameterOverrides") or "{}")
            return str(parameters["TaskDefinitionArn"]) if "TaskDefinitionArn" in parameters else None
    return None


def _record(app: str, given: str) -> Iterator[str]:
    """Whether production has the image of its release, and the tag of the release leads to its commit."""
    bucket = os.environ["ARTIFACT_BUCKET"]
    pointer = find(bucket, PRODUCTION)
    record = find(bucket, record_key(pointer["name"])) if pointer else None
    if not pointer or not record or "finished" not in record:
        return
    what = f"the release {record['name']} of commit {record['commit']}, in production since {pointer['since']}"
    if record["image"] not in (images := _images(given)):
        yield f"{what}, has the image {record['image']}, but {images} runs. To release again: {start_command(app)}"
    leads = _commit_of(app, f"refs/tags/{record['tag']}")
    if leads != record["commit"]:
        found = f"leads to {leads}" if leads else "is missing"
        push = f"git push --force origin {record['commit']}:refs/tags/{record['tag']}"
        yield f"the tag {record['tag']} of {what}, {found}. To restore it: {push}"


def _branch(app: str, environment: str, done: list[dict[str, Any]]) -> Iterator[str]:
    """Whether the branch of an environment leads to the commit of its last release."""
    runs = [one for one in done if one.get("stageName") == "Source"]
    leads = _commit_of(app, f"refs/heads/env/{environment}")
    if runs and (commit := runs[0]["output"]["outputVariables"]["CommitId"]) != leads:
        found = f"leads to {leads}" if leads else "is missing"
        yield f"the branch env/{environment} {found}, but the last release is of {commit}. `scaffold status` shows both"


def _commit_of(app: str, reference: str) -> str | None:
    """The commit that a branch or tag leads to; None if there is none."""
    # No call is for tags. This one takes any reference, and says which commit it has read.
    try:
        answer = call("codecommit", "get-folder", repositoryName=app, commitSpecifier=reference, folderPath="/")
    except Refused as refused:
        if refused.code != "CommitDoesNotExistException":
            raise
        return None
    return str(answer["commitId"])


def _images(definition: str) -> str:
    answer = call("ecs", "describe-task-definition", taskDefinition=definition)
    return ", ".join(one["image"] for one in answer["taskDefinition"]["containerDefinitions"])


def _name(definition: str) -> str:
    return definition.rpartition("/")[2]


def main() -> int:
    if missing := [name for name in VARIABLES if not os.environ.get(name)]:
        print(f"Set {', '.join(missing)}.", file=sys.stderr)
        return USAGE_ERROR
    app, environments = os.environ["APP_NAME"], os.environ["ENVIRONMENTS"].split()
    try:
        found = differences(app, environments)
        if found:
            time.sleep(PAUSE_SECONDS)
            again = differences(app, environments)
            found = [one for one in found if one in again]
        print("\n".join(found) or "What runs is what was released.")
        if found:
            tell(f"{app}: what runs is not what was released", "\n".join([f"{app}:", *found, "", END]))
    except Problem as problem:
        print(f"Not compared, or nobody was told: {problem}.", file=sys.stderr)
        return FAILED
    return COMPARED


if __name__ == "__main__":
    sys.exit(main())
