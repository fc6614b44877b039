"""The interface of a CloudFormation resource type, and the conversion of a template's properties to API input."""

from __future__ import annotations

import copy
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from botocore.model import ListShape, MapShape, Shape, StructureShape

from scaffold.local import ministack_bridge
from scaffold.local.protocol import AwsService, Call, Document, ServiceError, service_model

Created = tuple[str, Document]


@dataclass(frozen=True)
class Request:
    """A request of CloudFormation to a resource type.

    Attributes:
        region: The stack's region.
        generated_name: The name of a resource whose template gives none.
        properties: The resource's properties, with references resolved.
        identifier: The physical id; empty before the resource is created.
        old: The properties before an update.
    """

    region: str
    generated_name: str
    properties: Document
    identifier: str = ""
    old: Document = field(default_factory=dict)


class ResourceType(ABC):
    """Creates, updates and deletes resources of one CloudFormation type.

    A method raises ValueError where AWS would fail the resource. The text becomes the reason in the
    stack's events.
    """

    #: The type's name in templates.
    name: ClassVar[str]
    #: The properties whose change replaces the resource.
    create_only: ClassVar[tuple[str, ...]] = ()
    #: The property that receives the stack's tags, and whether it is a list of Key and Value or a map.
    tags: ClassVar[tuple[str, str] | None] = None
    #: The property that names the resource. CloudFormation refuses to replace a resource that is named there.
    custom_name: ClassVar[str | None] = None
    #: The longest name that CloudFormation generates.
    longest_name: ClassVar[int] = 128

    @abstractmethod
    def create(self, request: Request) -> Created:
        """Create a resource.

        Returns:
            The physical id (for `Ref`) and the attributes (for `Fn::GetAtt`).
        """

    @abstractmethod
    def update(self, request: Request) -> Created:
        """Update a resource in place.

        Returns:
            The physical id and the attributes.
        """

    @abstractmethod
    def delete(self, request: Request) -> None:
        """Delete a resource. No error if it does not exist any more."""

    def snapshot(self, request: Request) -> None:
        """Make the snapshot that the deletion policy `Snapshot` asks for."""
        raise ValueError(f"{self.name} {request.identifier} has no snapshots")


def call_service(service: AwsService, operation: str, parameters: Document, region: str) -> Document:
    """Call one of our APIs for a resource.

    Raises:
        Failed: The API answers with an error.
    """
    call = Call(operation, parameters, region)
    method = service.method(operation)
    if method is None:
        raise AttributeError(operation)
    try:
        service.check_input(call)
        return method(call)
    except ServiceError as error:
        raise Failed(service.name, error) from error


def call_ministack(service: str, operation: str, parameters: Document) -> Document:
    """Call an API of ministack for a resource, in the stack's region; like `ministack_bridge.call`.

    Raises:
        Failed: The API answers with an error.
    """
    try:
        return ministack_bridge.call(service, operation, parameters)
    except ServiceError as error:
        raise Failed(service, error) from error


class Failed(ValueError):
    """An API call for a resource failed. The text has the form that CloudFormation gives it in a stack's events.

    Attributes:
        code: The exception's name in the service's API.
    """

    def __init__(self, service: str, error: ServiceError) -> None:
        super().__init__(f"{error.message} (Service: {service}, Error Code: {error.code})")
        self.code = error.code


def handler_failure(message: str, code: str = "GeneralServiceException") -> ValueError:
    """The failure of a resource with the message that its type's handler has returned."""
    token = f"RequestToken: {uuid.uuid4()}, HandlerErrorCode: {code}"
    return ValueError(f'Resource handler returned message: "{message}" ({token})')


def already_exists(type_name: str, identifier: str) -> ValueError:
    """The failure of a resource whose name another resource has."""
    return ValueError(f"Resource of type '{type_name}' with identifier '{identifier}' already exists.")


def to_api(service: str, shape_name: str, properties: Any, where: str = "Properties") -> Any:
    """Convert a template's properties to API input: the case of names, and the types of scalars.

    Args:
        service: The service's name in botocore.
        shape_name: The shape in botocore's model of the service.
        properties: The properties.
        where: Their path in error messages.

    Raises:
        ValueError: A property is not a member of the shape.
    """
    return _to_shape(service_model(service).shape_for(shape_name), copy.deepcopy(properties), where)


def _to_shape(shape: Shape, value: Any, where: str) -> Any:
    if isinstance(shape, StructureShape):
        if not isinstance(value, dict):
            raise ValueError(f"Properties validation failed: #/{where}: expected type: JSONObject")
        names = {name.lower(): name for name in shape.members}
        unknown = [key for key in value if key.lower() not in names]
        if unknown:
            raise ValueError(f"Properties validation failed: #/{where}: extraneous key [{unknown[0]}] is not permitted")
        return {
            names[key.lower()]: _to_shape(shape.members[names[key.lower()]], item, f"{where}/{key}")
            for key, item in value.items()
        }
    if isinstance(shape, ListShape):
        if not isinstance(value, list):
            raise ValueError(f"Properties validation failed: #/{where}: expected type: JSONArray")
        return [_to_shape(shape.member, item, f"{where}/{index}") for index, item in enumerate(value)]
    if isinstance(shape, MapShape):
        return {key: _to_shape(shape.value, item, f"{where}/{key}") for key, item in value.items()}
    return _to_scalar(shape.type_name, value)


def _to_scalar(kind: str, value: Any) -> Any:
    """Convert a scalar: templates may have strings for numbers and booleans, and the other way round."""
    if kind in ("integer", "long") and isinstance(value, str) and value.strip("-").isdigit():
        return int(value)
    if kind in ("double", "float") and isinstance(value, (str, int)) and not isinstance(value, bool):
        return float(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    if kind == "string" and isinstance(value, bool):
        return "true" if value else "false"
    if kind == "string" and isinstance(value, (int, float)):
        return str(value)
    return value


def tag_map(tags: Any) -> dict[str, str]:
    """Tags as a map, from a template's list of Key and Value or from a map."""
    if isinstance(tags, dict):
        return {str(key): str(value) for key, value in tags.items()}
    return {tag["Key"]: str(tag["Value"]) for tag in tags or []}
