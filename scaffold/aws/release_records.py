"""The records of releases, which the pipeline keeps in the artifact bucket."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.errors import code_of
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.service import names


def read(session: Session, bucket: str, release: str) -> dict[str, Any] | None:
    """The record of a release; None where there is none.

    Raises:
        ScaffoldError: It is no JSON object.
    """
    key = names.release_record(release)
    try:
        body = session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if code_of(error) == "NoSuchKey":
            return None
        raise
    try:
        record = json.loads(body)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise ScaffoldError(
            f"s3://{bucket}/{key} is not a JSON object.", f"Look at it: `aws s3 cp s3://{bucket}/{key} -`."
        )
    return record
