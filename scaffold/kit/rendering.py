"""Generates a service's repository from a kit and answers, completely or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, suppress
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaffold.core.errors import ScaffoldError
from scaffold.core.folder_lock import is_abandoned, locked
from scaffold.core.git import ISOLATED, git, settings
from scaffold.core.git_failures import GitFailed, GitFailure
from scaffold.core.signals import deferred_signals
from scaffold.core.temporary import temporary_folder
from scaffold.kit.questionnaire import Answers, Questionnaire
from scaffold.kit.source import KitSource, fetch, resolve

if TYPE_CHECKING:
    from scaffold.kit.engine.template import Template

_HIDDEN = ".scaffold-"
UPGRADE = (
    "Upgrade gitops-scaffold (`pipx upgrade gitops-scaffold`, or `uv tool upgrade gitops-scaffold`), "
    "then run the same command again."
)
_FALLBACK_IDENTITY = {"NAME": "gitops-scaffold", "EMAIL": "gitops-scaffold@localhost"}


def check_destination(destination: Path) -> None:
    """Refuse a folder in which a service cannot be created.

    Raises:
        ScaffoldError: It is not empty, or cannot be written.
    """
    try:
        if destination.is_symlink() and not destination.exists():
            raise _occupied(destination, "is a broken symbolic link")
        if destination.exists():
            if not destination.is_dir():
                raise _occupied(destination, "exists and is not a folder")
            entries = list(destination.iterdir())
            if not all(map(_is_left_over, entries)):
                if any(map(_is_left_over, entries)):
                    raise ScaffoldError(
                        f"{destination} has a part of a service, left by a `scaffold new` that was killed.",
                        "Empty the folder, then run the same command again.",
                    )
                raise _occupied(destination, "exists and is not empty")
        place = next(path for path in (destination, *destination.parents) if path.exists())
    except OSError as error:
        raise _not_writable(destination, error) from error
    if not place.is_dir():
        raise _occupied(destination, f"cannot be created: {place} is not a folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise _not_writable(destination, PermissionError(13, "Permission denied"))


@contextmanager
def workspace(destination: Path) -> Iterator[Path]:
    """A folder to generate the service in. It is renamed to the destination, or deleted if the block fails.

    Args:
        destination: The service's folder, absent or empty.

    Yields:
        The folder, beside the destination and of the same name. It does not exist yet.

    Raises:
        ScaffoldError: The destination cannot be written.
    """
    existed = destination.exists()
    parent = destination if existed else destination.parent
    created = [path for path in (parent, *parent.parents) if not path.exists()]
    hidden = parent / f"{_HIDDEN}{secrets.token_hex(8)}"
    work = hidden / (destination.name or "service")
    succeeded = False
    try:  # before the first folder is created: an interruption may come at any point
        hidden.mkdir(parents=True)
        with locked(hidden):
            for path in parent.glob(f"{_HIDDEN}*"):
                if _is_left_over(path):
                    shutil.rmtree(path, ignore_errors=True)
            yield work
            with deferred_signals():  # in an existing folder it takes a rename for each entry
                if existed:
                    if any(entry != hidden for entry in destination.iterdir()):
                        raise _occupied(destination, "is no longer empty")
                    for entry in work.iterdir():
                        entry.rename(destination / entry.name)
                else:
                    work.rename(destination)
                succeeded = True
    except OSError as error:
        raise _not_writable(destination, error) from error
    finally:
        with deferred_signals():
            shutil.rmtree(hidden, ignore_errors=True)
            for path in () if succeeded else created:
                with suppress(OSError):
                    path.rmdir()


def _is_left_over(path: Path) -> bool:
    """Whether it is the hidden folder of a process that has ended without deleting it."""
    named = re.fullmatch(rf"{re.escape(_HIDDEN)}[0-9a-f]{{16}}", path.name)
    return named is not None and not path.is_symlink() and is_abandoned(path)


@contextmanager
def one_thread() -> Iterator[ThreadPoolExecutor]:
    """One more thread, whose end is waited for: it writes to a folder that is deleted after it."""
    pool = ThreadPoolExecutor(1)
    try:
        yield pool
    finally:
        with deferred_signals():
            pool.shutdown()


class Kit:
    """A kit's questions, and the files that it generates from the answers.

    Attributes:
        source: The clone of the kit.
    """

    def __init__(self, source: KitSource, template: Template) -> None:
        self.source = source
        self._template = template

    def questionnaire(
        self, destination: Path | None = None, recorded: Mapping[str, Any] | None = None
    ) -> Questionnaire:
        """The kit's questions.

        Args:
            destination: The service's folder; None if it will be named after the answer to app_name.
            recorded: The answers file of a service that is updated.

        Raises:
            ScaffoldError: They cannot be read, or the kit wants to run code.
        """
        from copier.errors import CopierError, UnsafeTemplateError, UnsupportedVersionError

        try:
            with redirect_stderr(StringIO()):  # Copier prints some errors in a form of its own
                self._template.load(migrations=recorded is None)
        except UnsafeTemplateError as error:
            raise ScaffoldError(
                f"The kit {self.source.source} wants to run code of its own on this machine.",
                "Ask the kit's owners to remove its tasks, migrations and Jinja extensions.",
            ) from error
        except UnsupportedVersionError as error:
            raise ScaffoldError(
                f"The kit {self.source.source} needs a newer Copier: {_reason(error)}.", UPGRADE
            ) from error
        except (CopierError, ValueError, TypeError) as error:
            raise ScaffoldError(
                f"The questions of the kit {self.source.source} cannot be read: {_reason(error)}.",
                "Fix its copier.yml, or tell the kit's owners.",
            ) from error
        return Questionnaire(self._template, destination, recorded)

    @property
    def exclude(self) -> tuple[str, ...]:
        """Patterns of files that are not generated."""
        return self._template.exclude

    def render(self, answers: Answers, folder: Path, exclude: Sequence[str] = ()) -> list[str]:
        """Generate the service's files.

        Args:
            answers: The answers to all questions.
            folder: The folder to create.
            exclude: Patterns of files to leave out, beside those of the kit.

        Returns:
            The paths of the files, relative and sorted.

        Raises:
            ScaffoldError: The kit cannot be rendered.
        """
        from copier.errors import CopierError
        from jinja2 import TemplateError

        try:
            answers.draft.render(folder, exclude)
        except (TemplateError, CopierError, ValueError, OSError) as error:
            if isinstance(error, OSError) and _concerns_output(error, folder):
                raise _not_writable("The service", error) from error
            reason = answers.draft.without_secrets(_reason(error)) or "the answer to a secret question does not fit"
            raise ScaffoldError(
                f"The kit {self.source.source} cannot be rendered: {reason}.",
                "Nothing was written; if the answers are right, tell the kit's owners.",
            ) from error
        if not folder.is_dir():
            raise ScaffoldError(
                f"The kit {self.source.source} generates nothing from these answers.",
                "Change the answers; if they are right, tell the kit's owners.",
            )
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


@contextmanager
def open_kit(kit: str | None = None, version: str | None = None) -> Iterator[Kit]:
    """Fetch a kit; its clone is deleted when the block ends.

    Args:
        kit: The value of `--kit`.
        version: The value of `--kit-version`.

    Raises:
        KitUnusable: There is no such kit or version, or it is not under Git, or has uncommitted changes.
        UsageError: The source or version is empty or looks like an option, or the source has a password.
        ScaffoldError: The installed Copier is not supported.
    """
    address = resolve(kit, version)
    with fetched(lambda folder: (fetch(address, folder),)) as (opened,):
        yield opened


@contextmanager
def fetched(fetching: Callable[[Path], Iterable[KitSource]]) -> Iterator[list[Kit]]:
    """Fetch kits into a temporary folder, which is deleted when the block ends."""
    with temporary_folder("scaffold-kit-") as temporary, one_thread() as beside, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sources = beside.submit(fetching, temporary)  # while Python imports Copier
        from scaffold.kit.engine.template import Template

        yield [
            Kit(one, Template(one.source, one.commit, one.version, one.folder, one.modes)) for one in sources.result()
        ]


def first_commit(folder: Path, message: str) -> str:
    """Make a folder a Git repository, commit all of its files, and return the commit.

    Raises:
        ScaffoldError: Git is not installed, or fails.
    """
    git("init", "--quiet", "--template=", "--object-format=sha1", "--initial-branch=main", cwd=folder)
    git(*ISOLATED, "add", "--all", cwd=folder)
    commit = (*ISOLATED, "commit", "--quiet", "--no-verify", "--no-gpg-sign", f"--message={message}")
    try:
        git(*commit, cwd=folder)
    except GitFailed as failure:
        if failure.kind is not GitFailure.NO_IDENTITY:
            raise
        git(*commit, cwd=folder, env=_completed_identity(folder))
    return git("rev-parse", "HEAD", cwd=folder)


def _completed_identity(folder: Path) -> dict[str, str]:
    """Author and committer from Git's configuration, with fallbacks for what is not configured."""
    configured, identity = settings(folder), {}
    for field, fallback in _FALLBACK_IDENTITY.items():
        known = configured.get(f"user.{field.lower()}") or fallback
        for role in ("AUTHOR", "COMMITTER"):
            name = f"GIT_{role}_{field}"
            identity[name] = os.environ.get(name) or known
    return identity


def _concerns_output(error: OSError, folder: Path) -> bool:
    """Whether the error is about the output folder (Jinja's TemplateNotFound is an OSError too)."""
    from jinja2 import TemplateError

    written = error.filename is None or Path(str(error.filename)).is_relative_to(folder.parent)
    return written and not isinstance(error, TemplateError)


def _reason(error: Exception) -> str:
    """The message of the first cause."""
    return str(error.__cause__ or error).strip().rstrip(".")


def _occupied(destination: Path, what: str) -> ScaffoldError:
    return ScaffoldError(f"{destination} {what}.", "Name a folder that does not exist yet: `scaffold new FOLDER`.")


def _not_writable(destination: Path | str, error: OSError) -> ScaffoldError:
    reason = (error.strerror or str(error)).rstrip(".")
    return ScaffoldError(
        f"{destination} cannot be written: {reason}.", "Name a folder that you may write to: `scaffold new FOLDER`."
    )
