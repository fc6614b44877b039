"""Which target or response the rules of a listener select for a request, without any input or output."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """What rules look at.

    Attributes:
        target: The path and query of the request line.
        headers: By lower-case names.
        client: The IP address of the client.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    client: str = "127.0.0.1"

    @property
    def path(self) -> str:
        """The path, without the query."""
        return urlsplit(self.target).path

    @property
    def host(self) -> str:
        """The host name, without the port."""
        return self.headers.get("host", "").partition(":")[0]


@dataclass(frozen=True)
class Rule:
    """A rule of a listener, with conditions and actions in the form of the API.

    Attributes:
        priority: None for the default rule, which comes last.
    """

    priority: int | None
    conditions: Sequence[dict[str, Any]]
    actions: Sequence[dict[str, Any]]


def matching(rules: Sequence[Rule], request: Request) -> Rule | None:
    """The first rule, by priority, all of whose conditions a request meets."""
    for rule in sorted(rules, key=lambda one: (one.priority is None, one.priority or 0)):
        if all(_meets(condition, request) for condition in rule.conditions):
            return rule
    return None


def _meets(condition: dict[str, Any], request: Request) -> bool:
    kind, values = condition["Field"], condition.get("Values") or []
    match kind:
        case "path-pattern":
            return any(_like(pattern, request.path) for pattern in values)
        case "host-header":
            return any(_like(pattern.lower(), request.host.lower()) for pattern in values)
        case "http-request-method":
            return request.method in values
        case "http-header":
            given = condition.get("HttpHeaderConfig") or {}
            actual = request.headers.get(given.get("HttpHeaderName", "").lower())
            wanted = given.get("Values") or values
            return actual is not None and any(_like(pattern.lower(), actual.lower()) for pattern in wanted)
        case "query-string":
            pairs = parse_qsl(urlsplit(request.target).query, keep_blank_values=True)
            return any(_in_query(_pair(value), pairs) for value in values)
        case "source-ip":
            client = ipaddress.ip_address(request.client)
            return any(client in ipaddress.ip_network(block) for block in values)
        case _:
            return False


def _pair(value: Any) -> tuple[str | None, str]:
    """The key, which may be left out, and the value of a query string condition."""
    if isinstance(value, dict):
        return value.get("Key"), str(value.get("Value", ""))
    key, equals, text = str(value).partition("=")
    return (key, text) if equals else (None, key)


def _in_query(wanted: tuple[str | None, str], pairs: list[tuple[str, str]]) -> bool:
    key, value = wanted
    return any(
        (key is None or _like(key.lower(), name.lower())) and _like(value.lower(), text.lower()) for name, text in pairs
    )


def _like(pattern: str, text: str) -> bool:
    """Whether a text matches a pattern in which * is any text and ? any character."""
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def weighted_groups(action: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The target groups of a forward action with their weights; none for another action."""
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or [action]
    return [group for group in groups if "TargetGroupArn" in group]


def choose_group(action: Mapping[str, Any], draw: float) -> str | None:
    """The target group that a forward action sends a request to; None if all weights are zero.

    Args:
        draw: A random number from 0 up to 1.
    """
    groups = weighted_groups(action)
    weights = [int(group.get("Weight", 1)) for group in groups] if len(groups) > 1 else [1]
    left = draw * sum(weights)
    for group, weight in zip(groups, weights, strict=True):
        if left < weight:
            return str(group["TargetGroupArn"])
        left -= weight
    return None


def redirect_to(action: Mapping[str, Any], request: Request, port: int) -> tuple[int, str]:
    """The status code and the location of a redirect action."""
    given = action["RedirectConfig"]
    url = urlsplit(request.target)
    known = {
        "protocol": "http",
        "host": request.host,
        "port": str(port),
        "path": url.path.removeprefix("/"),
        "query": url.query,
    }

    def filled(key: str, default: str) -> str:
        return re.sub(r"#\{(\w+)\}", lambda found: known.get(found[1], ""), str(given.get(key, default)))

    protocol = filled("Protocol", "#{protocol}").lower()
    query = filled("Query", "#{query}")
    location = f"{protocol}://{filled('Host', '#{host}')}:{filled('Port', '#{port}')}{filled('Path', '/#{path}')}"
    return int(str(given["StatusCode"]).removeprefix("HTTP_")), f"{location}?{query}" if query else location
