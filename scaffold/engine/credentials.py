"""Credentials with which AWS is called, and how those of a role are obtained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Credentials:
    """An access key. Temporary ones have a session token."""

    access_key: str
    secret_key: str
    token: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables with which clients find them."""
        found = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
        return found | ({"AWS_SESSION_TOKEN": self.token} if self.token else {})


#: Gives a service the credentials of a role. Takes the role's ARN and the session's name.
AssumeRole = Callable[[str, str], Credentials]
