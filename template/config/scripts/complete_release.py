#!/usr/bin/env python3
"""Complete the record of a release that production runs, and tag its commit.

    APP_NAME=... ARTIFACT_BUCKET=... ENVIRONMENT_NAME=prod EXECUTION=... RELEASE_NAME=... complete_release.py

Pushes the tag vNAME, completes releases/NAME/release.json, which the build has begun, and stores in
releases/production.json which release production has. After a rollback and in a retry, a complete record stays as it
is, and no tag is moved. Exit codes: 0 done, 1 failed, 2 usage error.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime, timezone

from approvals import approval
from aws_cli import Problem
from commits import Clone
from release_record import PRODUCTION, find, record_key, replace, timestamp
from running_approval import running_approval

DONE, FAILED, USAGE_ERROR = 0, 1, 2
VARIABLES = ("APP_NAME", "ARTIFACT_BUCKET", "ENVIRONMENT_NAME", "EXECUTION", "RELEASE_NAME")
POINTER = ("name", "commit", "version", "execution")


def complete(given: dict[str, str], now: datetime) -> str:
    """Complete a release; return what was done, as a sentence.

    Raises:
        Problem: It cannot be completed.
    """
    bucket, name = given["ARTIFACT_BUCKET"], given["RELEASE_NAME"]
    record = find(bucket, record_key(name))
    if record is None:
        raise Problem(f"the build has left no record of the release {name}; release the commit again")
    before = find(bucket, PRODUCTION)
    tag = f"v{name}"
    with Clone(given["APP_NAME"]) as clone:
        clone.push_tag(tag, record["commit"])
        known = "finished" in record
        if not known:
            app, environment, execution = (given[one] for one in ("APP_NAME", "ENVIRONMENT_NAME", "EXECUTION"))
            decision = approval(app, environment, execution)
            decision = decision or running_approval(app, bucket, name, environment, execution)
            previous = before if before and before["name"] != name else None
            record |= {
                "tag": tag,
                "environment": environment,
                "finished": timestamp(now),
                "approval": decision,
                "previous": {key: previous[key] for key in ("name", "commit", "version")} if previous else None,
                "notes": clone.subjects(previous["commit"] if previous else None, record["commit"]),
            }
            replace(bucket, record_key(name), record)
    if before is None or before["name"] != name:
        replace(bucket, PRODUCTION, {**{key: record[key] for key in POINTER}, "since": timestamp(now)})
    what = f"Release {name} of commit {record['commit']} is in {given['ENVIRONMENT_NAME']}"
    return f"{what} again; its record stays as it is." if known else f"{what}, with the tag {tag}."


def main() -> int:
    given = {name: os.environ.get(name, "") for name in VARIABLES}
    if missing := [name for name, value in given.items() if not value]:
        print(f"Set {', '.join(missing)}.", file=sys.stderr)
        return USAGE_ERROR
    try:
        print(complete(given, datetime.now(timezone.utc)))
    except Problem as problem:
        print(f"Release not completed: {problem}.", file=sys.stderr)
        return FAILED
    return DONE


if __name__ == "__main__":
    sys.exit(main())
