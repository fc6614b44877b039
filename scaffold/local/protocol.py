"""AWS's JSON protocol, which CodeCommit, CodePipeline, CodeBuild, ECR, Service Quotas and others use.

Input is validated with botocore's model of the service before it reaches an operation.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from botocore import xform_name
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

ACCOUNT = "000000000000"
#: Who calls with local AWS's own credentials.
ROOT = f"arn:aws:iam::{ACCOUNT}:root"

Document = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One request to an API.

    Attributes:
        caller: The ARN of the user, or of the session of a role, that calls.
    """

    operation: str
    parameters: Document
    region: str
    account: str = ACCOUNT
    caller: str = ROOT


@dataclass(frozen=True)
class Response:
    """One response of an API."""

    body: Document
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The body as JSON."""
        return json.dumps(self.body).encode()


class ServiceError(Exception):
    """An error response of an AWS service.

    Args:
        code: The exception's name in the service's API, for example `RepositoryDoesNotExistException`.
        message: The text for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class AwsService:
    """Emulates one AWS service. Subclasses have a method for each operation, named as in boto3."""

    #: The service's name in botocore.
    name: ClassVar[str]
    #: The service's exception for invalid input.
    invalid_input: ClassVar[str] = "ValidationException"

    def respond(self, call: Call) -> Response:
        """Run an operation. Errors become responses, in the form that AWS clients read."""
        try:
            method = self.method(call.operation)
            if method is None or call.operation not in service_model(self.name).operation_names:
                raise ServiceError(
                    "LocalAwsNotImplemented", f"Local AWS does not answer {self.name} {call.operation}; real AWS does."
                )
            self.check_input(call)
            return Response(method(call))
        except ServiceError as error:
            return Response({"__type": error.code, "message": error.message}, 400, {"x-amzn-ErrorType": error.code})

    def method(self, operation: str) -> Callable[[Call], Document] | None:
        """The method for an operation of the API, or None."""
        found: Callable[[Call], Document] | None = getattr(self, xform_name(operation), None)
        return found

    def check_input(self, call: Call) -> None:
        """Validate the input with the operation's model.

        Raises:
            ServiceError: A parameter is missing, unknown, or of the wrong type, size, pattern or value.
        """
        shape = service_model(self.name).operation_model(call.operation).input_shape
        if shape is None:
            return
        report = ParamValidator().validate(call.parameters, shape)
        problems = [report.generate_report()] if report.has_errors() else list(_value_problems(shape, call.parameters))
        if problems:
            raise ServiceError(self.invalid_input, "; ".join(problems))


@functools.cache
def service_model(name: str) -> ServiceModel:
    """botocore's model of a service."""
    return ServiceModel(Loader().load_service_model(name, "service-2"), name)


def _value_problems(shape: Shape, value: Any, where: str = "") -> list[str]:
    """Check what botocore's validator does not: enumerations, lengths and patterns, anywhere in the input."""
    if isinstance(shape, StructureShape):
        return [
            problem
            for key, member in shape.members.items()
            if key in value
            for problem in _value_problems(member, value[key], f"{where}.{key}" if where else key)
        ]
    if shape.type_name == "list":
        most = shape.metadata.get("max")
        if most and len(value) > most:
            return [f"Value at {where!r} must have at most {most} members"]
        return [
            problem
            for index, item in enumerate(value)
            for problem in _value_problems(shape.member, item, f"{where}[{index}]")  # type: ignore[attr-defined]
        ]
    if shape.type_name != "string":
        return []
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        return [f"Value {value!r} at {where!r} must be one of: {', '.join(allowed)}"]
    longest = shape.metadata.get("max")
    if longest and len(value) > longest:
        return [f"Value {value!r} at {where!r} must be at most {longest} characters long"]
    pattern = shape.metadata.get("pattern")
    if pattern and not _matches(pattern, value):
        return [f"Value {value!r} at {where!r} must match: {pattern}"]
    return []


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.fullmatch(pattern, value) is not None or re.match(f"^(?:{pattern})$", value) is not None
    except re.error:  # Some patterns are valid in Java only. Leave them to AWS.
        return True
