"""Temporary credentials of roles, as STS gives them to the services that assume a role. They do not expire."""

from __future__ import annotations

import base64
import secrets
import string
import threading
from dataclasses import dataclass

from scaffold.engine.credentials import Credentials
from scaffold.local.protocol import ACCOUNT

_LETTERS = string.ascii_uppercase + string.digits


@dataclass(frozen=True)
class Session:
    """A role that was assumed.

    Attributes:
        name: The session's name.
        registry_password: What the passwords of its authorization tokens for ECR's registry have in common.
    """

    role_arn: str
    name: str
    credentials: Credentials
    registry_password: str

    @property
    def role(self) -> str:
        """The name of the role, without its path."""
        return self.role_arn.rpartition("/")[2]

    @property
    def arn(self) -> str:
        """The ARN of the assumed role, which has no path."""
        return f"arn:aws:sts::{ACCOUNT}:assumed-role/{self.role}/{self.name}"

    @property
    def user_id(self) -> str:
        """The id of the caller, `aws:userid` in policies. All roles have the same one here."""
        return f"AROALOCALAWS00000000:{self.name}"

    def registry_token(self, region: str) -> str:
        """What ECR's GetAuthorizationToken returns in a region: a user name and a password."""
        return base64.b64encode(f"AWS:{region}.{self.registry_password}".encode()).decode()


class Sessions:
    """All sessions of one local AWS. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_role: dict[tuple[str, str], Session] = {}
        self._by_key: dict[str, Session] = {}
        self._by_password: dict[str, Session] = {}

    def assume(self, role_arn: str, name: str) -> Session:
        """The session of a role with a name; a new one if there is none."""
        with self._lock:
            if (role_arn, name) not in self._by_role:
                key = "ASIA" + "".join(secrets.choice(_LETTERS) for _ in range(16))
                credentials = Credentials(key, secrets.token_urlsafe(30), secrets.token_urlsafe(60))
                made = Session(role_arn, name, credentials, secrets.token_urlsafe(60))
                self._by_role[role_arn, name] = self._by_key[key] = self._by_password[made.registry_password] = made
            return self._by_role[role_arn, name]

    def of_key(self, access_key: str) -> Session | None:
        """The session with an access key."""
        return self._by_key.get(access_key)

    def of_registry_token(self, token: str) -> tuple[Session | None, str]:
        """The session that has an authorization token for the registry, and the region that the token is for."""
        try:
            region, _, password = base64.b64decode(token).decode().partition(":")[2].partition(".")
        except ValueError:
            return None, ""
        return self._by_password.get(password), region
