"""The state of a pipeline: its declaration, its transitions and all of its executions."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from scaffold.engine.pipeline.jobs import Document, Failed, Location, Progress, Revision

RUNNING = ("InProgress", "Stopping")

#: The kinds of conditions, by their key in a stage's declaration.
BEFORE_ENTRY, ON_SUCCESS, ON_FAILURE = "beforeEntry", "onSuccess", "onFailure"


class Declaration(Document):
    """A pipeline in the form that GetPipeline returns. It is never changed, so copies of a state share it."""

    def __deepcopy__(self, _memo: object) -> Declaration:
        return self

    @property
    def stages(self) -> list[Document]:
        """The stages, in order."""
        found: list[Document] = self["stages"]
        return found

    def stage(self, name: str) -> Document | None:
        """A stage, or None."""
        return next((stage for stage in self.stages if stage["name"] == name), None)

    def position(self, stage: str) -> int:
        """The position of a stage, which must exist."""
        return [one["name"] for one in self.stages].index(stage)


@dataclass
class ActionRun:
    """One execution of an action.

    Attributes:
        sequence: Its place among everything that the pipeline ever started.
        token: What PutApprovalResult needs.
    """

    identifier: str
    stage: str
    declaration: Document
    sequence: int
    started: float
    updated: float
    status: str = "InProgress"
    configuration: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, Location] = field(default_factory=dict)
    outputs: dict[str, Location] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    summary: str = ""
    error: Failed | None = None
    revision: Revision | None = None
    updated_by: str = ""
    token: str = ""

    @property
    def name(self) -> str:
        """The action's name."""
        return str(self.declaration["name"])

    @property
    def order(self) -> int:
        """The action's RunOrder."""
        return int(self.declaration.get("runOrder", 1))


@dataclass
class RuleRun:
    """One execution of a rule.

    Attributes:
        errored: Whether it could not be evaluated: it is misconfigured, or not rehearsed.
    """

    identifier: str
    name: str
    started: float
    updated: float
    status: str = "InProgress"
    summary: str = ""
    errored: bool = False


@dataclass
class ConditionRun:
    """One evaluation of a stage's conditions of one kind."""

    started: float
    status: str = "InProgress"
    summary: str = ""
    rules: list[RuleRun] = field(default_factory=list)


@dataclass
class StageRun:
    """One execution in one stage.

    Attributes:
        sequence: Its place among everything that the pipeline ever started; a retry gives it a new one.
        attempt: The identifiers of the action executions that count, by action.
        retry_trigger: How the last retry was started.
        checking: The kind of condition that is evaluated now.
    """

    stage: str
    sequence: int
    status: str = "InProgress"
    attempt: dict[str, str] = field(default_factory=dict)
    automated_retries: int = 0
    manual_retries: int = 0
    retry_trigger: str = ""
    checking: str = ""
    conditions: dict[str, ConditionRun] = field(default_factory=dict)


@dataclass
class Execution:
    """One execution of the pipeline.

    Attributes:
        position: The stage that it is in, or waits for.
        arrived: Its place in the queue for that stage.
        variables: The pipeline's variables.
        overrides: The commits to use in place of branch heads, by source action.
        namespaces: The output variables of actions.
        commits: The commits of source artifacts.
        rollback_of: The execution that a rollback returns to.
    """

    identifier: str
    declaration: Declaration
    trigger: str
    trigger_detail: str
    started: float
    updated: float
    arrived: int
    status: str = "InProgress"
    summary: str = ""
    kind: str = "STANDARD"
    position: int = 0
    waiting: bool = True
    attempts: int = 1
    variables: dict[str, str] = field(default_factory=dict)
    overrides: dict[str, str] = field(default_factory=dict)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    artifacts: dict[str, Location] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=dict)
    revisions: dict[str, Revision] = field(default_factory=dict)
    stages: dict[str, StageRun] = field(default_factory=dict)
    actions: list[ActionRun] = field(default_factory=list)
    stop_reason: str = ""
    rollback_of: str = ""

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.status in RUNNING

    @property
    def version(self) -> int:
        """The version of the pipeline that it executes."""
        return int(self.declaration["version"])

    @property
    def stage(self) -> Document:
        """The declaration of the stage that it is in, or waits for."""
        return self.declaration.stages[self.position]

    def action(self, identifier: str) -> ActionRun | None:
        """An action execution, or None."""
        return next((action for action in self.actions if action.identifier == identifier), None)

    def attempt(self, stage: StageRun) -> list[ActionRun]:
        """The action executions of a stage that count."""
        return [action for action in self.actions if action.identifier in stage.attempt.values()]

    def derive(self, *names: object) -> str:
        """An id that depends only on this execution and some names."""
        return str(uuid.uuid5(uuid.UUID(self.identifier), "/".join(map(str, names))))


@dataclass(frozen=True)
class Disabled:
    """Why a transition is disabled."""

    reason: str
    at: float


@dataclass
class PipelineState:
    """A pipeline and its executions by id, the oldest first."""

    region: str
    account: str
    declaration: Declaration
    executions: dict[str, Execution] = field(default_factory=dict)
    transitions: dict[tuple[str, str], Disabled] = field(default_factory=dict)
    sequence: int = 0

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return str(self.declaration["name"])

    @property
    def arn(self) -> str:
        """The pipeline's Amazon Resource Name."""
        return f"arn:aws:codepipeline:{self.region}:{self.account}:{self.name}"
