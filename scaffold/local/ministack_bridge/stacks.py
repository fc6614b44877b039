"""The stacks of ministack's CloudFormation, their change sets, exports and resources."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml
from ministack.core.responses import request_scope
from ministack.services import cloudformation
from ministack.services.cloudformation import engine, handlers, provisioners, stacks

from scaffold.local.protocol import ACCOUNT, Document

#: Exports by their names, each with its StackId and Value.
Exports = Mapping[str, Document]

# As many as the stacks of a service with eight environments have.
_TEMPLATES = 64


@dataclass(frozen=True)
class Provisioning:
    """A resource of a stack that is created, updated or deleted.

    Attributes:
        stack: The stack's name.
        identifier: The physical id; empty before the resource exists.
        old: The properties before; None for a creation, which a replacement is, too.
        new: The properties after; None for a deletion.
    """

    stack: str
    logical_id: str
    type: str
    identifier: str = ""
    old: Document | None = None
    new: Document | None = None


def wrap_provisioning(wrapper: Callable[[Provisioning, Callable[[], Any]], Any]) -> None:
    """Monkeypatch how the resources of all stacks are created, updated and deleted.

    Args:
        wrapper: Takes what happens, and the original call.
    """
    create, update, delete = stacks._provision_resource, stacks._update_resource, stacks._delete_resource

    def provision(kind: str, logical_id: str, properties: Document, stack: str) -> Any:
        happens = Provisioning(stack, logical_id, kind, new=properties)
        return wrapper(happens, lambda: create(kind, logical_id, properties, stack))

    def change(kind: str, identifier: str, old: Document, new: Document, stack: str, *more: Any) -> Any:
        happens = Provisioning(stack, (more[0] if more else "") or identifier, kind, identifier, old, new)
        if provisioners._replacing_change(kind, old, new):
            happens = replace(happens, identifier="", old=None)
        return wrapper(happens, lambda: update(kind, identifier, old, new, stack, *more))

    def remove(kind: str, identifier: str, properties: Document, stack: str, logical_id: str) -> Any:
        happens = Provisioning(stack, logical_id, kind, identifier, properties)
        return wrapper(happens, lambda: delete(kind, identifier, properties, stack, logical_id))

    stacks._provision_resource, stacks._update_resource, stacks._delete_resource = provision, change, remove


def wrap_outputs(check: Callable[[str, Exports], None]) -> None:
    """Let a function judge the exports with which an operation on a stack ends.

    Args:
        check: Takes the stack's id and its new exports, and raises ValueError for the operation to be rolled back.
    """
    original = stacks._resolve_stack_outputs

    def resolve_outputs(*arguments: Any) -> tuple[list[Document], Exports]:
        outputs, new = original(*arguments)
        check(arguments[-1], new)
        return outputs, new

    stacks._resolve_stack_outputs = resolve_outputs


def wrap_output_values(convert: Callable[[list[str], str], str]) -> None:
    """Let a function replace the values of outputs, but for those of exports.

    Args:
        convert: Takes the physical ids of the stack's resources, and a value.
    """
    original = stacks._resolve_stack_outputs

    def resolve_outputs(*arguments: Any) -> tuple[list[Document], Exports]:
        outputs, exported = original(*arguments)
        own = [str(one.get("PhysicalResourceId", "")) for one in arguments[2].values()]
        for output in outputs:
            if "ExportName" not in output:
                output["OutputValue"] = convert(own, output["OutputValue"])
        return outputs, exported

    stacks._resolve_stack_outputs = resolve_outputs


def wrap_rollback(reason_for: Callable[[list[Document]], str]) -> None:
    """Let a function give the reason of rollbacks.

    Args:
        reason_for: Takes the stack's events, ministack's own list, and returns the reason, or an empty text.
    """
    original = stacks._roll_back_operation

    async def roll_back(name: str, stack_id: str, stack: Document, operation: Document, reason: str = "") -> None:
        await original(name, stack_id, stack, operation, reason or reason_for(cloudformation._stack_events[stack_id]))

    stacks._roll_back_operation = roll_back


def delete_export(name: str) -> None:
    """Delete an export of the current request's region."""
    del cloudformation._exports[name]


def exports() -> dict[str, Document]:
    """The exports of the current request's region."""
    return dict(cloudformation._exports.items())


def imports(stack: Document) -> set[str]:
    """The names of the exports that a stack imports."""
    return set(handlers._imported_export_names(stack, stack["StackName"]))


def conditions_of(change_set: Document) -> dict[str, bool]:
    """The conditions of a change set's template, by name."""
    return dict(engine._evaluate_conditions(change_set["_template"], change_set["_resolved_params"]))


def resolve(value: Any, change_set: Document) -> Any:
    """Resolve a value of a change set's template that refers to no resource."""
    mappings = change_set["_template"].get("Mappings", {})
    names = change_set["StackName"], change_set["StackId"]
    return engine._resolve_refs(value, {}, change_set["_resolved_params"], conditions_of(change_set), mappings, *names)


def add_stack_event(stack: Document, status: str, reason: str) -> None:
    """Add an event of the stack itself."""
    identifier, name = stack["StackId"], stack["StackName"]
    stacks._add_event(identifier, name, name, "AWS::CloudFormation::Stack", status, reason, identifier)


def stack_records() -> list[Document]:
    """The stacks of the current request's region: ministack's own dictionaries, not copies."""
    return list(cloudformation._stacks.values())


def stack_tags(arn: str) -> dict[str, str]:
    """The tags of a stack, by an ARN that need not have the stack's id; none if it does not exist."""
    _, _, _, region, _, resource = arn.split(":", 5)
    with request_scope(ACCOUNT, region):
        stack = cloudformation._stacks.get(resource.split("/")[1]) or {}
    return {tag["Key"]: tag["Value"] for tag in stack.get("Tags") or []}


def keep_deleted_stack(name: str) -> None:
    """Keep a deleted stack by its id, before another one of its name takes its place in ministack's dictionary."""
    stack = cloudformation._stacks.get(name)
    if stack is not None and stack["StackStatus"] == "DELETE_COMPLETE":
        cloudformation._stacks[stack["StackId"]] = cloudformation._stacks.pop(name)


def change_set_records() -> list[Document]:
    """The change sets of the current request's region: ministack's own dictionaries, not copies."""
    return list(cloudformation._change_sets.values())


def parse_templates_once() -> None:
    """Let ministack's CloudFormation parse each template once, since a release plans and deploys the same ones in every
    environment, and ten times as fast where PyYAML was built with libyaml.
    """
    loader: Any = engine.CfnLoader
    if yaml.__with_libyaml__:
        tables = ("yaml_constructors", "yaml_multi_constructors", "yaml_implicit_resolvers")
        loader = type("CfnLoader", (yaml.CSafeLoader,), {table: getattr(engine.CfnLoader, table) for table in tables})

    @functools.lru_cache(_TEMPLATES)
    def parsed(text: str) -> bytes:
        return pickle.dumps(yaml.load(text, Loader=loader))  # noqa: S506 (a safe loader)

    class KeepingLoader(loader):  # type: ignore[misc]
        """Each result is a copy: what ministack does to it concerns no other one."""

        def __init__(self, text: str) -> None:
            super().__init__("")
            self._text = text

        def get_single_data(self) -> Any:
            return pickle.loads(parsed(self._text))  # noqa: S301 (pickled above)

    engine.CfnLoader = KeepingLoader
