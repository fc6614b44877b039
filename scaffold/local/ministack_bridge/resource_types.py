"""The resource types of ministack's CloudFormation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ministack.services import s3
from ministack.services.cloudformation import provisioners, stacks

from scaffold.local.ministack_names import MinistackChanged
from scaffold.local.protocol import Document

Delete = Callable[[str, Document], None]
Created = tuple[str, Document]


def register(
    name: str,
    functions: Mapping[str, Any],
    create_only: tuple[str, ...],
    tags: tuple[str, str] | None,
    custom_name: str | None,
) -> None:
    """Register a resource type with ministack's CloudFormation.

    A type of the same name is replaced, also one that a newer ministack has: only ours creates the resources through
    the service's API, and only ours is tested with the kit's templates.

    Args:
        functions: What creates, updates and deletes resources, by the keys that ministack reads.
        create_only: The properties whose change replaces a resource.
        tags: The property that receives the stack's tags, and whether it is a `list` or a `map`.
        custom_name: The property that names a resource.
    """
    provisioners._RESOURCE_HANDLERS[name] = functions
    provisioners._REPLACING_PROPERTIES[name] = create_only
    for table, entry in (
        (provisioners._STACK_TAG_PROPERTY, tags),
        (provisioners._CUSTOM_NAME_REPLACEMENT, {"name": custom_name} if custom_name else None),
    ):
        table.pop(name, None)
        if entry:
            table[name] = entry


def updatable(type_name: str) -> bool:
    """Whether ministack's CloudFormation can update resources of a type in place."""
    return "update" in provisioners._RESOURCE_HANDLERS.get(type_name, {})


def tag_property(type_name: str) -> tuple[str, str] | None:
    """The property of a type that receives the stack's tags, and whether it is a `list` or a `map`."""
    entry: tuple[str, str] | None = provisioners._STACK_TAG_PROPERTY.get(type_name)
    return entry


def generated_name(stack: str, logical_id: str, longest: int) -> str:
    """The name that CloudFormation gives a resource whose template gives none."""
    return str(provisioners._physical_name(stack, logical_id, max_len=longest))


def wrap_create(type_name: str, wrapper: Callable[[Document, Callable[[], Created]], Created]) -> None:
    """Monkeypatch how a type's resources are created. The wrapper takes the properties and the original creation."""
    functions, original = function_of(type_name, "create")

    def create(logical_id: str, properties: Document, stack: str) -> Created:
        return wrapper(properties, lambda: original(logical_id, properties, stack))

    functions["create"] = create


def wrap_delete(type_name: str, wrapper: Callable[[str, Document, Delete], None]) -> None:
    """Monkeypatch how ministack's CloudFormation deletes the resources of a type.

    Args:
        wrapper: Takes the physical id, the properties and the original function.
    """
    functions, original = function_of(type_name, "delete")
    functions["delete"] = lambda identifier, properties: wrapper(identifier, properties, original)


def wrap_changes(type_name: str, wrapper: Callable[[Callable[[], Any]], Any]) -> None:
    """Monkeypatch how resources of a type are created, updated and deleted. The wrapper takes the original call."""
    for key in ("create", "update", "delete"):
        functions, original = function_of(type_name, key)
        functions[key] = lambda *given, original=original: wrapper(lambda: original(*given))


def function_of(type_name: str, key: str) -> tuple[Document, Callable[..., Any]]:
    """The functions of a type by the keys that ministack reads, and the one of a key."""
    functions: Document = provisioners._RESOURCE_HANDLERS.get(type_name, {})
    if key not in functions:
        raise MinistackChanged(f"{key} function of {type_name}")
    return functions, functions[key]


def wait_for(type_name: str) -> None:
    """Let CloudFormation wait for a type's resources in a thread, and send a failed update back as AWS does."""
    in_thread, sent_back = stacks._runs_on_worker_thread, stacks._sends_back_failed_update
    stacks._runs_on_worker_thread = lambda other: other == type_name or in_thread(other)
    stacks._sends_back_failed_update = lambda other: other == type_name or sent_back(other)


def tag_buckets() -> None:
    """Let ministack's CloudFormation set the tags of buckets, those of the stack included, as for other types."""
    functions, create = function_of("AWS::S3::Bucket", "create")
    _, update = function_of("AWS::S3::Bucket", "update")

    def tagged(made: tuple[str, Document], properties: Document) -> tuple[str, Document]:
        s3._bucket_tags[made[0]] = {tag["Key"]: str(tag["Value"]) for tag in properties.get("Tags", [])}
        return made

    functions["create"] = lambda logical_id, new, stack: tagged(create(logical_id, new, stack), new)
    functions["update"] = lambda identifier, old, new, stack: tagged(update(identifier, old, new, stack), new)
    provisioners._STACK_TAG_PROPERTY["AWS::S3::Bucket"] = ("Tags", "list")
