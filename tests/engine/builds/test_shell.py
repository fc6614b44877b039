"""The shell of a build: what lasts from one command to the next, and what is left at its end."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scaffold.engine.builds.shell import Shell

Make = Callable[..., Shell]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made = []

    def shell(kind: str = "bash") -> Shell:
        state = tmp_path / "state"
        state.mkdir()
        output = os.open(tmp_path / "output", os.O_WRONLY | os.O_CREAT)
        made.append((Shell(kind, tmp_path, {"PATH": os.environ["PATH"]}, output, state), output))
        return made[-1][0]

    yield shell
    for one, output in made:
        one.close()
        os.close(output)


def printed(folder: Path) -> list[str]:
    return (folder / "output").read_text().splitlines()


@pytest.mark.parametrize("kind", ["bash", "sh"])
def test_directory_variables_and_functions_last(make: Make, tmp_path: Path, kind: str) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below/settings.sh").write_text("FROM_FILE=3\n")
    shell = make(kind)
    commands = [
        "cd below",
        "A=1",
        "export B=2",
        ". ./settings.sh",
        "f() { echo f; }",
        "f",
        'echo "$A$B$FROM_FILE $PWD"',
    ]
    assert [shell.run(command) for command in commands] == [0] * len(commands)
    assert printed(tmp_path) == ["f", f"123 {tmp_path}/below"]


def test_exit_status_and_the_engines_variables(make: Make, tmp_path: Path) -> None:
    shell = make()
    assert shell.run("false") == 1
    assert shell.run("(exit 42)") == 42
    assert shell.run('test "$X" = "it\'s"', X="it's") == 0
    assert shell.run("first || second\nsyntax ( error") != 0
    assert shell.run("true") == 0


@pytest.mark.parametrize("kind", ["bash", "sh"])
@pytest.mark.parametrize(
    ("command", "status"), [("exit 3", 3), ("exit", 0), ("set -e\nfalse\ntrue", 1), ("kill -9 $$", 137)]
)
def test_a_command_that_ends_the_shell_ends_no_other(
    make: Make, tmp_path: Path, kind: str, command: str, status: int
) -> None:
    shell = make(kind)
    shell.run("mkdir below && cd below && export KEPT='a\nb'")
    assert shell.run(command) == status
    assert shell.run('echo "$KEPT $PWD"') == 0
    assert printed(tmp_path)[-2:] == ["a", f"b {tmp_path}/below"]


def test_the_variables_after_the_commands(make: Make) -> None:
    shell = make()
    shell.run("export A='x\ny' B=; C=3")
    found = shell.variables()
    assert found["A"] == "x\ny"
    assert found["B"] == ""
    assert "C" not in found


def test_nothing_is_left(make: Make, tmp_path: Path) -> None:
    """Also what a command has put into a session of its own."""
    shell = make()
    shell.run("sleep 300 & echo $! >>pids")
    shell.run("(setsid sh -c 'echo $$ >>pids; exec sleep 300' &) ; while [ $(wc -l <pids) -lt 2 ]; do sleep 0.05; done")
    pids = [int(line) for line in (tmp_path / "pids").read_text().split()]
    assert all(alive(pid) for pid in pids)
    shell.kill()
    assert not any(alive(pid) for pid in pids)
    assert shell.run("true") == 137


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_zombie_is_left_by_orphans(make: Make, tmp_path: Path) -> None:
    shell = make()
    shell.run(
        "touch pids; for i in 1 2 3; do (sh -c 'echo $$ >>pids' &); done\n"
        "while [ $(wc -l <pids) -lt 3 ]; do sleep 0.05; done"
    )
    pids = [Path("/proc", pid) for pid in (tmp_path / "pids").read_text().split()]
    deadline = time.monotonic() + 30
    while any(pid.exists() for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_running_command_is_killed(make: Make, tmp_path: Path) -> None:
    shell = make()
    threading.Timer(0.3, shell.kill).start()
    began = time.monotonic()
    assert shell.run("sleep 300") == 137
    assert time.monotonic() - began < 20


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
