#!/usr/bin/env python3
"""Name the release of a build whose image has passed every gate, and begin its record.

    ARTIFACT_BUCKET=... COMMIT=... EXECUTION=... IMAGE_URI=... IMAGE_TAG=... IMAGE_DIGEST=... \\
      begin_release.py [--findings FILE] [--sbom FILE] OUTPUT

Writes RELEASE_NAME to the file OUTPUT, for a shell: the time in UTC and the beginning of the version, such as
20260131-0915-0123456789ab. The artifact bucket gets releases/NAME/release.json, which production's last action
completes, and beside it the findings of the scan. It names where provenance and SBOM of the image are, which it stores
unless an earlier release of the image has. Exit codes: 0 begun, 1 failed, 2 usage error.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from aws_cli import Problem, Refused
from release_record import TAKEN, create, exists, image_folder, keep, timestamp

BEGUN, FAILED, USAGE_ERROR = 0, 1, 2
VARIABLES = ("ARTIFACT_BUCKET", "COMMIT", "EXECUTION", "IMAGE_DIGEST", "IMAGE_TAG", "IMAGE_URI")
VERSION_CHARACTERS = 12
MOST_NAMES = 60


def name_of(version: str, moment: datetime) -> str:
    """The name of a release of a version that was built at a moment."""
    return f"{moment.astimezone(timezone.utc):%Y%m%d-%H%M}-{version[:VERSION_CHARACTERS]}"


def begin(given: dict[str, str], findings: dict[str, Any] | None, sbom: dict[str, Any] | None, now: datetime) -> str:
    """Create the record of a release; return its name, which no other release has.

    Raises:
        Problem: The record cannot be stored.
    """
    bucket, folder = given["ARTIFACT_BUCKET"], image_folder(given["IMAGE_DIGEST"])
    if sbom is not None:
        keep(bucket, folder, "sbom.json", sbom)
    provenance = f"releases/{folder}/provenance.json"
    record: dict[str, Any] = {
        "name": "",
        "commit": given["COMMIT"],
        "version": given["IMAGE_TAG"],
        "image": given["IMAGE_URI"],
        "digest": given["IMAGE_DIGEST"],
        "execution": given["EXECUTION"],
        "started": timestamp(now),
        "findings": None,
        "provenance": provenance if exists(bucket, provenance) else None,
        "sbom": f"releases/{folder}/sbom.json" if sbom is not None else None,
    }
    if findings is not None:
        counts = Counter(one["severity"] for one in findings["findings"])
        record["findings"] = {"file": "findings.json", "threshold": findings["threshold"], "counts": dict(counts)}
    for minutes in range(MOST_NAMES):
        # Two builds of a version within a minute: the later one has the name of the next minute.
        name = name_of(given["IMAGE_TAG"], now + timedelta(minutes=minutes))
        try:
            create(bucket, name, "release.json", {**record, "name": name})
        except Refused as refused:
            if refused.code not in TAKEN:
                raise
            continue
        if findings is not None:
            create(bucket, name, "findings.json", findings)
        return name
    raise Problem(f"version {given['IMAGE_TAG']} was released {MOST_NAMES} times within an hour; retry the stage later")


def main() -> int:
    parser = argparse.ArgumentParser(prog="begin_release.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path, help="file to write the variable to")
    parser.add_argument("--findings", type=Path, help="file with the findings of the scan, as the scan gate writes it")
    parser.add_argument("--sbom", type=Path, help="file with the SBOM of the image, as the scan gate writes it")
    arguments = parser.parse_args()
    given = {name: os.environ.get(name, "") for name in VARIABLES}
    if missing := [name for name, value in given.items() if not value]:
        print(f"Set {', '.join(missing)}.", file=sys.stderr)
        return USAGE_ERROR
    findings, sbom = (
        json.loads(file.read_text("utf-8")) if file else None for file in (arguments.findings, arguments.sbom)
    )
    try:
        name = begin(given, findings, sbom, datetime.now(timezone.utc))
    except Problem as problem:
        print(f"Release not recorded: {problem}.", file=sys.stderr)
        return FAILED
    arguments.output.write_text(f"export RELEASE_NAME={name}\n", "utf-8")
    print(f"Release {name}")
    return BEGUN


if __name__ == "__main__":
    sys.exit(main())
