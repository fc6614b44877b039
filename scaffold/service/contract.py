"""The service's own check of its Dockerfile, which the pipeline repeats before each build."""

from __future__ import annotations

import os
import subprocess
import sys

from scaffold.core.errors import ScaffoldError
from scaffold.service.service import Service

SCRIPT = "config/scripts/contract.py"


def check_dockerfile(service: Service) -> None:
    """Refuse a Dockerfile that the service's pipeline cannot build or release.

    The rules are those of the service's version of the kit, so its own script is run; a service without it is not
    checked.

    Raises:
        ScaffoldError: The Dockerfile lacks something.
    """
    script = service.root / SCRIPT
    if not script.is_file():
        return
    # The script needs neither the user's credentials nor their Python.
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT", "LC_ALL")}
    command = [sys.executable, "-B", "-E", "-s", os.fspath(script)]
    done = subprocess.run(
        command, cwd=service.root, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    problem = done.stderr.strip().splitlines()
    if done.returncode == 1 and len(problem) == 2:
        raise ScaffoldError(*problem)
    if done.returncode:
        raise ScaffoldError(
            f"{SCRIPT} cannot check app/Dockerfile.",
            f"Find out why with `python3 {SCRIPT}`, and restore the scripts beside it if they are incomplete.",
        )
