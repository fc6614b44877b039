"""`scaffold env`: the environments of a service, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from scaffold.aws.errors import says_no_credentials
from scaffold.console.console import Console
from scaffold.console.prompt import confirm_by_name
from scaffold.core.errors import EXIT_DONE, EXIT_PLAN_HAS_CHANGES, ScaffoldError
from scaffold.core.git import check_author, git
from scaffold.core.git_failures import GitFailed
from scaffold.core.paths import enter
from scaffold.core.results import Result
from scaffold.core.target import configured_target
from scaffold.deployment.destroy import DestroyResult, destroy
from scaffold.kit.estimate import read_estimate
from scaffold.service import service
from scaffold.service.task_settings import ListedSecret, knows_secrets, listed_secrets, without_environment, write_list
from scaffold.update.environment_list import Environment, EnvironmentsResult, environments_of
from scaffold.update.environment_update import make_change
from scaffold.update.environments import Change, addition, removal
from scaffold.update.kits import CURRENT, open_versions
from scaffold.update.recorded import Recorded, read
from scaffold.update.result import UpdateResult


@dataclass(frozen=True)
class ChangeOptions:
    """How environments change.

    Attributes:
        directory: The service's directory, or one inside it.
        name: The environment to add or to remove.
        production: The environment that becomes production; None where that stays as it is.
        plan: Write nothing, and delete nothing.
        commit: Commit the change.
        yes: Do not ask for names to be typed.
    """

    name: str
    directory: Path = Path()
    production: str | None = None
    plan: bool = False
    commit: bool = False
    yes: bool = False


@dataclass(frozen=True)
class AddOptions(ChangeOptions):
    """Where an environment is added, and with which settings.

    Attributes:
        before: The environment that follows it.
        after: The environment that it follows; with neither, production follows it.
        settings: Settings of its own, their values in YAML.
    """

    before: str | None = None
    after: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RemoveOptions(ChangeOptions):
    """How an environment is removed.

    Attributes:
        profile: The AWS profile; None for the standard configuration chain.
        keep_stacks: Delete nothing in AWS.
    """

    profile: str | None = None
    keep_stacks: bool = False


@dataclass(frozen=True)
class ChangeResult(Result):
    """An environment that was added or removed, or would be.

    Attributes:
        action: `add` or `remove`.
        environments: Those after the change.
        monthly_usd: The estimated cost of the service after the change, without traffic.
        old_production: The environment that was production before; None where that stays as it is.
        deleted: What was deleted in AWS, or would be; None where AWS was not asked.
        secrets: Those that are no longer listed for the environment.
        commit: The commit; None where none was asked for, or conflicts are left.
        update: What happens to the files.
    """

    command: ClassVar[str] = "env"

    service: str
    action: str
    name: str
    environments: tuple[Environment, ...]
    production: str | None
    monthly_usd: float | None
    old_production: str | None
    deleted: DestroyResult | None
    secrets: tuple[str, ...]
    commit: str | None
    update: UpdateResult

    @property
    def exit_code(self) -> int:
        """10 for a plan, 3 for conflicts, else 0."""
        if self.update.planned:
            return EXIT_PLAN_HAS_CHANGES
        return self.update.exit_code or EXIT_DONE


def list_environments(directory: Path) -> EnvironmentsResult:
    """The environments that the answers of a service name. AWS is not asked.

    Raises:
        ScaffoldError: There is no service, or its kit cannot be read.
    """
    recorded = read(directory)
    with open_versions(recorded, CURRENT) as versions:
        computed = versions.old.questionnaire(recorded.root, recorded.answers).evaluate({}).computed
    production, estimate = recorded.answers.get("production"), read_estimate(computed)
    return EnvironmentsResult(
        service=recorded.name,
        environments=environments_of(computed, estimate),
        production=str(production) if production else None,
        monthly_usd=estimate.total_usd if estimate else None,
    )


def add(options: AddOptions, console: Console) -> ChangeResult:
    """Add an environment to a service.

    Raises:
        ScaffoldError: The service cannot be updated, or the environment cannot be added.
    """
    recorded = _read(options)
    change = addition(
        recorded,
        options.name,
        before=options.before,
        after=options.after,
        settings=options.settings,
        production=options.production,
    )
    _confirm_production(recorded, change, options, console)
    return _apply(recorded, change, options, console)


def remove(options: RemoveOptions, console: Console) -> ChangeResult:
    """Delete an environment's stacks in AWS, then remove it from the service.

    Raises:
        ScaffoldError: The service cannot be updated, or the environment cannot be deleted or removed.
    """
    recorded = _read(options)
    change = removal(recorded, options.name, production=options.production)
    _confirm_production(recorded, change, options, console)
    found = service.read(recorded.root)
    secrets = listed_secrets(found) if knows_secrets(found) else {}
    if options.keep_stacks:
        return _apply(recorded, change, options, console, secrets=secrets)
    # What refuses the update does so before anything is deleted.
    make_change(recorded, change, options.name, plan=True, console=console)
    try:
        deleted = destroy(
            found,
            configured_target(found.region, options.profile),
            environment=options.name,
            plan=options.plan,
            confirm=lambda name: options.yes or confirm_by_name(name, console),
            console=console,
        )
    except ScaffoldError as error:
        if not says_no_credentials(error):
            raise
        remedy = f"{error.remedy.rstrip('.')}, or leave its stacks with `--keep-stacks`."
        raise error.with_remedy(remedy) from error
    return _apply(recorded, change, options, console, deleted=deleted, secrets=secrets)


def _read(options: ChangeOptions) -> Recorded:
    """The service, in which the change can be committed where that is asked for."""
    recorded = read(options.directory)
    if options.commit and not options.plan:
        check_author(recorded.root)
    return recorded


def _apply(
    recorded: Recorded,
    change: Change,
    options: ChangeOptions,
    console: Console,
    *,
    deleted: DestroyResult | None = None,
    secrets: dict[str, ListedSecret] | None = None,
) -> ChangeResult:
    update, computed = make_change(recorded, change, options.name, plan=options.plan, console=console)
    added = options.name in change.after
    left = without_environment(secrets or {}, options.name)
    unlisted = tuple(name for name, one in (secrets or {}).items() if left.get(name) != one)
    if unlisted and not options.plan:
        write_list(recorded.root, left)
    commit = None
    if options.commit and not options.plan and not update.conflicts:
        commit = _commit(recorded, f"{'Add' if added else 'Remove'} the environment {options.name}")
    estimate = read_estimate(computed)
    return ChangeResult(
        service=recorded.name,
        action="add" if added else "remove",
        name=options.name,
        environments=environments_of(computed, estimate),
        production=change.new_production,
        monthly_usd=estimate.total_usd if estimate else None,
        old_production=change.old_production if change.moves_production else None,
        deleted=deleted,
        secrets=unlisted,
        commit=commit,
        update=update,
    )


def _confirm_production(recorded: Recorded, change: Change, options: ChangeOptions, console: Console) -> None:
    if not change.moves_production:
        return
    new, old = str(change.new_production), change.old_production
    gains = change.after[change.after.index(new) :]
    was = change.before[change.before.index(old) :] if old else ()
    loses = [name for name in change.after if name in was and name not in gains]
    console.warn(f"Production of {recorded.name} moves from {old or 'no environment'} to {new}.")
    console.note(f"Treated like production: {', '.join(gains)}, with approval, capacity and protection from deletion.")
    if loses:
        console.note(f"No longer: {', '.join(loses)}. Their releases need no approval then.")
    if options.plan or options.yes:
        return
    if not confirm_by_name(new, console, done="changed"):
        raise ScaffoldError(
            "Nothing was changed: the name was not confirmed.",
            f"Run the same command again and type {new}, or add --yes.",
        )


def _commit(recorded: Recorded, message: str) -> str:
    """Commit the service's folder, which had no other changes."""
    try:
        git("add", "--all", "--", ".", cwd=recorded.root)
        git("commit", "--quiet", "--message", message, "--", ".", cwd=recorded.root)
        return git("rev-parse", "HEAD", cwd=recorded.root).strip()
    except GitFailed as error:
        raise ScaffoldError(
            f"The files are changed, but not committed: {error.reason}.",
            f"Commit them: `{enter(str(recorded.root))} && git add --all . && git commit -m '{message}'`.",
        ) from error
