"""`scaffold new`: from questions to a service's repository, and on to its deployment."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaffold.commands.generated import NewResult, enter
from scaffold.console.console import Console
from scaffold.core.errors import Interrupted, ScaffoldError
from scaffold.kit.answers import merge
from scaffold.kit.estimate import read_estimate
from scaffold.kit.questionnaire import Answers, Questionnaire
from scaffold.kit.rendering import Kit, check_destination, first_commit, open_kit, workspace
from scaffold.service import names

if TYPE_CHECKING:
    from scaffold.commands.deploy import DeployResult


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
        from scaffold.kit.interview import need_a_person

        need_a_person(console)
    if dest is not None:
        # Also takes out any `..`: the last part of the path becomes the folder's name.
        dest = Path(os.path.abspath(dest))  # noqa: PTH100  (resolve() would also follow links)
        check_destination(dest)
    destination = dest
    try:
        with open_kit(kit, kit_version) as opened:
            questionnaire = opened.questionnaire(dest)
            given = merge(questionnaire, data, answers_file)
            answers = questionnaire.evaluate(given) if defaults else _ask(questionnaire, given, dest, dry_run)
            destination = dest or Path.cwd() / _app_name(answers)
            check_destination(destination)
            if dry_run:
                return _preview(opened, answers, destination)
            wanted = deploy if deploy is not None else local
            if deploy is None and not local and not defaults:
                wanted = _ask_to_deploy(answers, destination, profile, console)
            with workspace(destination) as folder:
                files = opened.render(answers, folder)
                commit = first_commit(folder, f"Generate {_app_name(answers)} from kit {opened.source.version}")
    except KeyboardInterrupt:
        raise _interrupted(destination) from None
    console.step(f"Generated {_app_name(answers)} in {destination}")
    deployment, ended = None, False
    if wanted:
        deployment, ended = _deploy(answers, destination, None if local else profile, local, console)
    return _result(opened, answers, destination, files=files, commit=commit, deployment=deployment, ended=ended)


def _interrupted(destination: Path | None) -> Interrupted:
    # It was absent or empty before and appears as a whole, but the clean-up after that takes a moment too.
    if destination and (destination / ".git").exists():
        return Interrupted(
            f"Interrupted: {destination} is complete, and not deployed.",
            f"Go on with `{enter(str(destination))} && scaffold deploy`.",
        )
    return Interrupted("Interrupted: nothing was written.", "Run the same command again when you like.")


def _app_name(answers: Answers) -> str:
    if "app_name" not in answers.recorded:
        raise ScaffoldError(
            "This kit does not ask for app_name, which every name on AWS follows from.",
            "Use it with `copier copy`, or name another kit with `--kit`.",
        )
    return str(answers.recorded["app_name"])


def _ask(questionnaire: Questionnaire, given: Mapping[str, Any], dest: Path | None, dry_run: bool) -> Answers:
    from scaffold.kit.interview import ask_all

    def objection(question: str, answer: Any) -> str:
        # Where the name is the folder too, an occupied one is told at once and not after the last question.
        if question == "app_name" and dest is None:
            try:
                check_destination(Path.cwd() / str(answer))
            except ScaffoldError as error:
                return error.happened
        return ""

    suggested = {"app_name": dest.name} if dest else {}
    ending = "shows what would be written" if dry_run else "writes the service"
    return ask_all(questionnaire, given, suggested, objection=objection, ending=ending)


def _preview(kit: Kit, answers: Answers, destination: Path) -> NewResult:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="scaffold-") as temporary:
        folder = Path(temporary) / destination.name
        files = kit.render(answers, folder)
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
        answers=answers.recorded,
        files=files,
        stacks=_stacks(app_name, answers),
        monthly_usd=estimate.total_usd if estimate else None,
        commit=commit,
        deployment=deployment.document() if deployment else None,
        dry_run=commit is None,
        estimate=estimate,
        deployment_text=_deployment_text(deployment, ended) if deployment else None,
        deployment_next=deployment.next_step() if deployment else None,
        ended_local=ended,
    )


def _deployment_text(deployment: DeployResult, ended: bool) -> str:
    if not ended:
        return deployment.existing()
    return (
        f"Its repository {names.repository(deployment.service)} and the stacks "
        f"{names.foundation_stack(deployment.service)} and {names.pipeline_stack(deployment.service)} were made\n"
        f"on local AWS, {deployment.region}, which ended with this command: everything on it is gone."
    )


def _stacks(app_name: str, answers: Answers) -> list[str]:
    stacks = [names.foundation_stack(app_name), names.pipeline_stack(app_name)]
    for environment in _environments(answers):
        stacks += [names.environment_stack(app_name, environment, kind) for kind in names.ENVIRONMENT_STACK_KINDS]
    return stacks


def _environments(answers: Answers) -> tuple[str, ...]:
    return tuple(name.strip() for name in str(answers.recorded.get("environments", "")).split(",") if name.strip())


def _ask_to_deploy(answers: Answers, destination: Path, profile: str | None, console: Console) -> bool:
    """Ask for the yes to what AWS bills, showing account, region and monthly cost."""
    from scaffold.aws.session import connect
    from scaffold.kit.interview import confirm
    from scaffold.service.service import Service

    service = Service(
        root=destination,
        app_name=_app_name(answers),
        region=str(answers.recorded["aws_region"]),
        environments=_environments(answers),
        account=str(answers.recorded.get("aws_account_id") or "") or None,
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

    own_local = local and not inside()
    again = f"{enter(str(directory))} && {'scaffold local -- ' if own_local else ''}scaffold deploy"
    region = str(answers.recorded["aws_region"])
    try:
        if own_local:
            with local_aws(region) as variables, _variables(variables):
                return deploy(directory, profile=None, console=console), True
        # Local AWS serves every region, whichever its variables name.
        with _variables({"AWS_REGION": region, "AWS_DEFAULT_REGION": region} if local else {}):
            return deploy(directory, profile=profile, console=console), False
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
