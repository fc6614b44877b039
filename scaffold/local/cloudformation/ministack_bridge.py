"""The one place that knows ministack's private names, which is why its version is pinned.

It teaches ministack's CloudFormation our resource types, puts our corrections in front of its
actions, and calls its services from inside the process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

from ministack.core.responses import get_region, request_scope  # type: ignore[import-untyped]
from ministack.services import cloudformation, cloudwatch, ec2, ecr, ecs, iam, s3  # type: ignore[import-untyped]
from ministack.services.cloudformation import handlers, helpers, provisioners  # type: ignore[import-untyped]

from scaffold.local.cloudformation.resource_types import Created, Failed, Request, ResourceType
from scaffold.local.protocol import ACCOUNT, Document, ServiceError

__all__ = [
    "act",
    "call_as_resource",
    "call_in_region",
    "correct",
    "iam_error",
    "keep_full_buckets",
    "stack_error",
    "stacks",
    "teach",
]

#: A response as ministack's services hand it around.
Response = tuple[int, Mapping[str, str], Any]
Handler = Callable[[Document], Response]

_ACTIONS: dict[str, dict[str, Handler]] = {"cloudformation": handlers._ACTION_HANDLERS, "iam": iam._IAM_HANDLERS}
_TARGETS = {"ecr": "AmazonEC2ContainerRegistry_V20150921", "cloudwatch": "GraniteServiceVersion20100801"}
_MODULES = {"ec2": ec2, "ecr": ecr, "cloudwatch": cloudwatch, "iam": iam}


def teach(types: Iterable[ResourceType]) -> None:
    """Add resource types to CloudFormation.

    Args:
        types: The types. Ministack may have none of them already, unless they stand in its place.
    """
    for kind in types:
        if kind.name in provisioners._RESOURCE_HANDLERS and not kind.replaces_ministack:
            raise RuntimeError(f"ministack has {kind.name} itself")
        provisioners._RESOURCE_HANDLERS[kind.name] = _handlers(kind)
        provisioners._REPLACING_PROPERTIES[kind.name] = kind.create_only
        if kind.tags:
            provisioners._STACK_TAG_PROPERTY[kind.name] = kind.tags
        if kind.custom_name:
            provisioners._CUSTOM_NAME_REPLACEMENT[kind.name] = {"name": kind.custom_name}


def _handlers(kind: ResourceType) -> Document:
    """A resource type in the form that ministack registers."""

    def create(logical_id: str, properties: Document, stack: str) -> Created:
        return _complaining(kind.create, _request_of(stack, logical_id, properties))

    def update(identifier: str, old: Document, new: Document, stack: str, logical_id: str | None) -> Created:
        return _complaining(kind.update, _request_of(stack, logical_id or identifier, new, identifier, old))

    def delete(identifier: str, properties: Document) -> None:
        kind.delete(_request_of("", identifier, properties, identifier))

    return {"create": create, "update": update, "update_with_logical_id": True, "delete": delete}


def _request_of(stack: str, logical_id: str, properties: Document, identifier: str = "", old: Any = None) -> Request:
    name = provisioners._physical_name(stack, logical_id)
    return Request(get_region(), name, properties, identifier, old or {})


def _complaining(act: Callable[[Request], Created], request: Request) -> Created:
    try:
        return act(request)
    except KeyError as error:
        raise ValueError(f"Properties validation failed: required key [{error.args[0]}] not found") from error


def correct(service: str, action: str, correction: Callable[[Document, Handler], Response]) -> None:
    """Put a correction in front of an action.

    Args:
        service: The service's name in botocore.
        action: The action's name in the API.
        correction: Takes the parameters and the handler so far, and answers.
    """
    actions = _ACTIONS[service]
    original = actions[action]
    actions[action] = lambda parameters: correction(parameters, original)


def act(service: str, action: str, parameters: Document) -> Response:
    """Carry out an action from inside a correction.

    Args:
        service: The service's name in botocore.
        action: The action's name in the API.
        parameters: Its input as ministack parsed it.
    """
    return _ACTIONS[service][action](parameters)


def iam_error(code: str, message: str) -> Response:
    """An error of IAM's API."""
    response: Response = iam._error(400, code, message)
    return response


def keep_full_buckets() -> None:
    """Let a stack fail to delete a bucket that holds objects or versions; ministack's drops them."""
    registered = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    drop = registered["delete"]

    def delete(identifier: str, properties: Document) -> None:
        status, _, body = s3._delete_bucket(identifier)
        code, message = _error(body.decode()) if status >= 400 else ("", "")
        if code not in ("", "NoSuchBucket"):
            raise Failed("s3", code, message)
        drop(identifier, properties)

    registered["delete"] = delete


def stacks() -> tuple[list[Document], list[Document]]:
    """The stacks and the change sets of the calling request's region, as ministack keeps them."""
    return list(cloudformation._stacks.values()), list(cloudformation._change_sets.values())


def stack_error(message: str, code: str = "ValidationError") -> Response:
    """An error of CloudFormation's API."""
    response: Response = helpers._error(code, message)
    return response


def call_in_region(service: str, operation: str, parameters: Document, region: str) -> Document:
    """Call one of ministack's services for one of our stand-ins.

    Args:
        service: The service's name in botocore.
        operation: The operation's name in the API.
        parameters: Its input.
        region: The region to call it in.

    Raises:
        ServiceError: The call failed.
    """
    with request_scope(ACCOUNT, region):
        try:
            return call_as_resource(service, operation, parameters)
        except Failed as error:
            raise ServiceError(error.code, error.said) from error


def call_as_resource(service: str, operation: str, parameters: Document) -> Document:
    """Call one of ministack's services for a resource of a stack, in that stack's region.

    Args:
        service: The service's name in botocore.
        operation: The operation's name in the API.
        parameters: Its input: nested for the JSON services, flat as on the wire for the others.

    Returns:
        The output: the JSON document, or the XML's elements by name.

    Raises:
        Failed: The call failed.
    """
    if service == "ecs":  # Its entry point for requests moves to a thread; this is what runs there.
        status, _, body = ecs._dispatch_action(operation, parameters)
    elif service in _TARGETS:
        headers = {"x-amz-target": f"{_TARGETS[service]}.{operation}", "content-type": "application/x-amz-json-1.1"}
        status, _, body = _request(service, headers, json.dumps(parameters).encode())
    else:
        form = {"content-type": "application/x-www-form-urlencoded"}
        status, _, body = _request(service, form, urlencode({"Action": operation, **parameters}).encode())
    text = body.decode() if isinstance(body, bytes) else str(body or "")
    if status >= 400:
        raise Failed(service, *_error(text))
    return _output(text)


def _request(service: str, headers: dict[str, str], body: bytes) -> Response:
    return _at_once(_MODULES[service].handle_request("POST", "/", headers, body, {}))


def _at_once(coroutine: Coroutine[Any, Any, Response]) -> Response:
    """The result of a coroutine that never waits, taken from inside the event loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        response: Response = done.value
        return response
    coroutine.close()
    raise RuntimeError("A service of ministack waits where it did not before")


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
