"""Speed as ratios of paired runs on this machine: our run time divided by that of another tool for the same job.

Both commands of a pair run alternately, so that other load on the machine affects both. The
median of the pairs' ratios is printed beside its limit; the exit code is 1 when one is exceeded. The last
lines are figures of the generated application, and of local AWS: calls of commands, CPU time and memory.

    python bench/bench.py [--rounds N] [NAME...]
"""

from __future__ import annotations

import argparse
import compileall
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import application
import local_aws

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SCAFFOLD = [
    sys.executable,
    "-c",
    "import sys; from scaffold.__main__ import main; sys.argv[0] = 'scaffold'; sys.exit(main())",
]
APP = ("--data", "app_name=bench-service")


@dataclass(frozen=True)
class Pair:
    """Two commands that do the same job.

    Attributes:
        name: What is compared.
        ours: Our command, given a folder that it may write to.
        theirs: The other command, likewise.
        limit: The highest acceptable ratio.
        rounds: How many pairs are run.
    """

    name: str
    ours: Callable[[Path], list[str]]
    theirs: Callable[[Path], list[str]]
    limit: float
    rounds: int


PAIRS = (
    Pair("help", lambda _: [*SCAFFOLD, "--help"], lambda _: [tool("cookiecutter"), "--help"], 0.65, 15),
    Pair("version", lambda _: [*SCAFFOLD, "--version"], lambda _: [tool("cookiecutter"), "--version"], 0.30, 15),
    Pair(
        "complete",
        lambda _: [*SCAFFOLD, "__complete", "bash", "3", "scaffold", "new", "--data", "aws_"],
        lambda _: [sys.executable, "-c", "pass"],
        2.50,
        15,
    ),
    Pair(
        "new",
        lambda folder: [*SCAFFOLD, "new", "--defaults", "--no-deploy", *APP, str(folder / "service")],
        lambda folder: [tool("copier"), "copy", "--defaults", *APP, str(embedded_kit()), str(folder / "service")],
        0.75,
        11,
    ),
    Pair(
        "update",
        lambda folder: [*SCAFFOLD, "update", str(outdated_service(folder))],
        lambda folder: [tool("copier"), "update", "--defaults", "--quiet", str(outdated_service(folder))],
        1.05,
        7,
    ),
)

NAMES = (*(pair.name for pair in PAIRS), *application.NAMES, *local_aws.NAMES)


def tool(name: str) -> str:
    """The program of that name in this interpreter's environment."""
    return str(BIN / name)


def embedded_kit() -> Path:
    """The embedded kit, unpacked by the warm-up."""
    return Path.home() / ".local" / "share" / "gitops-scaffold" / "kit"


@cache
def kit_in_two_versions() -> tuple[Path, Path]:
    """A kit like the embedded one with a second version, and a service of the first."""
    folder = Path(os.environ["HOME"]) / "update"
    folder.mkdir()
    seconds([*SCAFFOLD, "new", "--defaults", "--plan", *APP, str(folder / "none")])  # unpacks the embedded kit
    kit, service = folder / "kit", folder / "service"
    run = partial(subprocess.run, check=True, capture_output=True)
    run(["git", "clone", "--quiet", str(embedded_kit()), str(kit)])
    run(["git", "tag", "v90.0.0"], cwd=kit)
    seconds([*SCAFFOLD, "new", "--defaults", "--no-deploy", *APP, "--kit", str(kit), str(service)])
    for path in (kit / "template").rglob("*.js"):
        path.write_text(f"// second version\n{path.read_text('utf-8')}", "utf-8")
    person = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    run(["git", *person, "commit", "--quiet", "--all", "--message=second"], cwd=kit)
    run(["git", "tag", "v90.1.0"], cwd=kit)
    return kit, service


def outdated_service(folder: Path) -> Path:
    """A copy of that service."""
    return Path(shutil.copytree(kit_in_two_versions()[1], folder / "service"))


def seconds(command: list[str]) -> float:
    """How long a command takes. It has to succeed."""
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return time.perf_counter() - started


def timed(command: Callable[[Path], list[str]]) -> float:
    """How long a command takes in a fresh folder."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        return seconds(command(Path(folder)))


def measure(pair: Pair, rounds: int) -> tuple[float, float, float]:
    """The medians of both commands, and of the ratios of their pairs."""
    timed(pair.ours), timed(pair.theirs)  # warm: byte code, file caches, the unpacked embedded kit
    runs = []
    for number in range(rounds):
        order = (pair.ours, pair.theirs) if number % 2 else (pair.theirs, pair.ours)
        taken = {command: timed(command) for command in order}
        runs.append((taken[pair.ours], taken[pair.theirs]))
    ours, theirs = zip(*runs, strict=True)
    return statistics.median(ours), statistics.median(theirs), statistics.median(a / b for a, b in runs)


def new_service(folder: Path, environments: str, *answers: str) -> None:
    """Generate a service with a list of environments, and other answers as KEY=VALUE."""
    given = [word for answer in (f"environments={environments}", *answers) for word in ("--data", answer)]
    seconds([*SCAFFOLD, "new", "--defaults", "--no-deploy", *APP, *given, str(folder)])


def main() -> int:
    """Run the pairs that were named, or all."""
    parser = argparse.ArgumentParser(description="Speed as ratios of paired runs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}")
    parser.add_argument("--rounds", type=int, help="pairs to run, for each name")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(NAMES):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    # pip compiles what it installs; a checkout is compiled at its first use, unless the machine forbids that.
    compileall.compile_dir(str(ROOT / "scaffold"), quiet=1)
    home = tempfile.mkdtemp(prefix="bench-home-")
    os.environ |= {"HOME": home, "PYTHONPATH": str(ROOT), "GIT_CONFIG_NOSYSTEM": "1"}
    failed = False
    try:
        print(f"{'':<10}{'ours':>9}{'theirs':>9}{'ratio':>8}{'limit':>8}")
        for pair in PAIRS:
            if arguments.names and pair.name not in arguments.names:
                continue
            ours, theirs, ratio = measure(pair, arguments.rounds or pair.rounds)
            failed |= ratio > pair.limit
            verdict = "" if ratio <= pair.limit else "  exceeded"
            print(f"{pair.name:<10}{ours:>8.3f}s{theirs:>8.3f}s{ratio:>8.2f}{pair.limit:>8.2f}{verdict}", flush=True)
        for figures in (application, local_aws):
            if arguments.names and not set(arguments.names) & set(figures.NAMES):
                continue
            for figure in figures.figures(set(arguments.names), new_service, Path(home)):
                failed |= figure.exceeded
                verdict = "  exceeded" if figure.exceeded else ""
                print(
                    f"{figure.name:<10}{figure.value:>8.0f} {figure.what:<50}{figure.limit:>8.0f}{verdict}", flush=True
                )
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
