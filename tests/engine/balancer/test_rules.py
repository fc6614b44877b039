"""Rules of listeners, by the documentation of Application Load Balancers."""

from __future__ import annotations

from typing import Any

import pytest

from scaffold.engine.balancer.rules import Request, Rule, choose_group, matching, redirect_to


def rule(priority: int | None, *conditions: dict[str, Any]) -> Rule:
    return Rule(priority, conditions, ({"Type": "forward", "TargetGroupArn": str(priority)},))


def condition(field: str, *values: Any, **more: Any) -> dict[str, Any]:
    return {"Field": field, "Values": list(values), **more}


def header(name: str, *values: str) -> dict[str, Any]:
    return {"Field": "http-header", "Values": [], "HttpHeaderConfig": {"HttpHeaderName": name, "Values": list(values)}}


GET = Request("GET", "/api/v1/users?id=7&sort=Name&flag", {"host": "Shop.example:80", "x-kind": "Canary"}, "10.1.2.3")


@pytest.mark.parametrize(
    ("conditions", "met"),
    [
        ([], True),
        ([condition("path-pattern", "/*")], True),
        ([condition("path-pattern", "/api/*")], True),
        ([condition("path-pattern", "/API/*")], False),  # Paths are case-sensitive ...
        ([condition("path-pattern", "/api/v?/users")], True),
        ([condition("path-pattern", "/api")], False),
        ([condition("path-pattern", "/other", "/api/*")], True),
        ([condition("path-pattern", "/api/[v]1/*")], False),  # Only * and ? are wildcards.
        ([condition("path-pattern", "*id=7*")], False),  # ... and do not have the query.
        ([condition("host-header", "shop.EXAMPLE")], True),
        ([condition("host-header", "*.example")], True),
        ([condition("host-header", "other.example")], False),
        ([condition("http-request-method", "GET", "HEAD")], True),
        ([condition("http-request-method", "get")], False),
        ([header("X-Kind", "can*")], True),
        ([header("X-Kind", "other")], False),
        ([header("X-Absent", "*")], False),
        ([condition("query-string", {"Key": "id", "Value": "7"})], True),
        ([condition("query-string", "id=7")], True),
        ([condition("query-string", {"Value": "7"})], True),
        ([condition("query-string", {"Key": "SORT", "Value": "n*"})], True),
        ([condition("query-string", {"Key": "id", "Value": "8"})], False),
        ([condition("query-string", {"Key": "flag", "Value": ""})], True),
        ([condition("source-ip", "10.1.0.0/16")], True),
        ([condition("source-ip", "10.2.0.0/16", "192.0.2.0/24")], False),
        ([condition("path-pattern", "/api/*"), condition("http-request-method", "POST")], False),
        ([condition("something-new", "*")], False),
    ],
)
def test_all_conditions_have_to_be_met(conditions: list[dict[str, Any]], met: bool) -> None:
    assert (matching([rule(1, *conditions)], GET) is not None) is met


def test_the_lowest_priority_wins_and_the_default_rule_is_last() -> None:
    rules = [rule(None), rule(20, condition("path-pattern", "/api/*")), rule(3, condition("path-pattern", "/api/v1/*"))]
    found = matching(rules, GET)
    assert found is not None
    assert found.priority == 3
    found = matching(rules, Request("GET", "/api/v2"))
    assert found is not None
    assert found.priority == 20
    found = matching(rules, Request("GET", "/"))
    assert found is not None
    assert found.priority is None


def forward(**weights: int) -> dict[str, Any]:
    groups = [{"TargetGroupArn": name, "Weight": weight} for name, weight in weights.items()]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}


@pytest.mark.parametrize(
    ("action", "draw", "group"),
    [
        ({"TargetGroupArn": "only"}, 0.99, "only"),
        (forward(only=0), 0.5, "only"),  # A single group gets everything.
        (forward(a=100, b=0), 0.999, "a"),
        (forward(a=0, b=1), 0.0, "b"),
        (forward(a=90, b=10), 0.89, "a"),
        (forward(a=90, b=10), 0.9, "b"),
        (forward(a=0, b=0), 0.5, None),
    ],
)
def test_weights_share_requests(action: dict[str, Any], draw: float, group: str | None) -> None:
    assert choose_group(action, draw) == group


@pytest.mark.parametrize(
    ("config", "location"),
    [
        ({"StatusCode": "HTTP_301"}, "http://Shop.example:8080/api/v1/users?id=7&sort=Name&flag"),
        (
            {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_302"},
            "https://Shop.example:443/api/v1/users?id=7&sort=Name&flag",
        ),
        (
            {"Host": "new.example", "Path": "/#{path}/x", "Query": "", "StatusCode": "HTTP_302"},
            "http://new.example:8080/api/v1/users/x",
        ),
    ],
)
def test_redirects_keep_what_they_do_not_name(config: dict[str, str], location: str) -> None:
    status, found = redirect_to({"RedirectConfig": config}, GET, 8080)
    assert (status, found) == (int(config["StatusCode"][-3:]), location)
