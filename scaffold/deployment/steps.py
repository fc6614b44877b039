"""The steps of a deployment, in order."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from scaffold.aws import approval_rules, codecommit, codepipeline, git_remote, service_linked_roles
from scaffold.aws.cloudformation.templates import StackSpec
from scaffold.aws.git_remote import RemoteState
from scaffold.aws.session import Session
from scaffold.console.console import Console
from scaffold.core.results import Change
from scaffold.deployment.health_check import wait_for_release
from scaffold.deployment.kept_permissions import keeping, keeping_data
from scaffold.deployment.left_stack import LeftStack, goes_first, of_deploy_role
from scaffold.deployment.prepared_stack import PreparedStack
from scaffold.deployment.stack_step import ExistingStacks, Pipeline, StackStep
from scaffold.deployment.step import Pending, Step
from scaffold.service import names
from scaffold.service.service import Service
from scaffold.service.stack_kinds import (
    DATA_ROLE,
    DEPLOY_OPTIONS,
    FOUNDATION,
    HEALTH_CHECK,
    OPTIONAL_KINDS,
    Deployer,
    StackId,
)


class ServiceLinkedRole(Step):
    """A role that an AWS service needs for itself.

    Args:
        missing: The account's missing roles, which all of these steps share.
    """

    type = "service-linked-role"

    def __init__(self, session: Session, principal: str, name: str, missing: MissingRoles) -> None:
        self.name = name
        self._session = session
        self._principal = principal
        self._missing = missing

    def look(self) -> Pending | None:
        """Pending where the account lacks the role."""
        return Pending("create") if self._principal in self._missing.roles else None

    def do(self) -> None:
        """Create the role."""
        service_linked_roles.create(self._session, self._principal)


class MissingRoles:
    """The service-linked roles that the account lacks, listed once."""

    def __init__(self, session: Session, service: Service) -> None:
        self._session = session
        self._service = service

    @cached_property
    def roles(self) -> dict[str, str]:
        """Service principal → role name."""
        return service_linked_roles.missing(self._session, self._service)


class Repository(Step):
    """The CodeCommit repository with its tags.

    Args:
        commit: The commit to deploy.
        root_commit: Its root commit.

    Attributes:
        exists: Whether there is a repository, after `check`.
        remote: Its state compared with the commit to deploy; None while that is unknown.
    """

    type = "repository"

    def __init__(self, session: Session, service: Service, commit: str, root_commit: str) -> None:
        self.name = names.repository(service.app_name)
        self.exists = False
        self.remote: RemoteState | None = None
        self._session = session
        self._service = service
        self._commit = commit
        self._root_commit = root_commit
        self._found: codecommit.Repository | None = None
        self._tags: dict[str, str] = {}

    def check(self) -> None:
        """Refuse the repository of another service, or one whose main the commit does not continue."""
        self._found = codecommit.find(self._session, self._service.app_name)
        self.exists = self._found is not None
        if self._found is None:
            self.remote = git_remote.unpushed(self._service, self._commit)
        else:
            self.remote = self.compare()

    def compare(self) -> RemoteState:
        """The state of the existing repository compared with the commit to deploy."""
        return git_remote.compare(self._session, self._service, self._commit, self._root_commit)

    @cached_property
    def approval_rules(self) -> set[str]:
        """The names of the approval rule templates that it applies, asked for once."""
        return approval_rules.associated(self._session, self._service) if self.exists else set()

    def look(self) -> Pending | None:
        """Pending where there is no repository or it lacks tags."""
        if self._found is None:
            return Pending("create")
        self._tags = codecommit.missing_tags(self._session, self._service, self._found)
        return Pending("update", tuple(Change("tag", key, "create") for key in self._tags)) if self._tags else None

    def do(self) -> None:
        """Create the repository or its missing tags."""
        if self._found is not None:
            codecommit.tag(self._session, self._found, self._tags)
        elif not codecommit.create(self._session, self._service):
            self.remote = None
        self.exists = True


class ApprovalRule(Step):
    """An approval rule template, associated with the repository.

    Args:
        rule: One of `names.APPROVAL_RULES`.
    """

    type = "approval-rule-template"

    def __init__(self, session: Session, service: Service, rule: str, repository: Repository) -> None:
        self.name = names.approval_rule_template(service.app_name, rule)
        self._session = session
        self._service = service
        self._kind = rule
        self._repository = repository
        self._rule: approval_rules.ApprovalRule | None = None

    def look(self) -> Pending | None:
        """Pending where content or association differ from the service's file, or where there is no such file."""
        rule = approval_rules.inspect(self._session, self._service, self._kind, self._repository.approval_rules)
        self._rule = rule
        association = Change("association", self._repository.name, "create")
        if rule.desired is None:
            return Pending("delete") if rule.actual is not None else None
        if rule.actual is None:
            return Pending("create", (association,))
        content = () if rule.same_content else (Change("content", self.name, "update"),)
        changes = (*content, *(() if rule.associated else (association,)))
        return Pending("update", changes) if changes else None

    def do(self) -> None:
        """Create, update, associate or delete the template."""
        if self._rule is not None:
            approval_rules.apply(self._session, self._service, self._kind, self._rule)


class Push(Step):
    """The commit on the repository's main.

    Attributes:
        remote_name: The Git remote of the repository; None until `finish`.
    """

    type = "branch"

    def __init__(
        self, session: Session, service: Service, commit: str, repository: Repository, pipeline: Pipeline
    ) -> None:
        self.name = names.BRANCH
        self._session = session
        self._service = service
        self.remote_name: str | None = None
        self._commit = commit
        self._repository = repository
        self._pipeline = pipeline

    def look(self) -> Pending | None:
        """Pending where the repository's main is another commit; refused where it is ahead or has diverged."""
        remote = self._repository.remote or self._repository.compare()
        if remote.pushed:
            return None
        action = "create" if remote.remote is None else "update"
        return Pending(action, (Change("commit", self._commit, "push", count=remote.ahead),))

    def starts_release(self, pending: Pending) -> bool:
        """A push does."""
        del pending
        return True

    def do(self) -> None:
        """Push the commit."""
        git_remote.push(self._session, self._service, self._commit)
        self._pipeline.pushed = True

    def finish(self) -> None:
        """Configure the user's clone for plain `git push` and `git pull`."""
        self.remote_name = git_remote.configure_remote(self._session, self._service, self._commit)


class Transitions(Step):
    """The transitions into the pipeline's stages, which `scaffold destroy --environment` disables."""

    type = "stage-transitions"

    def __init__(self, session: Session, service: Service, pipeline: Pipeline) -> None:
        self.name = names.pipeline(service.app_name)
        self._session = session
        self._app = service.app_name
        self._pipeline = pipeline
        self._stages: list[str] = []

    def look(self) -> Pending | None:
        """Pending where an earlier `scaffold destroy` has disabled transitions."""
        self._stages = codepipeline.disabled_stages(self._pipeline.stages)
        changes = tuple(Change("stage", stage, "enable") for stage in self._stages)
        return Pending("update", changes) if changes else None

    def do(self) -> None:
        """Enable them."""
        codepipeline.enable_transitions(self._session, self._app, self._stages)


def deployment_steps(
    session: Session,
    service: Service,
    commit: str,
    root_commit: str,
    specs: list[StackSpec],
    placeholders: Mapping[StackId, StackSpec],
    existing: ExistingStacks,
    *,
    change_set: str,
    console: Console,
) -> list[Step]:
    """Every step of a deployment.

    Args:
        root_commit: The root commit of the commit to deploy.
        specs: The stacks that `scaffold deploy` creates from their templates, in order.
        placeholders: The stacks that it creates from the placeholder.
        change_set: The name for change sets.
    """
    missing = MissingRoles(session, service)
    linked = service_linked_roles.needed(service)
    steps: list[Step] = [ServiceLinkedRole(session, *one, missing) for one in linked.items()]
    repository = Repository(session, service, commit, root_commit)
    steps += [repository, *(ApprovalRule(session, service, rule, repository) for rule in names.APPROVAL_RULES)]
    foundation: StackStep | None = None
    pipeline = Pipeline(session, service.app_name)
    left = {one: LeftStack(session, service, one, existing, pipeline, console) for one in _left(service, existing)}
    steps += [left[one] for one in sorted(left, key=lambda one: one.kind is not HEALTH_CHECK) if goes_first(one)]
    stacks: list[StackStep] = []
    for spec in specs:
        stacks.append(StackStep(session, spec, existing, foundation, pipeline, change_set, console))
        foundation = stacks[-1] if spec.kind is FOUNDATION else foundation
        if spec.kind is DEPLOY_OPTIONS:
            roles = {StackId(spec.kind, one).name(service.app_name): one for one in service.environments}
            environment = roles[spec.name]
            own = [step for one, step in left.items() if of_deploy_role(one) and one.environment == environment]
            stacks[-1].adapt = keeping(session, service, environment, existing, own)
        elif spec.kind is DATA_ROLE:
            roles = {StackId(spec.kind, one).name(service.app_name): one for one in service.environments}
            environment = roles[spec.name]
            # Only a person deletes data, with the permissions of this role.
            kept = [one for one in left if one.kind.data and one.environment == environment]
            stacks[-1].adapt = keeping_data(session, service, environment, existing, kept)
    wait_for_release(service, existing, stacks)
    # The push starts a pipeline that exists: what its stages need has to be there before, and no stack that its first
    # stage updates may be busy.
    steps += [step for step in stacks if not step.is_pipeline]
    steps += [PreparedStack(session, service, one, spec, existing, console) for one, spec in placeholders.items()]
    steps.append(Push(session, service, commit, repository, pipeline))
    steps += [step for step in stacks if step.is_pipeline]
    steps.append(Transitions(session, service, pipeline))
    return steps + [step for one, step in left.items() if not goes_first(one)]


def _left(service: Service, existing: ExistingStacks) -> list[StackId]:
    """The stacks of optional kinds that exist, although the service no longer has them. A role waits for its stacks."""
    ids = [
        StackId(kind, environment)
        for kind in sorted(OPTIONAL_KINDS, key=lambda kind: kind.name)
        for environment in (service.environments if kind.per_environment else (None,))
    ]
    found = [one for one in ids if not service.has(one) and one.name(service.app_name) in existing.stacks]
    roles = (DATA_ROLE, DEPLOY_OPTIONS)
    holding = {one.environment for one in found if one.environment and one.kind.deployer is Deployer.PIPELINE}
    return [one for one in found if one.kind not in roles or one.environment not in holding]
