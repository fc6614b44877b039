"""`scaffold local`, in the foreground and around a command, as a person runs it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from scaffold.local.shell import is_shell_for_a_person
from tests.local.conftest import isolated
from tests.local.test_environment import answers, eventually

SCAFFOLD = [sys.executable, "-P", "-m", "scaffold"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "tmp").mkdir()
    return isolated(tmp_path) | {"TMPDIR": str(tmp_path / "tmp"), "NO_COLOR": "1"}


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path) -> Iterator[None]:
    yield
    assert eventually(lambda: not any((tmp_path / "tmp").iterdir()))


def run(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SCAFFOLD, "local", *command], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.slow
def test_by_default_what_is_deployed_runs(environment: dict[str, str]) -> None:
    inner = shlex.join([*SCAFFOLD, "local", "--no-run", "--", "true"])
    done = run(environment, "--", "sh", "-c", f"echo $SCAFFOLD_LOCAL_RUNS; {inner}")
    assert (done.returncode, done.stdout) == (1, "1\n")
    assert "runs pipelines" in done.stderr


def test_a_command_runs_inside_and_its_exit_code_is_passed_on(environment: dict[str, str]) -> None:
    done = run(
        environment,
        "--no-run",
        "--",
        "sh",
        "-c",
        "echo $SCAFFOLD_LOCAL $AWS_REGION; command -v git-remote-codecommit; exit 7",
    )
    assert done.returncode == 7
    first, helper = done.stdout.splitlines()
    assert first == "1 us-east-1"
    assert helper.endswith("/bin/git-remote-codecommit")
    assert done.stderr == ""


def test_an_unknown_container_engine_is_refused(environment: dict[str, str]) -> None:
    done = run(environment | {"SCAFFOLD_CONTAINER_ENGINE": "rkt"}, "--", "true")
    assert done.returncode == 2
    assert "Set it to docker, podman or none, or unset it." in done.stderr


@pytest.mark.slow
def test_the_region_of_the_shell_is_kept(environment: dict[str, str]) -> None:
    done = run(environment | {"AWS_REGION": "eu-central-1"}, "--no-run", "--", "sh", "-c", "echo $AWS_DEFAULT_REGION")
    assert done.stdout == "eu-central-1\n"


@pytest.mark.slow
def test_inside_a_service_its_region_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    answers = {"app_name": "orders", "aws_region": "eu-central-1", "environments": "dev,prod"}
    (tmp_path / ".copier-answers.yml").write_text("".join(f"{key}: {value}\n" for key, value in answers.items()))
    done = subprocess.run(
        [*SCAFFOLD, "local", "--no-run", "--", "sh", "-c", "echo $AWS_REGION"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "eu-central-1\n"


@pytest.mark.slow
def test_a_command_ended_by_a_signal_gives_the_shells_exit_code(environment: dict[str, str]) -> None:
    assert run(environment, "--no-run", "--", "sh", "-c", "kill -KILL $$").returncode == 128 + 9


@pytest.mark.parametrize(
    ("make", "code", "said"),
    [
        ("", 127, "There is no command"),
        pytest.param("text", 126, "is not executable", marks=pytest.mark.slow),
    ],
)
def test_what_cannot_be_run_is_named(
    environment: dict[str, str], tmp_path: Path, make: str, code: int, said: str
) -> None:
    program = tmp_path / "program"
    if make:
        program.write_text(make)
    done = run(environment, "--no-run", "--", str(program))
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_inside_one_a_command_uses_that_one(environment: dict[str, str]) -> None:
    inner = shlex.join([*SCAFFOLD, "local", "--", "sh", "-c", "echo $AWS_ENDPOINT_URL; exit 4"])
    done = run(environment, "--no-run", "--", "sh", "-c", f"echo $AWS_ENDPOINT_URL; {inner}")
    assert done.returncode == 4
    assert len(set(done.stdout.split())) == 1
    assert "using it" in done.stderr


@pytest.mark.slow
def test_inside_one_another_is_not_started_in_the_foreground(environment: dict[str, str]) -> None:
    done = run(environment, "--no-run", "--", *SCAFFOLD, "local")
    assert done.returncode == 1
    assert "running already" in done.stderr


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_the_foreground_prints_what_a_shell_evaluates(
    environment: dict[str, str], number: signal.Signals, code: int
) -> None:
    with subprocess.Popen(
        [*SCAFFOLD, "local", "--no-run"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as foreground:
        assert foreground.stdout is not None
        assert foreground.stderr is not None
        lines = []
        while not lines or not lines[-1].startswith("export no_proxy"):
            lines.append(foreground.stdout.readline())
            assert lines[-1], "it ended early"
        assert all(line.startswith("export ") for line in lines)
        exports = "".join(lines)
        bare = {"PATH": f"{environment['PATH']}{os.pathsep}{Path(sys.executable).parent}", "HOME": environment["HOME"]}
        program = f"{exports}\naws sts get-caller-identity --query Account --output text; echo $AWS_ENDPOINT_URL"
        inside = subprocess.run(["sh", "-c", program], env=bare, capture_output=True, text=True, check=True)
        account, address = inside.stdout.split()
        assert account == "000000000000"
        foreground.send_signal(number)
        assert foreground.wait(15) == code
        assert "Local AWS is running" in foreground.stderr.read()
        assert not answers(address)


@pytest.mark.slow
def test_a_server_that_dies_is_reported(environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [*SCAFFOLD, "local", "--no-run"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as foreground:
        assert foreground.stdout is not None
        assert foreground.stderr is not None
        foreground.stdout.readline()
        children = Path(f"/proc/{foreground.pid}/task/{foreground.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        assert foreground.wait(15) == 1
        assert "ended unexpectedly" in foreground.stderr.read()


def test_a_signal_to_scaffold_reaches_the_command(environment: dict[str, str]) -> None:
    script = "trap 'echo told; exit 5' TERM; echo ready; for _ in $(seq 200); do sleep 0.1; done"
    with subprocess.Popen(
        [*SCAFFOLD, "local", "--no-run", "--", "sh", "-c", script], env=environment, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGTERM)
        assert running.stdout.read() == "told\n"
        assert running.wait(15) == 5


@pytest.mark.usefixtures("environment")
def test_scripts_get_no_greeting() -> None:
    assert not is_shell_for_a_person(["bash"])  # Tests have no terminal.
    assert not is_shell_for_a_person(["bash", "-c", "true"])


def test_a_shell_says_where_it_is(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / ".bashrc").write_text("PS1='own> '\n")
    command = [*SCAFFOLD, "local", "--no-run", "--", "bash"]
    terminal = pexpect.spawn(
        command[0], command[1:], env={**environment, "HOME": str(tmp_path)}, encoding="utf-8", timeout=60
    )
    terminal.expect("Starting local AWS")
    terminal.expect("This shell works with local AWS, .* `exit` ends both")
    terminal.expect_exact("(local AWS) own> ")
    terminal.sendline("true")
    terminal.expect_exact("own> ")
    assert str(terminal.before).count("(local AWS)") == 1
    terminal.sendline("echo $SCAFFOLD_LOCAL; exit 4")
    terminal.expect_exact("1\r\n")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 4


def test_ctrl_c_in_a_terminal_reaches_the_command_once(environment: dict[str, str]) -> None:
    # Not `wait`: the signal may come before it.
    script = "trap 'echo told; got=1' INT; echo ready; while [ -z \"$got\" ]; do sleep 0.1; done; echo ending; exit 6"
    command = [*SCAFFOLD, "local", "--no-run", "--", "sh", "-c", script]
    terminal = pexpect.spawn(command[0], command[1:], env=environment, encoding="utf-8", timeout=30)
    terminal.expect("ready")
    terminal.sendintr()
    terminal.expect("ending")
    assert terminal.before is not None
    assert terminal.before.count("told") == 1
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 6
