"""The secrets of a service's environments: their values in AWS, and their names in the repository.

A value is set before the release that needs it, so that names and values never change together in AWS: `set` and
`rotate` store the value and write the list in the repository, and the release of that commit starts tasks that read it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from scaffold.aws.secret_stores import ParameterStore, Store, StoredSecret, store_named, stores
from scaffold.aws.session import Session, signed_in
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.results import Result
from scaffold.core.secrets import conceal
from scaffold.core.target import Target
from scaffold.deployment.scope import check_environment, command_for
from scaffold.service import identity, names, secret_names
from scaffold.service.service import Service
from scaffold.service.task_settings import SECRETS, ListedSecret, listed_secrets, listing

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


@dataclass(frozen=True)
class SecretResult(Result):
    """A secret that was set, rotated or removed.

    Attributes:
        action: `set`, `rotate` or `remove`.
        store: `parameter-store` or `secrets-manager`.
        files: What has changed in the repository, and is to be committed.
    """

    command: ClassVar[str] = "secret"

    service: str
    account: str
    region: str
    local: bool
    action: str
    name: str
    environment: str
    store: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class SecretState:
    """A secret of an environment.

    Attributes:
        state: `set`, `missing` where it is listed and has no value, `retired` where tasks get it no more, or
            `unlisted` where only the store has it.
        changed: When its value was set; None where it has none.
    """

    name: str
    environment: str
    store: str
    state: str
    changed: datetime | None


@dataclass(frozen=True)
class SecretsResult(Result):
    """The secrets of a service."""

    command: ClassVar[str] = "secret list"

    service: str
    account: str
    region: str
    local: bool
    secrets: tuple[SecretState, ...]


@dataclass(frozen=True)
class SecretOf:
    """Which secret a command is about.

    Attributes:
        store: The store to use; None for the listed one, and for Parameter Store where none is listed.
    """

    service: Service
    target: Target
    name: str
    environment: str
    store: str | None = None

    @property
    def path(self) -> str:
        """Its name in its store."""
        return secret_names.secret(self.service.app_name, self.environment, self.name)


def set_secret(of: SecretOf, *, rotate: bool, ask: Callable[[], str], console: Console) -> SecretResult:
    """Store the value of a secret, and list it in the repository.

    Args:
        rotate: Whether it has a value, which is replaced.
        ask: Returns the value; called once it is known to be welcome.

    Raises:
        UsageError: No such environment, or no name of a variable.
        ScaffoldError: The secret is another service's, or exists where it is to be set, or not where it is to be
            rotated.
    """
    listed, root_commit = _check(of)
    known = listed.get(of.name)
    with signed_in(of.service, of.target, console) as session:
        store = _store(session, of, known)
        found = _own(of, store, root_commit)
        version = known.versions.get(of.environment) if known else None
        has_value = found is not None and not found.deleted
        if rotate and (version is None or not has_value):
            raise ScaffoldError(
                f"{of.environment} has no secret {of.name}, so that there is nothing to rotate.",
                f"Set it: `{_command(of, 'set')}`.",
            )
        if not rotate and version is not None and has_value:
            raise ScaffoldError(
                f"{of.environment} has the secret {of.name} already.",
                f"Give it another value with `{_command(of, 'rotate')}`.",
            )
        value = ask()
        conceal(value)
        _check_value(store, value)
        wanted = (version or 0) + 1 if rotate or version is None else version
        entry = (known or ListedSecret(store.name)).with_version(of.environment, wanted)
        with listing(of.service, {**listed, of.name: entry}) as files:
            if found is None:
                store.create(of.path, value, _tags(of, root_commit))
            else:
                store.replace(of.path, value)
        return _result(session, of, "rotate" if rotate else "set", store, files)


def remove_secret(of: SecretOf, *, confirm: Callable[[], bool], console: Console) -> SecretResult:
    """Delete a secret that no task gets any more.

    Raises:
        UsageError: No such environment, or no name of a variable.
        ScaffoldError: The repository lists it, it is another service's, there is none, or it was not confirmed.
    """
    listed, root_commit = _check(of)
    known = listed.get(of.name)
    if known and of.environment in known.versions:
        raise ScaffoldError(
            f"{SECRETS} lists {of.name} for {of.environment}: its tasks get it.",
            f'Move "{of.environment}" there from "environments" to a list "retired", run `make task-settings`, release '
            f"that commit, and run `{_command(of, 'remove')}` again.",
        )
    with signed_in(of.service, of.target, console) as session:
        found = None
        for store in [_store(session, of, known)] if known or of.store else stores(session):
            found = _own(of, store, root_commit)
            if found:
                break
        if (found is None or found.deleted) and not (known and of.environment in known.retired):
            raise ScaffoldError(
                f"{of.environment} has no secret {of.name}.", "`scaffold secret list` shows those that exist."
            )
        if not confirm():
            raise ScaffoldError(
                "Nothing was deleted: it was not confirmed.", "Run the same command again, or add --yes."
            )
        left = known.without(of.environment) if known else None
        secrets = {name: one for name, one in listed.items() if name != of.name} | ({of.name: left} if left else {})
        with listing(of.service, secrets) as files:
            if found and not found.deleted:
                store.delete(of.path)
        return _result(session, of, "remove", store, files)


def list_secrets(service: Service, target: Target, environment: str | None, console: Console) -> SecretsResult:
    """The secrets that the repository lists or the stores have.

    Args:
        environment: The only environment to look at; None for all.

    Raises:
        UsageError: No such environment.
    """
    check_environment(service, service.environments, environment)
    listed = listed_secrets(service)
    with signed_in(service, target, console) as session:
        found = tuple(
            state
            for one in service.environments
            if environment in (None, one)
            for state in _states(session, service, one, listed)
        )
        return SecretsResult(service.app_name, session.account, session.region, session.target.local, found)


def _states(
    session: Session, service: Service, environment: str, listed: dict[str, ListedSecret]
) -> Iterator[SecretState]:
    prefix = f"{secret_names.secrets(service.app_name, environment)}/"
    stored = {
        (one.path.removeprefix(prefix), store.name): one.changed
        for store in stores(session)
        for one in store.below(prefix.rstrip("/"))
        if not one.deleted
    }
    for name, entry in sorted(listed.items()):
        if environment in entry.versions or environment in entry.retired:
            changed = stored.pop((name, entry.store), None)
            state = "retired" if environment in entry.retired else "set" if changed else "missing"
            yield SecretState(name, environment, entry.store, state, changed)
    for (name, store), changed in sorted(stored.items()):
        yield SecretState(name, environment, store, "unlisted", changed)


def _check(of: SecretOf) -> tuple[dict[str, ListedSecret], str]:
    """The list of the secrets, and the service's root commit."""
    if not _NAME.fullmatch(of.name):
        # It is not shown: it may be a value that was given in the wrong place.
        raise UsageError(
            "The name of a secret has letters, digits and underscores only.",
            "Name it like the variable that the application reads, for example DB_PASSWORD.",
        )
    check_environment(of.service, of.service.environments, of.environment)
    root_commit = identity.root_commit(of.service)
    return listed_secrets(of.service), root_commit


def _store(session: Session, of: SecretOf, known: ListedSecret | None) -> Store:
    if known and of.store not in (None, known.store):
        raise UsageError(
            f"{of.name} is in {known.store}, which all environments use for it.",
            f"Leave out `--store`, or choose another name for the secret in {of.store}.",
        )
    return store_named(session, known.store if known else of.store or ParameterStore.name)


def _own(of: SecretOf, store: Store, root_commit: str) -> StoredSecret | None:
    """The secret in its store.

    Raises:
        ScaffoldError: Another owner's is there.
    """
    found = store.find(of.path)
    if found is not None and not owned(found, of.service, root_commit):
        raise ScaffoldError(
            f"{store.title} has a {of.path} that is not this service's: its tags are others.",
            "Choose another name, or delete it there if nobody needs it.",
        )
    return found


def owned(found: StoredSecret, service: Service, root_commit: str) -> bool:
    """Whether a secret, with its tags, is this service's."""
    tags = found.tags or {}
    return tags.get(names.TAG_SERVICE) == service.app_name and tags.get(names.TAG_ROOT_COMMIT) == root_commit


def _tags(of: SecretOf, root_commit: str) -> dict[str, str]:
    return {
        names.TAG_SERVICE: of.service.app_name,
        names.TAG_ENVIRONMENT: of.environment,
        names.TAG_ROOT_COMMIT: root_commit,
    }


def _check_value(store: Store, value: str) -> None:
    if not value or "\0" in value:
        raise UsageError("The value is empty, or has a NUL character.", "Give another one; no file was changed.")
    if len(value.encode()) > store.most_bytes:
        other = "" if store.name != ParameterStore.name else ", or a new secret with `--store secrets-manager`"
        raise UsageError(
            f"The value has more than the {store.most_bytes:,} bytes of {store.title}.",
            f"Store a shorter one{other}.",
        )


def _command(of: SecretOf, action: str) -> str:
    return command_for(of.target, f"scaffold secret {action} {of.name} --env {of.environment}")


def _result(session: Session, of: SecretOf, action: str, store: Store, files: list[str]) -> SecretResult:
    return SecretResult(
        of.service.app_name,
        session.account,
        session.region,
        session.target.local,
        action,
        of.name,
        of.environment,
        store.name,
        tuple(files),
    )
