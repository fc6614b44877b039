"""Rules of CloudFormation that ministack's leaves out: busy and failed stacks, roles, changes of outputs."""

from __future__ import annotations

from collections.abc import Callable

from scaffold.local.cloudformation.ministack_bridge import (
    Handler,
    Response,
    call_in_region,
    correct,
    keep_full_buckets,
    stack_error,
    stacks,
)
from scaffold.local.protocol import Document, ServiceError

_UPDATABLE = (
    "CREATE_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
)
_NO_CHANGES = "The submitted information didn't contain changes"


def install() -> None:
    """Put the rules in front of CloudFormation's actions."""
    for action in ("CreateStack", "UpdateStack", "CreateChangeSet", "ExecuteChangeSet", "DeleteStack"):
        correct("cloudformation", action, _guarded(action))
    correct("cloudformation", "DescribeStacks", _with_roles)
    keep_full_buckets()


def _guarded(action: str) -> Callable[[Document, Handler], Response]:
    def answer(parameters: Document, original: Handler) -> Response:
        name = _one(parameters, "StackName")
        change_set = _change_set(parameters) if action == "ExecuteChangeSet" else None
        stack = _stack(change_set["StackName"] if change_set else name)
        role = _one(parameters, "RoleARN") or (stack or {}).get("_role", "")
        refusal = _refusal(action, parameters, stack) or _role_refusal(role)
        if refusal:
            return stack_error(*refusal)
        response = original(parameters)
        if response[0] == 200 and action != "DeleteStack":
            _remember(action, parameters, name, role, change_set)
        return response

    return answer


def _refusal(action: str, parameters: Document, stack: Document | None) -> tuple[str, ...] | None:
    """Why the state of a stack forbids an action, as message and code."""
    if stack is None:
        return None
    status, identifier, name = stack["StackStatus"], stack["StackId"], stack["StackName"]
    if action == "DeleteStack":
        busy = status.endswith("_IN_PROGRESS") and status not in ("REVIEW_IN_PROGRESS", "DELETE_IN_PROGRESS")
        unsettled = status.startswith(("UPDATE", "IMPORT")) and busy
        return (f"Stack [{name}] cannot be deleted while in status {status}",) if unsettled else None
    if action == "CreateStack":
        return (f"Stack [{name}] already exists", "AlreadyExistsException")
    if action == "CreateChangeSet" and _one(parameters, "ChangeSetType") == "CREATE":
        if status == "REVIEW_IN_PROGRESS":
            return None
        change_set = _one(parameters, "ChangeSetName")
        return (f"Stack [{name}] already exists and cannot be created again with the changeSet [{change_set}].",)
    if action == "ExecuteChangeSet" and status == "REVIEW_IN_PROGRESS":
        return None
    return None if status in _UPDATABLE else (f"Stack:{identifier} is in {status} state and can not be updated.",)


def _role_refusal(role: str) -> tuple[str, ...] | None:
    """CloudFormation acts as a stack's role, which must still exist."""
    if not role:
        return None
    try:
        call_in_region("iam", "GetRole", {"RoleName": role.rpartition("/")[2]}, "us-east-1")
    except ServiceError:
        return (f"Role {role} is invalid or cannot be assumed",)
    return None


def _remember(action: str, parameters: Document, name: str, role: str, executed: Document | None) -> None:
    """Keep a stack's role, and let a change set that changes nothing but outputs be executed."""
    if action == "CreateChangeSet":
        change_set = _change_set(parameters)
        stack = _stack(name)
        if change_set is None or stack is None:
            return
        change_set["_role"] = role
        if stack["StackStatus"] == "REVIEW_IN_PROGRESS":
            stack["_role"] = role
        outputs = [(side.get("_template") or {}).get("Outputs") or {} for side in (change_set, stack)]
        if change_set["StatusReason"].startswith(_NO_CHANGES) and outputs[0] != outputs[1]:
            change_set |= {"Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE", "StatusReason": ""}
        return
    stack = _stack(executed["StackName"] if executed else name)
    if stack is not None:
        stack["_role"] = executed.get("_role", "") if executed else role


def _with_roles(parameters: Document, original: Handler) -> Response:
    """Show the stacks' roles."""
    status, headers, body = original(parameters)
    text = body.decode() if isinstance(body, bytes) else body
    for stack in stacks()[0]:
        if stack.get("_role"):
            identified = f"<StackId>{stack['StackId']}</StackId><StackStatus>"
            shown = f"<StackId>{stack['StackId']}</StackId><RoleARN>{stack['_role']}</RoleARN><StackStatus>"
            text = text.replace(identified, shown)
    return status, headers, text.encode() if isinstance(body, bytes) else text


def _stack(name: str) -> Document | None:
    """The living stack of a name or id."""
    for stack in stacks()[0]:
        if name in (stack["StackName"], stack["StackId"]) and stack["StackStatus"] != "DELETE_COMPLETE":
            return stack
    return None


def _change_set(parameters: Document) -> Document | None:
    wanted, stack = _one(parameters, "ChangeSetName"), _one(parameters, "StackName")
    for change_set in stacks()[1]:
        if wanted == change_set["ChangeSetId"]:
            return change_set
        if wanted == change_set["ChangeSetName"] and stack in (change_set["StackName"], change_set["StackId"]):
            return change_set
    return None


def _one(parameters: Document, key: str) -> str:
    value = parameters.get(key, "")
    return str(value[0] if isinstance(value, list) and value else value or "")
