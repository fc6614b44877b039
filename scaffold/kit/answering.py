"""The answers for a new service: given, from a team's defaults, suggested by the surroundings, or prompted for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.kit.answers import check_defaults
from scaffold.kit.defaults import read_defaults
from scaffold.kit.destination import check_destination
from scaffold.kit.questionnaire import Answers, Questionnaire
from scaffold.kit.refusal import AnswerRefused
from scaffold.service import regions

NAME, REGION = "app_name", "aws_region"


def collect(
    questionnaire: Questionnaire,
    given: Mapping[str, Any],
    dest: Path | None,
    console: Console,
    *,
    prompt: bool,
    ending: str,
    details: Callable[[Answers], list[str]],
) -> Answers:
    """Collect the answers for a new service.

    Args:
        given: Answers from the command line and files.
        dest: The folder that was named; its name is the suggested name of the service.
        prompt: Whether to ask; otherwise suggestions and defaults apply.
        ending: What the last Enter does, as the end of the sentence “Enter …”.
        details: What the summary says beside the answers, one line each.

    Raises:
        UsageError: An answer is missing or not possible.
        InterviewEnded: Ctrl-C or Ctrl-D was pressed.
    """
    preset = check_defaults(questionnaire, read_defaults())
    suggested = _suggested(questionnaire, {**preset, **given}, dest, console, prompt=prompt)
    if not prompt:
        answers = questionnaire.evaluate({**suggested, **preset, **given})
        if reason := _objection(dest)(REGION, answers.recorded.get(REGION)):
            raise AnswerRefused(REGION, reason)
    else:
        # A default of the team for a question that may not come up applies; the others are suggested.
        applied = {name: value for name, value in preset.items() if questionnaire.depends_on(name)}
        suggested |= {name: value for name, value in preset.items() if name not in applied}
        from scaffold.kit.interview import ask_all

        answers = ask_all(
            questionnaire,
            {**applied, **given},
            suggested,
            objection=_objection(dest),
            ending=ending,
            details=details,
        )
    if prompt or REGION in {*preset, *suggested, *given}:  # The kit's own default has every service.
        _warn(str(answers.recorded.get(REGION, "")), console)
    return answers


def check_folder_name(dest: Path, names: list[str]) -> None:
    """Refuse an answer that stands where a folder belongs.

    Raises:
        UsageError: It is one.
    """
    key, equals, _ = dest.name.partition("=")
    if equals and key in names:
        raise UsageError(
            f"{dest.name} is an answer, where a folder belongs.", f"Write `--data {dest.name}`, or name another folder."
        )


def _objection(dest: Path | None) -> Callable[[str, Any], str]:
    def objection(question: str, answer: Any) -> str:
        # Without DEST the name is the folder too: an occupied one is refused at once, not after the last question.
        if question == NAME and dest is None:
            try:
                check_destination(Path.cwd() / str(answer))
            except ScaffoldError as error:
                return error.happened
        return regions.problem(str(answer)) if question == REGION and answer else ""

    return objection


def _suggested(
    questionnaire: Questionnaire, given: Mapping[str, Any], dest: Path | None, console: Console, *, prompt: bool
) -> dict[str, Any]:
    """The name by the folder, and the region by the configuration of AWS, where no answer was given."""
    found: dict[str, Any] = {}
    names = questionnaire.names
    if dest is not None and NAME in names and NAME not in given:
        name = _slug(dest.name)
        reason = _refusal(questionnaire, NAME, name)
        if not reason:
            found[NAME] = name
            if name != dest.name:
                console.note(f"The service is named {name}: {dest.name} cannot be its name.")
        elif not prompt:
            raise AnswerRefused(NAME, reason)
    if REGION in names and REGION not in given and (configured := regions.configured()):
        region, source = configured
        if not _refusal(questionnaire, REGION, region) and not regions.problem(region):
            found[REGION] = region
            console.note(f"The {'suggested ' if prompt else ''}region is {region}, from {source}.")
    return found


def _refusal(questionnaire: Questionnaire, name: str, value: str) -> str:
    """Why a value cannot be the answer to one of the first questions; nothing if it can."""
    try:
        questionnaire.question(name, {}).parse(value)
    except AnswerRefused as refused:
        return refused.reason
    return ""


def _slug(folder: str) -> str:
    """The name of a folder as the name of a service: lower case, with dashes between words."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", folder)
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def _warn(region: str, console: Console) -> None:
    if missing := regions.lacks(region):
        console.warn(
            f"botocore's data lists no {' and no '.join(missing)} in {region}, which `scaffold deploy` needs. Choose "
            "another region, unless that is outdated."
        )
