"""Virtual environments with nothing but the packages that a test installs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.kits import ROOT


def create_environment(folder: Path, *requirements: str) -> Path:
    """Create a virtual environment with some packages and return its folder of programs."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet"]
    subprocess.run([*pip, *requirements], check=True)
    return folder / "bin"


def install(programs: Path, package: str) -> None:
    """Replace a package of an environment, whose dependencies stay."""
    pip = [sys.executable, "-m", "pip", "--python", programs / "python", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--force-reinstall", package], check=True)


def wheel(folder: Path, source: Path = ROOT) -> Path:
    """Build the wheel of a source tree and return it."""
    build(folder, "wheel", source)
    return next(folder.glob("*.whl"))


def build(folder: Path, target: str, source: Path = ROOT) -> None:
    """Build a wheel or a source distribution with the hatchling of this environment."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", folder]
    subprocess.run(command, cwd=source, env=environment, check=True, capture_output=True)
