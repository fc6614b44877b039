"""The JSON protocol that CodeCommit, CodePipeline, ECR and Application Auto Scaling speak.

A stand-in is a class with one method an operation. Its input is checked against
botocore's own model first, so that what AWS would refuse for its shape is refused here.
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

Document = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One request to a stand-in."""

    operation: str
    parameters: Document
    region: str
    account: str = ACCOUNT


@dataclass(frozen=True)
class Answer:
    """What goes back over the wire."""

    body: Document
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The body as JSON."""
        return json.dumps(self.body).encode()


class ServiceError(Exception):
    """An error in AWS's shape.

    Args:
        code: The exception's name in the service's API, for example `RepositoryDoesNotExistException`.
        message: What AWS's message says.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Service:
    """A stand-in for one service: subclasses add a method an operation, `create_repository` and so on."""

    #: The service's name in botocore, whose model checks the input.
    name: ClassVar[str]
    #: The exception that this service answers malformed input with.
    invalid_input: ClassVar[str] = "ValidationException"

    def answer(self, call: Call) -> Answer:
        """Carry out one call.

        Args:
            call: The request.

        Returns:
            The operation's output, or an error in the shape that the AWS clients read.
        """
        try:
            method = self.method(call.operation)
            if method is None or call.operation not in service_model(self.name).operation_names:
                raise ServiceError(
                    "LocalAwsNotImplemented", f"Local AWS does not answer {self.name} {call.operation}; real AWS does."
                )
            self.check_input(call)
            return Answer(method(call))
        except ServiceError as error:
            return Answer({"__type": error.code, "message": error.message}, 400, {"x-amzn-ErrorType": error.code})

    def method(self, operation: str) -> Callable[[Call], Document] | None:
        """What carries out an operation, or None.

        Args:
            operation: The operation's name in the API.
        """
        found: Callable[[Call], Document] | None = getattr(self, xform_name(operation), None)
        return found

    def check_input(self, call: Call) -> None:
        """Refuse input that does not fit the operation's model.

        Args:
            call: The request to check.

        Raises:
            ServiceError: A parameter is missing, unknown, of the wrong type, size, pattern or value.
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
    """The botocore model of a service.

    Args:
        name: The service's name in botocore.
    """
    return ServiceModel(Loader().load_service_model(name, "service-2"), name)


def _value_problems(shape: Shape, value: Any, where: str = "") -> list[str]:
    """What botocore's validator leaves to the service: enumerations and patterns, anywhere in the input."""
    if isinstance(shape, StructureShape):
        return [
            problem
            for key, member in shape.members.items()
            if key in value
            for problem in _value_problems(member, value[key], f"{where}.{key}" if where else key)
        ]
    if shape.type_name == "list":
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
    except re.error:  # Java's syntax has a few things that Python's lacks; AWS remains the judge of those.
        return True
