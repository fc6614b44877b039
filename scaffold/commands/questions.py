"""`scaffold questions`: lists the questions of a kit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scaffold.core.results import Result
from scaffold.kit.catalogue import CatalogueEntry, catalogue
from scaffold.kit.rendering import open_kit


@dataclass(frozen=True)
class QuestionsResult(Result):
    """The questions of a kit, in their order.

    Attributes:
        kit: The kit's source, as Copier records it.
        kit_version: The kit's version, likewise.
    """

    command: ClassVar[str] = "questions"

    kit: str
    kit_version: str
    questions: tuple[CatalogueEntry, ...]


def run(kit: str | None, kit_version: str | None) -> QuestionsResult:
    """List the questions of a kit.

    Args:
        kit: The kit's source; None for the configured one, or the embedded kit.
        kit_version: The kit's tag or commit; None for the newest.

    Raises:
        ScaffoldError: There is no such kit.
    """
    with open_kit(kit, kit_version) as opened:
        found = tuple(catalogue(opened.questionnaire()))
        return QuestionsResult(opened.source.source, opened.source.version, found)
