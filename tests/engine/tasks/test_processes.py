"""Processes of tasks: their end, their health, their network, and that nothing survives."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from scaffold.engine.containers.container_engine import Container
from scaffold.engine.tasks import processes
from scaffold.engine.tasks.processes import HealthCheck, Process, Program, free_port

ROOT = Path(__file__).resolve().parents[3]
SERVER = """
import http.server, os, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"hello")
    def log_message(self, *_): pass
print("listens", flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


class Run:
    """A process with what it has said."""

    def __init__(self, program: Program) -> None:
        self.process = Process(program, [4566])
        self.said: list[dict[str, Any]] = []
        self.thread = threading.Thread(target=self.process.listen, args=(self.said.append,), daemon=True)
        self.thread.start()

    def wait(self, *wanted: dict[str, Any], seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not all(one in self.said for one in wanted):
            assert time.monotonic() < end, self.said
            time.sleep(0.02)

    @property
    def started(self) -> int:
        end = time.monotonic() + 20
        while not any("started" in one for one in self.said):
            assert time.monotonic() < end, self.said
            time.sleep(0.02)
        return int(next(one["started"] for one in self.said if "started" in one))


@pytest.fixture(params=["namespaces", "host"])
def run(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., Run]]:
    """Starts a Python program as a process, with and without namespaces of its own."""
    if request.param == "host":
        monkeypatch.setattr(processes, "namespaces", tuple)
    elif not processes.namespaces():
        pytest.skip("namespaces are not permitted here")
    runs: list[Run] = []

    def start(code: str, stop_timeout: float = 5, health: HealthCheck | None = None, **variables: str) -> Run:
        environment = {"PATH": os.environ["PATH"], **variables}
        command = [sys.executable, "-I", "-S", "-c", textwrap.dedent(code)]
        runs.append(Run(Program(command, environment, str(tmp_path), stop_timeout, health)))
        return runs[-1]

    yield start
    for one in runs:
        one.process.kill()
        one.thread.join(10)
        one.process.close()


def test_the_exit_code_and_the_output_arrive(run: Callable[..., Run]) -> None:
    made = run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    made.wait({"exited": 3})
    assert sorted(made.process.log.read().split()) == [b"err", b"out"]


def test_local_aws_may_have_more_files_open_than_select_can_wait_for(run: Callable[..., Run]) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as opened:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        for _ in range(1024):
            opened.callback(os.close, os.dup(0))
        made = run("import time; time.sleep(0.1)")
        made.wait({"exited": 0})


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the variables of another process are read in /proc")
def test_neither_the_task_nor_what_watches_it_has_variables_of_local_aws(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCAFFOLD_DOWNLOADS", "a-token")
    made = run("import os, time; print(*os.environ, flush=True); time.sleep(60)", NODE_ENV="production")
    own = made.process.log.readline().decode().split()
    supervisor = Path(f"/proc/{made.process._supervisor.pid}/environ").read_text().split("\0")
    assert set(own) - {"LC_CTYPE"} == {"NODE_ENV", "PATH"}  # Python sets LC_CTYPE.
    assert {one.partition("=")[0] for one in supervisor if one} <= {"PATH", "LD_LIBRARY_PATH"}


def test_a_program_that_cannot_start_says_so(run: Callable[..., Run], tmp_path: Path) -> None:
    made = Run(Program(["/absent/node"], {}, str(tmp_path), 1))
    made.wait({"failed": "No such file or directory: /absent/node"})
    made.thread.join(10)
    made.process.close()


class Kept(Process):
    """Is there after its start has failed, too."""

    made: Process

    def __init__(self, program: Program) -> None:
        Kept.made = self
        super().__init__(program, [4566])


@pytest.mark.parametrize("enter", ["/bin/false", "/absent/nsenter"])
def test_nothing_is_left_of_a_process_whose_namespace_cannot_be_entered(enter: str, tmp_path: Path) -> None:
    container = Container([enter], [], [], [], [], [], [], [])
    with pytest.raises(OSError, match=r"stopped|Broken pipe|reset|No such file"):
        Kept(Program([], {}, str(tmp_path), 1, container=container))
    made = Kept.made
    assert (made._control.fileno(), made._connections.fileno()) == (-1, -1)
    if enter == "/bin/false":
        assert made._supervisor.returncode is not None
        assert made.log.closed


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the arguments of another process are read in /proc")
def test_variables_to_enter_a_namespace_are_not_arguments(tmp_path: Path) -> None:
    prefix = list(processes.namespaces())
    if not prefix:
        pytest.skip("namespaces are not permitted here")
    container = Container(prefix, [], [], [], [], [], [], [], {"HTTP_PROXY": "http://user:password@127.0.0.1:9"})
    made = Process(Program(["sleep", "60"], {"PATH": os.defpath}, str(tmp_path), 1, container=container), [4566])
    supervisor = Path(f"/proc/{made._supervisor.pid}")
    said = [(supervisor / name).read_text() for name in ("cmdline", "environ")]
    made.kill()
    made.listen(lambda _report: None)
    made.close()
    assert ["password" in one for one in said] == [False, True]


def test_sigterm_first_and_sigkill_after_the_stop_timeout(run: Callable[..., Run]) -> None:
    polite = run(
        "import os, signal, time; signal.signal(signal.SIGTERM, lambda *_: os._exit(5));"
        "print(1, flush=True); time.sleep(60)"
    )
    polite.process.log.readline()
    polite.process.stop()
    polite.wait({"exited": 5})
    stubborn = run(
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)", 0.5
    )
    stubborn.process.log.readline()
    begun = time.monotonic()
    stubborn.process.stop()
    stubborn.wait({"exited": 128 + signal.SIGKILL})
    assert time.monotonic() - begun >= 0.5


def test_a_port_of_the_process_is_reached(run: Callable[..., Run]) -> None:
    port = 8080 if processes.namespaces() else free_port()
    made = run(SERVER, PORT=str(port))
    with pytest.raises(ConnectionRefusedError):
        made.process.connect(1)
    made.process.log.readline()
    end = time.monotonic() + 10
    while True:
        try:
            connection = made.process.connect(port)
            break
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.05)
    with connection:
        connection.settimeout(5)
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"200" in connection.recv(100)


@pytest.mark.parametrize("run", ["namespaces"], indirect=True)
def test_two_processes_have_the_same_port(run: Callable[..., Run]) -> None:
    for _ in range(2):
        assert run(SERVER, PORT="8080").process.log.readline() == b"listens\n"


@pytest.mark.slow
def test_health_checks_run_beside_the_process(run: Callable[..., Run], tmp_path: Path) -> None:
    mark = tmp_path / "healthy"
    check = HealthCheck(["/bin/sh", "-c", f"test -e {mark}"], 0.2, 5, 2, 0)
    made = run("import time; time.sleep(60)", health=check)
    made.wait({"health": "UNHEALTHY"})
    mark.touch()
    made.wait({"health": "HEALTHY"})
    mark.unlink()
    end = time.monotonic() + 10
    while made.said[-1] != {"health": "UNHEALTHY"}:
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_failures_in_the_start_period_do_not_count(run: Callable[..., Run]) -> None:
    check = HealthCheck(["/bin/false"], 0.1, 5, 1, 2.5)
    made = run("import time; time.sleep(60)", health=check)
    begun = time.monotonic()
    made.wait({"health": "UNHEALTHY"})
    assert time.monotonic() - begun >= 2.4


def alive(mark: str) -> list[str]:
    """The processes whose command line has a mark."""
    found = subprocess.run(["ps", "-eww", "-o", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in found.splitlines() if mark in line]


@pytest.mark.parametrize("isolated", [True, False])
@pytest.mark.parametrize("victim", ["engine", "supervisor"])
def test_nothing_survives_kill_9(tmp_path: Path, isolated: bool, victim: str) -> None:
    if victim == "supervisor" and not isolated and sys.platform != "linux":
        pytest.skip("only Linux ends a process whose parent is killed")
    mark = f"marker{os.getpid()}{victim}{isolated}"
    grandchild = f"import time; '{mark}'; time.sleep(60)"
    code = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {grandchild!r}]); time.sleep(60)"
    program = [sys.executable, "-I", "-S", "-c", code if isolated else grandchild]
    engine = f"""
        import threading, time
        from scaffold.engine.tasks import processes
        if not {isolated}: processes.namespaces = tuple
        made = processes.Process(processes.Program({program!r}, {{"PATH": "/bin"}}, {str(tmp_path)!r}, 5), [4566])
        threading.Thread(target=made.listen, args=(lambda report: None,), daemon=True).start()
        print(made._supervisor.pid, flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(engine)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as started:
        assert started.stdout
        supervisor = int(started.stdout.readline())
        wait_until(lambda: len(alive(mark)) >= (3 if isolated else 2))  # The engine's own is the first.
        os.kill(started.pid if victim == "engine" else supervisor, signal.SIGKILL)
        wait_until(lambda: [line for line in alive(mark) if str(started.pid) not in line.split()[0]] == [])
        started.kill()


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
