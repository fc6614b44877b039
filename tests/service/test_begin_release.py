"""A release is named by the time of its build in UTC and by its version."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.kits import ROOT
from tests.service.conftest import function_of

SCRIPT = ROOT / "template/config/scripts/begin_release.py"
VERSION = "0123456789abcdef"


@pytest.mark.parametrize("hours", [-11, 0, 5.5, 14])
def test_the_time_is_in_utc(hours: float) -> None:
    zone = timezone(timedelta(hours=hours))
    moment = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC).astimezone(zone)
    assert function_of("begin_release.py", "name_of")(VERSION, moment) == "20261231-2359-0123456789ab"


def test_without_a_version_nothing_is_named(tmp_path: Path) -> None:
    output = tmp_path / "release.env"
    done = subprocess.run(
        [sys.executable, SCRIPT, output], env={}, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (2, "Set IMAGE_TAG.\n")
    assert not output.exists()
