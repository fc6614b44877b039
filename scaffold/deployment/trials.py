"""Releases whose tasks run, and get no traffic before somebody decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from scaffold.aws import paused_deployments
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.paused_deployments import PausedDeployment
from scaffold.aws.session import Session
from scaffold.service import names
from scaffold.service.service import Service
from scaffold.service.stack_kinds import ENVIRONMENT, SERVICE, StackId

# As `service.yaml` has them.
_HEADER, _HEADER_OUTPUT = "X-Test-Release", "TestHeader"


@dataclass(frozen=True)
class Trial:
    """How people try a release whose tasks run, and get no traffic before somebody decides.

    Attributes:
        url: The address of the environment.
        header: The header of requests that reach the new tasks, as NAME: VALUE.
        until: When the release is taken back without a decision.
    """

    url: str
    header: str
    until: datetime | None
    deployment: PausedDeployment = field(repr=False)


def find_trials(session: Session, service: Service, stacks: Mapping[str, Stack]) -> dict[str, Trial]:
    """The releases that wait for a decision while their tasks run, by their stages.

    Args:
        stacks: All stacks by name.
    """
    found = {}
    for environment in service.environments:
        stack = stacks.get(StackId(SERVICE, environment).name(service.app_name))
        value = stack.outputs.get(_HEADER_OUTPUT) if stack else None
        paused = paused_deployments.find(session, service.app_name, environment) if value else None
        if paused:
            outputs = stacks[StackId(ENVIRONMENT, environment).name(service.app_name)].outputs
            trial = Trial(outputs["ServiceUrl"], f"{_HEADER}: {value}", paused.expires, paused)
            found[names.pipeline_stage(environment)] = trial
    return found
