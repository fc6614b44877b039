"""`scaffold local start|stop|status|env`: one local AWS for each user, which leaves nothing, however it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from scaffold.cli.app import run
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.folder_lock import locked
from scaffold.local import background
from scaffold.local.background import Background
from scaffold.local.reach import kill
from tests.cli.running import COMMAND, assert_refused
from tests.engine.tasks.test_running import Account, tasks_of
from tests.local.conftest import isolated
from tests.local.test_environment import alive, answers, eventually

PROC = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads Linux's /proc")


class Machine:
    """A machine on which nothing runs yet: a home and a folder for temporary files of its own."""

    def __init__(self, folder: Path) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.environment = isolated(folder) | {"TMPDIR": str(self.temporary), "NO_COLOR": "1"}

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `scaffold local` with these arguments."""
        return subprocess.run(
            [*COMMAND, "local", *arguments],
            env=self.environment | environment,
            cwd=self.temporary.parent,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """The same, without waiting for its end."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*COMMAND, "local", *arguments], env=self.environment, stdout=pipe, stderr=pipe, text=True
        )

    def status(self) -> dict[str, Any]:
        """What `status --json` prints."""
        done = self.run("status", "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    @property
    def folder(self) -> Path:
        """The folder of the record."""
        return self.temporary / f"gitops-scaffold-{os.geteuid()}"

    def is_empty(self) -> bool:
        """Whether there are no temporary files."""
        return not any(self.temporary.iterdir())


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    found = Machine(tmp_path)
    yield found
    if not found.is_empty():
        found.run("stop")
    assert eventually(found.is_empty), list(found.temporary.rglob("*"))


@PROC
def test_it_outlives_its_starter_until_it_is_stopped(machine: Machine) -> None:
    started = machine.run("start", "--no-run", "--region", "eu-west-1")
    assert (started.returncode, started.stdout) == (0, "")
    assert 'eval "$(scaffold local env)"' in started.stderr
    found = machine.status()
    assert (found["running"], found["answers"], found["runs"], found["region"]) == (True, True, False, "eu-west-1")
    assert found["endpoint"] in started.stderr
    assert alive(found["pid"])
    assert machine.folder.stat().st_mode & 0o777 == 0o700

    program = 'eval "$("$@")" && echo "$AWS_REGION $AWS_ENDPOINT_URL $SCAFFOLD_LOCAL_RUNS $PATH"'
    shell = ["sh", "-c", program, "sh", *COMMAND, "local", "env"]
    said = subprocess.run(shell, env=machine.environment, capture_output=True, text=True, check=True).stdout.split()
    assert said[:3] == ["eu-west-1", found["endpoint"], "0"]
    assert (Path(said[3].split(os.pathsep)[0]) / "git-remote-codecommit").exists()
    variables = json.loads(machine.run("env", "--json", AWS_SECRET_ACCESS_KEY="local-aws-secret-key").stdout)
    assert variables["variables"]["AWS_SECRET_ACCESS_KEY"] == "local-aws-secret-key"

    again = machine.run("start", "--no-run")
    assert (again.returncode, "already" in again.stderr) == (0, True)
    assert_refused(machine.run("start"), 1, "--no-run --region eu-west-1", "scaffold local stop")
    assert_refused(machine.run("start", "--no-run", "--region", "us-east-1"), 1, "scaffold local stop")
    assert machine.status()["pid"] == found["pid"]

    stopped = machine.run("stop")
    assert stopped.returncode == 0
    assert not alive(found["pid"])
    assert not answers(found["endpoint"])
    assert machine.is_empty()
    assert "has ended" in stopped.stderr


@PROC
def test_two_starts_at_once_start_one(machine: Machine) -> None:
    both = [machine.begin("start", "--no-run") for _ in range(2)]
    said = [one.communicate(timeout=120)[1] for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert sorted("already" in text for text in said) == [False, True]
    assert len(list(machine.temporary.glob("gitops-scaffold-local-*"))) == 1


@PROC
@pytest.mark.parametrize(
    "command", [pytest.param("start", marks=pytest.mark.slow), "status", pytest.param("stop", marks=pytest.mark.slow)]
)
def test_a_killed_server_is_noticed(machine: Machine, command: str) -> None:
    machine.run("start", "--no-run")
    found = machine.status()
    os.kill(found["pid"], signal.SIGKILL)
    assert eventually(lambda: not alive(found["pid"]))
    if command == "start":
        assert machine.run("start", "--no-run").returncode == 0
        assert machine.status()["pid"] != found["pid"]
        assert machine.run("stop").returncode == 0
    else:
        assert "No local AWS" in "".join([(done := machine.run(command)).stdout, done.stderr])
        assert done.returncode == 0
    assert machine.is_empty()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files of this process."""
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def folder(temporary: Path) -> Path:
    """Where the folder of the record will be."""
    return temporary / f"gitops-scaffold-{os.geteuid()}"


def test_what_a_reboot_has_left_is_deleted_and_another_process_with_the_id_stays(folder: Path) -> None:
    for command in (background.find, background.stop):
        state = folder.with_name("gitops-scaffold-local-before")
        state.mkdir()
        with locked(state):
            pass
        with subprocess.Popen(["sleep", "300"]) as other:
            leave_record(folder, state, other.pid)
            assert command() is None
            assert not any(folder.parent.iterdir())
            assert other.poll() is None
            other.kill()


def leave_record(folder: Path, state: Path, pid: int) -> None:
    folder.mkdir(mode=0o700)
    record = Background("127.0.0.1:1", "127.0.0.1:2", "us-east-1", None, pid, "2026-01-01T00:00:00+00:00", str(state))
    (folder / "local-aws.json").write_text(json.dumps(asdict(record)))


@pytest.mark.parametrize("record", ["", "[]", '{"version": 9}'])
def test_a_record_that_cannot_be_read_is_deleted(folder: Path, record: str) -> None:
    folder.mkdir(mode=0o700)
    (folder / "local-aws.json").write_text(record)
    assert background.stop() is None
    assert not folder.exists()


def test_only_a_process_that_was_started_with_the_state_directory_is_killed(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "import sys; sys.stdin.read()", str(tmp_path)]
    with subprocess.Popen(program, stdin=subprocess.PIPE) as server:
        kill(server.pid, f"{tmp_path}-other")
        kill(server.pid, str(tmp_path.parent))
        assert server.poll() is None
        assert eventually(lambda: kill(server.pid, str(tmp_path)) is None and server.poll() == -signal.SIGKILL)


def _link(folder: Path) -> None:
    folder.with_name("elsewhere").mkdir(mode=0o700)
    folder.symlink_to(folder.with_name("elsewhere"))


def _others_may_write(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o770)


def _of_another_user(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to another user")
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)


@pytest.mark.parametrize("make", [_link, Path.touch, _others_may_write, _of_another_user])
def test_a_folder_that_others_can_access_is_refused(folder: Path, make: Callable[[Path], None]) -> None:
    make(folder)
    for command in (background.find, background.stop, lambda: background.start_in_background("us-east-1", None)):
        with pytest.raises(ScaffoldError, match="not a folder that only you can access") as refused:
            command()
        assert "XDG_RUNTIME_DIR" in refused.value.remedy
    assert folder.lstat()


def test_the_runtime_folder_is_used_if_it_is_the_users_own(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = temporary / "run"
    (runtime / "gitops-scaffold").mkdir(mode=0o755, parents=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with pytest.raises(ScaffoldError, match=str(runtime)):
        background.find()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(temporary / "absent"))
    assert background.find() is None


def test_without_one_the_shell_that_evaluates_its_variables_stops(machine: Machine) -> None:
    script = 'eval "$("$@")" && echo deploys to an account'
    shell = ["sh", "-c", script, "sh", *COMMAND, "local", "env"]
    done = subprocess.run(shell, env=machine.environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "scaffold local start" in done.stderr
    assert json.loads(machine.run("env", "--json").stdout)["error"]["exit_code"] == 1


@pytest.mark.slow
@PROC
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_start_that_is_killed_leaves_no_server(machine: Machine, number: signal.Signals) -> None:
    starting = machine.begin("start", "--no-run")
    assert eventually(lambda: len(list(machine.temporary.glob("gitops-scaffold-local-*/server.log"))) == 1)
    starting.send_signal(number)
    starting.communicate(timeout=60)
    assert machine.status()["running"] is False
    assert eventually(machine.is_empty)


@pytest.mark.slow
@PROC
def test_it_ends_when_its_record_is_lost(machine: Machine) -> None:
    machine.run("start", "--no-run")
    found = machine.status()
    shutil.rmtree(machine.folder)
    assert eventually(lambda: not alive(found["pid"]))
    assert machine.is_empty()


@pytest.mark.slow
@PROC
def test_one_that_hangs_is_reported_and_killed(machine: Machine) -> None:
    machine.run("start")
    found = machine.status()
    os.kill(found["pid"], signal.SIGSTOP)
    assert "does not answer" in machine.run("status").stdout
    assert machine.run("stop").returncode == 0
    assert not alive(found["pid"])
    assert machine.is_empty()


@pytest.mark.slow
@PROC
def test_services_are_listed_and_end_with_it(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.run("start").returncode == 0
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(machine.temporary))
    running = background.find()
    assert running
    account = Account(running.aws)
    assert account.deploy("shop", account.registry.push_server("shop"), APP_VERSION="background") == "CREATE_COMPLETE"
    url = account.url("shop")
    (service,) = machine.status()["services"]
    tasks = service.pop("running")
    assert service == {
        "region": "us-east-1",
        "cluster": "shop",
        "name": "shop",
        "desired": tasks,
        "url": url,
    }
    assert f"shop  {tasks} of {tasks} tasks  {url}" in machine.run("status").stdout
    pids = tasks_of(running.pid, "APP_VERSION=background")
    assert len(pids) >= tasks
    assert machine.run("stop").returncode == 0
    assert eventually(lambda: not any(map(alive, pids)))
    assert not answers(url)


# ---- the command line ----


def test_after_two_dashes_start_is_a_command(machine: Machine, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "start"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "started $*"; exit 3\n')
    program.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as server:  # As if inside local AWS, whose start is not tested here.
        inside = {"SCAFFOLD_LOCAL": "1", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.getsockname()[1]}"}
        inside["PATH"] = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
        done = machine.run("--no-run", "--", "start", "--speed", "--", "x", **inside)
    assert (done.returncode, done.stdout) == (3, "started --speed -- x\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bash", "-c", "exit 3"], "`scaffold local -- bash -c 'exit 3'`"),
        (["strat"], "start, stop, status, env"),
        (["stop", "--", "bash"], "runs no command"),
        (["--speed", "3", "stop"], "before `stop`"),
        (["--no-run", "--speed", "3", "--", "true"], "--speed is about what runs"),
        (["start", "--no-run", "--speed", "3"], "--speed is about what runs"),
        (["start", "--spede", "3"], "Did you mean --speed"),
    ],
)
def test_what_the_command_line_cannot_mean_is_refused(arguments: list[str], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        run(["local", *arguments])
    assert said in f"{refused.value.happened} {refused.value.remedy}"
