"""A client of one AWS service, with every failure of botocore's as one of its own exceptions.

botocore raises whatever its parsers, its credential providers and the HTTP library raise, and returns an answer that
lacks fields as it is. Here, the first become `CallFailed`, and an access to a missing field `UnreadableAnswer`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from scaffold.aws.botocore_failures import CallFailed, UnreadableAnswer
from scaffold.console.console import timed

_READABLE_FROM, _FAILED_FROM = 200, 300


class Client:
    """A client of one AWS service; operations are called as on boto3's client.

    Args:
        boto_client: The client that makes the calls.
    """

    def __init__(self, boto_client: Any) -> None:
        self._boto = boto_client
        boto_client.meta.events.register("before-parse", _require_json)

    @property
    def meta(self) -> Any:
        """What boto3 knows about the client, such as its `endpoint_url`."""
        return self._boto.meta

    def get_paginator(self, operation: str) -> Paginator:
        """A paginator, as boto3's client has it."""
        return Paginator(self._boto.get_paginator(operation), self._name(operation), self._service)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        method, name = getattr(self._boto, operation), self._name(operation)
        return lambda **arguments: _called(name, lambda: method(**arguments), self._service)

    @property
    def _service(self) -> str:
        return str(self._boto.meta.service_model.service_name)

    def _name(self, operation: str) -> str:
        return str(self._boto.meta.method_to_api_mapping[operation])


class Paginator:
    """Reads the pages of an operation's answer.

    Args:
        operation: The operation as the API names it.
        service: The service, as boto3 names it.
    """

    def __init__(self, boto_paginator: Any, operation: str, service: str) -> None:
        self._boto = boto_paginator
        self._operation = operation
        self._service = service

    def paginate(self, **arguments: Any) -> Iterator[Any]:
        """One page after the other."""
        pages = iter(self._boto.paginate(**arguments))
        while True:
            try:
                page = _called(self._operation, lambda: next(pages), self._service)
            except StopIteration:
                return
            yield page


def _called(operation: str, call: Callable[[], Any], service: str) -> Any:
    try:
        with timed(f"{service} {operation}"):
            answer = call()
    except (BotoCoreError, ClientError, StopIteration):
        raise
    except (ResponseParserError, LookupError, TypeError, AttributeError) as error:
        raise UnreadableAnswer(operation=operation, reason="is not in the form of this API") from error
    except Exception as error:
        raise CallFailed(operation=operation, error=error) from error
    return _guarded(operation, answer)


def _require_json(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """botocore reads a JSON answer that it cannot parse as one without fields, which would mean: there is nothing."""
    if operation_model.service_model.resolved_protocol != "json" or not operation_model.output_shape:
        return
    if _READABLE_FROM <= response_dict["status_code"] < _FAILED_FROM:
        try:
            readable = isinstance(json.loads(response_dict["body"]), dict)
        except ValueError:
            readable = False
        if not readable:
            raise UnreadableAnswer(operation=operation_model.name, reason="is not JSON")


def _guarded(operation: str, value: Any) -> Any:
    if isinstance(value, dict):
        fields = _Fields((key, _guarded(operation, one)) for key, one in value.items())
        fields.operation = operation
        return fields
    if isinstance(value, list):
        items = _Items(_guarded(operation, one) for one in value)
        items.operation = operation
        return items
    return value


class _Fields(dict[str, Any]):
    operation = ""

    def __missing__(self, key: str) -> Any:
        raise UnreadableAnswer(operation=self.operation, reason=f"lacks {key}")


class _Items(list[Any]):
    operation = ""

    def __getitem__(self, index: Any) -> Any:
        try:
            return super().__getitem__(index)
        except IndexError:
            raise UnreadableAnswer(operation=self.operation, reason="lists nothing") from None
