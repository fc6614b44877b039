"""CloudFormation's rules that ministack lacks: busy and failed stacks, roles, changes of outputs, buckets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from xml.etree import ElementTree

from scaffold.local import ministack_bridge
from scaffold.local.cloudformation.requests import find_change_set, find_stack
from scaffold.local.cloudformation.resource_types import Failed
from scaffold.local.ministack_bridge import Delete, Handler
from scaffold.local.protocol import Document, ServiceError
from scaffold.local.wire import Response, edit_xml, parameter

_UPDATABLE = (
    "CREATE_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
)
_MISSING_EXPORT = re.compile("Export '(.*)' not found")
NO_CHANGES = "The submitted information didn't contain changes"


def install() -> Callable[[str], str]:
    """Monkeypatch the rules into ministack's CloudFormation.

    Returns:
        A function that says by a stack's id as which role CloudFormation acts; an empty text where it has none.
    """
    rules = _StackRules()
    for action in ("CreateStack", "UpdateStack", "CreateChangeSet", "ExecuteChangeSet", "DeleteStack"):
        ministack_bridge.wrap_action("cloudformation", action, rules.of(action))
    ministack_bridge.wrap_action("cloudformation", "DescribeStacks", rules.describe_stacks)
    ministack_bridge.wrap_rollback(_reason_for_rollback)
    ministack_bridge.wrap_delete("AWS::S3::Bucket", _delete_empty_bucket)
    ministack_bridge.tag_buckets()
    ministack_bridge.parse_templates_once()
    return rules.role


class _StackRules:
    """The rules, the service role of each stack and change set by its id, and the time of each deletion."""

    def __init__(self) -> None:
        self._roles: dict[str, str] = {}
        self._deletions: dict[str, str] = {}

    def of(self, action: str) -> Callable[[Document, Handler], Response]:
        """The wrapper of an action."""

        def respond(parameters: Document, original: Handler) -> Response:
            change_set = find_change_set(parameters) if action == "ExecuteChangeSet" else None
            stack = find_stack(change_set["StackName"] if change_set else parameter(parameters, "StackName"))
            role = parameter(parameters, "RoleARN") or self._role_of(change_set, stack)
            refusal = _refusal(action, parameters, stack) or _role_refusal(role)
            if refusal:
                return ministack_bridge.stack_error(*refusal)
            if action in ("CreateStack", "CreateChangeSet"):
                # AWS remembers a deleted stack by its id, also when its name is used again.
                ministack_bridge.keep_deleted_stack(parameter(parameters, "StackName"))
            response = original(parameters)
            if response[0] != 200:
                return response
            if action != "DeleteStack":
                self._record(action, parameters, role, change_set)
            elif stack:
                self._roles[stack["StackId"]] = role
                self._deletions[stack["StackId"]] = datetime.now(UTC).isoformat()
            return response

        return respond

    def role(self, stack_id: str) -> str:
        """The role of a stack, by its id."""
        return self._roles.get(stack_id, "")

    def describe_stacks(self, parameters: Document, original: Handler) -> Response:
        """Add the roles and deletion times to the stacks that ministack describes."""
        return edit_xml(original(parameters), self._complete)

    def _complete(self, response: ElementTree.Element) -> None:
        stacks = response.find("{*}DescribeStacksResult/{*}Stacks")
        if stacks is None:
            raise LookupError("ministack's response to DescribeStacks has no Stacks")
        for stack in stacks:
            identifier = stack.find("{*}StackId")
            if identifier is None:
                raise LookupError("ministack's response to DescribeStacks has a stack without StackId")
            if role := self._roles.get(identifier.text or ""):
                ElementTree.SubElement(stack, identifier.tag.replace("StackId", "RoleARN")).text = role
            deleted = stack.findtext("{*}StackStatus") == "DELETE_COMPLETE"
            if deleted and (moment := self._deletions.get(identifier.text or "")):
                ElementTree.SubElement(stack, identifier.tag.replace("StackId", "DeletionTime")).text = moment

    def _role_of(self, change_set: Document | None, stack: Document | None) -> str:
        """The role that CloudFormation acts as: a change set's own role, also if it has none, else the stack's."""
        if change_set:
            return self._roles.get(change_set["ChangeSetId"], "")
        return self.role(stack["StackId"]) if stack else ""

    def _record(self, action: str, parameters: Document, role: str, executed: Document | None) -> None:
        """Keep the role of a stack or change set; let a change set be executed that changes nothing but outputs."""
        stack = find_stack(executed["StackName"] if executed else parameter(parameters, "StackName"))
        change_set = find_change_set(parameters) if action == "CreateChangeSet" else None
        if change_set:
            self._roles[change_set["ChangeSetId"]] = role
            _allow_changed_outputs(change_set, stack)
        if stack and (change_set is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS"):
            self._roles[stack["StackId"]] = role


def _refusal(action: str, parameters: Document, stack: Document | None) -> tuple[str, ...] | None:
    """The error, as message and code, with which CloudFormation refuses an action in a stack's state."""
    if stack is None:
        return None
    status, identifier, name = stack["StackStatus"], stack["StackId"], stack["StackName"]
    if action == "DeleteStack":
        if _root(stack).get("EnableTerminationProtection"):
            given = parameter(parameters, "StackName")
            return (f"Stack [{given}] cannot be deleted while TerminationProtection is enabled",)
        busy = status.endswith("_IN_PROGRESS") and status not in ("REVIEW_IN_PROGRESS", "DELETE_IN_PROGRESS")
        updating = status.startswith(("UPDATE", "IMPORT")) and busy
        return (f"Stack [{name}] cannot be deleted while in status {status}",) if updating else None
    if action == "CreateStack":
        return (f"Stack [{name}] already exists", "AlreadyExistsException")
    if action == "CreateChangeSet" and parameter(parameters, "ChangeSetType") == "CREATE":
        if status == "REVIEW_IN_PROGRESS":
            return None
        change_set = parameter(parameters, "ChangeSetName")
        return (f"Stack [{name}] already exists and cannot be created again with the changeSet [{change_set}].",)
    if action == "ExecuteChangeSet" and status == "REVIEW_IN_PROGRESS":
        return None
    return None if status in _UPDATABLE else (f"Stack:{identifier} is in {status} state and can not be updated.",)


def _root(stack: Document) -> Document:
    """The stack in which a nested stack is, or the stack itself. It decides about termination protection."""
    parent = find_stack(stack.get("ParentId", ""))
    return _root(parent) if parent else stack


def _role_refusal(role: str) -> tuple[str, ...] | None:
    """The error with which CloudFormation refuses to act as a role that does not exist."""
    if not role:
        return None
    try:
        ministack_bridge.call("iam", "GetRole", {"RoleName": role.rpartition("/")[2]})
    except ServiceError:
        return (f"Role {role} is invalid or cannot be assumed",)
    return None


def _allow_changed_outputs(change_set: Document, stack: Document | None) -> None:
    """Edit the status of a change set that ministack calls empty although it changes the stack's outputs."""
    if stack is None or not change_set["StatusReason"].startswith(NO_CHANGES):
        return
    if _outputs(change_set) != _outputs(stack):
        change_set |= {"Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE", "StatusReason": ""}


def _outputs(side: Document) -> tuple[Document, Document]:
    """The outputs that a stack or a change set declares, and the parameters that they refer to."""
    declared = side["_template"].get("Outputs") or {}
    text, parameters = json.dumps(declared), side["_resolved_params"]
    return declared, {key: one for key, one in parameters.items() if f'"Ref": "{key}"' in text or f"${{{key}}}" in text}


def _reason_for_rollback(events: list[Document]) -> str:
    """The failure of the stack itself, which imports what is not exported, for example. No resource fails in
    CloudFormation then, and the failure has no event besides that of the rollback.
    """
    failure = events[-1]
    if failure["ResourceStatus"] not in ("CREATE_FAILED", "UPDATE_FAILED"):
        return ""
    reason = str(failure["ResourceStatusReason"])
    missing = _MISSING_EXPORT.fullmatch(reason)
    if missing is None and failure["ResourceType"] != "AWS::CloudFormation::Stack":
        return ""
    events.pop()
    reason = f"No export named {missing[1]} found" if missing else reason
    return reason if failure["ResourceStatus"] == "UPDATE_FAILED" else f"{reason}. Rollback requested by user."


def _delete_empty_bucket(identifier: str, properties: Document, original: Delete) -> None:
    """Delete a bucket, but fail if it is not empty. ministack deletes objects and versions with it."""
    try:
        ministack_bridge.delete_bucket(identifier)
    except ServiceError as error:
        if error.code != "NoSuchBucket":
            raise Failed("s3", error) from error
    original(identifier, properties)
