"""Whether a registry has an image, asked without a password."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from urllib.parse import urlencode, urlsplit

from scaffold.core.loopback import direct_opener

_SECONDS = 8
_LARGEST_TOKEN = 1 << 20
_MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.list.v2",
        "docker.distribution.manifest.v2",
    )
)
_IMAGE = re.compile(
    r"(?P<name>[a-z0-9.:_/-]+?)(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?", re.ASCII
)
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Unknown(Exception):
    """The registry does not tell. The text says why, as the end of a sentence."""


@dataclass(frozen=True)
class Image:
    """The parts of an image's name.

    Attributes:
        registry: The host, with its port.
        reference: The digest, or the tag.
    """

    registry: str
    repository: str
    reference: str

    @classmethod
    def parse(cls, name: str) -> Image:
        """Read a name as Docker does.

        Raises:
            Unknown: It is not the name of an image.
        """
        found = _IMAGE.fullmatch(name)
        if not found:
            raise Unknown("is not the name of an image")
        host, slash, path = found["name"].partition("/")
        if not slash or not (set(host) & set(".:") or host == "localhost"):
            host, path = "docker.io", found["name"] if slash else f"library/{found['name']}"
        # The registry of Docker Hub has another name.
        registry = "registry-1.docker.io" if host == "docker.io" else host
        return cls(registry, path, found["digest"] or found["tag"] or "latest")


def has(name: str) -> bool:
    """Whether the registry of an image has it.

    Raises:
        Unknown: It cannot be reached, wants a password, or answers something else.
    """
    image = Image.parse(name)
    # As Docker does: a registry on this machine needs no certificate.
    local = image.registry.rpartition(":")[0] in _LOOPBACK or image.registry in _LOOPBACK
    scheme = "http" if local else "https"
    url = f"{scheme}://{image.registry}/v2/{image.repository}/manifests/{image.reference}"
    status, challenge = _head(url, local)
    if status == HTTPStatus.UNAUTHORIZED:
        status, _ = _head(url, local, _anonymous_token(challenge, scheme, local))
    if status == HTTPStatus.OK:
        return True
    if status == HTTPStatus.NOT_FOUND:
        return False
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise Unknown("is not readable without a password")
    raise Unknown(f"cannot be looked up: {image.registry} answers {status}")


def _head(url: str, local: bool, token: str = "") -> tuple[int, str]:
    """The status of an answer, and its demand for a token."""
    headers = {"Accept": _MANIFESTS, **({"Authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(url, headers=headers, method="HEAD")  # noqa: S310 (the scheme is https, or local)
    try:
        with _opener(local).open(request, timeout=_SECONDS) as answer:
            return int(answer.status), ""
    except urllib.error.HTTPError as error:
        error.close()
        return error.code, str(error.headers.get("WWW-Authenticate", ""))
    except (OSError, HTTPException, ValueError) as error:
        raise _unreachable(error) from error


def _anonymous_token(challenge: str, scheme: str, local: bool) -> str:
    kind, _, rest = challenge.partition(" ")
    parameters = dict(_PARAMETER.findall(rest))
    realm = parameters.pop("realm", "")
    if kind.lower() != "bearer" or urlsplit(realm).scheme != scheme:
        raise Unknown("is not readable without a password")
    wanted = urlencode({name: parameters[name] for name in ("service", "scope") if name in parameters})
    try:
        with _opener(local).open(f"{realm}?{wanted}", timeout=_SECONDS) as answer:
            document = json.loads(answer.read(_LARGEST_TOKEN))
    except urllib.error.HTTPError as error:
        error.close()
        raise Unknown("is not readable without a password") from error
    except (OSError, HTTPException, ValueError) as error:
        raise _unreachable(error) from error
    token = document.get("token") or document.get("access_token") if isinstance(document, dict) else None
    if not isinstance(token, str) or not token.isprintable():
        raise Unknown("is not readable without a password")
    return token


def _unreachable(error: Exception) -> Unknown:
    reason = getattr(error, "reason", None) or error
    return Unknown(f"cannot be looked up ({getattr(reason, 'strerror', None) or reason})")


def _opener(local: bool) -> urllib.request.OpenerDirector:
    return direct_opener() if local else urllib.request.build_opener()
