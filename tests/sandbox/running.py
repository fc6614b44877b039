"""The sandbox's script as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import isolated
from tests.kits import ROOT

COMMAND = [sys.executable, str(ROOT / "tools" / "sandbox")]


def sandbox(*arguments: str, cwd: Path, seconds: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it without a terminal."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=isolated(cwd) | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
