"""The URL of the service's repository for the user's own Git commands, and the profile that they need."""

from __future__ import annotations

import re
import shlex

from scaffold.aws.session import Session
from scaffold.service import names
from scaffold.service.service import Service

_PROFILE_IN_URL = re.compile(r"[A-Za-z0-9._+-]+")


def remote_url(session: Session, service: Service) -> str:
    """The URL for the user's own Git commands, with the profile of this run where a URL can hold it."""
    profile = None if outside_url(session) else session.target.profile
    return names.remote_url(service.app_name, service.region, profile)


def outside_url(session: Session) -> str | None:
    """The profile of this run where it cannot be part of a URL; None otherwise."""
    profile = session.target.profile
    return profile if profile and not _PROFILE_IN_URL.fullmatch(profile) else None


def profile_variable(session: Session) -> str:
    """What the user's own Git commands have to begin with for a profile that cannot be part of a URL."""
    profile = outside_url(session)
    return f"AWS_PROFILE={shlex.quote(profile)} " if profile else ""
