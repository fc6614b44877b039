"""The service's own check of its Dockerfile, which the pipeline repeats before each build."""

from __future__ import annotations

from scaffold.service.own_script import run_own_script
from scaffold.service.service import Service

SCRIPT = "config/scripts/contract.py"


def check_dockerfile(service: Service) -> None:
    """Refuse a Dockerfile that the service's pipeline cannot build or release.

    The rules are those of the service's version of the kit, so its own script is run; a service without it is not
    checked.

    Raises:
        ScaffoldError: The Dockerfile lacks something.
    """
    if (service.root / SCRIPT).is_file():
        run_own_script(service, SCRIPT, "check app/Dockerfile")
