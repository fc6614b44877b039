"""DeploymentWindow rules."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from scaffold.engine.clock import Clock
from scaffold.engine.executors.deployment_window import CronError, DeploymentWindow, Window
from scaffold.engine.pipeline.jobs import Failed, Succeeded
from tests.engine.executors.jobs import job

WORK = "* * 9-17 ? * MON-THU *"


@dataclass(frozen=True)
class ClockAt(Clock):
    """A clock at a fixed moment, in which all waiting is over at once."""

    moment: str = ""
    speed: float = 1e9

    def now(self) -> float:
        return datetime.fromisoformat(self.moment).timestamp()


@pytest.mark.parametrize(
    ("expression", "moment", "opens"),
    [
        (WORK, "2026-11-25T12:34:56", "2026-11-25T12:34:56"),  # A Wednesday
        (WORK, "2026-11-25T17:59:59", "2026-11-25T17:59:59"),
        (WORK, "2026-11-25T18:00:00", "2026-11-26T09:00:00"),
        (WORK, "2026-11-26T18:00:00", "2026-11-30T09:00:00"),
        ("* 30/10 * * * ?", "2026-11-25T12:34:56", "2026-11-25T12:40:00"),
        ("* 0,15 3 * * ?", "2026-11-25T03:10:00", "2026-11-25T03:15:00"),
        ("* * * 31 JAN ?", "2026-11-25T12:00:00", "2027-01-31T00:00:00"),
        ("* * * ? * FRI-MON", "2026-11-25T12:00:00", "2026-11-27T00:00:00"),
        ("* * * ? * 1", "2026-11-25T12:00:00", "2026-11-29T00:00:00"),
        ("* * * 31 FEB ?", "2026-11-25T12:00:00", None),
        ("* * * * * ? 2025", "2026-11-25T12:00:00", None),
    ],
)
def test_a_deployment_window_opens(expression: str, moment: str, opens: str | None) -> None:
    found = Window.parse(expression).opens(datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo("UTC")))
    assert (found and found.replace(tzinfo=None).isoformat()) == opens


@pytest.mark.parametrize(
    "expression",
    ["", "* * *", "0 0 9 ? * MON", "* * 9 L * ?", "* * 9 ? * 2#1", "* 60 * * * ?", "* * * * FOO ?", "* */0 * * * ?"],
)
def test_an_expression_that_is_not_rehearsed_is_refused(expression: str) -> None:
    with pytest.raises(CronError):
        Window.parse(expression)


def test_the_rule_waits_in_its_time_zone() -> None:
    clock = ClockAt(moment="2026-11-25T17:30:00+00:00")
    for zone, seconds in (("UTC", 0), ("America/New_York", 0), ("Asia/Tokyo", 6.5 * 3600)):
        slow = ClockAt(moment=clock.moment, speed=seconds * 10 or 1)
        made, _ = job({"Cron": WORK, "TimeZone": zone})
        started = time.monotonic()
        assert isinstance(DeploymentWindow(slow)(made), Succeeded)
        assert (time.monotonic() - started > 0.05) == bool(seconds), zone


def test_a_deployment_window_that_does_not_open_in_time_fails() -> None:
    made, _ = job({"Cron": WORK}, declaration={"timeoutInMinutes": 5})
    outcome = DeploymentWindow(ClockAt(moment="2026-11-25T18:30:00+00:00"))(made)
    assert outcome == Failed("RuleFailed", "The deployment window did not open within 5 minutes")


@pytest.mark.parametrize(
    "given", [{"Cron": "x"}, {"Cron": WORK, "TimeZone": "Mars/Olympus"}, {"Cron": "* * * 31 FEB ?"}]
)
def test_a_wrong_deployment_window_fails_the_rule(given: dict[str, str]) -> None:
    made, _ = job(given)
    outcome = DeploymentWindow(ClockAt(moment="2026-11-25T18:30:00+00:00"))(made)
    assert isinstance(outcome, Failed)
    assert outcome.code == "RuleConfigurationError"
