"""`scaffold deploy`: from a committed service to its repository, foundation and pipeline in AWS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.aws import codecommit as repository
from scaffold.aws import codepipeline as pipelines
from scaffold.aws import first_run, service_linked_roles
from scaffold.aws import git_remote as publishing
from scaffold.aws.cloudformation import stacks, templates
from scaffold.aws.errors import translate
from scaffold.aws.session import Account, connect
from scaffold.console.console import Console
from scaffold.core.errors import EXIT_DONE, EXIT_PLAN_HAS_CHANGES, Interrupted
from scaffold.core.results import Result
from scaffold.deployment.plan import Step
from scaffold.deployment.plan import plan as find_plan
from scaffold.service import names, preflight
from scaffold.service.service import Service, read


@dataclass(frozen=True)
class DeployResult(Result):
    """What was deployed, or would be.

    Attributes:
        service: The service's name.
        account: The AWS account.
        region: The region.
        local: Whether that is local AWS, which proves nothing about a real account.
        planned: Whether this is a plan and nothing was changed.
        steps: Every step, in order.
        clone: How to clone the repository.
        console: Where the pipeline is to be seen; None on local AWS, which has no such place.
        remote: The Git remote that now leads to the repository; None in a plan.
    """

    service: str
    account: str
    region: str
    local: bool
    planned: bool
    steps: tuple[Step, ...]
    clone: str
    console: str | None
    remote: str | None

    @property
    def changed(self) -> bool:
        """Whether anything was, or would be, changed."""
        return any(step.changes for step in self.steps)

    @property
    def exit_code(self) -> int:
        """10 for a plan with changes, else 0."""
        return EXIT_PLAN_HAS_CHANGES if self.planned and self.changed else EXIT_DONE

    def text(self) -> str:
        """The result as a person reads it."""
        if not self.changed:
            return f"{self.service} is up to date in {self._where}: nothing to do."
        if self.planned:
            return "\n".join([f"{self.service} in {self._where} would change:", *self._details()])
        command, what = self.next_step()
        return "\n".join([self.existing(), "", "Next:", f"  {command}  {what}"])

    def existing(self) -> str:
        """What exists now, and where."""
        if self.local:
            return "\n".join(
                [
                    f"{self.service} is deployed to {self._where}. Its pipeline is there, but does not run.",
                    f"  stacks      {names.foundation_stack(self.service)}, {names.pipeline_stack(self.service)}",
                    f"  repository  git clone {self.clone}",
                ]
            )
        return "\n".join(
            [
                f"{self.service} is deployed to {self._where}. The pipeline now creates its environments.",
                f"  pipeline    {self.console}",
                f"  repository  git clone {self.clone}",
            ]
        )

    def next_step(self) -> tuple[str, str]:
        """What to type next, and what that does."""
        if self.local:
            return f"aws cloudformation list-stacks --region {self.region}", "shows what was made"
        return f"git push {self.remote} {names.BRANCH}", "after a commit: the pipeline does the rest"

    @property
    def _where(self) -> str:
        return f"{'local AWS' if self.local else f'account {self.account}'}, {self.region}"

    def _details(self) -> list[str]:
        lines = []
        for step in self.steps:
            if step.changes:
                lines.append(f"  {step.action:<8}{step.what}")
                lines += [f"            {detail}" for detail in step.details]
        return lines


def deploy(service_dir: Path, *, profile: str | None, plan: bool = False, console: Console) -> DeployResult:
    """Make AWS what the service's committed files say, or tell what that would change.

    Args:
        service_dir: The service's directory.
        profile: The AWS profile to use; None for the standard configuration chain.
        plan: Change nothing, and tell what would change.
        console: Where progress goes.

    Returns:
        What was done, or would be.

    Raises:
        ScaffoldError: Something has to be mended first; what was reached stays, and a repetition goes on from there.
    """
    service = read(service_dir)
    commit = preflight.deployable_commit(service)
    specs = [templates.load(service, kind) for kind in ("foundation", "pipeline")]
    try:
        account = connect(service, profile)
        console.step(f"Signed in to {account.title} as {account.caller}")
        if plan:
            return _result(account, service, find_plan(account, service, commit, specs), None)
        return _deploy(account, service, commit, specs, console)
    except (BotoCoreError, ClientError) as error:
        raise translate(error) from error
    except KeyboardInterrupt as interruption:
        raise Interrupted(
            "Stopped watching; whatever AWS has begun goes on there.",
            f"`{service.enter} && scaffold deploy` picks it up from wherever it is by then.",
        ) from interruption


def _deploy(
    account: Account, service: Service, commit: str, specs: list[templates.StackSpec], console: Console
) -> DeployResult:
    steps = [_roles(account, console)]
    published, remote = _repository(account, service, commit, console)
    steps += published
    foundation, pipeline = specs
    step, stack = _stack(account, foundation, console, role=None, bucket=None)
    steps.append(step)
    # The pipeline is made with the role that it updates itself with later: a stack remembers its role, and what
    # the role may not do shows now and not at the first push.
    role, bucket = stack.outputs.get("DeployRoleArn"), stack.outputs.get("ArtifactBucketName")
    step, _ = _stack(account, pipeline, console, role=role, bucket=bucket)
    steps.append(step)
    if step.action == "create":
        for warning in first_run.missing_quotas(account):
            console.warn(warning)
    elif stages := pipelines.closed(account, service.app_name):
        pipelines.reopen(account, service.app_name, stages)
        console.step(f"Pipeline stages opened again: {', '.join(stages)}")
        steps.append(Step("pipeline stages", "open", tuple(stages)))
    return _result(account, service, steps, remote)


def _roles(account: Account, console: Console) -> Step:
    missing = service_linked_roles.missing(account)
    for principal in missing:
        service_linked_roles.create(account, principal)
    console.step("Service-linked roles: " + (f"created {', '.join(missing.values())}" if missing else "present"))
    return Step("service-linked roles", "create" if missing else "none", tuple(missing.values()))


def _repository(account: Account, service: Service, commit: str, console: Console) -> tuple[list[Step], str]:
    seen = repository.look(account, service)
    # Whose repository it is has to be known before anything of it is changed.
    publication = publishing.look(account, service, commit) if seen.arn else None
    if repository.ensure_exists(account, service, seen):
        publication = publishing.first(service, commit)
    repository.ensure_approvals(account, service, seen)
    name = names.repository(service.app_name)
    console.step(f"CodeCommit repository {name}: {seen.done}")
    made = Step(
        f"repository {name}", ("change" if seen.arn else "create") if seen.pending else "none", tuple(seen.pending)
    )
    push, remote = _push(account, service, publication or publishing.look(account, service, commit), console)
    return [made, push], remote


def _push(
    account: Account, service: Service, publication: publishing.Publication, console: Console
) -> tuple[Step, str]:
    if not publication.pushed:
        publishing.push(account, service, publication)
    remote = publishing.remember_remote(account, service, publication.commit)
    what = f"commit {publication.commit[:7]} on {names.BRANCH}"
    console.step(f"Commit {publication.commit[:7]}: {'present' if publication.pushed else 'pushed'}")
    if warning := publishing.helper_warning():
        console.note(warning)
    return Step(what, "none" if publication.pushed else "push"), remote


def _stack(
    account: Account, spec: templates.StackSpec, console: Console, *, role: str | None, bucket: str | None
) -> tuple[Step, stacks.Stack]:
    outcome, stack = stacks.ensure(account, spec, console, role=role, bucket=bucket)
    console.step(f"Stack {spec.name}: {outcome}")
    action = {"created": "create", "updated": "change"}.get(outcome, "none")
    return Step(f"stack {spec.name}", action), stack


def _result(account: Account, service: Service, steps: list[Step], remote: str | None) -> DeployResult:
    return DeployResult(
        service=service.app_name,
        account=account.id,
        region=account.region,
        local=account.local,
        planned=remote is None,
        steps=tuple(steps),
        clone=names.remote_url(service.app_name, service.region),
        console=None if account.local else _console(account, names.pipeline(service.app_name)),
        remote=remote,
    )


def _console(account: Account, pipeline: str) -> str:
    domain = "amazonaws-us-gov.com" if account.partition == "aws-us-gov" else "aws.amazon.com"
    path = f"codesuite/codepipeline/pipelines/{pipeline}/view?region={account.region}"
    return f"https://{account.region}.console.{domain}/{path}"
