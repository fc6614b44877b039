"""Exit code and output of the program after success, usage errors, bugs and interruptions."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import re
import signal
import subprocess
from pathlib import Path

import pytest

import scaffold as scaffold_package
from scaffold import __main__ as entry
from scaffold import __version__
from scaffold.core.errors import (
    EXIT_CONFLICTS,
    EXIT_DONE,
    EXIT_DRIFT,
    EXIT_PLAN_HAS_CHANGES,
    EXIT_WAITS_FOR_APPROVAL,
    Bug,
    ScaffoldError,
    UsageError,
)
from scaffold.core.signals import TERMINATION
from tests.cli.running import COMMAND, ROOT, assert_refused, forked_scaffold


def run_main(monkeypatch: pytest.MonkeyPatch, failure: BaseException, *arguments: str) -> int:
    def raise_it(_: list[str]) -> int:
        raise failure

    monkeypatch.setattr("scaffold.cli.app.run", raise_it)
    monkeypatch.setattr("sys.argv", ["scaffold", *arguments])
    monkeypatch.setattr(entry, "_install_signal_handlers", lambda: None)
    return entry.main()


@pytest.mark.parametrize(("arguments", "shown"), [(["--version"], "scaffold "), (["--help"], "Usage: scaffold")])
def test_version_and_help(tmp_path: Path, arguments: list[str], shown: str) -> None:
    done = forked_scaffold(*arguments, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith(shown)
    assert not done.stderr


def test_version_is_the_same_after_another_option(tmp_path: Path) -> None:
    assert forked_scaffold("--version", "new", cwd=tmp_path).stdout == f"scaffold {__version__}\n"


def test_no_command_shows_the_help(tmp_path: Path) -> None:
    done = forked_scaffold(cwd=tmp_path)
    assert done.returncode == 0
    assert "Commands:" in done.stdout


def test_no_subcommand_shows_the_help(tmp_path: Path) -> None:
    done = forked_scaffold("env", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: scaffold env [OPTIONS] COMMAND")
    assert "\n  add " in done.stdout
    assert not done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nwe"], ["There is no command `nwe`", "Did you mean `scaffold new`?", "scaffold --help"]),
        (["init"], ["It is `scaffold new` here."]),
        (["env", "ad"], ["`scaffold env` has no subcommand `ad`", "Did you mean `add`?", "scaffold env --help"]),
        (["new", "--foo"], ["--foo", "scaffold new --help"]),
        pytest.param(["new", "--data"], ["--data", "scaffold new --help"], marks=pytest.mark.slow),
        (["destroy", "--env", "dev"], ["no option --env. Did you mean --environment?"]),
        pytest.param(["destroy", "--enviroment", "dev"], ["Did you mean --environment?"], marks=pytest.mark.slow),
        pytest.param(["destroy", "--ye"], ["no option --ye.\n"], marks=pytest.mark.slow),
        (["new", "--dry"], ["Did you mean --dry-run?"]),
        (["new", "--json"], ["Cannot prompt: with --json nothing is asked."]),
        pytest.param(["new", "--data", "app_name"], ["KEY=VALUE"], marks=pytest.mark.slow),
        pytest.param(["deploy", "a", "b"], ["scaffold deploy --help"], marks=pytest.mark.slow),
        pytest.param(["new", "--defaults=yes"], ["--defaults"], marks=pytest.mark.slow),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    assert_refused(forked_scaffold(*arguments, cwd=tmp_path), 2, *words)


@pytest.mark.parametrize(
    ("failure", "code"), [(ScaffoldError("A.", "B."), 1), (UsageError("A.", "B."), 2), (Bug("A.", "B."), 70)]
)
def test_each_error_has_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], failure: ScaffoldError, code: int
) -> None:
    assert run_main(monkeypatch, failure) == code
    assert capsys.readouterr().err == "Error: A.\n  B.\n"


def test_an_interruption_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(monkeypatch, KeyboardInterrupt()) == 130
    assert capsys.readouterr().err.startswith("Error: Interrupted.\n")


def test_a_bug_leaves_a_log_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert run_main(monkeypatch, KeyError("what"), "deploy") == 70
    shown = capsys.readouterr().err
    (log,) = (tmp_path / "gitops-scaffold").iterdir()
    assert str(log) in shown
    assert "Traceback" not in shown
    assert "KeyError" in log.read_text()
    assert "['deploy']" in log.read_text()


def test_a_bug_is_logged_where_the_state_directory_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run_main(monkeypatch, KeyError("what")) == 70
    assert len(list(tmp_path.glob("*.log"))) == 1 or len(list((tmp_path / "gitops-scaffold").glob("*.log"))) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_the_log_holds_no_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-show-me")
    run_main(monkeypatch, RuntimeError("x"))
    (log,) = (tmp_path / "gitops-scaffold").iterdir()
    assert "do-not-show-me" not in log.read_text()


def test_the_log_holds_no_password_of_an_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    run_main(monkeypatch, RuntimeError("https://ann:secret@a.example failed"), "--kit", "https://ann:secret@a.example")
    (log,) = (tmp_path / "gitops-scaffold").iterdir()
    assert "secret" not in log.read_text()
    assert log.read_text().count("https://***@a.example") >= 2


def test_the_log_holds_no_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    run_main(monkeypatch, RuntimeError("x"), "new", "--data", "token=hunter2", "--data=pin=hunter2", "--defaults")
    (log,) = (tmp_path / "gitops-scaffold").iterdir()
    assert "['new', '--data', 'token=***', '--data=pin=***', '--defaults']" in log.read_text()


def test_nohup_is_respected() -> None:
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN), signal.getsignal(signal.SIGTERM)
    try:
        entry._install_signal_handlers()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        for number, handler in zip((signal.SIGHUP, signal.SIGTERM), previous, strict=True):
            signal.signal(number, handler)


def test_errors_are_json_too(tmp_path: Path) -> None:
    done = forked_scaffold("deploy", "--json", "--nonsense", cwd=tmp_path)
    assert done.returncode == 2
    document = json.loads(done.stdout)
    assert list(document) == ["schema_version", "error"]
    error = document["error"]
    assert list(error) == ["type", "happened", "remedy", "exit_code"]
    assert error["type"] == "UsageError"
    assert error["exit_code"] == 2
    assert done.stderr.startswith("Error: ")


def test_the_log_that_shows_a_failure_comes_before_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failure = ScaffoldError("a", "b")
    failure.log = ("one", "\x1b[2Jtwo")
    run_main(monkeypatch, failure)
    assert capsys.readouterr().err == "The last lines of its log:\n  one\n  \\x1b[2Jtwo\nError: a\n  b\n"
    run_main(monkeypatch, failure.with_remedy("c"), "--json")
    document = json.loads(capsys.readouterr().out)
    assert document["error"]["log"] == ["one", "\\x1b[2Jtwo"]


def test_json_of_a_wrapped_command_is_not_ours(tmp_path: Path) -> None:
    done = forked_scaffold("nwe", "--", "--json", cwd=tmp_path)
    assert not done.stdout


def test_control_characters_in_input_are_escaped_in_messages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_main(monkeypatch, ScaffoldError("a\x1b[2Jb\nc", "d\x07"))
    assert capsys.readouterr().err == "Error: a\\x1b[2Jb c\n  d\\x07\n"


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    command = subprocess.Popen(
        [*COMMAND, "new", "--help"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert command.stdout is not None
    command.stdout.close()
    _, stderr = command.communicate(timeout=60)
    assert command.returncode == entry.EXIT_BROKEN_PIPE
    assert stderr == ""


def test_a_termination_signal_runs_clean_up(monkeypatch: pytest.MonkeyPatch) -> None:
    previous = signal.getsignal(signal.SIGTERM)
    try:
        entry._install_signal_handlers()
        with pytest.raises(SystemExit) as left:
            signal.raise_signal(signal.SIGTERM)
        assert left.value.code == 128 + signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, previous)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def subclasses(base: type[ScaffoldError]) -> set[type[ScaffoldError]]:
    return {base, *(deeper for one in base.__subclasses__() for deeper in subclasses(one))}


def test_the_readme_lists_every_exit_code_and_no_other() -> None:
    for module in pkgutil.walk_packages(scaffold_package.__path__, "scaffold."):
        if not module.name.startswith(("scaffold.local.", "scaffold.__main__")):
            importlib.import_module(module.name)
    returned = {EXIT_DONE, EXIT_CONFLICTS, EXIT_PLAN_HAS_CHANGES, EXIT_WAITS_FOR_APPROVAL, EXIT_DRIFT}
    returned.add(entry.EXIT_BROKEN_PIPE)
    returned |= {error.exit_code for error in subclasses(ScaffoldError)} | {128 + number for number in TERMINATION}
    table = re.search(r"\| exit code \|.*?\n\n", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert table
    first_cells = [line.split("|")[1] for line in table.group().splitlines()[2:] if line]
    assert {int(code) for cell in first_cells for code in re.findall(r"\d+", cell)} == returned


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_command_with_its_exit_code(tmp_path: Path, number: signal.Signals) -> None:
    # A command that gets the signal while it runs.
    command = f"lambda *_: (os.kill(os.getpid(), {int(number)}), time.sleep(9))"
    program = f"import os, time, scaffold.commands.deploy\nscaffold.commands.deploy.run = {command}\n{COMMAND[-1]}"
    done = subprocess.run(
        [COMMAND[0], "-c", program, "deploy"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 128 + number
    assert "Traceback" not in done.stderr
