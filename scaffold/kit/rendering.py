"""Generates a service's repository from a kit and answers, completely or not at all."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaffold.console import indicator
from scaffold.console.console import detail, timed
from scaffold.core.errors import ScaffoldError
from scaffold.core.git import ISOLATED, git, settings, url_in_use
from scaffold.core.git_failures import GitFailed, GitFailure
from scaffold.core.signals import deferred_signals
from scaffold.core.temporary import temporary_folder
from scaffold.kit.destination import not_writable
from scaffold.kit.questionnaire import Answers, Questionnaire
from scaffold.kit.source import KitAddress, KitSource, fetch, resolve
from scaffold.kit.urls import is_remote, may_ask

if TYPE_CHECKING:
    from scaffold.kit.engine.template import Template

UPGRADE = (
    "Upgrade gitops-scaffold (`pipx upgrade gitops-scaffold`, or `uv tool upgrade gitops-scaffold`), "
    "then run the same command again."
)
_FALLBACK_IDENTITY = {"NAME": "gitops-scaffold", "EMAIL": "gitops-scaffold@localhost"}


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
                raise not_writable("The service", error) from error
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
    with fetched(address, lambda folder: (fetch(address, folder),)) as (opened,):
        yield opened


@contextmanager
def fetched(address: KitAddress, fetching: Callable[[Path], Iterable[KitSource]]) -> Iterator[list[Kit]]:
    """Fetch versions of a kit into a temporary folder, which is deleted when the block ends.

    At a terminal, the block's own work is said to be the reading of the kit, unless the block says better.

    Args:
        fetching: Fetches them from the address.
    """
    with (
        temporary_folder("scaffold-kit-") as temporary,
        one_thread() as beside,
        warnings.catch_warnings(),
        indicator.busy("Reading the kit"),
    ):
        warnings.simplefilter("ignore")
        asks = is_remote(address.url) and may_ask(url_in_use(address.url, temporary))
        with timed("kit fetched"), indicator.busy("Fetching the kit", may_ask=asks):
            sources = beside.submit(fetching, temporary)  # while Python imports Copier
            from scaffold.kit.engine.template import Template

            kits = [
                Kit(one, Template(one.source, one.commit, one.version, one.folder, one.modes))
                for one in sources.result()
            ]
        for kit in kits:
            detail(f"kit {kit.source.source}, version {kit.source.version}, in {kit.source.folder}")
        yield kits


def first_commit(folder: Path, message: str) -> str:
    """Make a folder a Git repository, unless it is an empty one; commit all of its files, and return the commit.

    Raises:
        ScaffoldError: Git is not installed, or fails.
    """
    git("init", "--quiet", "--template=", "--object-format=sha1", "--initial-branch=main", cwd=folder)
    git("symbolic-ref", "HEAD", "refs/heads/main", cwd=folder)  # An empty clone may have begun with another branch.
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
