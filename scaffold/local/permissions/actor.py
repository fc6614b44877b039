"""A service that acts with a role within local AWS, where its calls are no requests."""

from __future__ import annotations

import time

from scaffold.engine.credentials import Credentials
from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY
from scaffold.local.permissions.guard import Guard
from scaffold.local.permissions.needs import Need


class Actor:
    """A role that was assumed.

    Args:
        role_arn: The role; empty for local AWS itself, which needs no permissions.
        session: The session's name, by default a number as CodePipeline gives.
    """

    def __init__(self, guard: Guard, role_arn: str, session: str = "") -> None:
        self._guard = guard
        self._role_arn = role_arn
        self._session = session or str(int(time.time() * 1000))

    @property
    def credentials(self) -> Credentials:
        """The role's credentials, or those of local AWS."""
        if not self._role_arn:
            return Credentials(ACCESS_KEY, SECRET_KEY)
        return self._guard.assume(self._role_arn, self._session)

    def require(self, region: str, resource: str, *actions: str) -> None:
        """Check that the role may do something.

        Raises:
            Denied: It may not.
        """
        if self._role_arn:
            self._guard.require(self._role_arn, self._session, region, [Need(one, resource) for one in actions])
