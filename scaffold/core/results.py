"""What a command returns: one frozen value that holds data and no text."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

# Raised when a field of any result is renamed, removed or changes its meaning; new fields do not raise it.
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Change:
    """One difference between the desired and the actual state, planned or made.

    Attributes:
        type: What kind of thing changes: a CloudFormation type, or a word such as `tag`, `commit`, `stage`.
        name: Which one: a logical id, a key, a commit.
        action: `create`, `update`, `replace` or `delete`; `push` for commits, `enable` or `disable` for stages and
            termination protection. Of a repair also `continue-rollback`, `cancel-update`, `roll-back`, `skip`,
            `cancel-deletion`, `revert-drift`.
        condition: The template's condition that it depends on; empty for none.
        count: How many there are under this name, such as revisions of a task definition.
    """

    type: str
    name: str
    action: str
    condition: str = ""
    count: int = 1


@dataclass(frozen=True)
class Result:
    """The outcome of a command. Subclasses add fields; `scaffold.views` turns them into text."""

    command: ClassVar[str] = ""

    @property
    def exit_code(self) -> int:
        """The process's exit code: 0 unless a subclass says otherwise."""
        return 0

    def document(self) -> dict[str, Any]:
        """The result as `--json` prints it: schema version, command, then the fields in their order."""
        return {"schema_version": SCHEMA_VERSION, "command": self.command, **asdict(self)}
