"""Figures of the generated application: answers under load beside those of bare Express, start, size."""

from __future__ import annotations

import os
import re
import socket
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from figures import Figure

NAMES = ("p99", "start", "size", "observed", "database")
_ROUNDS = 7
# For that many requests in a second, `scaffold cost` and auto scaling have a task of one vCPU: requests_per_vcpu in
# includes/prices.yml. As fast as either answers, the ratio is that of the work in a request, of which Express alone has
# none: no id, and no line of the log.
_RATE, _SECONDS = 300, 5
# Requests begin when they are due, whatever became of those before them. Prints the 99th percentile in ms.
_LOAD = """
import { Agent, get } from 'node:http';

const [url, rate, seconds] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true });
const wanted = rate * seconds;
const times = [];
const begun = performance.now();
let sent = 0;

function send() {
  const at = performance.now();
  get(url, { agent }, (answer) => {
    if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`);
    answer.resume().on('end', () => times.push(performance.now() - at));
  });
}

const timer = setInterval(() => {
  const due = Math.min(wanted, ((performance.now() - begun) / 1000) * rate); // timers are late
  for (; sent < due; sent += 1) send();
  if (times.length < wanted) return;
  clearInterval(timer);
  agent.destroy();
  times.sort((one, other) => one - other);
  console.log(times[Math.ceil(wanted * 0.99) - 1]);
}, 1);
"""
# With Express of the application, so that both have the same version.
_BARE = """
import { createRequire } from 'node:module';
const app = createRequire(process.env.APPLICATION)('express')();
app.get('/', (_req, res) => res.json({ message: 'Hello' }));
app.get('/health', (_req, res) => res.json({}));
app.listen(Number(process.env.PORT));
"""


def figures(names: set[str], new: Callable[..., None], folder: Path) -> Iterator[Figure]:
    """The figures with these names, or all for none.

    Args:
        new: Generates a service in a folder, with a list of environments and other answers.
        folder: An empty folder.
    """
    asked = names or set(NAMES)
    if not asked & set(NAMES):
        return
    service = folder / "application"
    new(service, "dev")
    app = service / "app"
    _npm(app, "ci", "--omit=dev")
    bare = folder / "bare.mjs"
    bare.write_text(_BARE, "utf-8")
    if "size" in asked:
        yield Figure("size", "MB that the application adds to its base image", _size(app), 200)
    if "start" in asked:
        yield Figure("start", "ms from start to the first healthy answer", _start(app), 2000)
    load = folder / "load.mjs"
    load.write_text(_LOAD, "utf-8")
    if "p99" in asked:
        percent = _compared(app, bare, load)
        yield Figure("p99", f"% of bare Express's p99, at {_RATE} requests a second", percent, 130)
    for name in [name for name in _OPTIONS if name in asked]:
        answer, what, surroundings = _OPTIONS[name]
        service = folder / name
        new(service, "dev", answer)
        app = service / "app"
        _npm(app, "ci", "--omit=dev")
        yield Figure(name, f"MB that it adds {what}", _size(app), 200)
        with surroundings(app) as variables:
            seconds = _start(app, **variables)
            yield Figure(name, f"ms to the first healthy answer {what}", seconds, 2000)
            percent = _compared(app, bare, load, **variables)
            yield Figure(name, f"% of bare Express's p99 {what}", percent, 130)


def _size(app: Path) -> float:
    """The megabytes of what the image has beside its base."""
    files = (path for part in ("node_modules", "src") for path in (app / part).rglob("*"))
    return sum(path.stat().st_size for path in files) / 1e6


def _start(app: Path, **variables: str) -> float:
    """The milliseconds until it is healthy, in the median."""
    starts = []
    for _ in range(_ROUNDS):
        with _server(["node", "src/main.js"], app, **variables) as (_, seconds):
            starts.append(seconds)
    return statistics.median(starts) * 1000


@contextmanager
def _traced(_app: Path) -> Iterator[dict[str, str]]:
    """The variables of the task definition. Nothing answers there: spans are recorded, and their export fails."""
    yield {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_TRACES_SAMPLER": "traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.05",
    }


@contextmanager
def _database(app: Path) -> Iterator[dict[str, str]]:
    """The variables with which the application finds a database that its migrations were applied to."""
    found = app.parent / "variables"
    # The database ends with this command, whose input ends with this function.
    command = ["sh", "-c", 'env -0 >"$0.part" && mv "$0.part" "$0" && read -r _', str(found)]
    with subprocess.Popen(["node", "test/with-postgres.js", *command], cwd=app, stdin=subprocess.PIPE) as process:  # noqa: S603, S607
        while not found.exists():
            if process.poll() is not None:
                raise RuntimeError("the database has not started")
            time.sleep(0.05)
        variables = dict(one.split("=", 1) for one in found.read_text("utf-8").split("\0") if one)
        yield {name: one for name, one in variables.items() if re.match("AWS_|DATABASE_|NODE_EXTRA_CA_CERTS$", name)}


#: Options that change what a request runs through, or what a start waits for: an answer, and what it stands for.
_OPTIONS = {
    "observed": ("observability=standard", "with traces", _traced),
    "database": ("database=postgres", "with a database", _database),
}


def _compared(app: Path, bare: Path, load: Path, **variables: str) -> float:
    """The 99th percentile of the application in percent of that of a bare one."""
    ratios = []
    with (
        _server(["node", "src/main.js"], app, **variables) as (ours, _),
        _server(["node", str(bare)], app) as (theirs, _),
    ):
        for number in range(_ROUNDS + 1):
            order = (ours, theirs) if number % 2 else (theirs, ours)
            taken = {port: _p99(load, port) for port in order}
            ratios.append(taken[ours] / taken[theirs])
    return statistics.median(ratios[1:]) * 100  # The first round compiles what both run.


def _npm(folder: Path, *arguments: str) -> None:
    command = ["npm", *arguments, "--silent", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=folder, check=True)  # noqa: S603


@contextmanager
def _server(command: list[str], app: Path, **variables: str) -> Iterator[tuple[int, float]]:
    """An application that runs: its port, and the seconds until it was healthy."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "PORT": str(port), "APPLICATION": str(app / "package.json"), **variables}
    started = time.perf_counter()
    with subprocess.Popen(command, cwd=app, env=environment, stdout=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            while not _healthy(port):
                if process.poll() is not None:
                    raise RuntimeError(f"{' '.join(command)} has ended with {process.returncode}")
                time.sleep(0.005)
            yield port, time.perf_counter() - started
        finally:
            process.kill()


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return int(answer.status) == 200
    except OSError:
        return False


def _p99(load: Path, port: int) -> float:
    """The 99th percentile of the time to answer, in ms. Every request has to be answered with the status 200."""
    command = ["node", str(load), f"http://127.0.0.1:{port}/", str(_RATE), str(_SECONDS)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout)  # noqa: S603
