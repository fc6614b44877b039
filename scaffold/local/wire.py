"""The form in which ministack's functions take parameters and return responses: JSON, or forms and XML."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from botocore.model import ListShape, MapShape, Shape, StructureShape

from scaffold.local.protocol import Document

_XML = '<?xml version="1.0" encoding="utf-8"?>\n'

#: A response in the form that ministack's functions return: status, headers, body.
Response = tuple[int, Mapping[str, str], Any]


def parameter(parameters: Document, key: str) -> str:
    """The value of a request's parameter, or an empty text."""
    value = parameters.get(key, "")
    return str(value[0] if isinstance(value, list) and value else value or "")


def edit_xml(response: Response, edit: Callable[[ElementTree.Element], None]) -> Response:
    """Edit the XML document of a response. An error response is returned as it is."""
    status, headers, body = response
    if status >= 400:
        return response
    root = ElementTree.fromstring(body)  # noqa: S314
    edit(root)
    namespace = root.tag[1:].partition("}")[0]
    # As text, which takes half the time that bytes take.
    edited = ElementTree.tostring(root, encoding="unicode", default_namespace=namespace)
    return status, headers, f"{_XML}{edited}".encode()


def error_of(text: str) -> tuple[str, str]:
    """The code and message of an error, from JSON or XML."""
    if text.startswith("{"):
        document = json.loads(text)
        return document.get("__type", "").rpartition("#")[2], document.get("message") or document.get("Message", "")
    code, message = (re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL) for tag in ("Code", "Message"))
    return (code[1] if code else "InternalFailure"), (message[1] if message else text)


def output_of(text: str) -> Document:
    """The output of a call: the JSON document, or the XML's elements by name."""
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


def input_of(parameters: Document, shape: Shape, where: str = "") -> Any:
    """The input of a call, from a form; None for what it does not have.

    Args:
        shape: botocore's model of the input, or of the part of it that has the name `where` in the form.
    """
    if isinstance(shape, StructureShape):
        names = {name: f"{where}.{name}" if where else name for name in shape.members}
        read = {name: input_of(parameters, shape.members[name], inner) for name, inner in names.items()}
        found = {name: value for name, value in read.items() if value is not None}
        return found if found or not where else None
    if isinstance(shape, ListShape):
        items: list[Any] = []
        while (item := input_of(parameters, shape.member, f"{where}.member.{len(items) + 1}")) is not None:
            items.append(item)
        return items or None
    if isinstance(shape, MapShape) or where not in parameters:
        return None
    text = parameter(parameters, where)
    match shape.type_name:
        case "integer" | "long":
            return int(text)
        case "double" | "float":
            return float(text)
        case "boolean":
            return text == "true"
    return text


def xml_of(value: Any, name: str = "") -> str:
    """An output as the content of an XML element. Moments, whose names end in Timestamp, are texts there."""
    if isinstance(value, dict):
        return "".join(f"<{key}>{xml_of(inner, key)}</{key}>" for key, inner in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{xml_of(inner, name)}</member>" for inner in value)
    if name.removesuffix("s").endswith("Timestamp"):
        return datetime.fromtimestamp(value, UTC).isoformat()
    return escape(str(value))
