"""What a deployment has done, or would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scaffold.aws.cloudformation.validation import Finding
from scaffold.aws.service_quotas import Quota
from scaffold.core.errors import EXIT_DONE, EXIT_PLAN_HAS_CHANGES, EXIT_WAITS_FOR_APPROVAL
from scaffold.core.results import Change, Result
from scaffold.deployment.follow import Release
from scaffold.deployment.left_stack import Left
from scaffold.deployment.networks import NetworkWarning


@dataclass(frozen=True)
class StepResult:
    """One step of a deployment, planned or done.

    Attributes:
        type: What kind of thing it changes, such as `stack`.
        action: `create`, `update`, `replace` or `delete`; `none` where the actual state is the desired one.
        changes: The individual changes.
        warnings: What CloudFormation's validation has found without refusing it.
    """

    type: str
    name: str
    action: str
    changes: tuple[Change, ...] = ()
    warnings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class DeployResult(Result):
    """A deployment, or the plan of one.

    Attributes:
        local: Whether it is local AWS, which proves nothing about an account.
        runs: Whether the pipeline runs there; a local AWS may only store it.
        commit: The commit of main that is deployed.
        planned: Whether this is a plan and nothing was changed.
        steps: Every step, in order.
        quotas: Quotas that are too small for the first run of new environments; read when a release starts.
        clone_url: The URL of the repository for `git clone`.
        pipeline_url: The pipeline's page in the AWS console; None on local AWS.
        remote: The Git remote of the repository; None in a plan.
        push_profile: The AWS profile that `git push` has to be given, since the remote's URL cannot hold it.
        left_environments: Environments that the answers no longer name, and that still have stacks.
        left_stacks: Stacks that the service's files do not have any more, and that stay.
        waiting_stacks: Stacks that `scaffold deploy` creates or updates only after a release that is still to come.
        networks: What is probably not intended in the networks of new environments and of builds.
        notifies: Whether approvals, failures and alarms are sent to an e-mail address.
        own_alarms: The environments whose alarms are sent to an address of their own.
        release: The release of the deployed commit, where it was waited for.
        background: The URL of the local AWS in the background, where it is that one and this shell does not use it.
    """

    command: ClassVar[str] = "deploy"

    service: str
    account: str
    region: str
    local: bool
    commit: str
    planned: bool
    steps: tuple[StepResult, ...]
    quotas: tuple[Quota, ...]
    clone_url: str
    pipeline_url: str | None
    remote: str | None
    push_profile: str | None = None
    left_environments: tuple[str, ...] = ()
    left_stacks: tuple[Left, ...] = ()
    waiting_stacks: tuple[str, ...] = ()
    notifies: bool = True
    own_alarms: tuple[str, ...] = ()
    networks: tuple[NetworkWarning, ...] = ()
    release: Release | None = None
    runs: bool = True
    background: str | None = None

    @property
    def changed(self) -> bool:
        """Whether anything was, or would be, changed."""
        return any(step.action != "none" for step in self.steps)

    @property
    def exit_code(self) -> int:
        """10 for a plan with changes, 11 for a release that waits for approval, else 0."""
        if self.release and self.release.waiting:
            return EXIT_WAITS_FOR_APPROVAL
        return EXIT_PLAN_HAS_CHANGES if self.planned and self.changed else EXIT_DONE
