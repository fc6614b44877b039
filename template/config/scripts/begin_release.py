#!/usr/bin/env python3
"""Name the release of a build whose image has passed every gate, and begin its record.

    ARTIFACT_BUCKET=... COMMIT=... EXECUTION=... IMAGE_URI=... IMAGE_TAG=... IMAGE_DIGEST=... \\
      begin_release.py [--findings FILE] [--sbom FILE] OUTPUT

Writes RELEASE_NAME and RELEASE_COMMIT to the file OUTPUT, for a shell. The name is the time in UTC and the beginning of
the version, such as 20260131-0915-0123456789ab. The artifact bucket gets releases/NAME/release.json, which production's
last action completes, and beside it the findings of the scan. The record names where provenance and SBOM of the image
are; the SBOM is stored unless an earlier release of the image has done so. A commit that changes neither the image nor
the folders infrastructure and config, as one of documentation, is no release of its own: it gets name and commit of the
release in production. Exit codes: 0 begun, 1 failed, 2 usage error.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from aws_cli import Problem, Refused
from release_record import PRODUCTION, TAKEN, create, exists, find, image_folder, keep, record_key, timestamp
from source_files import ROOT

BEGUN, FAILED, USAGE_ERROR = 0, 1, 2
VARIABLES = ("ARTIFACT_BUCKET", "COMMIT", "EXECUTION", "IMAGE_DIGEST", "IMAGE_TAG", "IMAGE_URI")
VERSION_CHARACTERS = 12
MOST_NAMES = 60
#: Beside the image, what a release consists of.
CONFIGURATION = ("config", "infrastructure")
#: Folders that Python and npm write there while a build runs.
WRITTEN = {"__pycache__", "node_modules"}


def name_of(version: str, moment: datetime) -> str:
    """The name of a release of a version that was built at a moment."""
    return f"{moment.astimezone(timezone.utc):%Y%m%d-%H%M}-{version[:VERSION_CHARACTERS]}"


def configuration_digest(root: Path) -> str:
    """The digest of the folders with templates, parameters, scripts and policies, as `sha256:` and 64 digits."""
    digest = hashlib.sha256()
    for folder in CONFIGURATION:
        for path in sorted((root / folder).rglob("*")):
            written = not WRITTEN.isdisjoint(path.relative_to(root).parts)
            if written or (path.is_dir() and not path.is_symlink()):
                continue
            content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
            kind = b"link" if path.is_symlink() else b"file"
            for part in (kind, os.fsencode(path.relative_to(root)), content):
                digest.update(hashlib.sha256(part).digest())
    return f"sha256:{digest.hexdigest()}"


def in_production(bucket: str) -> dict[str, Any] | None:
    """The record of the release in production; None before the first one.

    Raises:
        Problem: It cannot be read.
    """
    pointer = find(bucket, PRODUCTION)
    return find(bucket, record_key(pointer["name"])) if pointer else None


def begin(
    given: dict[str, str],
    findings: dict[str, Any] | None,
    sbom: dict[str, Any] | None,
    now: datetime,
    configuration: str,
) -> tuple[str, str]:
    """Create the record of a release, unless production has the same one.

    Args:
        configuration: The digest of what the release consists of beside the image.

    Returns:
        The name of the release and its commit. A new name is that of no other release.

    Raises:
        Problem: A record cannot be read or stored.
    """
    same = {"version": given["IMAGE_TAG"], "digest": given["IMAGE_DIGEST"], "configuration": configuration}
    bucket, folder = given["ARTIFACT_BUCKET"], image_folder(given["IMAGE_DIGEST"])
    current = in_production(bucket)
    if current and same.items() <= current.items():
        return current["name"], current["commit"]
    if sbom is not None:
        keep(bucket, folder, "sbom.json", sbom)
    provenance = f"releases/{folder}/provenance.json"
    record: dict[str, Any] = {
        "name": "",
        "commit": given["COMMIT"],
        "version": given["IMAGE_TAG"],
        "image": given["IMAGE_URI"],
        "digest": given["IMAGE_DIGEST"],
        "configuration": configuration,
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
        return name, given["COMMIT"]
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
        name, commit = begin(given, findings, sbom, datetime.now(timezone.utc), configuration_digest(ROOT))
    except Problem as problem:
        print(f"Release not recorded: {problem}.", file=sys.stderr)
        return FAILED
    arguments.output.write_text(f"export RELEASE_NAME={name}\nexport RELEASE_COMMIT={commit}\n", "utf-8")
    same = commit == given["COMMIT"]
    print(f"Release {name}" if same else f"Nothing to release: production has it as {name}, of commit {commit}")
    return BEGUN


if __name__ == "__main__":
    sys.exit(main())
