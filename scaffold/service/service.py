"""A generated service, as the commands that work on one see it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scaffold.core.errors import ScaffoldError
from scaffold.service import names

ANSWERS_FILE = ".copier-answers.yml"
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d")
_ACCOUNT = re.compile(r"\d{12}")


@dataclass(frozen=True)
class Service:
    """A generated service.

    Attributes:
        root: Its directory.
        app_name: Its name.
        region: The AWS region it lives in.
        environments: Its environments in promotion order.
        account: The AWS account it belongs to, where its answers name one.
    """

    root: Path
    app_name: str
    region: str
    environments: tuple[str, ...]
    account: str | None = None

    @property
    def enter(self) -> str:
        """The command that leads a shell to it."""
        return f"cd {shlex.quote(str(self.root))}"

    @property
    def infrastructure(self) -> Path:
        """The directory of the templates and their configuration files."""
        return self.root / "infrastructure"

    @property
    def approval_rule(self) -> Path:
        """The approval rule template's content; absent where the answers ask for no approvals."""
        return self.root / "config" / "policies" / "approval-rule.json"


def read(directory: Path) -> Service:
    """Read the service that a directory belongs to.

    Args:
        directory: The service's directory, or one inside it.

    Raises:
        ScaffoldError: There is no generated service, or its answers are damaged.
    """
    directory = directory.resolve()
    if not directory.is_dir():
        # Without this a mistyped folder inside a service would mean that service.
        raise ScaffoldError(f"There is no folder {directory}.", "Name a service's folder, or change to one.")
    root = next((place for place in (directory, *directory.parents) if (place / ANSWERS_FILE).is_file()), None)
    if root is None:
        raise ScaffoldError(
            f"There is no generated service in {directory}: it has no {ANSWERS_FILE}.",
            "Change to a service's directory, or make one with `scaffold new`.",
        )
    answers = _answers(root / ANSWERS_FILE)
    app_name = _text(answers, "app_name", names.APP_NAME)
    region = _text(answers, "aws_region", _REGION)
    account = str(answers.get("aws_account_id") or "").strip() or None
    if account and not _ACCOUNT.fullmatch(account):
        raise _damaged(f"aws_account_id is {account!r}, not 12 digits")
    return Service(root, app_name, region, _environments(answers), account)


def _answers(path: Path) -> dict[str, Any]:
    try:
        answers = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _damaged(f"it cannot be read ({str(error).splitlines()[0]})") from error
    if not isinstance(answers, dict):
        raise _damaged("it holds no answers")
    return answers


def _text(answers: dict[str, Any], question: str, pattern: re.Pattern[str]) -> str:
    answer = answers.get(question)
    if not isinstance(answer, str) or not pattern.fullmatch(answer):
        raise _damaged(f"{question} is {answer!r}" if question in answers else f"{question} is missing")
    return answer


def _environments(answers: dict[str, Any]) -> tuple[str, ...]:
    answer = answers.get("environments")
    listed = answer if isinstance(answer, list) else str(answer or "").split(",")
    environments = tuple(str(name).strip() for name in listed)
    if not all(names.ENVIRONMENT_NAME.fullmatch(name) for name in environments):
        raise _damaged(f"environments is {answer!r}")
    return environments


def _damaged(why: str) -> ScaffoldError:
    return ScaffoldError(
        f"The service's {ANSWERS_FILE} is damaged: {why}.",
        f"Restore it with `git checkout {ANSWERS_FILE}`; it is written by generation and `copier update` only.",
    )
