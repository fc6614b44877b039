"""A request to the API of an AWS service: which service, which operation, which parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from scaffold.local.protocol import Document

_SCOPE = re.compile(r"(?P<key>[^/=\s]+)/\d{8}/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request")
_MEMBER = re.compile(r"(?P<name>\w+)(?:\.member)?\.\d+(?:\.(?P<part>Key|Value))?")
_RPC = re.compile(r"/service/[^/]+/operation/(?P<operation>\w+)")
# Of the REST services that are neither S3 nor the registry: operations by method and path.
_ROUTES = {
    ("inspector-scan", "POST", "/scan/sbom"): "ScanSbom",
    ("inspector2", "POST", "/findings/list"): "ListFindings",
    ("inspector2", "POST", "/coverage/list"): "ListCoverage",
}


@dataclass(frozen=True)
class ApiRequest:
    """A request, signed with Signature Version 4.

    Attributes:
        query: The query string.
        headers: By their names in lower case.
        access_key: That of the signature; empty without one.
        service: The service that the signature is for, such as `s3` or `monitoring`.
        region: The region that it is for.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""
    access_key: str = ""
    service: str = ""
    region: str = ""

    @classmethod
    def read(cls, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes = b"") -> ApiRequest:
        """A request with what its signature says."""
        signed = headers.get("authorization", "") or dict(parse_qsl(query)).get("X-Amz-Credential", "")
        scope = _SCOPE.search(signed)
        found = (scope["key"], scope["service"], scope["region"]) if scope else ("", "", "")
        return cls(method, path, query, headers, body, *found)

    @property
    def token(self) -> str:
        """The session token."""
        return self.headers.get("x-amz-security-token") or self.arguments.get("X-Amz-Security-Token", "")

    @cached_property
    def arguments(self) -> dict[str, str]:
        """The query string's arguments."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def protocol(self) -> str:
        """The protocol, which the form of errors depends on: `json`, `cbor`, `query`, `s3` or `rest-json`."""
        if "x-amz-target" in self.headers:
            return "json"
        if _RPC.fullmatch(self.path):
            return "cbor"
        if self.service == "s3":
            return "s3"
        return "query" if "Action" in self.parameters else "rest-json"

    @property
    def operation(self) -> str:
        """The operation; empty if it is not known."""
        if target := self.headers.get("x-amz-target"):
            return target.rpartition(".")[2]
        if rpc := _RPC.fullmatch(self.path):
            return rpc["operation"]
        return str(self.parameters.get("Action") or _ROUTES.get((self.service, self.method, self.path), ""))

    @cached_property
    def parameters(self) -> Document:
        """The parameters: a JSON document, or a form's, whose lists of plain values are lists."""
        kind = self.headers.get("content-type", "")
        if "json" in kind:
            try:
                read = json.loads(self.body or b"{}")
            except ValueError:
                read = None
            return read if isinstance(read, dict) else {}
        form = "x-www-form-urlencoded" in kind
        pairs = parse_qsl(self.body.decode("utf-8", "replace") if form else self.query, keep_blank_values=True)
        return _nested(pairs)

    @property
    def tags(self) -> dict[str, str]:
        """The tags that the request gives to a resource."""
        given: Any = next((self.parameters[name] for name in ("tags", "Tags") if name in self.parameters), [])
        if isinstance(given, dict):
            return {str(key): str(value) for key, value in given.items()}
        pairs = [{key.lower(): value for key, value in one.items()} for one in given if isinstance(one, dict)]
        return {str(one.get("key", "")): str(one.get("value", "")) for one in pairs}


def _nested(pairs: list[tuple[str, str]]) -> Document:
    """The parameters of a form, with lists of plain values and of tags."""
    found: Document = {}
    for name, value in pairs:
        member = _MEMBER.fullmatch(name)
        if member is None:
            found[name] = value
            continue
        values = found.setdefault(member["name"], [])
        if not member["part"]:
            values.append(value)
        elif member["part"] == "Key":
            values.append({"Key": value})
        else:
            values[-1]["Value"] = value
    return found
