"""The step of a stack whose answer was turned off: deleted, once the pipeline does not update it any more."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import ClientError

from scaffold.aws import data
from scaffold.aws.cloudformation import stacks
from scaffold.aws.cloudformation.exports import importers
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.data import DataResource
from scaffold.aws.errors import says_denied
from scaffold.aws.session import Session
from scaffold.console.console import Console
from scaffold.core.results import Change
from scaffold.deployment.inventory import owned
from scaffold.deployment.stack_step import STACK_TYPE, ExistingStacks, Pipeline
from scaffold.deployment.step import Pending, Step
from scaffold.service import names
from scaffold.service.service import Service
from scaffold.service.stack_kinds import DATABASE, HEALTH_CHECK, Deployer, StackId

_LOGS = "AWS::Logs::LogGroup"


@dataclass(frozen=True)
class Left:
    """A stack that stays, although the service's files do not have it any more.

    Attributes:
        reason: `person`, whose stack it is, since others may import from it; `pipeline`, which would create it again;
            `imported`, by the stack of a service that has not left it yet; `changing`; `protected` by termination
            protection; `data`; `environment-data`, of which an environment has a stack; `database`; or `denied`, since
            the caller may not delete it.
        data: What it holds: of a database, the identifier of its cluster.
        protected: Whether termination protection keeps it beside that reason.
        region: Its region where the kind has one of its own.
    """

    name: str
    reason: str
    data: tuple[str, ...] = ()
    protected: bool = False
    region: str | None = None


class LeftStack(Step):
    """The stack of an optional kind that the service no longer has. Its logs are deleted with it, other data is not.

    Args:
        existing: The account's stacks, and `pipeline` the pipeline, which the steps of a deployment share.

    Attributes:
        left: Why it stays, after `look`.
    """

    type = "left-stack"
    quiet = True

    def __init__(
        self,
        session: Session,
        service: Service,
        stack_id: StackId,
        existing: ExistingStacks,
        pipeline: Pipeline,
        console: Console,
    ) -> None:
        self.name = stack_id.name(service.app_name)
        self.left: Left | None = None
        self._session = session.in_region(stack_id.kind.region)
        self._service = service
        self._id = stack_id
        self._existing = existing
        self._pipeline = pipeline
        self._console = console
        self._stack: Stack | None = None

    def check(self) -> None:
        """Find it, unless it is another owner's."""
        stack = self._existing.stacks.get(self.name)
        self._stack = stack if stack is not None and owned(self._service, stack) else None

    @property
    def _updated(self) -> bool:
        """Whether the pipeline updates it: a release of an earlier commit would create it again."""
        found = {stage["stageName"]: stage.get("actionStates", []) for stage in self._pipeline.stages}
        environment = self._id.environment
        stage = names.pipeline_stage(environment) if environment else names.SELF_UPDATE_STAGE
        return any(one["actionName"] == self._id.kind.action for one in found.get(stage, []))

    def wait(self) -> None:
        """Wait for an operation in progress, unless it is the pipeline's."""
        if self._stack is not None and self._stack.busy and not self._updated:
            self._stack = stacks.wait_until_idle(self._session, self.name, self._console)

    def look(self) -> Pending | None:
        """Pending where there is such a stack, and nothing keeps it."""
        stack = self._stack
        if stack is None:
            return None
        if self._id.kind is DATABASE:
            cluster = stack.outputs.get("ClusterName")
            self.left = Left(self.name, "database", (cluster,) if cluster else ())
        elif self._id.kind.data and self._id.kind.deployer is not Deployer.PERSON:
            found = data.data_resources(self._session, stack) if stack.released else []
            self.left = Left(self.name, "environment-data", tuple(one.id for one in found))
        elif self._id.kind.deployer is Deployer.PERSON and self._id.kind is not HEALTH_CHECK:
            self.left = Left(self.name, "person", protected=stack.protected)
        elif self._updated:
            self.left = Left(self.name, "pipeline")
        elif stack.busy:
            self.left = Left(self.name, "changing", region=self._id.kind.region)
        elif stack.exports and importers(self._session, [stack]):
            self.left = Left(self.name, "imported")
        elif stack.protected:
            self.left = Left(self.name, "protected", region=self._id.kind.region)
        else:
            found = data.data_resources(self._session, stack)
            if kept := tuple(one.id for one in found if not _goes(one)):
                self.left = Left(self.name, "data", kept)
            else:
                logs = (Change(one.type, one.id, "delete") for one in found)
                return Pending("delete", (Change(STACK_TYPE, self.name, "delete"), *logs))
        return None

    def do(self) -> None:
        """Delete it, where the caller's permissions suffice: those for destroying do."""
        if self._stack is None:
            return
        try:
            stacks.delete(self._session, [self._stack], self._console, again="scaffold deploy")
        except ClientError as error:
            if not says_denied(error):
                raise
            self.refused, self.left = True, Left(self.name, "denied", region=self._id.kind.region)


def _goes(resource: DataResource) -> bool:
    return resource.type == _LOGS and not resource.retained


def goes_first(stack: StackId) -> bool:
    """Whether it is deleted before others change: the health check, which asks for a domain that may be left, too."""
    return stack.kind is HEALTH_CHECK or of_deploy_role(stack)


def of_deploy_role(stack: StackId) -> bool:
    """Whether the deploy role of an environment deletes a stack that is left."""
    return stack.environment is not None and stack.kind.deployer is Deployer.PIPELINE and not stack.kind.data
