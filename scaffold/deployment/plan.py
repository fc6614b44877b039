"""What a deployment would do, found out without doing it."""

from __future__ import annotations

from dataclasses import dataclass

from scaffold.aws import codecommit as repository
from scaffold.aws import codepipeline as pipelines
from scaffold.aws import git_remote as publishing
from scaffold.aws import service_linked_roles
from scaffold.aws.cloudformation.change_sets import create as create_change_set
from scaffold.aws.cloudformation.stacks import LEFTOVERS, Stack, check_usable, current, find, policy_differs
from scaffold.aws.cloudformation.templates import Resource, StackSpec
from scaffold.aws.session import Account
from scaffold.core.errors import ScaffoldError
from scaffold.service import names
from scaffold.service.service import Service


@dataclass(frozen=True)
class Step:
    """One step of a deployment, planned or done.

    Attributes:
        what: What it is about.
        action: What is to be done, or was done, such as `create`; `none` where everything is as it should be.
        details: The single changes.
    """

    what: str
    action: str
    details: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return self.action != "none"


def plan(account: Account, service: Service, commit: str, specs: list[StackSpec]) -> list[Step]:
    """Every step of a deployment in its order.

    Args:
        account: The account.
        service: The service.
        commit: The commit to deploy.
        specs: The foundation's and the pipeline's template.
    """
    steps = [Step(f"role {role}", "create") for role in service_linked_roles.missing(account).values()]
    seen = repository.look(account, service)
    what = f"repository {names.repository(service.app_name)}"
    steps.append(Step(what, ("change" if seen.arn else "create") if seen.pending else "none", tuple(seen.pending)))
    steps.append(_push(account, service, commit, exists=seen.arn is not None))
    foundation, pipeline = specs
    stack = find(account, foundation.name)
    steps.append(_stack(account, foundation, stack, None, None))
    outputs = stack.outputs if stack else {}
    role, bucket = outputs.get("DeployRoleArn"), outputs.get("ArtifactBucketName")
    stack = find(account, pipeline.name)
    steps.append(_stack(account, pipeline, stack, role, bucket))
    if stack and (stages := pipelines.closed(account, service.app_name)):
        steps.append(Step("pipeline stages", "open", tuple(stages)))
    return steps


def _push(account: Account, service: Service, commit: str, *, exists: bool) -> Step:
    what = f"commit {commit[:7]} on {names.BRANCH}"
    if not exists:
        return Step(what, "push")
    publication = publishing.look(account, service, commit)
    count = f"{publication.ahead} commit{'s' if publication.ahead != 1 else ''}"
    return Step(what, "none") if publication.pushed else Step(what, "push", (count,))


def _addition(resource: Resource) -> str:
    # Only CloudFormation evaluates conditions, and an absent stack is planned without it.
    where = f", if {resource.condition}" if resource.condition else ""
    return f"add {resource.logical_id} ({resource.type}){where}"


def _stack(account: Account, spec: StackSpec, stack: Stack | None, role: str | None, bucket: str | None) -> Step:
    what = f"stack {spec.name}"
    whole = tuple(_addition(resource) for resource in spec.resources.values())
    if stack is None:
        return Step(what, "create", whole)
    check_usable(spec, stack)
    if stack.busy:
        raise ScaffoldError(
            f"The stack {spec.name} is busy ({stack.status}), so nobody can say what would change.",
            "Wait for it, then run the same command again; `scaffold deploy` itself would wait.",
        )
    if stack.status in LEFTOVERS:
        return Step(what, "replace", (f"remove what a first attempt left ({stack.status})", *whole))
    if current(account, spec, stack):
        return Step(what, "none")
    change_set = create_change_set(account, spec, stack.id, names.PLAN_CHANGE_SET, role=role, bucket=bucket)
    account.client("cloudformation").delete_change_set(ChangeSetName=change_set.id)
    details = tuple(f"{change.action} {change.logical_id} ({change.type})" for change in change_set.changes)
    if policy_differs(account, spec, stack):
        details += ("change the stack policy",)
    return Step(what, "change" if details else "none", details)
