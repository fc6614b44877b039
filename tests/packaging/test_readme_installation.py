"""What the README says about the installation works as it stands there, in an empty home.

Only the name of the package is replaced, by the wheel of this checkout: what a registry has under it is another matter.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from scaffold import __version__
from tests.kits import ROOT
from tests.packaging.environments import create_environment, wheel
from tests.packaging.test_wheel import sources

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # Each installation is one of all dependencies.

SYSTEM = ("/usr/local/bin", "/usr/bin", "/bin")
SECTION = (ROOT / "README.md").read_text("utf-8").partition("\n## Install\n")[2].partition("\n## ")[0]
LINES, BLOCK = (text.strip() for text in re.findall(r"^```bash\n(.*?)^```$", SECTION, flags=re.DOTALL | re.MULTILINE))
PIPX, UV, RUN = LINES.splitlines()
(CHECKOUT,) = re.findall(r"From a checkout, `(.*?)`", SECTION)


def test_the_readme_names_these_tools() -> None:
    assert [shlex.split(line)[:2] for line in (PIPX, UV, RUN, CHECKOUT)] == [
        ["pipx", "install"],
        ["uv", "tool"],
        ["pipx", "run"],
        ["pipx", "install"],
    ]


class Machine:
    """A machine with nothing of this project: an empty home, and pipx and uv on the PATH.

    Args:
        tools: The folder with both.
        requirement: What stands for the package's name.
    """

    def __init__(self, folder: Path, tools: Path, requirement: str) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self._requirement = requirement
        programs = [str(tools), str(self.home / ".local" / "bin"), *SYSTEM]
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")},
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.home),
            "PATH": os.pathsep.join(programs),
        }

    def line(self, text: str) -> str:
        """A line of the README, with the wheel in place of the package's name."""
        return text.replace("gitops-scaffold[local]", self._requirement)

    def run(self, text: str, cwd: Path | None = None) -> str:
        """Run lines in a shell, and return what they print on stdout."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.line(text)],
            cwd=cwd or self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def requirement(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"gitops-scaffold[local] @ {wheel(tmp_path_factory.mktemp('wheel')).as_uri()}"


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tools")
    pipx = create_environment(folder / "pipx", "pipx") / "pipx"
    (folder / "bin").mkdir()
    for program in (pipx, Path(shutil.which("uv") or pytest.fail("uv is not installed"))):
        (folder / "bin" / program.name).symlink_to(program)
    return folder / "bin"


@pytest.fixture
def machine(tmp_path: Path, tools: Path, requirement: str) -> Machine:
    return Machine(tmp_path, tools, requirement)


@pytest.mark.parametrize("line", [PIPX, UV, CHECKOUT])
def test_what_a_line_installs_generates_and_updates_a_service(line: str, machine: Machine, tmp_path: Path) -> None:
    machine.run(line, cwd=sources(tmp_path / "checkout") if line == CHECKOUT else None)
    assert machine.run("command -v scaffold").startswith(f"{machine.home}/.local/bin/")
    assert machine.run("scaffold --version") == f"scaffold {__version__}\n"
    machine.run("scaffold new payments --defaults")
    assert (machine.home / "payments" / "Makefile").is_file()
    assert "nothing to do" in machine.run("scaffold update payments --plan")
    machine.run("cd payments && scaffold local --no-run -- true")  # The extra came with it.


def test_the_line_that_installs_nothing_asks_and_generates(machine: Machine) -> None:
    child = pexpect.spawn(
        "bash",
        ["-c", machine.line(RUN)],
        cwd=str(machine.home),
        env={**machine.environment, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
        encoding="utf-8",
        dimensions=(24, 80),
        timeout=240,
    )
    written = ""
    # A prompt that is drawn again gets another Enter, which takes the default of the next one: here all are taken.
    while child.expect([r"\d+ of \d+ ·", "Enter writes the service", pexpect.EOF]) != 2:
        written += str(child.before)
        child.send("\r")
    child.close()
    assert child.exitstatus == 0, written + str(child.before)
    assert (machine.home / "payments" / "Makefile").is_file()
    assert not (machine.home / ".local" / "bin" / "scaffold").exists()


@pytest.fixture
def local_aws_ends(machine: Machine) -> Iterator[None]:
    yield
    machine.run("command -v scaffold > /dev/null || exit 0; scaffold local stop")


@pytest.mark.usefixtures("local_aws_ends")
def test_the_block_for_people_without_an_account_can_be_pasted(machine: Machine) -> None:
    said = machine.run(BLOCK)
    assert "scaffold local stop" in said
    assert '"running": true' in machine.run("scaffold local status --json")
