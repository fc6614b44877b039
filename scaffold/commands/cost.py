"""`scaffold cost`: what a service costs a month, and what it would cost with other answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar

from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.results import Result
from scaffold.kit.answers import merge
from scaffold.kit.estimate import Costs, Part, profiles, read_costs
from scaffold.kit.questionnaire import Questionnaire
from scaffold.kit.refusal import AnswerRefused
from scaffold.update.kits import CURRENT, open_versions
from scaffold.update.recorded import read


@dataclass(frozen=True)
class CostOptions:
    """What is estimated.

    Attributes:
        directory: The service's directory, or one inside it.
        traffic: How much traffic production has, in the kit's words; None for none.
        compare: Other answers, all of which are given together.
    """

    directory: Path = Path()
    traffic: str | None = None
    compare: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """What other answers add for one resource, or several of a kind; negative for what they save.

    Attributes:
        part: The environment, or `shared`.
        name: The resource, as the costs call it.
    """

    part: str
    name: str
    usd: float


@dataclass(frozen=True)
class Comparison:
    """The costs with other answers.

    Attributes:
        added_usd: What they cost more; negative for less.
        differences: By resource.
    """

    answers: dict[str, Any]
    total_usd: float
    added_usd: float
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Cheaper:
    """Answers that would cost less.

    Attributes:
        gives_up: What the service loses with them.
    """

    answers: dict[str, Any]
    total_usd: float
    saved_usd: float
    gives_up: str


@dataclass(frozen=True)
class CostResult(Result):
    """The monthly costs of a service.

    Attributes:
        region: The service's.
        traffic: The traffic that is counted; None for none.
        costs: By environment and resource. Its region is another one where the kit has no prices of the service's.
        comparison: The costs with the answers of `--compare`; None without.
        cheaper: What would cost less, the largest saving first.
    """

    command: ClassVar[str] = "cost"

    service: str
    region: str
    traffic: str | None
    costs: Costs
    comparison: Comparison | None
    cheaper: tuple[Cheaper, ...]


def run(options: CostOptions) -> CostResult:
    """Estimate with the prices and rules of the service's own kit; AWS is not asked.

    Raises:
        UsageError: The traffic or an answer is not one of the kit's.
        ScaffoldError: There is no service, or its kit cannot be read or does not estimate.
    """
    recorded = read(options.directory)
    with open_versions(recorded, CURRENT) as versions:
        questions = versions.old.questionnaire(recorded.root, recorded.answers)
        answers = questions.evaluate({})
        costs = _costs(answers.computed, options.traffic, recorded.name)
        comparison = _compare(questions, costs, options, recorded.name) if options.compare else None
        cheaper = _cheaper(questions, costs, answers.computed.get("cheaper_answers") or (), options.traffic)
    return CostResult(
        service=recorded.name,
        region=str(recorded.answers.get("aws_region", "")),
        traffic=options.traffic,
        costs=costs,
        comparison=comparison,
        cheaper=cheaper,
    )


def _costs(computed: Mapping[str, Any], traffic: str | None, name: str) -> Costs:
    known = profiles(computed)
    if traffic is not None and traffic not in known:
        if not known:
            remedy = "Leave --traffic out, or run `scaffold update`."
            raise UsageError(f"The kit of {name} does not estimate traffic.", remedy)
        near = get_close_matches(traffic, known, 1)
        remedy = f"Did you mean {near[0]}?" if near else f"Give one of {', '.join(known)}, or leave --traffic out."
        raise UsageError(f"--traffic {traffic!r} is no traffic that the kit knows.", remedy)
    costs = read_costs(computed, traffic)
    if costs is None:
        raise ScaffoldError(
            f"The kit of {name} does not estimate costs.", "See Billing and Cost Management in the AWS console."
        )
    return costs


def _compare(questions: Questionnaire, costs: Costs, options: CostOptions, name: str) -> Comparison:
    given = merge(questions, options.compare, None)
    try:
        computed = questions.evaluate(given).computed
    except AnswerRefused as refused:
        remedy = f"Give another one with `--compare {refused.question}=…`."
        raise refused.with_remedy(remedy) from refused
    other = _costs(computed, options.traffic, name)
    return Comparison(
        answers=given,
        total_usd=other.total_usd,
        added_usd=round(other.total_usd - costs.total_usd, 2),
        differences=_differences(costs, other),
    )


def _differences(before: Costs, after: Costs) -> tuple[Difference, ...]:
    old, new = ({part.name: part for part in costs.parts} for costs in (before, after))
    found = []
    for name in [*old, *(name for name in new if name not in old)]:
        was, becomes = (_by_resource(parts.get(name)) for parts in (old, new))
        for key in [*was, *(key for key in becomes if key not in was)]:
            usd = round(becomes.get(key, ("", 0.0))[1] - was.get(key, ("", 0.0))[1], 2)
            if usd:
                found.append(Difference(name, (becomes.get(key) or was[key])[0], usd))
    # What they share is last, also after an environment that only the other answers have.
    return tuple(sorted(found, key=lambda one: one.part == after.parts[-1].name))


def _by_resource(part: Part | None) -> dict[tuple[str, str], tuple[str, float]]:
    """Name and cost by what a line is about; its number follows a comma."""
    found: dict[tuple[str, str], tuple[str, float]] = {}
    for line in part.lines if part else ():
        key = (line.kind, line.name.partition(",")[0])
        name, usd = found.get(key, (line.name, 0.0))
        found[key] = (name, usd + line.usd)
    return found


def _cheaper(
    questions: Questionnaire, costs: Costs, candidates: Iterable[Mapping[str, Any]], traffic: str | None
) -> tuple[Cheaper, ...]:
    found = []
    for one in candidates:
        try:
            other = read_costs(questions.evaluate(one["answers"]).computed, traffic)
        except UsageError:  # It does not fit the other answers of this service.
            continue
        if other and other.total_usd < costs.total_usd:
            saved = round(costs.total_usd - other.total_usd, 2)
            found.append(Cheaper(dict(one["answers"]), other.total_usd, saved, str(one["gives_up"])))
    return tuple(sorted(found, key=lambda one: -one.saved_usd))
