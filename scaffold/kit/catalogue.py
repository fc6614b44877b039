"""The questions of a kit as data: what they ask, which answers are possible, what their defaults are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scaffold.kit.questionnaire import CUSTOMIZE, MASK, Questionnaire


@dataclass(frozen=True)
class CatalogueEntry:
    """One question, evaluated with the defaults of the others.

    Attributes:
        group: The title of its group.
        help: What it asks.
        type: str, int, float, bool, yaml, json or path.
        choices: The possible answers; empty if the answer is free, or if they depend on other answers.
        fits: The questions on whose answers the choices depend.
        default: Its default; a mask if it is a secret.
        customize: Whether it is asked only with `customize`.
    """

    name: str
    group: str
    help: str
    type: str
    choices: tuple[Any, ...]
    fits: tuple[str, ...]
    default: Any
    customize: bool


def catalogue(questionnaire: Questionnaire) -> Iterator[CatalogueEntry]:
    """The questions in the order of their groups."""
    values = questionnaire.evaluate({}).all
    for title, names in questionnaire.groups():
        for name in names:
            question = questionnaire.question(name, {other: value for other, value in values.items() if other != name})
            fits = tuple(sorted(questionnaire.depends_on(name, "choices") & set(questionnaire.all_names)))
            yield CatalogueEntry(
                name=name,
                group=title,
                help=" ".join(question.help.split()),
                type=question.type,
                choices=() if fits else tuple(choice.value for choice in question.choices),
                fits=fits,
                default=MASK if name in questionnaire.secrets else question.suggestion([]),
                customize=CUSTOMIZE in questionnaire.depends_on(name),
            )
