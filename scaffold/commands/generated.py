"""A generated service, as `scaffold new` reports it: what exists, where, and what to type next."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import Any

from scaffold.console.tree import tree
from scaffold.core.results import Result
from scaffold.kit.estimate import Estimate

# A longer command stands beside what it does without a column of its own.
_COMMAND_WIDTH = 30


@dataclass(frozen=True)
class NewResult(Result):
    """A service that was generated, or with `--dry-run` would be.

    Attributes:
        app_name: Its name.
        directory: Where it is.
        kit: The kit's source, as Copier records it.
        kit_version: The kit's version, likewise.
        answers: The answers it was generated from.
        files: What it consists of.
        stacks: The stacks that deployment and pipeline create.
        monthly_usd: The monthly estimate of all environments.
        commit: The first commit; None in a dry run.
        deployment: What the deployment did; None where there was none.
        dry_run: Whether nothing was written.
    """

    app_name: str
    directory: str
    kit: str
    kit_version: str
    answers: dict[str, Any]
    files: list[str]
    stacks: list[str]
    monthly_usd: float | None
    commit: str | None
    deployment: dict[str, Any] | None
    dry_run: bool
    estimate: Estimate | None
    deployment_text: str | None
    deployment_next: tuple[str, str] | None
    ended_local: bool

    def document(self) -> dict[str, Any]:
        """The result as `--json` prints it, without what only people read."""
        hidden = ("estimate", "deployment_text", "deployment_next", "ended_local")
        return {key: value for key, value in super().document().items() if key not in hidden}

    def text(self) -> str:
        """What exists, where, and what to type next."""
        if self.dry_run:
            return self._preview()
        parts = [
            f"{self.app_name} is in {self.directory}: {len(self.files)} files, first commit {str(self.commit)[:7]}."
        ]
        if self.deployment_text:
            parts += ["", self.deployment_text]
        parts += ["", "Next:", *(f"  {line}" for line in self._next_steps())]
        return "\n".join(parts)

    def _next_steps(self) -> list[str]:
        steps = [(enter(self.directory), ""), ("make", "the developer's loop: run, test, lint")]
        if self.ended_local:
            steps.append(
                ("scaffold local -- bash", "a shell in a new local AWS: `scaffold deploy` it there, look around")
            )
        elif self.deployment_next:
            steps.append(self.deployment_next)
        else:
            steps.append(("scaffold deploy", "creates repository, foundation and pipeline on AWS"))
        width = max(len(command) for command, _ in steps if len(command) <= _COMMAND_WIDTH)
        return [f"{command:<{width}}  {what}".rstrip() for command, what in steps]

    def _preview(self) -> str:
        lines = [f"{self.app_name} would be written to {self.directory}; nothing was.", "", *tree(self.files), ""]
        lines += ["Stacks, in the order of their creation", *(f"  {stack}" for stack in self.stacks)]
        if self.estimate:
            lines += ["", self.estimate.text()]
        return "\n".join(lines)


def enter(directory: str) -> str:
    """The command that leads the shell of the current directory to another one, as short as it can be typed.

    Args:
        directory: The absolute path.
    """
    relative = os.path.relpath(directory)
    return f"cd {shlex.quote(directory if relative.startswith('..') else relative)}"
