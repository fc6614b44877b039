"""What the model asks executors to do, and how they answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

Document = dict[str, Any]


@dataclass(frozen=True)
class Location:
    """Where an artifact is stored."""

    bucket: str
    key: str


@dataclass(frozen=True)
class Revision:
    """What a source action found.

    Attributes:
        created: Seconds since the epoch.
    """

    identifier: str
    summary: str
    url: str
    created: float


@dataclass(frozen=True)
class Progress:
    """The work of another service for an action: a build, a stack's operation."""

    identifier: str = ""
    summary: str = ""
    url: str = ""
    log_stream: str = ""


@dataclass(frozen=True)
class Succeeded:
    """An action has succeeded.

    Attributes:
        variables: The output variables.
        written: The names of the output artifacts that were stored.
    """

    summary: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    written: tuple[str, ...] = ()
    revision: Revision | None = None
    updated_by: str = ""


@dataclass(frozen=True)
class Failed:
    """An action has failed, with an error in CodePipeline's terms, such as `JobFailed`."""

    code: str
    message: str
    summary: str = ""
    updated_by: str = ""


Outcome = Succeeded | Failed


@dataclass(frozen=True)
class Assignment:
    """An action or a rule to execute, with its variables resolved.

    Attributes:
        identifier: The action execution's id.
        declaration: The action or rule as the pipeline declares it.
        revision: The commit that the execution was started for, in place of the branch's head.
        token: What PutApprovalResult needs to answer an approval.
        commits: The commits of input artifacts that a source action stored.
        role: The ARN of the action's or rule's role, otherwise of the pipeline's.
        condition: Of a rule, the kind of its condition: `beforeEntry`, `onSuccess` or `onFailure`.
    """

    identifier: str
    pipeline: str
    region: str
    execution: str
    stage: str
    declaration: Document
    configuration: dict[str, str]
    inputs: dict[str, Location] = field(default_factory=dict)
    outputs: dict[str, Location] = field(default_factory=dict)
    encryption_key: str = ""
    revision: str = ""
    token: str = ""
    commits: dict[str, str] = field(default_factory=dict)
    role: str = ""
    condition: str = ""


@dataclass(frozen=True)
class Job:
    """An assignment while it is executed.

    Attributes:
        ended: Set when the outcome no longer matters: the action was abandoned or answered, or everything ends.
        report: Publishes what is known of the other service's work.
    """

    assignment: Assignment
    ended: threading.Event
    report: Callable[[Progress], None]


class Executor(Protocol):
    """Executes the actions or rules of one provider, in a thread of its own."""

    def __call__(self, job: Job) -> Outcome:
        """Execute, wait for the end, and say how it ended."""
