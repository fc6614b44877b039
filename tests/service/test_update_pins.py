"""The script that runs Renovate: what it gives it, and what it makes of its report."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kits import ROOT

CONDITION = "{% if updates == 'renovate' %}"
SCRIPTS = ROOT / "template" / "config" / "scripts"
RENOVATE = """#!/bin/sh
env > "$SEEN/variables"
cat "$AWS_SHARED_CREDENTIALS_FILE" > "$SEEN/credentials"
git config --get-all credential.helper > "$SEEN/helper"
test ! -f "$SEEN/report" || cp "$SEEN/report" "$RENOVATE_REPORT_PATH"
exit "$(cat "$SEEN/code")"
"""
PIN = {"depName": "express"}
DONE, FAILED, USAGE = 0, 1, 2


@pytest.fixture
def update(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the script of a service whose Renovate leaves a report."""
    service, seen = tmp_path / "service", tmp_path / "seen"
    program = service / "config/renovate/node_modules/.bin/renovate"
    program.parent.mkdir(parents=True)
    program.write_text(RENOVATE)
    program.chmod(0o755)
    (service / "config/scripts").mkdir()
    for name in ("aws_calls.py", "aws_cli.py", "commits.py", "remedies.py"):
        shutil.copy(SCRIPTS / name, service / "config/scripts")
    shutil.copy(SCRIPTS / f"{CONDITION}update_pins.py{{% endif %}}", service / "config/scripts/update_pins.py")
    seen.mkdir()

    def run(report: dict[str, Any] | str | None, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        if report is not None:
            (seen / "report").write_text(report if isinstance(report, str) else json.dumps(report))
        (seen / "code").write_text(str(code))
        given = {"APP_NAME": "orders", "SEEN": str(seen), "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "known"}
        return subprocess.run(
            [sys.executable, service / "config/scripts/update_pins.py"],
            env={**given, "PATH": os.environ["PATH"], **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def reported(*pins: dict[str, Any], branches: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    files = {"npm": [{"packageFile": "app/package.json", "deps": list(pins)}]} if pins else {}
    return {"repositories": {"orders": {"problems": [], "branches": list(branches), "packageFiles": files}}}


def test_renovate_gets_keys_in_a_file_and_gits_helper_in_another(
    update: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """With keys in variables it would sign an address of its own; its library for Git refuses helpers in variables."""
    done = update(reported(PIN), GIT_TEMPLATE_DIR="/x", GIT_CONFIG_GLOBAL="/x", AWS_SESSION_TOKEN="token")
    assert (done.returncode, done.stderr) == (DONE, "")
    assert done.stdout == "Every pin is up to date.\n"
    variables = dict(
        line.split("=", 1) for line in (tmp_path / "seen/variables").read_text().splitlines() if "=" in line
    )
    assert not variables.keys() & {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    assert not variables.keys() & {"GIT_TEMPLATE_DIR", "GIT_CONFIG_GLOBAL"}
    assert variables["RENOVATE_REPOSITORIES"] == "orders"
    assert "aws_session_token = token\n" in (tmp_path / "seen/credentials").read_text()
    assert "aws codecommit credential-helper get" in (tmp_path / "seen/helper").read_text()
    assert not Path(variables["HOME"]).exists()


@pytest.mark.parametrize(
    ("report", "code", "said"),
    [
        (reported(), 0, "could not look at the pins of the repository orders"),
        (
            reported({**PIN, "warnings": [{"message": "no-result"}]}),
            0,
            "no version is known of express in app/package.json",
        ),
        (reported(PIN), 1, "Renovate logged an error"),
        ({"repositories": {}}, 0, "could not read the repository orders"),
        ("{", 0, "could not read the repository orders"),
        (None, 2, "left no report"),
    ],
)
def test_a_run_that_has_looked_at_nothing_fails(
    update: Callable[..., subprocess.CompletedProcess[str]], report: Any, code: int, said: str
) -> None:
    """Renovate ends with 0 where it cannot clone, and where a registry does not answer."""
    done = update(report, code)
    assert done.returncode == FAILED
    assert done.stderr.startswith("Pins not updated: ")
    assert said in done.stderr


def test_its_branches_are_listed(update: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    branch = {"branchName": "renovate/npm-minor-patch", "prTitle": "Update express", "result": "pr-created"}
    assert update(reported(PIN, branches=(branch,))).stdout == "renovate/npm-minor-patch: Update express (pr-created)\n"
    assert update(reported(PIN), APP_NAME="").returncode == USAGE
