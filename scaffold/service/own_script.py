"""Runs scripts of a service on its own files: the rules are those of the service's version of the kit."""

from __future__ import annotations

import os
import subprocess
import sys

from scaffold.core.errors import ScaffoldError
from scaffold.service.service import Service


def run_own_script(service: Service, script: str, purpose: str, *options: str) -> None:
    """Run a script that needs nothing but the files of the service.

    Args:
        script: Its path in the service.
        purpose: What it does, such as "check app/Dockerfile".

    Raises:
        ScaffoldError: What the script says in two lines, the problem and its remedy; or it fails otherwise.
    """
    # The script needs neither the user's credentials nor their Python.
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT", "LC_ALL")}
    command = [sys.executable, "-B", "-E", "-s", os.fspath(service.root / script), *options]
    done = subprocess.run(
        command, cwd=service.root, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    problem = done.stderr.strip().splitlines()
    if done.returncode == 1 and len(problem) == 2:
        raise ScaffoldError(*problem)
    if done.returncode:
        raise ScaffoldError(
            f"{script} cannot {purpose}.",
            f"Find out why with `python3 {script}`, and restore the scripts beside it if they are incomplete.",
        )
