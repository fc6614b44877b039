"""Whether this user has set up AWS credentials, without asking AWS."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_FILES = {"AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials", "AWS_CONFIG_FILE": "~/.aws/config"}


def configured() -> bool:
    """Whether variables or files name credentials. The role of an EC2 instance is not looked up."""
    if any(os.environ.get(name) for name in _VARIABLES):
        return True
    with suppress(OSError, RuntimeError):
        return any(Path(os.environ.get(name) or path).expanduser().is_file() for name, path in _FILES.items())
    return False
