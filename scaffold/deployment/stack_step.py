"""The step of a stack: created, replaced where its creation failed, or updated through a change set."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from functools import cached_property
from typing import Any

from scaffold.aws import codepipeline
from scaffold.aws.cloudformation import change_sets, comparison, exports, stacks
from scaffold.aws.cloudformation.change_sets import ChangeSet
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.cloudformation.templates import StackSpec
from scaffold.aws.session import Session
from scaffold.console.console import Console
from scaffold.core.results import Change
from scaffold.deployment import boundaries, protection
from scaffold.deployment.elsewhere import find_elsewhere
from scaffold.deployment.foundation_data import check_data
from scaffold.deployment.step import Pending, Step
from scaffold.service import names
from scaffold.service.service import Service
from scaffold.service.stack_kinds import FOUNDATION, PIPELINE, Deployer

STACK_TYPE = "AWS::CloudFormation::Stack"
_PIPELINE_TYPE = "AWS::CodePipeline::Pipeline"


class ExistingStacks:
    """The stacks of the account, listed once, and their templates, each read once.

    They are those of the service's region, and those of the service that are elsewhere.

    Args:
        left: The names of stacks that the service's answers no longer ask for, whether they exist or not.
    """

    def __init__(self, session: Session, service: Service, left: Collection[str] = ()) -> None:
        self._session = session
        self._service = service
        self._left = left
        self._templates: dict[tuple[str, datetime | None], Any] = {}

    @cached_property
    def stacks(self) -> dict[str, Stack]:
        """Stack name → stack."""
        found = stacks.find_all(self._session)
        return {**found, **find_elsewhere(self._session, self._service, found.values())}

    @property
    def staying(self) -> dict[str, Stack]:
        """Those that are not deleted once the pipeline has released what has been committed."""
        return {name: stack for name, stack in self.stacks.items() if name not in self._left}

    def template(self, stack: Stack) -> Any:
        """The template of a stack, as `comparison.template_of` returns it."""
        key = stack.id, stack.since
        if key not in self._templates:
            self._templates[key] = comparison.template_of(self._session, stack)
        return self._templates[key]


class Pipeline:
    """The pipeline's stages, looked at once.

    Attributes:
        pushed: Whether a push has started it since all stacks were listed.
    """

    def __init__(self, session: Session, app: str) -> None:
        self.pushed = False
        self._session = session
        self._app = app

    @cached_property
    def stages(self) -> list[dict[str, Any]]:
        """Their states, as CodePipeline describes them; empty where there is no pipeline."""
        return codepipeline.stage_states(self._session, self._app)

    def forget(self) -> None:
        """Look again: the pipeline has changed."""
        self.__dict__.pop("stages", None)


class StackStep(Step):
    """A stack that `scaffold deploy` creates and updates.

    Args:
        existing: The account's stacks, which all of these steps share.
        foundation: The foundation's step; None for the foundation itself.
        pipeline: The pipeline, which these steps share.
        change_set: The name of the change set that `look` creates.
        console: Where to show the events of the stack.
    """

    type = "stack"

    def __init__(
        self,
        session: Session,
        spec: StackSpec,
        existing: ExistingStacks,
        foundation: StackStep | None,
        pipeline: Pipeline,
        change_set: str,
        console: Console,
    ) -> None:
        self.name = spec.name
        self.spec = spec
        self._session = session.in_region(spec.kind.region)
        self._existing = existing
        self._foundation = foundation
        self._pipeline = pipeline
        self._change_set_name = change_set
        self._console = console
        self._stack: Stack | None = None
        self._change_set: ChangeSet | None = None
        self._set_policy = False
        #: What it is changed to for now, where what the answers have given up still needs a part of it.
        self.adapt: Callable[[StackSpec, Stack], StackSpec] = lambda spec, _: spec
        #: Whether it is created or updated only after a release that is still to come.
        self.awaits_release: Callable[[], bool] = lambda: False
        #: Whether `look` has found that it is to be created or updated, and waits for that release.
        self.waiting = False

    @property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs, as far as it exists."""
        return self._stack.outputs if self._stack else {}

    @property
    def is_pipeline(self) -> bool:
        """Whether it is the pipeline's stack: its creation starts the first run, and the pipeline updates it too."""
        return self.spec.kind is PIPELINE

    def check(self) -> None:
        """Refuse a stack of another owner, one that CloudFormation cannot update, or a foundation without its data.

        A template without an export that is in use, or whose boundary lacks a permission in use, is refused, too.
        """
        self._stack = self._existing.stacks.get(self.name)
        if self._stack is not None:
            comparison.check_usable(self.spec, self._stack)
            exports.check_kept(self._session, self.spec, self._stack)
            boundaries.check_kept(self.spec, self._stack, self._existing.staying, self._existing.template)
        if self.spec.kind is FOUNDATION:
            check_data(self._session, self._stack)

    @property
    def _left_to_pipeline(self) -> bool:
        """Whether the pipeline has deployed the stack last, and still updates it: what differs comes with a push."""
        if self._stack is None or self._stack.status in stacks.UNFINISHED:
            return False
        if self.spec.kind.deployer is not Deployer.ITSELF:
            return False
        digest = self._stack.parameters.get(names.TEMPLATE_DIGEST)
        return digest == names.UNKNOWN_DIGEST and codepipeline.updates_itself(self._pipeline.stages)

    def wait(self) -> None:
        """Wait for an operation in progress on the stack, unless it is the pipeline's own."""
        # The push may have started an update of the pipeline's stack since all stacks were listed.
        changing = self._stack is not None and (self._stack.busy or (self.is_pipeline and self._pipeline.pushed))
        if changing and not self._left_to_pipeline:
            self._stack = stacks.wait_until_idle(self._session, self.name, self._console)

    def look(self) -> Pending | None:
        """Pending where template, parameters, tags, stack policy or termination protection differ.

        What an update changes is asked with a change set.
        """
        stack = self._stack
        resources = tuple(
            Change(resource.type, resource.logical_id, "create", condition=resource.condition)
            for resource in self.spec.resources.values()
        )
        created = (*resources, *protection.missing(self.spec, None))
        if self.awaits_release():
            usable = stack if stack and stack.status not in stacks.UNFINISHED else None
            self.waiting = not (usable and comparison.up_to_date(self._session, self.spec, usable))
            self.quiet = self.waiting
            return None
        if stack is None:
            return Pending("create", created)
        comparison.check_usable(self.spec, stack)
        if self._left_to_pipeline:
            return None
        if stack.busy:
            raise comparison.unplannable(stack)
        if stack.status in stacks.UNFINISHED:
            return Pending("replace", (Change(STACK_TYPE, self.name, "delete"), *created))
        self.spec = self.adapt(self.spec, stack)
        missing = protection.missing(self.spec, stack)
        if comparison.up_to_date(self._session, self.spec, stack, self._existing.template):
            return Pending("update", missing) if missing else None
        self._change_set = change_sets.create(self._session, self.spec, stack.id, self._bucket(), self._change_set_name)
        changes = self._change_set.changes
        self._set_policy = comparison.policy_differs(self._session, self.spec, stack)
        if self._set_policy:
            changes += (Change("stack-policy", self.name, "update"),)
        if not changes and not missing:
            self.release()
            return None
        return Pending("update", (*changes, *missing), self._change_set.warnings)

    def starts_release(self, pending: Pending) -> bool:
        """The creation of a pipeline does, and so does an update."""
        return any(change.type == _PIPELINE_TYPE for change in pending.changes)

    def do(self) -> None:
        """Create, replace or update the stack, and wait for it."""
        if self.is_pipeline:
            self._pipeline.forget()
        if self._stack is not None and self._stack.status not in stacks.UNFINISHED:
            protection.turn_on(self._session, self.spec, self._stack)
            self._update(self._stack)
            return
        if self._stack is not None:
            protection.delete_unfinished(self._session, self._stack, self._console)
        self._stack = stacks.create(self._session, self.spec, self._bucket(), self._console)

    def _update(self, stack: Stack) -> None:
        if self._change_set is None:
            return
        self._stack = stacks.update(
            self._session, self.spec, stack, self._change_set, self._console, set_policy=self._set_policy
        )
        if not self._change_set.changes:
            self.release()

    def release(self) -> None:
        """Delete the change set."""
        if self._change_set is not None:
            change_sets.delete(self._session, self._change_set)
            self._change_set = None

    def _bucket(self) -> str | None:
        if self.spec.kind.region:  # CloudFormation reads large templates from a bucket of its own region.
            return None
        return self._foundation.outputs.get("ArtifactBucketName") if self._foundation else None
