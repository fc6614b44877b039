"""What the pipeline has recorded of a release: what changed, who approved it, and what it replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from scaffold.aws import release_records
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.results import Result
from scaffold.core.target import Target
from scaffold.deployment.inventory import live_stacks
from scaffold.deployment.scope import check_environment, command_for
from scaffold.service import identity
from scaffold.service.service import Service
from scaffold.service.stack_kinds import FOUNDATION, StackId

_NAME = re.compile(r"v?(?P<name>\d{8}-\d{4}-[\w.-]{1,12})")


@dataclass(frozen=True)
class ReleaseNotesResult(Result):
    """The record of a release.

    Attributes:
        started: When its build named it, in ISO 8601.
        finished: When production had it; None if it has not got there.
        findings: The number of findings of the image scan by severity; None without a scan.
        approved_by: The ARN of who approved it for production; None if it needed no approval.
        message: What they said.
        previous: The name of production's release before it; None for the first.
        notes: The first lines of the messages of the commits since then, the newest first; None before production has
            it.
    """

    command: ClassVar[str] = "releases"

    service: str
    account: str
    region: str
    local: bool
    name: str
    commit: str | None
    version: str | None
    digest: str | None
    execution: str | None
    started: str | None
    finished: str | None
    findings: Mapping[str, int] | None
    approved_by: str | None
    message: str | None
    previous: str | None
    notes: tuple[str, ...] | None


def release_name(service: Service, target: Target, environment: str, release: str) -> str:
    """The name of a release that is named by it or by its tag.

    Raises:
        UsageError: No such environment, or the name is none of a release.
    """
    check_environment(service, service.environments, environment)
    given = _NAME.fullmatch(release)
    if given is None:
        raise UsageError(
            f"{release} is not the name of a release, such as 20260131-0915-0123456789ab.",
            _listing(target, environment),
        )
    return given["name"]


def _listing(target: Target, environment: str) -> str:
    return f"`{command_for(target, 'scaffold', 'releases', environment)}` lists the releases."


def find_notes(session: Session, service: Service, environment: str, release: str) -> ReleaseNotesResult:
    """The record of a release by its name or its tag.

    Raises:
        UsageError: No such environment, or the name is none of a release.
        ScaffoldError: There is no record of it, the service is not deployed, or another service of its name is.
    """
    name = release_name(service, session.target, environment, release)
    listing = _listing(session.target, environment)
    stacks, _ = live_stacks(session, service, identity.root_commit(service), "scaffold releases")
    foundation = stacks.get(StackId(FOUNDATION))
    bucket = foundation.outputs.get("ArtifactBucketName") if foundation else None
    if bucket is None:
        raise ScaffoldError(
            f"{service.app_name} is not deployed in {session.title}.", "Deploy the service first: `scaffold deploy`."
        )
    record = release_records.read(session, bucket, name)
    if record is None:
        raise ScaffoldError(f"{service.app_name} has no record of a release {name} in {session.title}.", listing)
    return _result(session, service, name, record)


def _result(session: Session, service: Service, name: str, record: Mapping[str, Any]) -> ReleaseNotesResult:
    approval, previous = record.get("approval") or {}, record.get("previous") or {}
    findings, notes = record.get("findings"), record.get("notes")
    return ReleaseNotesResult(
        service=service.app_name,
        account=session.account,
        region=session.region,
        local=session.target.local,
        name=name,
        commit=record.get("commit"),
        version=record.get("version"),
        digest=record.get("digest"),
        execution=record.get("execution"),
        started=record.get("started"),
        finished=record.get("finished"),
        findings=findings.get("counts", {}) if findings else None,
        approved_by=approval.get("by"),
        message=approval.get("message"),
        previous=previous.get("name"),
        notes=None if notes is None else tuple(notes),
    )
