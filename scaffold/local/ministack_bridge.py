"""Monkeypatches ministack and calls its functions from inside its process.

No other module uses ministack's names. Most of them are private, so any release may change them: this is why
the version of ministack is pinned, and why `ministack_names` lists each of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

from ministack.app import app  # type: ignore[import-untyped]
from ministack.core.responses import get_region, request_scope  # type: ignore[import-untyped]
from ministack.services import cloudformation, cloudwatch, ec2, ecr, ecs, iam, s3  # type: ignore[import-untyped]
from ministack.services.cloudformation import handlers, helpers, provisioners  # type: ignore[import-untyped]

from scaffold.local.ministack_names import MinistackChanged
from scaffold.local.protocol import ACCOUNT, Document, ServiceError

__all__ = [
    "app",
    "call",
    "call_in_region",
    "change_sets",
    "delete_bucket",
    "edit_xml",
    "generated_name",
    "get_region",
    "handler_of",
    "iam_error",
    "register",
    "stack_error",
    "stacks",
    "tag_buckets",
    "tag_property",
    "updatable",
    "wrap_action",
    "wrap_delete",
]

#: A response in the form that ministack's functions return: status, headers, body.
Response = tuple[int, Mapping[str, str], Any]
Handler = Callable[[Document], Response]
Delete = Callable[[str, Document], None]

_ACTIONS: dict[str, dict[str, Handler]] = {"cloudformation": handlers._ACTION_HANDLERS, "iam": iam._IAM_HANDLERS}
_TARGETS = {"ecr": "AmazonEC2ContainerRegistry_V20150921", "cloudwatch": "GraniteServiceVersion20100801"}
_MODULES = {"ec2": ec2, "ecr": ecr, "cloudwatch": cloudwatch, "iam": iam}


def register(
    name: str,
    functions: Mapping[str, Any],
    create_only: tuple[str, ...],
    tags: tuple[str, str] | None,
    custom_name: str | None,
) -> None:
    """Register a resource type with ministack's CloudFormation.

    A type of the same name is replaced, also one that a newer ministack has: only ours creates the resources in
    our own API of the service, and only ours is tested with the kit's templates.

    Args:
        name: The type's name in templates.
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


def generated_name(stack: str, logical_id: str) -> str:
    """The name that CloudFormation gives a resource whose template gives none."""
    name: str = provisioners._physical_name(stack, logical_id)
    return name


def handler_of(service: str, action: str) -> Handler:
    """ministack's function for an API action. It takes a list for each parameter.

    Args:
        service: `cloudformation` or `iam`.
        action: The action's name in the API.

    Raises:
        MinistackChanged: ministack has no such function.
    """
    if action not in _ACTIONS[service]:
        raise MinistackChanged(f"handler of the {service} action {action}")
    return _ACTIONS[service][action]


def wrap_action(service: str, action: str, wrapper: Callable[[Document, Handler], Response]) -> None:
    """Monkeypatch ministack's function for an API action.

    Args:
        service: `cloudformation` or `iam`.
        action: The action's name in the API.
        wrapper: Takes the parameters and the original function, and returns the response.

    Raises:
        MinistackChanged: ministack has no such function.
    """
    original = handler_of(service, action)
    _ACTIONS[service][action] = lambda parameters: wrapper(parameters, original)


def wrap_delete(type_name: str, wrapper: Callable[[str, Document, Delete], None]) -> None:
    """Monkeypatch how ministack's CloudFormation deletes the resources of a type.

    Args:
        type_name: The type's name in templates.
        wrapper: Takes the physical id, the properties and the original function.

    Raises:
        MinistackChanged: ministack has no such function.
    """
    functions = provisioners._RESOURCE_HANDLERS.get(type_name, {})
    original = functions.get("delete")
    if original is None:
        raise MinistackChanged(f"delete function of {type_name}")
    functions["delete"] = lambda identifier, properties: wrapper(identifier, properties, original)


def tag_buckets() -> None:
    """Let ministack's CloudFormation set the tags of buckets, those of the stack included, as for other types."""
    functions = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    create, update = functions["create"], functions["update"]

    def tagged(made: tuple[str, Document], properties: Document) -> tuple[str, Document]:
        s3._bucket_tags[made[0]] = {tag["Key"]: str(tag["Value"]) for tag in properties.get("Tags", [])}
        return made

    functions["create"] = lambda logical_id, new, stack: tagged(create(logical_id, new, stack), new)
    functions["update"] = lambda identifier, old, new, stack: tagged(update(identifier, old, new, stack), new)
    provisioners._STACK_TAG_PROPERTY["AWS::S3::Bucket"] = ("Tags", "list")


def stacks() -> list[Document]:
    """The stacks of the current request's region: ministack's own dictionaries, not copies."""
    return list(cloudformation._stacks.values())


def keep_deleted_stack(name: str) -> None:
    """Keep a deleted stack by its id, before another one of its name takes its place in ministack's dictionary."""
    stack = cloudformation._stacks.get(name)
    if stack is not None and stack["StackStatus"] == "DELETE_COMPLETE":
        cloudformation._stacks[stack["StackId"]] = cloudformation._stacks.pop(name)


def change_sets() -> list[Document]:
    """The change sets of the current request's region: ministack's own dictionaries, not copies."""
    return list(cloudformation._change_sets.values())


def stack_error(message: str, code: str = "ValidationError") -> Response:
    """An error response of CloudFormation's API."""
    response: Response = helpers._error(code, message)
    return response


def iam_error(code: str, message: str) -> Response:
    """An error response of IAM's API."""
    response: Response = iam._error(400, code, message)
    return response


def edit_xml(response: Response, edit: Callable[[ElementTree.Element], None]) -> Response:
    """Edit the XML document of a response. An error response is returned as it is."""
    status, headers, body = response
    if status >= 400:
        return response
    root = ElementTree.fromstring(body)  # noqa: S314
    edit(root)
    namespace = root.tag[1:].partition("}")[0]
    edited = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True, default_namespace=namespace)
    return status, headers, edited


def delete_bucket(name: str) -> None:
    """Delete a bucket by S3's API, which refuses this unless the bucket is empty.

    Raises:
        ServiceError: S3's API refuses.
    """
    status, _, body = s3._delete_bucket(name)
    if status >= 400:
        raise ServiceError(*_error(body.decode()))


def call_in_region(service: str, operation: str, parameters: Document, region: str) -> Document:
    """Like `call`, in a given region instead of the current request's."""
    with request_scope(ACCOUNT, region):
        return call(service, operation, parameters)


def call(service: str, operation: str, parameters: Document) -> Document:
    """Call an API of ministack without HTTP, in the region of the current request.

    Args:
        service: The service's name in botocore.
        operation: The operation's name in the API.
        parameters: Its input: nested for the JSON services, flat as on the wire for the others.

    Returns:
        The output: the JSON document, or the XML's elements by name.

    Raises:
        ServiceError: The API answers with an error.
    """
    if service == "ecs":  # Its handle_request runs this function in a thread.
        status, _, body = ecs._dispatch_action(operation, parameters)
    elif service in _TARGETS:
        headers = {"x-amz-target": f"{_TARGETS[service]}.{operation}", "content-type": "application/x-amz-json-1.1"}
        status, _, body = _request(service, headers, json.dumps(parameters).encode())
    else:
        form = {"content-type": "application/x-www-form-urlencoded"}
        status, _, body = _request(service, form, urlencode({"Action": operation, **parameters}).encode())
    text = body.decode() if isinstance(body, bytes) else str(body or "")
    if status >= 400:
        raise ServiceError(*_error(text))
    return _output(text)


def _request(service: str, headers: dict[str, str], body: bytes) -> Response:
    return _run_without_waiting(_MODULES[service].handle_request("POST", "/", headers, body, {}))


def _run_without_waiting(coroutine: Coroutine[Any, Any, Response]) -> Response:
    """Run a coroutine that awaits nothing. The event loop is running already, so it cannot be used for this."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        response: Response = done.value
        return response
    coroutine.close()
    raise RuntimeError("handle_request of a ministack service awaits something, which it did not in ministack 1.5")


def _error(text: str) -> tuple[str, str]:
    """The code and message of an error, from JSON or XML."""
    if text.startswith("{"):
        document = json.loads(text)
        return document.get("__type", "").rpartition("#")[2], document.get("message") or document.get("Message", "")
    code, message = (re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL) for tag in ("Code", "Message"))
    return (code[1] if code else "InternalFailure"), (message[1] if message else text)


def _output(text: str) -> Document:
    if text.startswith("{"):
        document: Document = json.loads(text)
        return document
    read = _element(ElementTree.fromstring(text)) if text.strip() else {}  # noqa: S314
    return read if isinstance(read, dict) else {}


def _element(element: ElementTree.Element) -> Any:
    """An XML element as text, a list (of `item`s) or a document."""
    children = list(element)
    if not children:
        return element.text or ([] if element.tag.endswith("Set") else "")
    names = [child.tag.rpartition("}")[2] for child in children]
    if set(names) <= {"item", "member"}:
        return [_element(child) for child in children]
    return dict(zip(names, map(_element, children), strict=True))
