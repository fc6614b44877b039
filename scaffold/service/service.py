"""A generated service: its repository's directory and the answers that AWS names are derived from."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scaffold.core.errors import ScaffoldError
from scaffold.core.yaml_errors import reason
from scaffold.service import names
from scaffold.service.stack_kinds import HEALTH_CHECK, OPTIONAL_KINDS, Deployer, StackId, StackKind

ANSWERS_FILE = ".copier-answers.yml"
# Keeps URLs and host names well-formed; copier.yml and AWS know which regions exist.
_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ACCOUNT = re.compile(r"\d{12}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


@dataclass(frozen=True)
class Service:
    """A generated service.

    Attributes:
        root: The repository's directory.
        environments: In promotion order.
        production: One of them; those after it are treated like production.
        account: The only AWS account to deploy to; None where the answers name none.
        build_secrets: The environment variables of the build whose values are parameters.
    """

    root: Path
    app_name: str
    region: str
    environments: tuple[str, ...]
    production: str
    account: str | None = None
    build_secrets: tuple[str, ...] = ()

    @classmethod
    def from_answers(cls, root: Path, answers: Mapping[str, Any]) -> Service:
        """The service that has these answers.

        Raises:
            ScaffoldError: An answer is missing or malformed.
        """
        account = str(answers.get("aws_account_id") or "").strip() or None
        if account and not _ACCOUNT.fullmatch(account):
            raise damaged(f"aws_account_id is {account!r}, not 12 digits")
        environments = _environments(answers)
        return cls(
            root=root,
            app_name=_text(answers, "app_name", names.APP_NAME),
            region=_text(answers, "aws_region", _REGION),
            environments=environments,
            production=_production(answers, environments),
            account=account,
            build_secrets=_build_secrets(answers),
        )

    @property
    def from_production_on(self) -> tuple[str, ...]:
        """Production and the environments after it, which are treated like it."""
        return self.environments[self.environments.index(self.production) :]

    def protects(self, stack: StackId) -> bool:
        """Whether a stack has termination protection: all others depend on it, it has data, or it is of production."""
        if stack.kind.data:
            return True
        if stack.kind is HEALTH_CHECK:  # Nothing depends on it, and it ends with its answer.
            return False
        if stack.environment is None:
            return stack.kind.deployer is Deployer.PERSON and not stack.kind.optional
        return stack.environment in self.from_production_on

    @property
    def enter(self) -> str:
        """The shell command that changes to its directory."""
        return f"cd {shlex.quote(str(self.root))}"

    @property
    def infrastructure(self) -> Path:
        """The directory of the templates and their configuration files."""
        return self.root / "infrastructure"

    @property
    def optional_kinds(self) -> list[StackKind]:
        """The optional kinds of stack that it has."""
        return [kind for kind in OPTIONAL_KINDS if (self.infrastructure / f"{kind.name}.yaml").is_file()]

    def has(self, stack: StackId) -> bool:
        """Whether its answers ask for a stack."""
        return all((self.root / path).is_file() for path in stack.asked_by)

    def approval_rule(self, rule: str) -> Path:
        """The content of one of the approval rule templates; absent where the answers require no such approvals."""
        return self.root / approval_rule_file(rule)


def approval_rule_file(rule: str) -> str:
    """The path of an approval rule template's content in a service."""
    return f"config/policies/approval-rule-{rule}.json"


def read(directory: Path) -> Service:
    """Read the service that a directory, or one of its parents, is the root of.

    Raises:
        ScaffoldError: There is no generated service, or its answers are damaged.
    """
    root = find_root(directory)
    return Service.from_answers(root, read_answers(root))


def find_root(directory: Path) -> Path:
    """The directory, or the nearest of its parents, that is the root of a service.

    Raises:
        ScaffoldError: There is none.
    """
    directory = directory.resolve()
    if not directory.is_dir():
        # Without this a mistyped folder inside a service would mean that service.
        raise ScaffoldError(f"There is no folder {directory}.", "Name a service's folder, or change to one.")
    root = next((place for place in (directory, *directory.parents) if (place / ANSWERS_FILE).is_file()), None)
    if root is None:
        raise ScaffoldError(
            f"There is no generated service in {directory}: it has no {ANSWERS_FILE}.",
            "Change to a service's directory, or generate a service with `scaffold new`.",
        )
    return root


def read_answers(root: Path) -> dict[str, Any]:
    """The content of a service's answers file, Copier's own keys among the answers.

    Raises:
        ScaffoldError: It cannot be read, or is no mapping.
    """
    try:
        answers = yaml.safe_load((root / ANSWERS_FILE).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise damaged(reason(error)) from error
    except OSError as error:
        raise damaged(f"it cannot be read ({error.strerror or error})") from error
    except (RecursionError, ValueError) as error:
        raise damaged("it is not YAML in UTF-8") from error
    if not isinstance(answers, dict):
        raise damaged("it has no answers")
    return answers


def _text(answers: Mapping[str, Any], question: str, pattern: re.Pattern[str]) -> str:
    answer = answers.get(question)
    if not isinstance(answer, str) or not pattern.fullmatch(answer):
        raise damaged(f"{question} is {answer!r}" if question in answers else f"{question} is missing")
    return answer


def _environments(answers: Mapping[str, Any]) -> tuple[str, ...]:
    answer = answers.get("environments")
    listed = answer if isinstance(answer, list) else str(answer or "").split(",")
    environments = tuple(str(name).strip() for name in listed)
    if not all(names.ENVIRONMENT_NAME.fullmatch(name) for name in environments):
        raise damaged(f"environments is {answer!r}")
    return environments


def _production(answers: Mapping[str, Any], environments: tuple[str, ...]) -> str:
    """The production environment; the last one with a kit that does not ask for it."""
    production = answers.get("production", environments[-1])
    if production not in environments:
        raise damaged(f"production is {production!r}, which is not one of its environments")
    return str(production)


def _build_secrets(answers: Mapping[str, Any]) -> tuple[str, ...]:
    answer = str(answers.get("build_secrets") or "")
    variables = tuple(name.strip() for name in answer.split(",")) if answer else ()
    if not all(_VARIABLE.fullmatch(name) for name in variables):
        raise damaged(f"build_secrets is {answer!r}")
    return variables


def damaged(why: str) -> ScaffoldError:
    """The error about an answers file from which a service cannot be read."""
    return ScaffoldError(
        f"The service's {ANSWERS_FILE} is damaged: {why}.",
        f"Fix or restore it, and commit; `git log -p -- {ANSWERS_FILE}` shows its versions.",
    )
