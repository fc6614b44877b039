"""`scaffold doctor`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scaffold import __version__
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError
from scaffold.core.target import configured_target
from scaffold.doctor import machine, service_files, side_by_side
from scaffold.doctor.account import HOME_REGION, Account, configured_region
from scaffold.doctor.findings import DoctorResult, Finding, ok, refused
from scaffold.doctor.side_by_side import Check
from scaffold.service.service import Service, find_root
from scaffold.service.service import read as read_service
from scaffold.service.stack_kinds import DOMAIN

SECONDS = 20.0
_CREDENTIALS = "credentials"


@dataclass(frozen=True)
class DoctorOptions:
    """What to check.

    Attributes:
        directory: The service's directory, or one inside it; None for the current one, which may be none.
        profile: The AWS profile; None for the standard configuration chain.
    """

    directory: Path | None = None
    profile: str | None = None


def run(
    options: DoctorOptions,
    console: Console,
    progress: Callable[[Sequence[str], Mapping[str, Finding]], Sequence[str]],
) -> DoctorResult:
    """Run all checks.

    Args:
        progress: The lines that a terminal shows meanwhile, from the names of the checks and what is found.

    Raises:
        ScaffoldError: There is no service in the directory that was named.
    """
    root = _root(options.directory)
    service, answers = _service(root) if root else (None, None)
    configured = configured_region(options.profile)
    region = service.region if service else configured
    target = configured_target(region or HOME_REGION, options.profile)
    account = Account(target, service, configured)
    folder = root or Path.cwd()
    checks = [
        Check("git", "machine", partial(machine.git_version, folder)),
        Check("git-identity", "machine", partial(machine.git_identity, folder)),
        Check("git-remote-codecommit", "machine", machine.remote_helper),
        Check("container-engine", "machine", machine.container_engine),
        Check("node", "machine", partial(machine.node, root / "app" if root else None)),
        Check(_CREDENTIALS, "account", account.credentials, overdue=Account.silent),
        Check("account", "account", account.account, after=_CREDENTIALS),
        Check("region", "account", account.region, after=_CREDENTIALS),
        Check("codecommit", "account", account.codecommit, after=_CREDENTIALS),
    ]
    if service:
        checks += [
            Check("permissions", "account", partial(account.permissions, service), after=_CREDENTIALS),
            Check("quotas", "account", partial(account.quotas, service), after=_CREDENTIALS),
            Check("networks", "account", partial(account.networks, service), after=_CREDENTIALS),
        ]
    if service and DOMAIN in service.optional_kinds:
        checks.append(Check("domains", "account", partial(account.domains, service), after=_CREDENTIALS))
    if root and answers:
        checks.append(Check("answers", "service", partial(_found, answers)))
    if service:
        checks += [
            Check("base-image", "service", partial(service_files.base_images, service)),
            Check("kit", "service", partial(service_files.kit_version, service.root)),
        ]
    names = [check.name for check in checks]
    with console.busy("Checking"), console.live() as live:
        report = (lambda found: live.update(progress(names, found))) if live.redraws else (lambda _: None)
        checked = side_by_side.run(checks, SECONDS, report)
        if live.redraws:
            live.update([])
    return DoctorResult(
        version=__version__,
        service=service.app_name if service else None,
        account=account.session.account if account.session else None,
        region=region,
        local=target.local,
        checks=checked,
    )


def _root(directory: Path | None) -> Path | None:
    """The root of the service; None outside of one."""
    if directory is not None:
        return find_root(directory)
    try:
        return find_root(Path())
    except ScaffoldError:
        return None


def _service(root: Path) -> tuple[Service | None, Finding]:
    """The service, and what there is to say of its answers."""
    try:
        service = read_service(root)
    except ScaffoldError as error:
        return None, refused(error)
    return service, ok(f"{service.app_name}, with {', '.join(service.environments)}.")


def _found(finding: Finding) -> Finding:
    return finding
