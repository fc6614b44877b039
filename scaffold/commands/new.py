"""`scaffold new`: from questions to a service's repository, and on to its deployment."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaffold import names
from scaffold.answers import merge
from scaffold.console import Console
from scaffold.cost import Estimate, read_estimate
from scaffold.errors import Interrupted, ScaffoldError
from scaffold.kit import resolve
from scaffold.questions import Answers, Questionnaire
from scaffold.rendering import Kit, check_destination, first_commit, open_kit, workspace
from scaffold.results import Result
from scaffold.trees import tree

if TYPE_CHECKING:
    from scaffold.commands.deploy import DeployResult


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
    ended_local: bool

    def document(self) -> dict[str, Any]:
        """The result as `--json` prints it, without what only people read."""
        hidden = ("estimate", "deployment_text", "ended_local")
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
        enter = f"cd {shlex.quote(_shortest(self.directory))}"
        steps = [(enter, ""), ("make", "the developer's loop: run, test, lint")]
        if self.ended_local:
            steps.append(("scaffold local -- scaffold deploy", "the same again; this local AWS has ended"))
        elif self.deployment is None:
            steps.append(("scaffold deploy", "creates repository, foundation and pipeline on AWS"))
        width = max(len(command) for command, _ in steps)
        return [f"{command:<{width}}  {what}".rstrip() for command, what in steps]

    def _preview(self) -> str:
        lines = [f"{self.app_name} would be written to {self.directory}; nothing was.", "", *tree(self.files), ""]
        lines += ["Stacks, in the order of their creation", *(f"  {stack}" for stack in self.stacks)]
        if self.estimate:
            lines += ["", self.estimate.text()]
        return "\n".join(lines)


def new(
    dest: Path | None,
    *,
    data: dict[str, str],
    answers_file: Path | None,
    defaults: bool,
    kit: str | None,
    kit_version: str | None,
    deploy: bool | None,
    local: bool,
    profile: str | None,
    dry_run: bool,
    console: Console,
) -> NewResult:
    """Generate a service and, where wanted, deploy it.

    Args:
        dest: Where to write it; None for a folder named like the service.
        data: Answers from the command line.
        answers_file: A file with more answers.
        defaults: Ask nothing.
        kit: The kit's source; None for the standard one.
        kit_version: The kit's tag or commit; None for the newest.
        deploy: Whether to deploy; None asks where somebody can be asked, and otherwise means no.
        local: Deploy to local AWS; means yes to `deploy` unless that says no.
        profile: The AWS profile to deploy with.
        dry_run: Write nothing.
        console: Where to report to.

    Raises:
        ScaffoldError: An answer, the kit or the destination is not acceptable, or the deployment failed.
    """
    if not defaults:
        from scaffold.prompts import need_a_person

        need_a_person(console)
    if dest is not None:
        # Also takes out any `..`: the last part of the path becomes the folder's name.
        dest = Path(os.path.abspath(dest))  # noqa: PTH100  (resolve() would also follow links)
        check_destination(dest)
    try:
        with open_kit(resolve(kit, kit_version)) as opened:
            questionnaire = opened.questionnaire()
            given = merge(questionnaire, data, answers_file)
            answers = _answers(questionnaire, given, defaults, dest, complete=dry_run or console.json)
            destination = dest or Path.cwd() / _app_name(answers)
            check_destination(destination)
            if dry_run:
                return _preview(opened, answers, destination)
            wanted = deploy if deploy is not None else local
            if deploy is None and not local and not defaults:
                wanted = _ask_to_deploy(answers, destination, profile, console)
            with workspace(destination) as folder:
                files = opened.render(answers.asked, folder)
                commit = first_commit(folder, f"Generate {_app_name(answers)} from kit {opened.source.version}")
    except KeyboardInterrupt:
        raise Interrupted("Interrupted: nothing was written.", "Run the same command again when you like.") from None
    console.step(f"Generated {_app_name(answers)} in {destination}")
    deployment, ended = None, False
    if wanted:
        deployment, ended = _deploy(answers, destination, None if local else profile, local, console)
    return _result(opened, answers, destination, files=files, commit=commit, deployment=deployment, ended=ended)


def _app_name(answers: Answers) -> str:
    if "app_name" not in answers.asked:
        raise ScaffoldError(
            "This kit does not ask for app_name, which every name on AWS follows from.",
            "Use it with `copier copy`, or name another kit with `--kit`.",
        )
    return str(answers.asked["app_name"])


def _answers(
    questionnaire: Questionnaire, given: Mapping[str, Any], defaults: bool, dest: Path | None, complete: bool
) -> Answers:
    if defaults:
        return questionnaire.evaluate(given, complete=complete)
    from scaffold.prompts import ask_all

    return ask_all(questionnaire, given, {"app_name": dest.name} if dest else {})


def _preview(kit: Kit, answers: Answers, destination: Path) -> NewResult:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="scaffold-") as temporary:
        folder = Path(temporary) / destination.name
        files = kit.render(answers.asked, folder)
        return _result(kit, answers, destination, files=files, commit=None)


def _result(
    kit: Kit,
    answers: Answers,
    destination: Path,
    *,
    files: list[str],
    commit: str | None,
    deployment: DeployResult | None = None,
    ended: bool = False,
) -> NewResult:
    app_name = _app_name(answers)
    estimate = read_estimate(answers.computed)
    return NewResult(
        app_name=app_name,
        directory=str(destination),
        kit=kit.source.source,
        kit_version=kit.source.version,
        answers=answers.asked,
        files=files,
        stacks=_stacks(app_name, answers),
        monthly_usd=estimate.total_usd if estimate else None,
        commit=commit,
        deployment=deployment.document() if deployment else None,
        dry_run=commit is None,
        estimate=estimate,
        deployment_text=deployment.text() if deployment else None,
        ended_local=ended,
    )


def _stacks(app_name: str, answers: Answers) -> list[str]:
    stacks = [names.foundation_stack(app_name), names.pipeline_stack(app_name)]
    for environment in _environments(answers):
        stacks += [names.environment_stack(app_name, environment, kind) for kind in names.ENVIRONMENT_STACK_KINDS]
    return stacks


def _environments(answers: Answers) -> tuple[str, ...]:
    return tuple(name.strip() for name in str(answers.asked.get("environments", "")).split(",") if name.strip())


def _ask_to_deploy(answers: Answers, destination: Path, profile: str | None, console: Console) -> bool:
    """Ask for the yes to what AWS bills, showing account, region and monthly cost."""
    from scaffold.aws import connect
    from scaffold.prompts import confirm
    from scaffold.service import Service

    service = Service(
        root=destination,
        app_name=_app_name(answers),
        region=str(answers.asked["aws_region"]),
        environments=_environments(answers),
        account=str(answers.asked.get("aws_account_id") or "") or None,
    )
    try:
        account = connect(service, profile)
    except ScaffoldError as error:
        console.note(f"It will not be deployed now: {error.happened}")
        return False
    if estimate := read_estimate(answers.computed):
        console.note(estimate.text())
    return confirm(f"Deploy to {account.title} now?")


def _deploy(
    answers: Answers, directory: Path, profile: str | None, local: bool, console: Console
) -> tuple[DeployResult, bool]:
    """Deploy; whatever goes wrong, the service stays and the error says how to go on."""
    from scaffold.commands.deploy import deploy
    from scaffold.local.environment import inside, local_aws

    again = f"cd {shlex.quote(_shortest(str(directory)))} && scaffold deploy"
    own_local = local and not inside()
    try:
        if not own_local:
            return deploy(directory, profile=profile, console=console), False
        again = f"cd {shlex.quote(_shortest(str(directory)))} && scaffold local -- scaffold deploy"
        with local_aws(str(answers.asked["aws_region"])) as variables, _variables(variables):
            return deploy(directory, profile=None, console=console), True
    except KeyboardInterrupt:
        raise Interrupted(
            "Interrupted while deploying; the service and what AWS has of it stay.", f"Go on with `{again}`."
        ) from None
    except ScaffoldError as error:
        if own_local or again not in error.remedy:
            error.remedy = f"{error.remedy} The service itself is complete; go on with `{again}`."
        raise


@contextmanager
def _variables(variables: Mapping[str, str]) -> Iterator[None]:
    """The process's environment with other variables for a while."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _shortest(directory: str) -> str:
    """A path as somebody in the current directory would type it."""
    relative = os.path.relpath(directory)
    return directory if relative.startswith("..") else relative
