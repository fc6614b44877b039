"""Responses to requests of roles, in the form of each protocol: errors, and what only a role is answered."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

from scaffold.local.permissions.sessions import Session
from scaffold.local.protocol import ACCOUNT

_REQUEST = "00000000-0000-0000-0000-000000000000"
_TOKEN_SECONDS = 12 * 3600
_XML = {"content-type": "text/xml"}
# The code of an error for an access that is denied, where it is not the protocol's own.
_CODES = {"query": "AccessDenied", "s3": "AccessDenied"}


@dataclass(frozen=True)
class Answer:
    """A response."""

    content: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def access_denied(message: str, protocol: str, method: str) -> Answer:
    """The error for a call that is denied."""
    return error(_CODES.get(protocol, "AccessDeniedException"), message, protocol, method, 403)


def error(code: str, message: str, protocol: str, method: str = "POST", status: int = 403) -> Answer:
    """An error of a service.

    Args:
        protocol: As `ApiRequest.protocol` says.
        method: A response to HEAD has no body.
    """
    text = escape(message)
    if protocol == "s3":
        body = "" if method == "HEAD" else f"<Error><Code>{code}</Code><Message>{text}</Message></Error>"
        return Answer(body.encode(), status, {"content-type": "application/xml"})
    if protocol == "query":
        inner = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error>"
        body = f"<ErrorResponse>{inner}<RequestId>{_REQUEST}</RequestId></ErrorResponse>"
        return Answer(body.encode(), status, _XML)
    if protocol == "cbor":
        headers = {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor", "x-amzn-errortype": code}
        return Answer(b"\xa2" + b"".join(map(_cbor, ("__type", code, "message", message))), status, headers)
    document = json.dumps({"__type": code, "message": message}).encode()
    return Answer(document, 400 if protocol == "json" else status, {"x-amzn-errortype": code})


def registry_denied(message: str) -> Answer:
    """The error of ECR's registry, in the form of the OCI distribution API."""
    content = json.dumps({"errors": [{"code": "DENIED", "message": message}]}).encode()
    return Answer(content, 403, {"content-type": "application/json"})


def caller_identity(session: Session) -> Answer:
    """The response of STS's GetCallerIdentity."""
    found = f"<Arn>{escape(session.arn)}</Arn><UserId>{escape(session.user_id)}</UserId><Account>{ACCOUNT}</Account>"
    body = (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<GetCallerIdentityResult>{found}</GetCallerIdentityResult>"
        f"<ResponseMetadata><RequestId>{_REQUEST}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    )
    return Answer(body.encode(), headers=_XML)


def assumed_role(session: Session, seconds: int) -> Answer:
    """The response of STS's AssumeRole.

    Args:
        seconds: How long the credentials are said to be valid.
    """
    credentials, ends = session.credentials, datetime.now(UTC) + timedelta(seconds=seconds)
    given = (
        f"<AccessKeyId>{credentials.access_key}</AccessKeyId><SecretAccessKey>{credentials.secret_key}</SecretAccessKey>"
        f"<SessionToken>{credentials.token}</SessionToken><Expiration>{ends:%Y-%m-%dT%H:%M:%SZ}</Expiration>"
    )
    user = f"<AssumedRoleId>{escape(session.user_id)}</AssumedRoleId><Arn>{escape(session.arn)}</Arn>"
    body = (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<AssumeRoleResult><Credentials>{given}</Credentials><AssumedRoleUser>{user}</AssumedRoleUser>"
        f"</AssumeRoleResult><ResponseMetadata><RequestId>{_REQUEST}</RequestId></ResponseMetadata>"
        "</AssumeRoleResponse>"
    )
    return Answer(body.encode(), headers=_XML)


def registry_token(session: Session, region: str) -> Answer:
    """The response of ECR's GetAuthorizationToken. The registry knows the role by the token."""
    data = {
        "authorizationToken": session.registry_token(region),
        "expiresAt": time.time() + _TOKEN_SECONDS,
        "proxyEndpoint": f"https://{ACCOUNT}.dkr.ecr.{region}.amazonaws.com",
    }
    return Answer(json.dumps({"authorizationData": [data]}).encode())


def _cbor(text: str) -> bytes:
    """A text in CBOR, with its length in two bytes."""
    content = text.encode()
    return b"\x79" + len(content).to_bytes(2, "big") + content
