"""What a command hands back: one frozen value, printed for people or for programs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Result(ABC):
    """The outcome of a command. Subclasses add fields and say how a person reads them."""

    @property
    def exit_code(self) -> int:
        """The process's exit code: 0, or 10 when a plan found changes."""
        return 0

    @abstractmethod
    def text(self) -> str:
        """The result as a person reads it, without a trailing newline."""

    def document(self) -> dict[str, Any]:
        """The result as `--json` prints it: the fields, in their order."""
        return asdict(self)
