"""What a release would change in the stacks of an environment, from change sets that are never executed."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aws_calls import call
from aws_cli import Problem, Refused
from plan_stacks import UPDATABLE, Deployed, Source, completed, policy_of, side_by_side
from remedies import again

LARGEST_BODY = 51_200
CHANGE_SET_SECONDS = 600
NOTHING_CHANGES = ("didn't contain changes", "No updates are to be performed")
REFUSALS = ("ValidationError", "InsufficientCapabilitiesException")
MISSING_EXPORT = re.compile(r"No export named (\S+) found")
ACTIONS = {"Add": "create", "Modify": "update", "Remove": "delete", "Import": "import", "Dynamic": "maybe change"}
MOST_NAMES = 4


class Rejected(Problem):
    """CloudFormation refuses a change, and would refuse it in a release."""


@dataclass(frozen=True)
class Change:
    """A change of a stack.

    Attributes:
        action: What happens to a resource, or a sentence about the whole stack.
        resource: Its logical id; empty for the whole stack.
        type: The type of the resource.
    """

    action: str
    resource: str = ""
    type: str = ""

    def __str__(self) -> str:
        return f"{self.action} {self.resource}".rstrip()


NEW_TASK_DEFINITION = Change("new task definition")


@dataclass(frozen=True)
class Planned:
    """The plan of a stack.

    Attributes:
        changes: What would change, or why that is not known yet; empty if nothing would change.
        missing: The export that does not exist yet and that the stack imports.
    """

    source: Source
    changes: tuple[Change, ...]
    missing: str = ""

    @property
    def summary(self) -> str:
        """The changes on one line."""
        more = [f"{len(self.changes) - MOST_NAMES} more"] if len(self.changes) > MOST_NAMES else []
        return f"{self.source.kind}: {', '.join([*map(str, self.changes[:MOST_NAMES]), *more])}"


def plan(
    stacks: list[tuple[Source, Deployed]], change_set: str, pause: Callable[[], None], changed: set[str] | None = None
) -> list[Planned]:
    """Plan an environment's stacks.

    Args:
        changed: The kinds of the stacks to plan; all without it. The others count as unchanged.
        change_set: The name of the change sets.
        pause: Called between two looks at a change set that is being created.

    Raises:
        Problem: A stack cannot be updated, or CloudFormation refuses a change.
    """
    wanted = {source.kind for source, _ in stacks} if changed is None else changed
    for source, stack in stacks:
        if source.kind in wanted:
            _check_status(source, stack.status)
    outputs = {source.kind: stack.outputs for source, stack in stacks}
    task_definition = outputs.get("task-definition", {}).get("TaskDefinitionArn", "")

    def look(pair: tuple[Source, Deployed]) -> Planned:
        if pair[0].kind not in wanted:
            return Planned(pair[0], ())
        return _plan_one(*pair, task_definition, change_set, pause)

    found = side_by_side(look, stacks)
    different = {one.source.kind for one in found if one.changes}
    return [_complete(one, different, [earlier.source for earlier in found[:index]]) for index, one in enumerate(found)]


def _check_status(source: Source, status: str) -> None:
    if status in UPDATABLE:
        return
    if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
        raise Problem(f"the stack {source.name} is being changed ({status}); retry the stage when that has ended")
    environment = source.name.removesuffix(f"-{source.kind}").rpartition("-")[2]
    # A stack that was never created is replaced by the next deployment.
    remedy = "scaffold deploy" if status == "ROLLBACK_COMPLETE" else f"scaffold repair {environment}"
    raise Problem(f"the stack {source.name} cannot be updated ({status}); run `{remedy}`, then retry the stage")


def _plan_one(
    source: Source, stack: Deployed, task_definition: str, change_set: str, pause: Callable[[], None]
) -> Planned:
    if stack.prepared:
        return Planned(source, (Change("its first release creates everything"),))
    if len(source.template.encode()) > LARGEST_BODY:
        return Planned(source, (Change(f"not planned, since the template has more than {LARGEST_BODY} bytes"),))
    if source.kind == "service" and not task_definition:
        return Planned(source, (Change("not planned yet, since its task definition does not exist"),))
    parameters = completed(source, stack, task_definition)
    changes: list[Change] = []
    if source.kind == "task-definition" and stack.parameters.get("Version") != source.parameters["Version"]:
        changes.append(Change(f"version {stack.parameters.get('Version')} to {source.parameters['Version']}"))
    # Change sets without tags need no permission to tag; a stack's tags are those of all its resources.
    if source.tags is not None and source.tags != stack.tags:
        changes.append(Change("update the tags of all resources"))
    if source.policy is not None and source.policy != policy_of(source):
        changes.append(Change("update the stack policy"))
    try:
        with _change_set(source, parameters, change_set, pause) as name:
            changes += _changes(source, name, pause)
    except Refused as refused:
        missing = MISSING_EXPORT.search(refused.message)
        if "_IN_PROGRESS state" in refused.message:
            raise Problem(f"the stack {source.name} is being changed; {again()} when that has ended") from refused
        if missing is None and refused.code in REFUSALS:
            raise _rejected(source, refused.message) from refused
        if missing is None:
            raise
        why = Change(f"not planned yet, since it imports {missing[1]}")
        return Planned(source, (*changes, why), missing[1].rstrip("."))
    return Planned(source, tuple(changes))


@contextmanager
def _change_set(source: Source, parameters: dict[str, str], name: str, pause: Callable[[], None]) -> Iterator[str]:
    """A change set, which is deleted at the end."""
    request = {
        "StackName": source.name,
        "ChangeSetName": name,
        "TemplateBody": source.template,
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        "Capabilities": ["CAPABILITY_IAM"],
    }
    try:
        try:
            call("cloudformation", "create-change-set", **request)
        except Refused as refused:
            if refused.code != "AlreadyExistsException":
                raise
            # A retried stage finds what an interrupted plan has left.
            _delete(source, name, pause)
            call("cloudformation", "create-change-set", **request)
        yield name
    finally:
        try:
            _delete(source, name, pause)
        except Problem as problem:
            print(f"The change set {name} of {source.name} was not deleted: {problem}.", file=sys.stderr)


def _delete(source: Source, change_set: str, pause: Callable[[], None]) -> None:
    deadline = time.monotonic() + CHANGE_SET_SECONDS
    while True:
        try:
            call("cloudformation", "delete-change-set", StackName=source.name, ChangeSetName=change_set)
        except Refused as refused:
            if refused.code.startswith("ChangeSetNotFound"):
                return
            # A change set that is being created cannot be deleted yet.
            if not refused.code.startswith("InvalidChangeSetStatus") or time.monotonic() > deadline:
                raise
            pause()
        else:
            return


def _changes(source: Source, change_set: str, pause: Callable[[], None]) -> list[Change]:
    """The changes of a change set, once it is created.

    Raises:
        Refused: It imports an export that does not exist.
        Problem: CloudFormation refuses the change.
    """
    chosen = {"StackName": source.name, "ChangeSetName": change_set}
    deadline = time.monotonic() + CHANGE_SET_SECONDS
    answer = call("cloudformation", "describe-change-set", **chosen)
    while answer.get("Status") in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
        if time.monotonic() > deadline:
            raise Problem(
                f"the change set of {source.name} was not created within {CHANGE_SET_SECONDS} s; retry the stage"
            )
        pause()
        answer = call("cloudformation", "describe-change-set", **chosen)
    reason = str(answer.get("StatusReason", "")).rstrip(".")
    if answer.get("Status") == "FAILED" and any(words in reason for words in NOTHING_CHANGES):
        return []
    if MISSING_EXPORT.search(reason):
        raise Refused(reason)
    if answer.get("Status") != "CREATE_COMPLETE":
        raise _rejected(source, reason or f"its change set has the status {answer.get('Status')}")
    changes = list(answer.get("Changes", []))
    while answer.get("NextToken"):
        answer = call("cloudformation", "describe-change-set", **chosen, NextToken=answer["NextToken"])
        changes += answer.get("Changes", [])
    # Without a change of a resource, something else changes, such as an output.
    return [_change(change) for change in changes] or [Change("update outputs or parameters")]


def _rejected(source: Source, why: str) -> Rejected:
    return Rejected(f"CloudFormation refuses the change of {source.name}: {why}; fix it with a commit")


def _change(change: Any) -> Change:
    resource = change.get("ResourceChange", {}) if isinstance(change, dict) else {}
    action = ACTIONS.get(resource.get("Action", ""), "change")
    replaced = {"True": "replace", "Conditional": "maybe replace"}
    if action == "update":
        action = replaced.get(str(resource.get("Replacement")), action)
    return Change(action, str(resource.get("LogicalResourceId", "something")), str(resource.get("ResourceType", "")))


def _complete(planned: Planned, changed: set[str], earlier: list[Source]) -> Planned:
    """Add to the plan of a stack what follows from the plans of the earlier ones.

    Raises:
        Problem: It imports what no earlier stack will create.
    """
    if planned.missing:
        for source in earlier:
            if source.kind in changed and planned.missing.startswith(f"{source.name}-"):
                return planned
        raise Problem(
            f"the stack {planned.source.name} imports {planned.missing}, which no stack exports; fix it with a commit"
        )
    if planned.source.kind == "service" and "task-definition" in changed:
        return Planned(planned.source, (NEW_TASK_DEFINITION, *planned.changes))
    return planned
