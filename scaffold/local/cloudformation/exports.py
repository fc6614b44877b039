"""CloudFormation's rules about exports: which cannot be changed or deleted, and which cannot be imported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scaffold.local import ministack_bridge
from scaffold.local.cloudformation.requests import find_change_set, find_stack
from scaffold.local.ministack_bridge import Exports, Handler
from scaffold.local.protocol import Document
from scaffold.local.wire import Response, parameter


def install() -> None:
    """Monkeypatch the rules into ministack's CloudFormation."""
    ministack_bridge.wrap_outputs(_replace_exports)
    ministack_bridge.wrap_action("cloudformation", "DeleteStack", _delete_stack)
    ministack_bridge.wrap_action("cloudformation", "CreateChangeSet", _create_change_set)


def _replace_exports(stack_id: str, new: Exports) -> None:
    """Delete a stack's exports that the new ones lack.

    Raises:
        ValueError: Another stack has an export of that name, or imports one that would be changed or deleted.
    """
    gone = []
    for name, export in ministack_bridge.exports().items():
        if export["StackId"] != stack_id:
            if name in new:
                raise ValueError(f"Export with name {name} is already exported by stack {_name_of(export['StackId'])}")
        elif name not in new:
            _refuse_if_imported("Delete", name)
            gone.append(name)
        elif new[name]["Value"] != export["Value"]:
            _refuse_if_imported("Update", name)
    for name in gone:
        ministack_bridge.delete_export(name)


def _delete_stack(parameters: Document, original: Handler) -> Response:
    """Cancel the deletion of a stack with imported exports: CloudFormation accepts it, and restores the status."""
    stack = find_stack(parameter(parameters, "StackName"))
    if stack is None:
        return original(parameters)
    try:
        for name, export in ministack_bridge.exports().items():
            if export["StackId"] == stack["StackId"]:
                _refuse_if_imported("Delete", name)
    except ValueError as refused:
        stack["StackStatusReason"] = str(refused)
        ministack_bridge.add_stack_event(stack, "DELETE_IN_PROGRESS", "User Initiated")
        ministack_bridge.add_stack_event(stack, stack["StackStatus"], str(refused))
        return ministack_bridge.stack_response("DeleteStack")
    return original(parameters)


def _create_change_set(parameters: Document, original: Handler) -> Response:
    """Fail a change set whose template imports what is not exported."""
    response = original(parameters)
    change_set = find_change_set(parameters) if response[0] == 200 else None
    if change_set:
        exports = ministack_bridge.exports()
        for name in _imports(change_set):
            if name not in exports:
                reason = f"No export named {name} found."
                change_set |= {"Status": "FAILED", "ExecutionStatus": "UNAVAILABLE", "StatusReason": reason}
                change_set["Changes"] = []
                break
    return response


def _refuse_if_imported(verb: str, name: str) -> None:
    """Refuse to update or delete an export.

    Raises:
        ValueError: A stack imports it.
    """
    importing = sorted(
        stack["StackName"]
        for stack in ministack_bridge.stack_records()
        if stack["StackStatus"] not in ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS")
        and name in ministack_bridge.imports(stack)
    )
    if importing:
        *others, last = importing
        named = f"{', '.join(others)} and {last}" if others else last
        raise ValueError(f"{verb} canceled. Cannot {verb.lower()} export {name} as it is in use by {named}.")


def _name_of(stack_id: str) -> str:
    stack = find_stack(stack_id)
    return stack["StackName"] if stack else stack_id


def _imports(change_set: Document) -> Iterator[str]:
    """The names of the exports that a change set's template imports."""
    conditions = ministack_bridge.conditions_of(change_set)
    template = change_set["_template"]
    for section in ("Resources", "Outputs"):
        for definition in (template.get(section) or {}).values():
            if conditions.get(definition.get("Condition", ""), True):
                for name in _imported(definition, conditions):
                    yield str(ministack_bridge.resolve(name, change_set))


def _imported(value: Any, conditions: dict[str, bool]) -> Iterator[Any]:
    """The arguments of Fn::ImportValue in a part of a template, without those that a condition leaves out."""
    if isinstance(value, list):
        for item in value:
            yield from _imported(item, conditions)
    elif isinstance(value, dict) and set(value) == {"Fn::If"}:
        condition, if_true, if_false = value["Fn::If"]
        yield from _imported(if_true if conditions.get(condition) else if_false, conditions)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "Fn::ImportValue":
                yield item
            else:
                yield from _imported(item, conditions)
