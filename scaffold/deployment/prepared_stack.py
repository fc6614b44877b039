"""The step of an environment's stack: created from the placeholder, left to the pipeline from then on, but for its
termination protection."""

from __future__ import annotations

from scaffold.aws.cloudformation import comparison, stacks
from scaffold.aws.cloudformation.stack_events import Watch
from scaffold.aws.cloudformation.stacks import UNFINISHED, Stack
from scaffold.aws.cloudformation.templates import StackSpec
from scaffold.aws.session import Session
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError
from scaffold.core.results import Change
from scaffold.deployment import protection
from scaffold.deployment.inventory import owned
from scaffold.deployment.scope import command_for
from scaffold.deployment.stack_step import STACK_TYPE, ExistingStacks
from scaffold.deployment.step import Pending, Step
from scaffold.service.service import Service
from scaffold.service.stack_kinds import Deployer, StackId, StackKind

# The operations after which a stack may have to be created. An update is the pipeline's.
_TO_WAIT_FOR = {"CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"}


def replaceable(kind: StackKind, stack: Stack) -> bool:
    """Whether `scaffold deploy` replaces a stack whose creation has failed.

    Of the pipeline's stacks only one without resources: there is nothing to ask before its deletion.
    """
    return kind.deployer is not Deployer.PIPELINE or stack.status in ("ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS")


class PreparedStack(Step):
    """A stack of an environment, created with its role, tags, stack policy and termination protection.

    CodePipeline cannot set the protection, and could not update a stack whose creation has failed. The protection comes
    back where it was lifted, and is added where the environment has become production.

    Args:
        spec: The placeholder.
        existing: The account's stacks, which all of these steps share.
    """

    type = "prepared-stack"
    together = True
    quiet = True

    def __init__(
        self,
        session: Session,
        service: Service,
        stack_id: StackId,
        spec: StackSpec,
        existing: ExistingStacks,
        console: Console,
    ) -> None:
        self.name = spec.name
        self._session = session
        self._service = service
        self._id = stack_id
        self._spec = spec
        self._existing = existing
        self._console = console
        self._stack: Stack | None = None
        self._creation: Watch | None = None

    def check(self) -> None:
        """Refuse a stack of another owner, or one that only `scaffold repair` deletes."""
        self._stack = self._existing.stacks.get(self.name)
        if self._stack is not None and not owned(self._service, self._stack):
            raise comparison.foreign(self._stack, self._service.app_name)
        self._check_usable()
        if self._stack is not None and self._stack.status == "UPDATE_ROLLBACK_FAILED":
            # No refusal: what the rollback lacks may be a permission that this deployment brings.
            command = command_for(self._session.target, "scaffold repair", str(self._id.environment))
            self._console.warn(
                f"The stack {self.name} is {self._stack.status}, so releases fail there: run `{command}` after this."
            )

    def wait(self) -> None:
        """Wait for the end of a creation or deletion that another command has started."""
        if self._stack is not None and self._stack.status in _TO_WAIT_FOR:
            self._stack = stacks.wait_until_idle(self._session, self.name, self._console)

    def look(self) -> Pending | None:
        """Pending where there is no stack, one whose creation has failed, or one without its protection."""
        created = protection.missing(self._spec, None)
        if self._stack is None:
            return Pending("create", created)
        self._check_usable()
        if self._stack.status in _TO_WAIT_FOR:
            raise comparison.unplannable(self._stack)
        if self._stack.status in UNFINISHED:
            return Pending("replace", (Change(STACK_TYPE, self.name, "delete"), *created))
        missing = protection.missing(self._spec, self._stack)
        return Pending("update", missing) if missing else None

    def start(self) -> None:
        """Start the creation of the stack, after the deletion of one whose creation has failed."""
        if self._stack is not None:
            if self._stack.status not in UNFINISHED:
                return
            protection.delete_unfinished(self._session, self._stack, self._console)
        self._creation = stacks.start_creation(self._session, self._spec, None, self._console)

    def do(self) -> None:
        """Wait for the end of the creation, or turn the protection of an existing stack on."""
        if self._creation is not None:
            stacks.finish_creation(self._creation, None)
        elif self._stack is not None:
            protection.turn_on(self._session, self._spec, self._stack)

    def _check_usable(self) -> None:
        stack = self._stack
        if stack is None:
            return
        if stack.status == "DELETE_FAILED":
            raise comparison.unfinished_deletion(stack, self._id.kind)
        if stack.status in UNFINISHED and not replaceable(self._id.kind, stack):
            raise ScaffoldError(
                f"The stack {stack.name} is {stack.status}: its creation failed, and may have left resources.",
                "Run `scaffold repair`, which deletes it, then `scaffold deploy` again.",
            )
