"""Releases whose tasks run, and get no traffic before somebody decides."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime

from scaffold.aws import paused_deployments, release_records
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.paused_deployments import PausedDeployment
from scaffold.aws.session import Session
from scaffold.deployment import addresses
from scaffold.service import names
from scaffold.service.service import Service
from scaffold.service.stack_kinds import SERVICE, StackId

# As `service.yaml` has them.
_HEADER, _HEADER_OUTPUT = "X-Test-Release", "TestHeader"


@dataclass(frozen=True)
class Trial:
    """How people try a release whose tasks run, and get no traffic before somebody decides.

    Attributes:
        environment: Where they run.
        url: The address of the environment.
        header: The header of requests that reach the new tasks, as NAME: VALUE.
        until: When the release is taken back without a decision.
    """

    environment: str
    url: str
    header: str
    until: datetime | None
    deployment: PausedDeployment = field(repr=False)


def find_trial(session: Session, service: Service, environment: str, stacks: Mapping[StackId, Stack]) -> Trial | None:
    """The release to an environment that waits for a decision while its tasks run; None where none does."""
    stack = stacks.get(StackId(SERVICE, environment))
    value = stack.outputs.get(_HEADER_OUTPUT) if stack else None
    paused = paused_deployments.find(session, service.app_name, environment) if value else None
    if paused is None:
        return None
    url = addresses.service_url(stacks, environment) or ""
    return Trial(environment, url, f"{_HEADER}: {value}", paused.expires, paused)


def find_trials(session: Session, service: Service, stacks: Mapping[str, Stack]) -> dict[str, Trial]:
    """The releases that wait for a decision while their tasks run, by their stages.

    Args:
        stacks: All stacks by name.
    """
    ids = (StackId(kind, one) for kind in addresses.KINDS for one in service.environments)
    existing = {one: stacks[name] for one in ids if (name := one.name(service.app_name)) in stacks}
    found = {one: find_trial(session, service, one, existing) for one in service.environments}
    return {names.pipeline_stage(one): trial for one, trial in found.items() if trial}


def end_trial(session: Session, trial: Trial, bucket: str, release: str | None, *, proceed: bool) -> None:
    """Let the traffic shift, signed by the caller, or take the release back.

    Args:
        bucket: The artifact bucket, with the records of releases.
        release: What its build has named the release; None where the build exports no name, so that there is no record.

    Raises:
        ScaffoldError: It does not wait any more.
    """
    signed = (
        release_records.signed(session, bucket, release, trial.environment) if proceed and release else nullcontext()
    )
    with signed:
        paused_deployments.end(session, trial.deployment, proceed=proceed)
