"""What happens to a pipeline, and what has to be done about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from scaffold.engine import events
from scaffold.engine.pipeline.jobs import Assignment, Document, Outcome, Progress


@dataclass(frozen=True)
class Start:
    """An execution is requested.

    Attributes:
        identifier: The new execution's id, a UUID.
        overrides: The commits to use in place of branch heads, by source action.
    """

    identifier: str
    trigger: str
    trigger_detail: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    overrides: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ActionEnded:
    """An executor has finished an action."""

    execution: str
    action: str
    outcome: Outcome


@dataclass(frozen=True)
class ActionProgressed:
    """An executor knows more of the other service's work."""

    execution: str
    action: str
    progress: Progress


@dataclass(frozen=True)
class RuleEnded:
    """An executor has evaluated a rule of a condition."""

    execution: str
    stage: str
    rule: str
    outcome: Outcome


@dataclass(frozen=True)
class Approve:
    """A manual approval is answered."""

    stage: str
    action: str
    token: str
    approved: bool
    summary: str
    by: str = ""


@dataclass(frozen=True)
class Stop:
    """An execution is to be stopped."""

    execution: str
    abandon: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Retry:
    """A stage is to be retried.

    Attributes:
        mode: FAILED_ACTIONS or ALL_ACTIONS.
    """

    execution: str
    stage: str
    mode: str


@dataclass(frozen=True)
class Override:
    """The condition that blocks an execution at a stage is to count as met.

    Attributes:
        kind: beforeEntry or onSuccess.
    """

    execution: str
    stage: str
    kind: str


@dataclass(frozen=True)
class Rollback:
    """A stage is to be rolled back to an earlier execution.

    Attributes:
        identifier: The id of the new execution, a UUID.
    """

    identifier: str
    stage: str
    target: str
    trigger_detail: str = ""


@dataclass(frozen=True)
class SetTransition:
    """A transition is enabled, or disabled for a reason.

    Attributes:
        direction: Inbound or Outbound.
    """

    stage: str
    direction: str
    reason: str | None = None


@dataclass(frozen=True)
class Update:
    """The pipeline has a new structure."""

    declaration: Document


Message = (
    Start
    | ActionEnded
    | ActionProgressed
    | RuleEnded
    | Approve
    | Stop
    | Retry
    | Override
    | Rollback
    | SetTransition
    | Update
)


@dataclass(frozen=True)
class RunAction:
    """An action has to be executed."""

    assignment: Assignment


@dataclass(frozen=True)
class RunRule:
    """A rule has to be evaluated."""

    assignment: Assignment


@dataclass(frozen=True)
class EndJob:
    """The outcome of an action or a rule no longer matters."""

    identifier: str


@dataclass(frozen=True)
class Announce:
    """A state-change event has to be published."""

    event: events.Event


Effect = RunAction | RunRule | EndJob | Announce


class Refused(Exception):
    """A request is refused, with an error of CodePipeline's API.

    Args:
        code: The exception's name in the API.
        message: The text for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
