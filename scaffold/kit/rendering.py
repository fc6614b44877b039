"""Turns a kit and answers into a service's repository: all of it, or nothing."""

from __future__ import annotations

import os
import secrets
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, suppress
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaffold.core.errors import ScaffoldError
from scaffold.core.git import ISOLATED, GitFailed, GitFailure, git, without_git_variables
from scaffold.core.signals import deferred_signals
from scaffold.kit.questionnaire import Questionnaire
from scaffold.kit.source import KitSource

if TYPE_CHECKING:
    from copier._main import Worker

_FALLBACK_IDENTITY = {"NAME": "gitops-scaffold", "EMAIL": "gitops-scaffold@localhost"}


def check_destination(destination: Path) -> None:
    """Refuse a destination that cannot take a new service.

    Args:
        destination: Where the service is to be written.

    Raises:
        ScaffoldError: Something is there already, or nothing may be written there.
    """
    try:
        if destination.is_symlink() and not destination.exists():
            raise _occupied(destination, "is a link to nowhere")
        if destination.exists():
            if not destination.is_dir():
                raise _occupied(destination, "exists and is not a folder")
            if any(destination.iterdir()):
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
    """A folder to build the service in, which becomes the destination when the block ends well.

    It lies beside the destination, so that becoming it is a rename; when the block fails, nothing stays.

    Args:
        destination: Where the service is to appear; absent or an empty folder.

    Yields:
        The folder, named like the destination, not yet existing.

    Raises:
        ScaffoldError: Nothing may be written there.
    """
    existed = destination.exists()
    parent = destination if existed else destination.parent
    created = [path for path in (parent, *parent.parents) if not path.exists()]
    hidden = parent / f".scaffold-{os.getpid()}-{secrets.token_hex(4)}"
    work = hidden / (destination.name or "service")
    succeeded = False
    try:  # from before the first folder on: an interruption may come anywhere
        hidden.mkdir(parents=True)
        yield work
        with deferred_signals():  # in an existing folder it takes a rename for each entry
            if existed:
                if any(entry != hidden for entry in destination.iterdir()):
                    raise _occupied(destination, "is not empty any more")
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


class Kit:
    """A kit's files at one commit, on this machine for a while.

    Args:
        source: Where it comes from.
        worker: What renders it.

    Attributes:
        source: Where it comes from.
    """

    def __init__(self, source: KitSource, worker: Worker) -> None:
        self.source = source
        self._worker = worker

    def questionnaire(self) -> Questionnaire:
        """The kit's questions.

        Raises:
            ScaffoldError: They cannot be read.
        """
        from copier.errors import CopierError

        template = self._worker.template
        try:
            with redirect_stderr(StringIO()):  # Copier prints some errors in a form of its own
                entries = template.questions_data
            # Copier's own environment: what is compiled for the questions serves the rendering too.
            return Questionnaire(entries, self._worker.jinja_env, template.local_abspath, self.source.version)
        except (CopierError, ValueError, TypeError) as error:
            raise ScaffoldError(
                f"The questions of the kit {self.source.source} cannot be read: {_reason(error)}.",
                "Mend its copier.yml, or name another kit with `--kit`.",
            ) from error

    def render(self, answers: Mapping[str, Any], folder: Path) -> list[str]:
        """Generate the service's files.

        Args:
            answers: An answer to every question that is asked.
            folder: Where the files go; not yet existing.

        Returns:
            What was generated, as sorted relative paths.

        Raises:
            ScaffoldError: The kit cannot be rendered.
        """
        from copier.errors import CopierError, UnsafeTemplateError
        from jinja2 import TemplateError

        self._worker.dst_path = folder
        self._worker.data = dict(answers)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._worker.run_copy()
        except UnsafeTemplateError as error:
            raise ScaffoldError(
                f"The kit {self.source.source} wants to run code of its own on this machine.",
                "A kit does without tasks, migrations and Jinja extensions: ask its owners to remove them.",
            ) from error
        except (TemplateError, CopierError, ValueError, OSError) as error:
            if isinstance(error, OSError) and _concerns(error, folder):
                raise _not_writable("The service", error) from error
            raise ScaffoldError(
                f"The kit {self.source.source} cannot be rendered: {_reason(error)}.",
                "Nothing was written; if the answers are right, tell the kit's owners.",
            ) from error
        if not folder.is_dir():
            raise ScaffoldError(
                f"The kit {self.source.source} generates nothing from these answers.",
                "Name another kit with `--kit`, or tell the kit's owners.",
            )
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


@contextmanager
def open_kit(source: KitSource) -> Iterator[Kit]:
    """A kit's files, at the commit in use, until the block ends.

    Args:
        source: The kit, fetched.

    Yields:
        The kit, for its questions and for rendering.

    Raises:
        ScaffoldError: Its files cannot be copied.
    """
    from concurrent.futures import ThreadPoolExecutor
    from tempfile import TemporaryDirectory

    with (
        TemporaryDirectory(prefix="scaffold-kit-", ignore_cleanup_errors=True) as temporary,
        ThreadPoolExecutor(1) as beside,
        warnings.catch_warnings(),
        without_git_variables(),
    ):
        copied = beside.submit(_copy, source, Path(temporary))  # while Python imports Copier
        warnings.simplefilter("ignore")
        # Copier's `run_copy` would fetch the kit once more, and asks Git once per file about the index
        # of a folder that has none; together a fifth of the time. Its Worker, deprecated as an import
        # but part of every Copier 9, can do without. Should a later 9 name that step otherwise, it is
        # done again: slower, and no different.
        from copier.main import Worker

        class NewFolderWorker(Worker):
            def _sync_git_index_executable_bit(self, dst_relpath: Path, src_mode: int) -> None:
                pass

        with NewFolderWorker(source.source, vcs_ref=source.ref, defaults=True, quiet=True) as worker:
            worker.template.local_abspath = copied.result()
            yield Kit(source, worker)


def _copy(source: KitSource, folder: Path) -> Path:
    """A clone of the kit at its commit that nobody else writes to."""
    clone = ("clone", "--quiet", "--shared", "--no-checkout", "--template=")
    git(*ISOLATED, *clone, "--", os.fspath(source.repository), ".", cwd=folder)
    git(*ISOLATED, "checkout", "--quiet", "--detach", source.ref, cwd=folder)
    if (folder / ".gitmodules").exists():
        git(*ISOLATED, "submodule", "--quiet", "update", "--init", "--recursive", cwd=folder)
    return folder.resolve()


def first_commit(folder: Path, message: str) -> str:
    """Make a Git repository of a folder, with everything in its first commit.

    Args:
        folder: The service's files.
        message: The commit's message.

    Returns:
        The commit.

    Raises:
        ScaffoldError: Git is missing or fails.
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
    """Who commits: what this machine knows of the person, and a stand-in for what it does not."""
    identity = {}
    for field, fallback in _FALLBACK_IDENTITY.items():
        try:
            known = git("config", "--get", f"user.{field.lower()}", cwd=folder) or fallback
        except GitFailed:
            known = fallback
        for role in ("AUTHOR", "COMMITTER"):
            name = f"GIT_{role}_{field}"
            identity[name] = os.environ.get(name) or known
    return identity


def _concerns(error: OSError, folder: Path) -> bool:
    """Whether writing below a folder failed, and not reading the kit; a template that is missing is an OSError too."""
    from jinja2 import TemplateError

    written = error.filename is None or Path(str(error.filename)).is_relative_to(folder.parent)
    return written and not isinstance(error, TemplateError)


def _reason(error: Exception) -> str:
    """What is wrong, in the words of whatever noticed it first."""
    return str(error.__cause__ or error).strip().rstrip(".")


def _occupied(destination: Path, what: str) -> ScaffoldError:
    return ScaffoldError(f"{destination} {what}.", "Name a folder that does not exist yet: `scaffold new FOLDER`.")


def _not_writable(destination: Path | str, error: OSError) -> ScaffoldError:
    reason = (error.strerror or str(error)).rstrip(".")
    return ScaffoldError(
        f"{destination} cannot be written: {reason}.", "Name a folder that you may write to: `scaffold new FOLDER`."
    )
