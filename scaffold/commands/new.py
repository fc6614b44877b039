"""`scaffold new`: asks the questions, generates the service's repository, and deploys it on request."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from scaffold.aws.caller import CallerLookup
from scaffold.console.console import Console
from scaffold.console.prompt import confirm, require_terminal
from scaffold.core.errors import Interrupted, ScaffoldError
from scaffold.core.git import has_no_commit, outer_work_tree
from scaffold.core.paths import enter
from scaffold.core.results import Result
from scaffold.core.target import configured_target
from scaffold.core.temporary import temporary_folder
from scaffold.deployment.deploy_result import DeployResult
from scaffold.kit.advice import advice
from scaffold.kit.answering import check_folder_name, collect
from scaffold.kit.answers import keep_answers, merge
from scaffold.kit.destination import check_destination, copy_repository, is_empty_clone, workspace
from scaffold.kit.estimate import Estimate, read_estimate
from scaffold.kit.questionnaire import Answers
from scaffold.kit.rendering import Kit, first_commit, open_kit
from scaffold.kit.summary import details
from scaffold.service import credentials
from scaffold.service.service import Service
from scaffold.service.stack_kinds import OPTIONAL_KINDS, stack_ids

# What comes before a command that works on a local AWS of its own, which ended with this one.
_OWN = "scaffold local -- "
# How long the summary waits for the account; the look-up has begun before the first question.
_SIGN_IN_SECONDS = 1.0


@dataclass(frozen=True)
class NewOptions:
    """What to generate, and whether to deploy it.

    Attributes:
        dest: The folder to write the service to; None for a folder with its name.
        data: Answers from the command line.
        answers_file: A file with more answers.
        defaults: Do not prompt.
        kit: The kit's source; None for that of the team's defaults, or the embedded kit.
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
    """A service that was generated, or with `--plan` would be.

    Attributes:
        kit: The kit's source, as Copier records it.
        kit_version: The kit's version, likewise.
        stacks: The stacks that deployment and pipeline create, in order.
        estimate: The monthly estimate; None where the kit computes none.
        dry_run: Whether nothing was written.
        commit: The first commit; None in a dry run.
        deployment: The deployment; None where there was none.
        deployment_ended: Whether it was deployed to a local AWS that ended with this command.
        deployment_in_background: Whether that is the local AWS in the background, which this shell does not use.
        outer_repository: The Git work tree that would record it as a submodule without an address; None for none.
        outer_is_empty: Whether that one has no commit, as a clone that was to hold the service.
        credentials: Whether AWS credentials are configured on this machine.
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
    outer_is_empty: bool = False
    credentials: bool = True


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
    lookup = CallerLookup(options.profile, local=options.local, wanted=not options.defaults)
    try:
        with lookup as caller, open_kit(options.kit, options.kit_version) as kit:
            questionnaire = kit.questionnaire(dest)
            if dest is not None:
                check_folder_name(dest, questionnaire.names)
            given = merge(questionnaire, options.data, options.answers_file)
            ending = "shows what would be written" if options.dry_run else "writes the service"
            answers = collect(
                questionnaire,
                given,
                dest,
                console,
                prompt=not options.defaults,
                ending=ending,
                details=lambda found: details(found, dest, kit.source, caller.title(_SIGN_IN_SECONDS)),
            )
            destination = dest or Path.cwd() / _app_name(answers)
            check_destination(destination)
            if options.dry_run:
                return _preview(kit, answers, destination)
            deploy = _wants_deployment(options, answers, destination, console)
            with workspace(destination) as folder, console.busy("Generating the service"):
                files = kit.render(answers, folder)
                in_clone = copy_repository(destination, folder)
                commit = first_commit(folder, f"Generate {_app_name(answers)} from kit {kit.source.version}")
    except KeyboardInterrupt as interruption:
        raise _interrupted(destination, options, getattr(interruption, "answers", {})) from None
    where = f"{destination}, whose repository and remotes stay" if in_clone else destination
    console.step(f"Generated {_app_name(answers)} in {where}")
    for text in advice(kit.source.source, destination):
        console.warn(text)
    deployment, prefix = _deploy(_service(answers, destination), options, console) if deploy else (None, "")
    return _result(kit, answers, destination, files, commit=commit, deployment=deployment, prefix=prefix)


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


def _interrupted(destination: Path | None, options: NewOptions, answers: Mapping[str, Any]) -> Interrupted:
    # An interruption may come during the clean-up too, after the complete service was renamed to its folder.
    if destination and (destination / ".git").exists() and not is_empty_clone(destination):
        return Interrupted(
            f"Interrupted: {destination} is complete, and not deployed.",
            f"Continue with `{enter(destination)} && {_OWN if options.local else ''}scaffold deploy`.",
        )
    if answers and (kept := keep_answers(answers)):
        words = ["scaffold", "new", *([str(options.dest)] if options.dest else []), "--answers", str(kept)]
        given = {"--kit": options.kit, "--kit-version": options.kit_version, "--profile": options.profile}
        words += [word for option, value in given.items() if value for word in (option, value)]
        switches = {"--local": options.local, "--plan": options.dry_run, "--deploy": options.deploy}
        words += [option for option, on in switches.items() if on] + ["--no-deploy"] * (options.deploy is False)
        return Interrupted(
            "Interrupted: nothing was written, and your answers are kept.", f"Go on with `{shlex.join(words)}`."
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
    app_name, outer = _app_name(answers), outer_work_tree(destination)
    environments = [name.strip() for name in str(answers.recorded.get("environments", "")).split(",") if name.strip()]
    stacks = stack_ids(environments, _in_existing_vpc(answers), OPTIONAL_KINDS)
    return NewResult(
        app_name=app_name,
        directory=str(destination),
        kit=kit.source.source,
        kit_version=kit.source.version,
        answers=answers.recorded,
        files=files,
        stacks=[one.name(app_name) for one in stacks if all(path in files for path in one.asked_by)],
        estimate=read_estimate(answers.computed),
        dry_run=commit is None,
        commit=commit,
        deployment=deployment,
        deployment_ended=prefix == _OWN,
        deployment_in_background=bool(deployment and deployment.background),
        outer_repository=outer,
        outer_is_empty=outer is not None and has_no_commit(Path(outer)),
        credentials=credentials.configured(),
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
    from scaffold.local import selection
    from scaffold.local.environment import running_local_aws

    prefix = _OWN if options.local else ""
    try:
        selected = selection.find(service.region) if options.local else None
        prefix = selected.reach if selected else prefix
        if options.local and not selected:
            # Nothing runs there: it ends with this command, before a release could get anywhere.
            with running_local_aws(service.region) as aws:
                return deploy(service, aws.target, plan=False, console=console), prefix
        target = selected.target if selected else configured_target(service.region, options.profile)
        background = selected.url if selected and prefix else None
        return replace(deploy(service, target, plan=False, console=console), background=background), prefix
    except (KeyboardInterrupt, Interrupted):
        kept = "the service is generated" if prefix == _OWN else "the service and its resources in AWS are kept"
        again = _again(service, prefix)
        raise Interrupted(f"Interrupted while deploying; {kept}.", f"Continue with `{again}`.") from None
    except ScaffoldError as error:
        # Alone, a command would work on the account that the user's configuration selects.
        remedy, again = selection.reaching(error.remedy, prefix), _again(service, prefix)
        if again not in remedy:
            remedy += f" The service is generated: to repeat the deployment alone, run `{again}`."
        raise error.with_remedy(remedy) from error


def _again(service: Service, prefix: str) -> str:
    return f"{enter(service.root)} && {prefix}scaffold deploy"
