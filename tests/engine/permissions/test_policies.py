"""Decisions of IAM policies."""

from __future__ import annotations

from typing import Any

import pytest

from scaffold.iam.policies import NotEvaluated, Request, refusal

ROLE = {"aws:PrincipalArn": "arn:aws:iam::000000000000:role/shop"}


def statement(effect: str = "Allow", **more: Any) -> dict[str, Any]:
    given = {"Effect": effect, **more}
    given.setdefault("Action", "s3:GetObject") if "NotAction" not in more else None
    given.setdefault("Resource", "*") if "NotResource" not in more else None
    return given


def decision(*statements: dict[str, Any], **context: Any) -> bool:
    found = {key.replace("__", ":"): value for key, value in context.items()}
    return not refusal(Request("s3:GetObject", "arn:aws:s3:::shop/a", ROLE | found), statements)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"Action": "s3:getobject"}, True),  # Actions ignore case,
        ({"Resource": "arn:aws:s3:::SHOP/a"}, False),  # resources do not.
        ({"Action": ["s3:Put*", "s3:Get?bject"]}, True),
        ({"NotAction": "s3:Get*"}, False),
        ({"NotAction": "s3:Put*"}, True),
        ({"NotResource": "arn:aws:s3:::shop/*"}, False),
        ({"Resource": "arn:aws:s3:::${aws:PrincipalAccount}/a"}, None),
        ({"Resource": "arn:aws:s3:::${Who}/a"}, True),
        ({"Resource": "arn:aws:s3:::${Other, 'shop'}/a"}, True),
        ({"Resource": "arn:aws:s3:::shop/${*}"}, False),
    ],
    ids=str,
)
def test_statements_cover_calls(given: dict[str, Any], expected: bool | None) -> None:
    if expected is None:
        with pytest.raises(NotEvaluated):
            decision(statement(**given))
    else:
        assert decision(statement(**given), Who="shop") is expected


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "expected"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", ["b", "a"], "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", "a", [], False),
        ("StringEqualsIfExists", "a", [], True),
        ("StringEqualsIgnoreCase", "a", "A", True),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", "a", [], True),
        ("StringLike", "a*", "abc", True),
        ("StringNotLike", "a*", "abc", False),
        ("ArnLike", "arn:aws:s3:::a*", "arn:aws:s3:::abc", True),
        ("Bool", True, "true", True),
        ("Null", "true", [], True),
        ("Null", "false", [], False),
        ("ForAnyValue:StringEquals", "a", ["b", "a"], True),
        ("ForAnyValue:StringEquals", "a", [], False),
        ("ForAllValues:StringEquals", ["a", "b"], ["b", "a"], True),
        ("ForAllValues:StringEquals", "a", ["b", "a"], False),
        ("ForAllValues:StringEquals", "a", [], True),
        ("StringEquals", "${aws:PrincipalArn}", "arn:aws:iam::000000000000:role/shop", True),
    ],
    ids=str,
)
def test_conditions(operator: str, wanted: Any, given: Any, expected: bool) -> None:
    assert decision(statement(Condition={operator: {"aws:Key": wanted}}), aws__key=given) is expected


def test_a_denied_call_says_which_policy_denies_it() -> None:
    request = Request("s3:GetObject", "arn:aws:s3:::shop/a")
    assert refusal(request, [], [statement()]) == "because no identity-based policy allows the s3:GetObject action"
    assert refusal(request, [statement()], []) == "because no permissions boundary allows the s3:GetObject action"
    denied = [statement(), statement("Deny")]
    assert refusal(request, denied, [statement()]) == "with an explicit deny in an identity-based policy"
    assert refusal(request, [statement()], denied) == "with an explicit deny in a permissions boundary"
    assert refusal(request, [statement()], [statement()]) == refusal(request, [statement()]) == ""


def test_what_is_not_evaluated_is_reported_where_it_decides() -> None:
    """Another statement, or another condition, may decide without it."""
    open_key = {"StringEquals": {"aws:Open": "a"}}
    request = Request("s3:GetObject", "arn:aws:s3:::shop/a", unknown=lambda key: key == "aws:open")
    for statements in (
        [statement(Condition=open_key)],
        [statement(), statement("Deny", Condition=open_key)],
        [statement(Condition={"NumericLessThan": {"aws:Age": "3"}})],
    ):
        with pytest.raises(NotEvaluated, match="the condition"):
            refusal(request, statements)
    assert refusal(request, [statement(Condition=open_key), statement()]) == ""
    assert refusal(request, [statement(Condition=open_key | {"StringLike": {"aws:Absent": "*"}})])
