"""Tokens of IAM as boto3 and the AWS SDK for JavaScript make them."""

from __future__ import annotations

import datetime
from urllib.parse import parse_qsl, quote, urlencode

import boto3
import pytest

from scaffold.engine.credentials import Credentials
from scaffold.engine.databases.tokens import Refused, verify

# Characters that each have to be encoded in the right way.
KEY = Credentials("ASIATEMPORARY", "s/e+c=r~e t", "to/k+e=n~*%2F")
PERMANENT = Credentials("AKIAPERMANENT", "secret")
KNOWN = {one.access_key: one for one in (KEY, PERMANENT)}
USER, REGION = "a+b c/d", "eu-central-1"


def _token(credentials: Credentials = KEY, region: str = REGION) -> str:
    signer = boto3.Session().client(
        "rds",
        region_name=region,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.token or None,
    )
    return str(signer.generate_db_auth_token(DBHostname="127.0.0.1", Port=5432, DBUsername=USER))


@pytest.fixture(scope="module")
def token() -> str:
    return _token()


def _verify(token: str, *, place: str = "127.0.0.1:5432", user: str = USER, seconds: float = 0) -> str:
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    return verify(token, place, REGION, user, now, KNOWN.get)


def test_a_token_tells_who_has_signed_it(token: str) -> None:
    assert _verify(token) == KEY.access_key
    assert _verify(_token(PERMANENT)) == PERMANENT.access_key


def test_the_parameters_of_a_token_may_be_in_any_order(token: str) -> None:
    """The SDK for JavaScript sorts them all, so that the signature is not the last."""
    place, _, query = token.partition("/?")
    assert _verify(f"{place}/?{urlencode(sorted(parse_qsl(query)), quote_via=quote, safe='~')}") == KEY.access_key


@pytest.mark.parametrize(
    ("former", "new", "why"),
    [
        ("Action=connect", "Action=other", "for the user"),
        ("127.0.0.1:5432", "127.0.0.1:5433", "is for 127.0.0.1:5433"),
        ("X-Amz-Expires=900", "X-Amz-Expires=899", "signature"),
        ("X-Amz-Expires=900", "X-Amz-Expires=x", "no time"),
        ("X-Amz-Date", "X-Amz-Day", "no time"),
        ("X-Amz-Algorithm=AWS4", "X-Amz-Algorithm=AWS5", "signature"),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=none", "signature"),
        (f"%2F{REGION}%2F", "%2Fus-east-1%2F", f"not for databases in {REGION}"),
        ("rds-db", "rds-data", f"not for databases in {REGION}"),
        ("ASIATEMPORARY", "ASIAOTHER", "unknown credentials"),
        ("ASIATEMPORARY", "AKIAPERMANENT", "unknown credentials"),
        ("X-Amz-Signature=", "X-Amz-Signature=0", "signature"),
        ("X-Amz-Signature=", "X-Amz-Signature=%C3%A9", "signature"),
        ("X-Amz-Signature=", "Signature=", "signature"),
        ("/?", "/other?", "is for"),
        ("X-Amz-Security-Token", "X-Amz-Security", "unknown credentials"),
    ],
)
def test_a_token_with_anything_changed_is_refused(token: str, former: str, new: str, why: str) -> None:
    assert former in token
    with pytest.raises(Refused, match=why):
        _verify(token.replace(former, new))


@pytest.mark.parametrize("given", ["", "password", "127.0.0.1:5432/?", "?&=&&", "127.0.0.1:5432/?Action=connect"])
def test_what_is_no_token_is_refused(given: str) -> None:
    with pytest.raises(Refused):
        _verify(given)


def test_a_token_is_for_its_user_endpoint_and_region_only(token: str) -> None:
    for other in ({"user": "other"}, {"place": "127.0.0.1:1"}):
        with pytest.raises(Refused):
            _verify(token, **other)
    with pytest.raises(Refused, match="not for databases in"):
        _verify(_token(region="us-east-1"))


@pytest.mark.parametrize(("seconds", "accepted"), [(-400, False), (-100, True), (800, True), (1000, False)])
def test_a_token_counts_for_a_quarter_of_an_hour(token: str, seconds: float, accepted: bool) -> None:
    if accepted:
        assert _verify(token, seconds=seconds) == KEY.access_key
    else:
        with pytest.raises(Refused, match="expired"):
            _verify(token, seconds=seconds)
