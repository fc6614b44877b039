"""`scaffold new`: asks the questions, generates the service's repository, and deploys it on request."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from scaffold.console.console import Console
from scaffold.console.prompt import confirm, require_terminal
from scaffold.core.errors import Interrupted, ScaffoldError
from scaffold.core.git import outer_work_tree
from scaffold.core.paths import enter
from scaffold.core.results import Result
from scaffold.core.target import configured_target
from scaffold.core.temporary import temporary_folder
from scaffold.deployment.deploy_result import DeployResult
from scaffold.kit.advice import advice
from scaffold.kit.answers import merge
from scaffold.kit.estimate import Estimate, read_estimate
from scaffold.kit.questionnaire import Answers, Questionnaire
from scaffold.kit.rendering import Kit, check_destination, first_commit, open_kit, workspace
from scaffold.service.service import Service
from scaffold.service.stack_kinds import OPTIONAL_KINDS, stack_ids

# What comes before a command that works on a local AWS of its own, or on the one in the background.
_OWN = "scaffold local -- "
_BACKGROUND = 'eval "$(scaffold local env)" && '
_ALONE = re.compile(r"(?<!-- )\bscaffold (?=(?:deploy|repair|destroy)\b)")


@dataclass(frozen=True)
class NewOptions:
    """What to generate, and whether to deploy it.

    Attributes:
        dest: The folder to write the service to; None for a folder with its name.
        data: Answers from the command line.
        answers_file: A file with more answers.
        defaults: Do not prompt.
        kit: The kit's source; None for $SCAFFOLD_KIT, or the embedded kit.
        kit_version: The kit's tag or commit; None for the newest.
        deploy: Whether to deploy; None asks, or with `defaults` means no.
        local: Deploy to local AWS: that of this shell, the one in the background, or one that ends with the command;
            implies `deploy` unless that is false.
        profile: The AWS profile to deploy with.
        dry_run: Write nothing.
    """

    dest: Path | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    answers_file: Path | None = None
    defaults: bool = False
    kit: str | None = None
    kit_version: str | None = None
    deploy: bool | None = None
    local: bool = False
    profile: str | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class NewResult(Result):
    """A service that was generated, or with `--dry-run` would be.

    Attributes:
        kit: The kit's source, as Copier records it.
        kit_version: The kit's version, likewise.
        stacks: The stacks that deployment and pipeline create, in order.
        estimate: The monthly estimate; None where the kit computes none.
        dry_run: Whether nothing was written.
        commit: The first commit; None in a dry run.
        deployment: The deployment; None where there was none.
        deployment_ended: Whether it was deployed to a local AWS that ended with this command.
        deployment_in_background: Whether it was deployed to the local AWS in the background, which this shell does
            not use.
        outer_repository: The Git work tree that the folder is in and that would record it as a submodule without an
            address; None for none.
    """

    command: ClassVar[str] = "new"

    app_name: str
    directory: str
    kit: str
    kit_version: str
    answers: dict[str, Any]
    files: list[str]
    stacks: list[str]
    estimate: Estimate | None
    dry_run: bool
    commit: str | None
    deployment: DeployResult | None = None
    deployment_ended: bool = False
    deployment_in_background: bool = False
    outer_repository: str | None = None


def run(options: NewOptions, console: Console) -> NewResult:
    """Generate a service and, where wanted, deploy it.

    Raises:
        ScaffoldError: An answer, the kit or the destination is not acceptable, or the deployment failed.
    """
    if not options.defaults:
        require_terminal(console)
    dest = options.dest
    if dest is not None:
        # Also resolves any `..`: the last part of the path becomes the folder's name.
        dest = Path(os.path.abspath(dest))  # noqa: PTH100  (resolve() would also follow links)
        check_destination(dest)
    destination = dest
    try:
        with open_kit(options.kit, options.kit_version) as kit:
            answers = _answers(kit.questionnaire(dest), options, dest)
            destination = dest or Path.cwd() / _app_name(answers)
            check_destination(destination)
            if options.dry_run:
                return _preview(kit, answers, destination)
            deploy = _wants_deployment(options, answers, destination, console)
            with workspace(destination) as folder:
                files = kit.render(answers, folder)
                commit = first_commit(folder, f"Generate {_app_name(answers)} from kit {kit.source.version}")
    except KeyboardInterrupt:
        raise _interrupted(destination, options) from None
    console.step(f"Generated {_app_name(answers)} in {destination}")
    for text in advice(kit.source.source, destination):
        console.warn(text)
    deployment, prefix = None, ""
    if deploy:
        deployment, prefix = _deploy(_service(answers, destination), options, console)
    return _result(kit, answers, destination, files, commit=commit, deployment=deployment, prefix=prefix)


def _answers(questionnaire: Questionnaire, options: NewOptions, dest: Path | None) -> Answers:
    given = merge(questionnaire, options.data, options.answers_file)
    if options.defaults:
        return questionnaire.evaluate(given)
    return _ask(questionnaire, given, dest, options.dry_run)


def _ask(questionnaire: Questionnaire, given: Mapping[str, Any], dest: Path | None, dry_run: bool) -> Answers:
    from scaffold.kit.interview import ask_all

    def objection(question: str, answer: Any) -> str:
        # Without DEST the name is the folder too: an occupied one is refused at once, not after the last question.
        if question == "app_name" and dest is None:
            try:
                check_destination(Path.cwd() / str(answer))
            except ScaffoldError as error:
                return error.happened
        return ""

    suggested = {"app_name": dest.name} if dest else {}
    ending = "shows what would be written" if dry_run else "writes the service"
    return ask_all(questionnaire, given, suggested, objection=objection, ending=ending)


def _app_name(answers: Answers) -> str:
    if "app_name" not in answers.recorded:
        raise ScaffoldError(
            "This kit does not ask for app_name, from which every AWS name is derived.",
            "Use it with `copier copy`, or name another kit with `--kit`.",
        )
    return str(answers.recorded["app_name"])


def _service(answers: Answers, destination: Path) -> Service:
    missing = [name for name in ("aws_region", "environments") if name not in answers.recorded]
    if missing:
        raise ScaffoldError(
            f"This kit does not ask for {' and '.join(missing)}, which `scaffold deploy` needs.",
            "Generate the service with `--no-deploy`, or name another kit with `--kit`.",
        )
    return Service.from_answers(destination, answers.recorded)


def _interrupted(destination: Path | None, options: NewOptions) -> Interrupted:
    # An interruption may come during the clean-up too, after the complete service was renamed to its folder.
    if destination and (destination / ".git").exists():
        return Interrupted(
            f"Interrupted: {destination} is complete, and not deployed.",
            f"Continue with `{enter(destination)} && {_OWN if options.local else ''}scaffold deploy`.",
        )
    return Interrupted("Interrupted: nothing was written.", "Run the same command again to start over.")


def _preview(kit: Kit, answers: Answers, destination: Path) -> NewResult:
    with temporary_folder("scaffold-") as temporary:
        files = kit.render(answers, temporary / destination.name)
        return _result(kit, answers, destination, files, commit=None)


def _result(
    kit: Kit,
    answers: Answers,
    destination: Path,
    files: list[str],
    *,
    commit: str | None,
    deployment: DeployResult | None = None,
    prefix: str = "",
) -> NewResult:
    app_name = _app_name(answers)
    environments = [name.strip() for name in str(answers.recorded.get("environments", "")).split(",") if name.strip()]
    optional = [kind for kind in OPTIONAL_KINDS if f"infrastructure/{kind.name}.yaml" in files]
    return NewResult(
        app_name=app_name,
        directory=str(destination),
        kit=kit.source.source,
        kit_version=kit.source.version,
        answers=answers.recorded,
        files=files,
        stacks=[stack.name(app_name) for stack in stack_ids(environments, _in_existing_vpc(answers), optional)],
        estimate=read_estimate(answers.computed),
        dry_run=commit is None,
        commit=commit,
        deployment=deployment,
        deployment_ended=prefix == _OWN,
        deployment_in_background=prefix == _BACKGROUND,
        outer_repository=outer_work_tree(destination),
    )


def _in_existing_vpc(answers: Answers) -> set[str]:
    """The environments without a network of their own; none with a kit that does not compute this."""
    settings = answers.computed.get("environment_settings")
    found = [one for one in settings if isinstance(one, dict)] if isinstance(settings, list) else []
    return {str(one.get("name")) for one in found if one.get("vpc_id")}


def _wants_deployment(options: NewOptions, answers: Answers, destination: Path, console: Console) -> bool:
    if options.deploy is not None:
        return options.deploy
    if options.local or options.defaults:
        return options.local
    return _ask_to_deploy(options, answers, destination, console)


def _ask_to_deploy(options: NewOptions, answers: Answers, destination: Path, console: Console) -> bool:
    """Ask whether to create billable resources, showing account, region and monthly cost."""
    from scaffold.aws.session import connect

    service = _service(answers, destination)
    try:
        session = connect(service, configured_target(service.region, options.profile))
    except ScaffoldError as error:
        console.note(f"It will not be deployed now: {error.happened}")
        return False
    if estimate := read_estimate(answers.computed):
        console.note(estimate.text())
    return confirm(f"Deploy to {session.title} now?")


def _deploy(service: Service, options: NewOptions, console: Console) -> tuple[DeployResult, str]:
    """Deploy; after any failure the service is kept, and the error says how to continue.

    Returns:
        The deployment, and what has to come before a command that works on it in this shell.
    """
    from scaffold.deployment.deploy import deploy
    from scaffold.local import background
    from scaffold.local.environment import inside, running_local_aws

    outside = options.local and not inside()
    prefix = _OWN if outside else ""
    try:
        if outside and (running := background.find()):
            prefix = _BACKGROUND
            target = replace(running, region=service.region).aws.target
        elif outside:
            # Nothing runs there: it ends with this command, before a release could get anywhere.
            with running_local_aws(service.region) as aws:
                return deploy(service, aws.target, plan=False, console=console), prefix
        else:
            # Inside local AWS, the environment variables select it; it has no other profile than `default`.
            target = configured_target(service.region, None if options.local else options.profile)
        return deploy(service, target, plan=False, console=console), prefix
    except (KeyboardInterrupt, Interrupted):
        kept = "the service is generated" if prefix == _OWN else "the service and its resources in AWS are kept"
        again = _again(service, prefix)
        raise Interrupted(f"Interrupted while deploying; {kept}.", f"Continue with `{again}`.") from None
    except ScaffoldError as error:
        # Alone, a command would work on the account that the user's configuration selects.
        remedy, again = _ALONE.sub(f"{prefix}scaffold ", error.remedy), _again(service, prefix)
        if again not in remedy:
            remedy += f" The service is generated: to repeat the deployment alone, run `{again}`."
        raise error.with_remedy(remedy) from error


def _again(service: Service, prefix: str) -> str:
    return f"{enter(service.root)} && {prefix}scaffold deploy"
