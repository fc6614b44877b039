"""The records of releases, which the pipeline keeps in the artifact bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.errors import code_of
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.service import names


@contextmanager
def signed(session: Session, bucket: str, release: str, environment: str) -> Iterator[None]:
    """Record the caller as who approves a release while its tasks run, unless what follows fails.

    ECS does not say who has decided. The key has the id of the caller, which the policy of approvers compares: nobody
    can sign for another.
    """
    user = session.client("sts").get_caller_identity()["UserId"]
    place = {"Bucket": bucket, "Key": names.release_approval(release, environment, user)}
    body = json.dumps({"by": session.caller}).encode()
    session.client("s3").put_object(**place, Body=body, ContentType="application/json")
    try:
        yield
    except (ClientError, ScaffoldError):
        session.client("s3").delete_object(**place)
        raise


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
