"""The service's own check of its Dockerfile, which the pipeline repeats before each build."""

from __future__ import annotations

from scaffold.core.errors import ScaffoldError
from scaffold.service.own_script import run
from scaffold.service.service import Service

SCRIPT = "config/scripts/contract.py"


def check_dockerfile(service: Service) -> None:
    """Refuse a Dockerfile that the service's pipeline cannot build or release.

    The rules are those of the service's version of the kit, so its own script is run; a service without it is not
    checked.

    Raises:
        ScaffoldError: The Dockerfile lacks something.
    """
    if not (service.root / SCRIPT).is_file():
        return
    done = run(service, SCRIPT)
    problem = done.stderr.strip().splitlines()
    if done.returncode == 1 and len(problem) == 2:
        raise ScaffoldError(*problem)
    if done.returncode:
        raise ScaffoldError(
            f"{SCRIPT} cannot check app/Dockerfile.",
            f"Find out why with `python3 {SCRIPT}`, and restore the scripts beside it if they are incomplete.",
        )
