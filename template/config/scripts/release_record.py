"""The records of releases in the artifact bucket: releases/NAME/release.json and what is beside it."""

from __future__ import annotations

import json
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from aws_cli import output


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


def _put(bucket: str, key: str, document: dict[str, Any], *options: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder, "body.json")
        body.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
        place = ("--bucket", bucket, "--key", key, "--content-type", "application/json")
        output("s3api", "put-object", *place, "--body", str(body), *options)
