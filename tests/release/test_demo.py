"""`make demo`: a release to production, and a bad one that is rolled back."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import ROOT


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_demo_ends_with_the_good_version_in_production_and_says_what_to_type_next(tmp_path: Path) -> None:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        [ROOT / "tools" / "demo"],
        env={**os.environ, "PATH": path, "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1700,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    good, still_good = re.findall(r'^{"message":.*"version":"(\w+)","environment":"prod"}$', done.stdout, re.MULTILINE)
    assert good == still_good
    assert "ECS Deployment Alarm was triggered" in done.stdout
    assert set(re.findall(r"^ +\d+ times (\d+)", done.stdout, re.MULTILINE)) == {"200", "500"}, done.stdout
    assert re.search(rf"^\d{{8}}-\d{{4}}-{good[:12]} +succeeded, answers now$", done.stdout, re.MULTILINE)
    for words in (
        "codecommit::us-east-1://hello-service",
        "in the stage Approve-Prod",
        "scaffold local --speed 60 -- bash",
    ):
        assert words in done.stdout
    (service,) = tmp_path.glob("*/hello-service")
    (undo,) = re.findall(r"^  (git .*revert.*)$", done.stdout, re.MULTILINE)
    nobody = {"HOME": str(tmp_path), "PATH": path, "GIT_CONFIG_NOSYSTEM": "1"}  # Git does not know who commits.
    subprocess.run(["sh", "-ec", undo], cwd=service, env=nobody, check=True, capture_output=True)
    assert (service / "infrastructure" / "pipeline.yaml").is_file()
