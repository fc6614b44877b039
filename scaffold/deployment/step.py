"""What every step of a deployment can do: look, which only reads, and do, which changes AWS."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from scaffold.aws.cloudformation.validation import Finding
from scaffold.core.results import Change


@dataclass(frozen=True)
class Pending:
    """What a step has to do.

    Attributes:
        action: `create`, `update`, `replace` or `delete`.
        changes: The individual changes.
        warnings: What CloudFormation's validation has found without refusing it.
    """

    action: str
    changes: tuple[Change, ...] = ()
    warnings: tuple[Finding, ...] = ()


class Step(ABC):
    """One step: something in AWS that should be in a certain state.

    Attributes:
        type: What kind of thing it is, for programs.
        together: Whether it is started together with its neighbours of which this is true, too.
        quiet: Whether nothing is said where there is nothing to do.
        refused: Whether AWS has refused what `do` would do, without which the deployment is complete.
    """

    type: ClassVar[str]
    together: ClassVar[bool] = False
    quiet: bool = False
    refused: bool = False
    name: str

    def check(self) -> None:  # noqa: B027
        """Refuse what cannot be done; called for every step before the first one is done.

        Raises:
            ScaffoldError: The step cannot be done.
        """

    def wait(self) -> None:  # noqa: B027 (a hook that most steps do not need)
        """Wait for operations in progress, before `look` in a deployment. A plan does not wait."""

    def starts_release(self, pending: Pending) -> bool:
        """Whether the pipeline starts when that is done."""
        del pending
        return False

    @abstractmethod
    def look(self) -> Pending | None:
        """Compare the desired with the actual state, reading only; None where they are the same.

        Raises:
            ScaffoldError: The step cannot be done, or nothing may be changed.
        """

    def start(self) -> None:  # noqa: B027
        """Start what `do` waits for.

        Raises:
            ScaffoldError: It cannot be started.
        """

    @abstractmethod
    def do(self) -> None:
        """Do what `look` has found.

        Raises:
            ScaffoldError: It failed.
        """

    def finish(self) -> None:  # noqa: B027
        """What a deployment does at the end of the step, whether or not there was something to do."""

    def release(self) -> None:  # noqa: B027
        """Delete what `look` has created in AWS for `do`; a plan calls it in place of `do`."""
