"""The images that a service's Dockerfile names, as the service's own script reads them."""

from __future__ import annotations

from scaffold.core.errors import ScaffoldError
from scaffold.service.own_script import run
from scaffold.service.service import Service

SCRIPT = "config/scripts/parse_dockerfile.py"


def images(service: Service) -> list[str] | None:
    """The images that the Dockerfile builds on or copies from; None for a service without the script.

    Raises:
        ScaffoldError: An image cannot be told from the Dockerfile.
    """
    if not (service.root / SCRIPT).is_file():
        return None
    # Of the architecture, only the name of another image may depend, which is as good an example.
    done = run(service, SCRIPT, "images", "app/Dockerfile", "--platform", "linux/amd64")
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it ends without a reason"]
        raise ScaffoldError(
            f"The images of app/Dockerfile are not clear: {said[-1]}", "Fix app/Dockerfile, and commit."
        )
    return done.stdout.split()
