"""The permissions that a request to S3 needs, in path style, and those for the KMS keys of encrypted objects."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from urllib.parse import quote
from xml.etree import ElementTree

from scaffold.local.permissions.api_requests import ApiRequest
from scaffold.local.permissions.needs import Need, NotRehearsed
from scaffold.local.protocol import ACCOUNT

#: Asks S3 itself: takes the method and the path with the query string, and returns the headers and the body.
Ask = Callable[[str, str], Awaitable[tuple[dict[str, str], bytes]]]

_KEY_HEADER = "x-amz-server-side-encryption-aws-kms-key-id"
# By the method and the argument of the query string that selects a sub-resource; empty for the bucket or object itself.
_OF_BUCKETS = {
    ("GET", ""): "ListBucket",
    ("HEAD", ""): "ListBucket",
    ("GET", "acl"): "GetBucketAcl",
    ("GET", "location"): "GetBucketLocation",
    ("GET", "uploads"): "ListBucketMultipartUploads",
    ("GET", "versioning"): "GetBucketVersioning",
    ("GET", "versions"): "ListBucketVersions",
}
_OF_OBJECTS = {
    ("GET", ""): "GetObject",
    ("HEAD", ""): "GetObject",
    ("PUT", ""): "PutObject",
    ("DELETE", ""): "DeleteObject",
    ("GET", "versionId"): "GetObjectVersion",
    ("HEAD", "versionId"): "GetObjectVersion",
    ("DELETE", "versionId"): "DeleteObjectVersion",
    ("GET", "tagging"): "GetObjectTagging",
    ("PUT", "tagging"): "PutObjectTagging",
    ("POST", "uploads"): "PutObject",
    ("GET", "uploadId"): "ListMultipartUploadParts",
    ("PUT", "uploadId"): "PutObject",
    ("POST", "uploadId"): "PutObject",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
}
# Arguments that select no sub-resource.
_PLAIN = re.compile(
    r"list-type|prefix|delimiter|max-keys|max-uploads|continuation-token|start-after|fetch-owner|encoding-type|marker"
    r"|key-marker|partNumber|part-number-marker|max-parts|version-id-marker|upload-id-marker|response-[a-z-]+|x-id"
    r"|X-Amz-[A-Za-z0-9-]+"
)


async def bucket_needs(request: ApiRequest, ask: Ask) -> list[Need]:
    """The permissions that a request to S3 needs.

    Raises:
        NotRehearsed: They are not known.
    """
    bucket, _, key = request.path.lstrip("/").partition("/")
    if not bucket:
        return [Need("s3:ListAllMyBuckets")]
    selected = [name for name in request.arguments if not _PLAIN.fullmatch(name)]
    action = (_OF_OBJECTS if key else _OF_BUCKETS).get((request.method, selected[0] if selected else ""))
    if action is None or len(selected) > 1 or "x-amz-copy-source" in request.headers:
        raise NotRehearsed(f"the permissions of s3 {request.method} {'&'.join(selected) or request.path}")
    found = [Need(f"s3:{action}", f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else ""), _context(request, action))]
    if request.headers.get("x-amz-acl"):
        found.append(Need("s3:PutObjectAcl", found[0].resource))
    if action in ("GetObject", "GetObjectVersion"):
        version = request.arguments.get("versionId")
        headers, _ = await ask("HEAD", quote(f"/{bucket}/{key}") + (f"?versionId={version}" if version else ""))
        found += _key_needs("kms:Decrypt", headers.get(_KEY_HEADER, ""), request.region)
    elif action == "PutObject":
        given = request.headers.get(_KEY_HEADER, "")
        if not request.headers.get("x-amz-server-side-encryption"):
            given = _default_key((await ask("GET", f"/{quote(bucket)}?encryption"))[1])
        found += _key_needs("kms:GenerateDataKey", given, request.region)
        if given and "uploadId" in request.arguments:
            found += _key_needs("kms:Decrypt", given, request.region)
    return found


def _context(request: ApiRequest, action: str) -> dict[str, str]:
    """The condition keys of S3 that a request has."""
    if action == "PutObject" and (condition := request.headers.get("if-none-match")):
        return {"s3:if-none-match": condition}
    if action == "ListBucket" and "prefix" in request.arguments:
        return {"s3:prefix": request.arguments["prefix"]}
    return {}


def _default_key(body: bytes) -> str:
    """The KMS key with which a bucket encrypts objects by default, from GetBucketEncryption's response."""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError:
        return ""
    return next((one.text or "" for one in root.iter() if one.tag.endswith("KMSMasterKeyID")), "")


def _key_needs(action: str, key: str, region: str) -> list[Need]:
    if not key:
        return []
    if "alias/" in key:
        raise NotRehearsed("permissions for a KMS key by its alias")
    return [Need(action, key if key.startswith("arn:") else f"arn:aws:kms:{region}:{ACCOUNT}:key/{key}")]
