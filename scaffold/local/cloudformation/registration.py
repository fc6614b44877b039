"""Registers resource types with ministack's CloudFormation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from scaffold.local import ministack_bridge
from scaffold.local.cloudformation.resource_types import Created, Request, ResourceType
from scaffold.local.protocol import Document


def register(types: Iterable[ResourceType]) -> None:
    """Register resource types, also in place of ministack's own of the same name."""
    for kind in types:
        ministack_bridge.register(kind.name, _functions(kind), kind.create_only, kind.tags, kind.custom_name)


def _functions(kind: ResourceType) -> Document:
    """A resource type's methods with the parameters and under the keys that ministack uses."""

    def create(logical_id: str, properties: Document, stack: str) -> Created:
        return _naming_missing_properties(kind.create, _request(kind, stack, logical_id, properties))

    def update(identifier: str, old: Document, new: Document, stack: str, logical_id: str | None) -> Created:
        request = _request(kind, stack, logical_id or identifier, new, identifier, old)
        return _naming_missing_properties(kind.update, request)

    def delete(identifier: str, properties: Document) -> None:
        kind.delete(_request(kind, "", identifier, properties, identifier))

    def snapshot(identifier: str, properties: Document) -> None:
        kind.snapshot(_request(kind, "", identifier, properties, identifier))

    own = {"snapshot": snapshot} if type(kind).snapshot is not ResourceType.snapshot else {}
    return {**own, "create": create, "update": update, "update_with_logical_id": True, "delete": delete}


def _request(
    kind: ResourceType, stack: str, logical_id: str, properties: Document, identifier: str = "", old: Any = None
) -> Request:
    name = ministack_bridge.generated_name(stack, logical_id, kind.longest_name)
    return Request(ministack_bridge.get_region(), name, properties, identifier, old or {})


def _naming_missing_properties(method: Callable[[Request], Created], request: Request) -> Created:
    try:
        return method(request)
    except KeyError as error:
        raise ValueError(f"Properties validation failed: required key [{error.args[0]}] not found") from error
