"""`scaffold logs`: the lines of an environment and of a build, also while they are written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scaffold.commands.logs import LogsOptions
from scaffold.commands.logs import run as show
from scaffold.console.console import Console
from scaffold.console.lines import Lines
from scaffold.core import durations
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.service import names
from scaffold.service.service import read
from tests.cli.running import COMMAND
from tests.deploy.services import Wire, client, commit
from tests.release.services import ENVIRONMENT, actions, release


def put(app: str, stream: str, *messages: str) -> None:
    logs, group = client("logs"), names.log_group(app, "dev")
    if stream not in [one["logStreamName"] for one in logs.describe_log_streams(logGroupName=group)["logStreams"]]:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": one} for one in messages]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


@pytest.mark.slow
def test_logs_of_an_environment_and_of_a_build(
    service: Path, wire: Wire, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = read(service).app_name
    commit(service, infrastructure__environment_yaml=ENVIRONMENT)
    assert release(service).exit_code == 11
    wire.calls.clear()
    with pytest.raises(ScaffoldError, match="nothing has been released to it"):
        show(LogsOptions(service, "dev"), Console())
    client("logs").create_log_group(logGroupName=names.log_group(app, "dev"))
    show(LogsOptions(service, "dev"), Console())
    assert "No lines within the last 15m." in capsys.readouterr().err

    put(app, "one", "first\n", "\x1b[31mred")
    put(app, "two", "from another task")
    show(LogsOptions(service, "dev"), Console())
    assert sorted(lines(capsys)) == ["\x1b[31mred", "first", "from another task"]
    result = show(LogsOptions(service, "dev"), Console(json=True))
    assert result
    document = json.loads(json.dumps(result.document(), default=str))
    assert {one["stream"] for one in document["events"]} == {"one", "two"}
    assert lines(capsys) == []

    # Each line once, through throttling, until Ctrl-C.
    def throttle() -> None:
        wire.refuse("FilterLogEvents", "ThrottlingException", "Rate exceeded", times=1)

    def interrupt() -> None:
        raise KeyboardInterrupt

    steps: list[Callable[[], object]] = [lambda: put(app, "one", "later"), throttle, lambda: None, interrupt]
    monkeypatch.setattr("scaffold.commands.logs._SECONDS", 0)
    monkeypatch.setattr(Lines, "check_reader", lambda _: steps.pop(0)())
    assert show(LogsOptions(service, "dev", follow=True), Console()) is None
    assert sorted(lines(capsys)) == ["\x1b[31mred", "first", "from another task", "later"]

    # A build that has ended ends the following of its log.
    built = show(LogsOptions(service, build=True, follow=True), Console())
    assert built
    assert built.build
    assert any("export IMAGE_TAG" in line for line in lines(capsys))
    show(LogsOptions(service, built.build.partition(":")[2], build=True), Console())
    assert any("export IMAGE_TAG" in line for line in lines(capsys))
    with pytest.raises(ScaffoldError, match="has no build 1234"):
        show(LogsOptions(service, "1234", build=True), Console())
    with pytest.raises(UsageError, match="does not say whose log"):
        show(LogsOptions(service), Console())
    with pytest.raises(UsageError, match="--follow prints no JSON"):
        show(LogsOptions(service, "dev", follow=True), Console(json=True))

    made = {call for call in wire.calls if not call.startswith("sts:")}
    assert made <= actions("operator-policy-release")
    assert "codebuild:ListBuildsForProject" in made

    # The reader of a pipe leaves while nothing is written.
    command = [*COMMAND, "logs", "dev", "--follow", "--directory", os.fspath(service)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=120) == 141
        assert "Error" not in process.stderr.read()


def test_a_terminal_gets_no_control_characters(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    Lines().write("a\tb\r\n\x1b]0;title\x07\u202e\nc\n")
    assert capsys.readouterr().out == "a\tb\n\\x1b]0;title\\x07\\u202e\nc\n"


def test_what_the_encoding_lacks_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    Lines().write("\ud800")
    assert capsys.readouterr().out == "\\ud800\n"


@pytest.mark.parametrize("text", ["", "15", "m", "1w", "-5m", "1.5h", "٣m", "1" * 9 + "d"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration"):
        durations.parse(text)


def test_durations() -> None:
    assert [durations.parse(text).total_seconds() for text in ("30s", "15m", "2h", "1d")] == [30, 900, 7200, 86400]
    assert durations.parse("999999d").days == 3653  # Before it there is no date that CloudWatch knows.
