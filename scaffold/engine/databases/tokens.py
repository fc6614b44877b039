"""The tokens with which users of IAM sign in to a database: presigned requests for `connect`."""

from __future__ import annotations

import datetime
import hmac
from collections.abc import Callable
from urllib.parse import parse_qsl

from botocore.auth import SIGV4_TIMESTAMP, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Signer

from scaffold.engine.credentials import Credentials

_SERVICE = "rds-db"
_MOST_SECONDS = 900
_SKEW_SECONDS = 300
#: The credentials with an access key; None where there are none.
FindCredentials = Callable[[str], Credentials | None]


class Refused(Exception):
    """A token does not let its user in. The text says why."""


def verify(token: str, place: str, region: str, user: str, now: datetime.datetime, find: FindCredentials) -> str:
    """The access key that has signed a token.

    Args:
        place: The endpoint's address and port, with a colon between.
        region: That of the database.
        user: The user that signs in.
        now: The time, with its zone.

    Raises:
        Refused: It is for another endpoint, region, user or time, or not signed as it has to be.
    """
    address, _, query = token.partition("/?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    if address != place:
        raise Refused(f"the token is for {address}")
    if given.get("Action") != "connect" or given.get("DBUser") != user:
        raise Refused(f"the token is for the user {given.get('DBUser')}")
    try:
        signed = datetime.datetime.strptime(given["X-Amz-Date"], SIGV4_TIMESTAMP).replace(tzinfo=datetime.UTC)
        seconds = min(int(given["X-Amz-Expires"]), _MOST_SECONDS)
    except (KeyError, ValueError) as error:
        raise Refused("the token has no time") from error
    if not -_SKEW_SECONDS <= (now - signed).total_seconds() <= seconds:
        raise Refused("the token has expired")
    key = given.get("X-Amz-Credential", "").partition("/")[0]
    credentials = find(key)
    if credentials is None or given.get("X-Amz-Security-Token", "") != credentials.token:
        raise Refused("the token was signed with unknown credentials")
    # As it was sent, since the encoding counts.
    unsigned = "&".join(one for one in query.split("&") if not one.startswith("X-Amz-Signature="))
    presigned = AWSRequest("GET", f"https://{place}/?{unsigned}")
    presigned.context["timestamp"] = given["X-Amz-Date"]
    signer = SigV4QueryAuth(Signer(credentials.access_key, credentials.secret_key), _SERVICE, region)
    if given["X-Amz-Credential"] != signer.scope(presigned):
        raise Refused(f"the token is not for databases in {region}")
    expected = signer.signature(signer.string_to_sign(presigned, signer.canonical_request(presigned)), presigned)
    if not hmac.compare_digest(expected.encode(), given.get("X-Amz-Signature", "").encode()):
        raise Refused("the signature of the token is wrong")
    return key
