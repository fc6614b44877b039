"""A release whose alarms are watched next waits until those that it has ended are in OK."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.service.test_entry_check import CLOSED, CLOSED_UNREAD, DENIED, OPEN, USAGE_ERROR, Entry, alarm


@pytest.fixture
def check(generated: Path, monkeypatch: pytest.MonkeyPatch) -> Entry:
    found = Entry(generated, monkeypatch)
    found.script = generated / "config/scripts/alarm_check.py"
    return found


def run(check: Entry, **variables: Any) -> subprocess.CompletedProcess[str]:
    return check.run(**{"ENVIRONMENT_NAME": "dev", "ON_FAILURE": "ROLLBACK", **variables})


def test_an_alarm_that_has_ended_stops_nothing(check: Entry) -> None:
    done = run(check)
    assert (done.returncode, done.stderr) == (OPEN, "")
    assert done.stdout == "Alarm check open: no alarm of dev is in ALARM.\n"


def test_an_alarm_may_end_while_the_check_waits(check: Entry) -> None:
    check.answers["describe-alarms"] = [alarm("orders-dev-5xx"), {"MetricAlarms": []}]
    done = run(check)
    assert done.returncode == OPEN, done.stderr
    assert done.stdout.splitlines() == [
        "Waiting for alarms of dev: orders-dev-5xx.",
        "Alarm check open: no alarm of dev is in ALARM.",
    ]


def test_an_alarm_that_does_not_end_fails_the_stage(check: Entry) -> None:
    check.answers["describe-alarms"] = alarm("orders-dev-5xx")
    done = run(check)
    assert done.returncode == CLOSED
    assert done.stderr.startswith("Alarm check closed: in ALARM in dev: orders-dev-5xx; fix the cause and release ")
    assert done.stderr.endswith("infrastructure/alarms.yaml.\n")


def test_what_cannot_be_read_fails_the_stage(check: Entry) -> None:
    check.answers["describe-alarms"] = DENIED
    done = run(check)
    assert (done.returncode, done.stdout) == (CLOSED_UNREAD, "")
    assert "AccessDenied" in done.stderr
    assert done.stderr.endswith("then release again.\n")


def test_variables_that_are_missing_are_named(check: Entry) -> None:
    done = run(check, APP_NAME="")
    assert (done.returncode, done.stderr) == (USAGE_ERROR, "Set APP_NAME, ENVIRONMENT_NAME.\n")
