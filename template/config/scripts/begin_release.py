#!/usr/bin/env python3
"""Name the release of a build whose image has passed every gate.

    IMAGE_TAG=... begin_release.py OUTPUT

Writes RELEASE_NAME to the file OUTPUT, for a shell: the time in UTC and the beginning of the version, such as
20260131-0915-0123456789ab. Exit codes: 0 named, 2 usage error.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import datetime, timezone
from pathlib import Path

NAMED, USAGE_ERROR = 0, 2
VERSION_CHARACTERS = 12


def name_of(version: str, moment: datetime) -> str:
    """The name of a release of a version that was built at a moment."""
    return f"{moment.astimezone(timezone.utc):%Y%m%d-%H%M}-{version[:VERSION_CHARACTERS]}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="begin_release.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path, help="file to write the variable to")
    arguments = parser.parse_args()
    version = os.environ.get("IMAGE_TAG", "")
    if not version:
        print("Set IMAGE_TAG.", file=sys.stderr)
        return USAGE_ERROR
    name = name_of(version, datetime.now(timezone.utc))
    arguments.output.write_text(f"export RELEASE_NAME={name}\n", "utf-8")
    print(f"Release {name}")
    return NAMED


if __name__ == "__main__":
    sys.exit(main())
