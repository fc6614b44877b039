"""`scaffold open`."""

from __future__ import annotations

import webbrowser
from dataclasses import dataclass, replace
from pathlib import Path

from scaffold.aws.session import signed_in
from scaffold.console.console import Console
from scaffold.core.errors import UsageError
from scaffold.core.target import configured_target
from scaffold.deployment import pages
from scaffold.deployment.pages import OpenResult, find_page
from scaffold.service.service import read


@dataclass(frozen=True)
class OpenOptions:
    """Which page to open.

    Attributes:
        directory: The service's directory, or one inside it.
        environment: Whose page; None for production's, or for a page of the whole service.
        chosen: The pages that were asked for; none for the service itself.
        print_only: Open nothing.
        profile: The AWS profile; None for the standard configuration chain.
    """

    directory: Path = Path()
    environment: str | None = None
    chosen: tuple[str, ...] = ()
    print_only: bool = False
    profile: str | None = None


def run(options: OpenOptions, console: Console) -> OpenResult:
    """Open a page of a service in the browser."""
    page, *more = options.chosen or (pages.SERVICE,)
    if more:
        raise UsageError("Only one page can be opened.", f"Leave --{page} or --{more[0]} out.")
    if options.environment and page not in pages.OF_ENVIRONMENT:
        raise UsageError(
            f"The {page} is the same for all environments.", f"Leave {options.environment} or --{page} out."
        )
    service = read(options.directory)
    with signed_in(service, configured_target(service.region, options.profile), console) as session:
        result = find_page(session, service, page, options.environment)
    if options.print_only:
        return result
    opened = _open(result.url)
    console.note("Opened in the browser." if opened else "There is no browser here: open the address yourself.")
    return replace(result, opened=opened)


def _open(url: str) -> bool:
    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False
