"""`scaffold releases`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scaffold.aws.session import signed_in
from scaffold.console.console import Console
from scaffold.core.target import configured_target
from scaffold.deployment.release_notes import ReleaseNotesResult, find_notes, release_name
from scaffold.deployment.releases import ReleasesResult, find_releases
from scaffold.service.service import read


@dataclass(frozen=True)
class ReleasesOptions:
    """Which releases to list.

    Attributes:
        environment: The environment that they were for.
        directory: The service's directory, or one inside it.
        limit: The most releases to list.
        profile: The AWS profile; None for the standard configuration chain.
    """

    environment: str
    directory: Path = Path()
    limit: int = 10
    profile: str | None = None


def run(options: ReleasesOptions, console: Console) -> ReleasesResult:
    """List the past releases of an environment."""
    service = read(options.directory)
    with signed_in(service, configured_target(service.region, options.profile), console) as session:
        return find_releases(session, service, options.environment, options.limit)


def show_notes(options: ReleasesOptions, release: str, console: Console) -> ReleaseNotesResult:
    """The record of a release.

    Args:
        release: Its name, or its tag.
    """
    service = read(options.directory)
    target = configured_target(service.region, options.profile)
    release_name(service, target, options.environment, release)  # without signing in
    with signed_in(service, target, console) as session:
        return find_notes(session, service, options.environment, release)
