"""The records of releases in the artifact bucket.

releases/NAME/release.json has one release, with other files beside it; releases/production.json the one in production.
What is known of an image, whatever releases it, is in releases/images/ and the hexadecimal part of its digest.
"""

from __future__ import annotations

import json
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from aws_cli import Problem, Refused, output

PRODUCTION = "releases/production.json"
# S3's answers where there is an object of this name, or another request is just creating it.
TAKEN = ("PreconditionFailed", "ConditionalRequestConflict")


def record_key(name: str) -> str:
    """The key of the record of a release."""
    return f"releases/{name}/release.json"


def timestamp(moment: datetime) -> str:
    """A moment as a record has it: in UTC, without fractions of a second."""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def create(bucket: str, name: str, file: str, document: dict[str, Any]) -> None:
    """Store a file of a release that must not exist yet.

    Raises:
        Refused: It exists, or S3 does not store it.
        Problem: The AWS CLI did not run, or did not end in time.
    """
    _put(bucket, f"releases/{name}/{file}", document, "--if-none-match", "*")


def image_folder(digest: str) -> str:
    """The folder of what is known of an image, below releases/."""
    return f"images/{digest.removeprefix('sha256:')}"


def keep(bucket: str, folder: str, file: str, document: dict[str, Any]) -> bool:
    """Store a file unless there is one, and say whether there was none.

    Raises:
        Problem: S3 does not store it, or the AWS CLI did not run or end.
    """
    try:
        create(bucket, folder, file, document)
    except Refused as refused:
        if refused.code not in TAKEN:
            raise
        return False
    return True


def exists(bucket: str, key: str) -> bool:
    """Whether there is a document.

    Raises:
        Problem: S3 does not say, or the AWS CLI did not run or end.
    """
    return key in [one["Key"] for one in listed(bucket, key)]


def listed(bucket: str, prefix: str) -> list[dict[str, Any]]:
    """The documents whose keys begin with a text, as S3 lists them.

    Raises:
        Problem: S3 does not list them, or the AWS CLI did not run or end.
    """
    answer = json.loads(output("s3api", "list-objects-v2", "--bucket", bucket, "--prefix", prefix) or "{}")
    return list(answer.get("Contents") or [])


def find(bucket: str, key: str) -> dict[str, Any] | None:
    """A document; None if there is none.

    Raises:
        Problem: It cannot be read.
    """
    if not exists(bucket, key):
        return None
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder, "body.json")
        output("s3api", "get-object", str(body), "--bucket", bucket, "--key", key)
        try:
            document = json.loads(body.read_text("utf-8"))
        except ValueError as error:
            raise Problem(f"s3://{bucket}/{key} has no valid JSON; fix it, then retry the stage") from error
    if not isinstance(document, dict):
        raise Problem(f"s3://{bucket}/{key} is not a JSON object; fix it, then retry the stage")
    return document


def replace(bucket: str, key: str, document: dict[str, Any]) -> None:
    """Store a document, in place of what is there.

    Raises:
        Problem: S3 does not store it, or the AWS CLI did not run or end.
    """
    _put(bucket, key, document)


def _put(bucket: str, key: str, document: dict[str, Any], *options: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder, "body.json")
        body.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
        place = ("--bucket", bucket, "--key", key, "--content-type", "application/json")
        output("s3api", "put-object", *place, "--body", str(body), *options)
