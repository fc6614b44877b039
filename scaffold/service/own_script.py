"""Runs a script of a service: the rules are those of the service's version of the kit."""

from __future__ import annotations

import os
import subprocess
import sys

from scaffold.service.service import Service


def run(service: Service, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script in the service's root, and return what it prints.

    Args:
        script: Its path in the service.
    """
    # The scripts need neither the user's credentials nor their Python.
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT", "LC_ALL")}
    command = [sys.executable, "-B", "-E", "-s", os.fspath(service.root / script), *arguments]
    return subprocess.run(
        command, cwd=service.root, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
