"""The functions of ministack that answer API actions, and the responses of its services."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast
from xml.sax.saxutils import escape

from ministack.services import alb, ecs, iam, rds
from ministack.services.cloudformation import handlers, helpers

from scaffold.local.ministack_names import MinistackChanged
from scaffold.local.protocol import Document
from scaffold.local.wire import Response

Handler = Callable[[Document], Response]
_ACTIONS: dict[str, dict[str, Handler]] = {
    "cloudformation": handlers._ACTION_HANDLERS,
    "ecs": ecs._ACTION_MAP,
    "elbv2": alb._ACTION_MAP,
    "iam": iam._IAM_HANDLERS,
    "rds": rds._ACTION_MAP,
}


def handler_of(service: str, action: str) -> Handler:
    """ministack's function for an API action of a service in `_ACTIONS`. Except for ECS, parameters are lists."""
    if action not in _ACTIONS[service]:
        raise MinistackChanged(f"handler of the {service} action {action}")
    return _ACTIONS[service][action]


def wrap_action(service: str, action: str, wrapper: Callable[[Document, Handler], Response]) -> None:
    """Monkeypatch ministack's function for an API action of a service in `_ACTIONS`.

    Args:
        wrapper: Takes the parameters and the original function, and returns the response.
    """
    original = handler_of(service, action)
    _ACTIONS[service][action] = lambda parameters: wrapper(parameters, original)


def answer_action(service: str, action: str, handler: Handler) -> None:
    """Answer an API action of a service in `_ACTIONS` in place of ministack, which need not have it."""
    _ACTIONS[service][action] = handler


def after_changes(service: str, changed: Callable[[], None]) -> None:
    """Call a function after each API action of a service in `_ACTIONS` that may have changed something."""

    def respond(parameters: Document, original: Handler) -> Response:
        try:
            return original(parameters)
        finally:
            changed()

    for action in list(_ACTIONS[service]):
        if not action.startswith(("Get", "List")):
            wrap_action(service, action, respond)


def after_iam_reset(changed: Callable[[], None]) -> None:
    """Call a function after ministack's reset endpoint has deleted what IAM has."""
    original = iam.reset

    def reset() -> None:
        original()
        changed()

    iam.reset = reset


def stack_error(message: str, code: str = "ValidationError") -> Response:
    """An error response of CloudFormation's API."""
    return cast(Response, helpers._error(code, message))


def stack_response(action: str) -> Response:
    """An empty response of CloudFormation's API."""
    return cast(Response, helpers._xml(200, f"{action}Response", ""))


def iam_error(code: str, message: str, status: int = 400) -> Response:
    """An error response of IAM's API."""
    return cast(Response, iam._error(status, code, escape(message)))


def elb_response(action: str, content: str) -> Response:
    """A response of ELB's API with XML content."""
    return cast(Response, alb._xml(200, action, content))


def elb_error(code: str, message: str) -> Response:
    """An error response of ELB's API."""
    return cast(Response, alb._error(code, message))
