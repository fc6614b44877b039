"""The paths of a service's secrets in Parameter Store and Secrets Manager."""

from __future__ import annotations


def build_secret(app: str, variable: str) -> str:
    """The parameter with the value that an environment variable of the build has."""
    return f"/{app}/build/{variable}"


def secrets(app: str, environment: str) -> str:
    """What the paths of an environment's secrets begin with; that of a parameter has a slash before it."""
    return f"{app}/{environment}"


def secret(app: str, environment: str, name: str) -> str:
    """The path of a secret of an environment."""
    return f"{secrets(app, environment)}/{name}"
