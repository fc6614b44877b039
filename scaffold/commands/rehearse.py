"""`scaffold rehearse`: a commit on a local AWS of its own, from deployment to production."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scaffold.aws import scan_findings
from scaffold.console.console import Console
from scaffold.console.prompt import confirm
from scaffold.core import faults
from scaffold.core.errors import Interrupted, ScaffoldError, UsageError
from scaffold.core.git import git
from scaffold.core.isolation import isolated
from scaffold.deployment import pipeline_names
from scaffold.deployment.approval import WaitingRelease
from scaffold.deployment.networks import new_networks
from scaffold.deployment.rehearsal import RehearsalResult, rehearse
from scaffold.local.environment import OwnLocalAws, running_local_aws
from scaffold.local.folder import own_folder
from scaffold.local.shell import container_engine, export_lines
from scaffold.service import names, preflight
from scaffold.service.clone import clone
from scaffold.service.service import Service, read
from scaffold.service.stack_kinds import BUILD_VPC

_PREFIX = "scaffold-rehearse-"
_SCAN_POLICY = "config/policies/scan-policy.toml"
# Services that answer scan_engine with sbom have it.
_SBOM_ENGINE = "config/scripts/scan_gate/sbom.py"
# What is left to do after a rehearsal is never done in the local AWS that has ended with it.
_OTHER_COMMANDS = re.compile(r"`[^`]*\b(?:aws |scaffold (?!deploy\b|rehearse\b))[^`]*`")


@dataclass(frozen=True)
class RehearseOptions:
    """What to rehearse.

    Attributes:
        directory: The service's directory, or one inside it.
        until: The stage after whose success the rehearsal ends; None for the last one.
        yes: Approve without asking.
        scan_findings: A file with what the image scan finds; None for nothing.
        fail: The action that fails, as STAGE/ACTION; None for none.
        faults: Faults of the version that is released, each as ENVIRONMENT=FAULT.
        speed: How many seconds of waiting, such as a bake, pass in one second.
        keep: Keep local AWS running at the end, until Ctrl-C, and the clone for good.
    """

    directory: Path = Path()
    until: str | None = None
    yes: bool = False
    scan_findings: Path | None = None
    fail: str | None = None
    faults: tuple[str, ...] = ()
    speed: float = 60
    keep: bool = False


def run(
    options: RehearseOptions,
    console: Console,
    describe: Callable[[WaitingRelease], Iterable[str]],
    report: Callable[[RehearsalResult], int],
) -> int:
    """Rehearse the commit that is checked out.

    Args:
        describe: The lines that show a release before its approval.
        report: Prints the result, and returns its exit code.

    Raises:
        UsageError: No such stage, action, environment or fault, or the scan findings cannot be used.
        ScaffoldError: There are uncommitted changes, or the deployment failed.
    """
    service = read(options.directory)
    findings = _findings(service, options.scan_findings)
    injected = _faults(service, options.faults)
    commit = preflight.rehearsable_commit(service)
    try:
        with own_folder() as folder:
            return _rehearse(service, commit, folder, findings, injected, options, console, describe, report)
    except (KeyboardInterrupt, Interrupted):
        raise Interrupted(
            "Interrupted: the rehearsal and its local AWS have ended.", "Run the same command again to start over."
        ) from None


def _findings(service: Service, path: Path | None) -> Mapping[str, Any]:
    if path is None:
        return {}
    if not (service.root / _SCAN_POLICY).is_file():
        raise UsageError(
            f"{service.app_name} has no {_SCAN_POLICY}, so its pipeline scans no images.",
            "Leave --scan-findings out, or answer scan_gate with `scaffold update --to current --data scan_gate=high`.",
        )
    return scan_findings.read_report(path) if (service.root / _SBOM_ENGINE).is_file() else scan_findings.read(path)


def _faults(service: Service, given: Iterable[str]) -> dict[str, list[str]]:
    """The faults by their environments."""
    found: dict[str, list[str]] = {}
    for text in given:
        environment, _, fault = text.partition("=")
        if environment not in service.environments:
            raise UsageError(
                f"{service.app_name} has no environment {environment!r}, which --fault {text} names.",
                f"Write --fault ENVIRONMENT=FAULT; the environments are {', '.join(service.environments)}.",
            )
        try:
            faults.parse([fault])
        except ValueError:
            raise UsageError(
                f"--fault {text} names no fault that can be injected.", f"Use one of {faults.FORMS}."
            ) from None
        found.setdefault(environment, []).append(fault)
    return found


def _rehearse(
    service: Service,
    commit: str,
    folder: Path,
    findings: Mapping[str, Any],
    injected: Mapping[str, Sequence[str]],
    options: RehearseOptions,
    console: Console,
    describe: Callable[[WaitingRelease], Iterable[str]],
    report: Callable[[RehearsalResult], int],
) -> int:
    copy = clone(service, commit, folder / "service" / service.app_name)
    console.step(f"Cloned commit {commit[:7]} of {service.app_name}")
    until, failing = _names(copy, options)
    _check_networks(copy)
    with running_local_aws(
        copy.region, runs=True, speed=options.speed, failing=failing or "", containers=container_engine()
    ) as aws:
        if "vulnerabilities" in findings:
            aws.script_sbom_scans(findings)
        elif findings:
            aws.script_image_scans(findings)
        for environment, texts in injected.items():
            aws.inject_faults(names.cluster(copy.app_name, environment), texts)
            console.step(f"Injected {' and '.join(texts)} into {environment}")
        try:
            # What the service's own scripts and Git read of this machine has no credentials.
            with isolated(folder / "home", aws.variables):
                result = rehearse(
                    copy,
                    aws.target,
                    until=until,
                    failing=failing,
                    speed=options.speed,
                    approve=_approval(options, console, describe),
                    console=console,
                )
            engine, messages = aws.containers or None, tuple(aws.messages())
            code = report(replace(result, kept=options.keep, container_engine=engine, messages=messages))
        except (Interrupted, UsageError):
            raise
        except ScaffoldError as error:
            in_service = error.with_remedy(_remedy(error.remedy, copy, service))
            if not options.keep:
                raise in_service from error
            console.render_error(in_service)
            code = error.exit_code
        if options.keep:
            _keep(aws, copy, console)
        return code


def _names(copy: Service, options: RehearseOptions) -> tuple[str | None, str | None]:
    """The stage and the action of the options: as the template spells them, or where it cannot tell, as given."""
    stages = pipeline_names.declared(copy) if options.until or options.fail else None
    if stages is None:
        return options.until, options.fail
    return (
        pipeline_names.chosen_stage(copy, stages, options.until) if options.until else None,
        pipeline_names.chosen_action(copy, stages, options.fail) if options.fail else None,
    )


def _check_networks(copy: Service) -> None:
    """Refuse an existing VPC, which a fresh local AWS cannot have."""
    for network in new_networks(copy, {})[1]:
        raise ScaffoldError(
            f"{network.environment} is in the existing VPC {network.vpc}, which is not in local AWS.",
            "Rehearse a branch in which the answer vpc_id, also in environment_overrides, is empty.",
        )
    if BUILD_VPC in copy.optional_kinds:
        raise ScaffoldError(
            "Images are built in an existing VPC, which is not in local AWS.",
            "Rehearse a branch in which the answer build_network is none.",
        )


def _approval(
    options: RehearseOptions, console: Console, describe: Callable[[WaitingRelease], Iterable[str]]
) -> Callable[[WaitingRelease], bool]:
    def approve(release: WaitingRelease) -> bool:
        if not options.yes and not console.interactive:
            return False
        for line in describe(release):
            console.note(line)
        if not options.yes:
            return confirm("Approve this release?")
        console.step(f"Approved the release in the stage {release.stage}")
        return True

    return approve


def _remedy(remedy: str, copy: Service, service: Service) -> str:
    """A remedy for the service's own repository instead of the clone that the user never sees."""
    if _OTHER_COMMANDS.search(remedy):
        return f"Fix the cause with a commit, then rehearse again: `{service.enter} && scaffold rehearse`."
    return remedy.replace(str(copy.root), str(service.root)).replace("scaffold deploy", "scaffold rehearse")


def _keep(aws: OwnLocalAws, copy: Service, console: Console) -> None:
    """Keep local AWS running until Ctrl-C, and the clone, which may have further commits by then, for good.

    Raises:
        ScaffoldError: It ended by itself.
    """
    kept = copy.root.rename(Path(tempfile.mkdtemp(prefix=_PREFIX)) / copy.root.name)
    _forget_remotes(kept)
    # With --json, the document has stdout for itself.
    print("\n".join(export_lines(aws.variables)), file=sys.stderr if console.json else sys.stdout, flush=True)
    console.step(f"Local AWS is running at {aws.variables['AWS_ENDPOINT_URL']}; the clone is {kept}.")
    console.note("Paste the lines above into another terminal to use it there. Its state is lost when it ends.")
    console.note("Press Ctrl-C to end it; the clone stays.")
    try:
        aws.process.wait()
    except KeyboardInterrupt:
        return
    finally:
        _forget_remotes(kept)
    raise ScaffoldError("Local AWS ended unexpectedly.", "Run the same command again.")


def _forget_remotes(clone: Path) -> None:
    """Without the variables of local AWS, a push would reach the repository of the same name in an account."""
    for remote in git("remote", cwd=clone).split():
        git("remote", "remove", remote, cwd=clone)
