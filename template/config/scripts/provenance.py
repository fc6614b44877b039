#!/usr/bin/env python3
"""Keep the provenance of an image that this build has built: what was built, of which commit, by which build.

    ARTIFACT_BUCKET=... APP_NAME=... ARCHITECTURE=... REPOSITORY_URI=... COMMIT=... EXECUTION=... IMAGE_TAG=...
      IMAGE_DIGEST=... IMAGE_BUILT=yes|no IMAGE_BASES="IMAGE@DIGEST..." provenance.py

The artifact bucket gets releases/images/DIGEST/provenance.json, an in-toto statement with SLSA's provenance, before any
gate. The build cannot overwrite it. It is not signed: the roles of the release and of the pipeline may write below
releases/, too. Exit codes: 0 kept, or the image was built before; 1 failed; 2 usage error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from aws_cli import Problem
from release_record import exists, image_folder, keep, timestamp

KEPT, FAILED, USAGE_ERROR = 0, 1, 2
VARIABLES = (
    *("APP_NAME", "ARCHITECTURE", "ARTIFACT_BUCKET", "AWS_REGION", "COMMIT", "EXECUTION"),
    *("IMAGE_BUILT", "IMAGE_DIGEST", "IMAGE_TAG", "REPOSITORY_URI", "CODEBUILD_BUILD_ARN"),
)


def statement(given: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """The in-toto statement about an image that was just built."""
    build = given["CODEBUILD_BUILD_ARN"]
    started = datetime.fromtimestamp(int(given.get("CODEBUILD_START_TIME") or 0) / 1000, timezone.utc)
    source = f"git+https://git-codecommit.{given['AWS_REGION']}.amazonaws.com/v1/repos/{given['APP_NAME']}"
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": given["REPOSITORY_URI"], "digest": _digest(given["IMAGE_DIGEST"])}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:gitops-scaffold:build-image:1",
                "externalParameters": {
                    "source": source,
                    "commit": given["COMMIT"],
                    "architecture": given["ARCHITECTURE"],
                    "version": given["IMAGE_TAG"],
                },
                "internalParameters": {"pipelineExecution": given["EXECUTION"]},
                "resolvedDependencies": [
                    {"uri": source, "digest": {"gitCommit": given["COMMIT"]}},
                    *_images(given.get("IMAGE_BASES", "")),
                ],
            },
            "runDetails": {
                "builder": {"id": build.replace(":build/", ":project/").rpartition(":")[0]},
                "metadata": {
                    "invocationId": build,
                    "startedOn": timestamp(started),
                    "finishedOn": timestamp(now),
                },
            },
        },
    }


def _images(bases: str) -> Iterator[dict[str, Any]]:
    """The images that the Dockerfile names."""
    for image in bases.split():
        name, _, digest = image.partition("@")
        yield {"uri": f"docker://{name}", "digest": _digest(digest)}


def _digest(text: str) -> dict[str, str]:
    algorithm, _, value = text.partition(":")
    return {algorithm: value}


def main() -> int:
    if missing := [name for name in VARIABLES if not os.environ.get(name)]:
        print(f"Set {', '.join(missing)}.", file=sys.stderr)
        return USAGE_ERROR
    bucket, folder = os.environ["ARTIFACT_BUCKET"], image_folder(os.environ["IMAGE_DIGEST"])
    try:
        if os.environ["IMAGE_BUILT"] != "yes":
            print("An earlier build has built this image: the provenance is that build's.")
            # It may have ended between its push and this script. What it did is not known any more.
            if not exists(bucket, f"releases/{folder}/provenance.json"):
                print("Warning: that build has kept none, and the record of the release says so.", file=sys.stderr)
            return KEPT
        keep(bucket, folder, "provenance.json", statement(os.environ, datetime.now(timezone.utc)))
    except Problem as problem:
        print(f"Provenance not kept: {problem}.", file=sys.stderr)
        return FAILED
    print(f"Provenance: s3://{bucket}/releases/{folder}/provenance.json")
    return KEPT


if __name__ == "__main__":
    sys.exit(main())
