"""A kit as Copier's template: its questions' entries, and the files that it generates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from copier import load_settings
from copier.errors import SettingsError, UnsafeTemplateError
from jinja2.meta import find_undeclared_variables

from scaffold.core.errors import ScaffoldError
from scaffold.kit.engine.names import AnswersMap, CopierTemplate, SettingsModel, Worker

if TYPE_CHECKING:
    from copier._jinja_ext import SandboxedEnvironment


class AnsweredWorker(Worker):
    """Copier's worker, for answers that are complete already and a folder that is in no repository."""

    def _ask(self) -> None:
        if not self.answers.last:  # An update reads external data from the service, as its questions do.
            self.answers.external = self._external_data()

    def _sync_git_index_executable_bit(self, dst_relpath: Path, src_mode: int) -> None:
        """Do nothing: Copier would run Git for each file, to look for an index that the new folder does not have."""


class RenderingWorker(AnsweredWorker):
    """Copier's worker for a rendering: the answers stay as they are, so what Copier derives from them for each path and
    each file is derived once.
    """

    @property
    def answers_relpath(self) -> Path:
        """The path of the answers file."""
        self.jinja_env.preprocess("")  # as compiling its template does: it ends the effect of a `yield` tag in a path
        return self._answers_file

    @cached_property
    def _answers_file(self) -> Path:
        return super().answers_relpath

    @cached_property
    def _remembered(self) -> Mapping[str, Any]:
        return super()._answers_to_remember()

    def _answers_to_remember(self) -> Mapping[str, Any]:
        return self._remembered


class Template:
    """A kit at one commit, set up in Copier.

    Args:
        source: The address that the service records as `_src_path`.
        version: The name that the service records as `_commit`.
        folder: The kit's files at that commit.
        modes: Git's modes of the files, by path.
    """

    def __init__(self, source: str, commit: str, version: str, folder: Path, modes: Mapping[str, int]) -> None:
        self._folder = folder.resolve()
        self._template = CopierTemplate(url=source, ref=commit)
        # Copier would clone the kit once more, and run Git for each of these.
        self._template.local_abspath = self._folder
        self._template.vcs = "git"
        self._template.commit = version
        self._template.commit_hash = commit
        self._template.git_index_modes = {PurePosixPath(path): mode for path, mode in modes.items()}
        try:
            settings = load_settings()
        except (SettingsError, OSError) as error:
            raise ScaffoldError(
                f"Copier's settings file cannot be read: {' '.join(str(error).split())}.",
                "Fix it; `copier` reads ~/.config/copier/settings.yml, or the file that COPIER_SETTINGS_PATH names.",
            ) from error
        self._settings = SettingsModel(defaults=dict(settings.defaults), trust=set(settings.trust))

    def load(self, *, migrations: bool = True) -> None:
        """Read `copier.yml`.

        Args:
            migrations: Accept migrations, which are code that an update would have to run.

        Raises:
            CopierError: It is malformed, needs a newer Copier, or an extension that is not installed.
            UnsafeTemplateError: It runs code of its own, and the user's settings do not trust the kit.
        """
        self._new_worker(self._folder, {})._check_unsafe("copy")
        if not migrations and self._template._raw_config.get("_migrations"):
            raise UnsafeTemplateError(["migrations"])
        _ = (self.entries, self.secrets, self._environment)

    @property
    def folder(self) -> Path:
        """The kit's files."""
        return self._folder

    @property
    def entries(self) -> Mapping[str, Mapping[str, Any]]:
        """What `copier.yml` says of each question, by name."""
        return self._template.questions_data

    @property
    def secrets(self) -> set[str]:
        """The questions whose answers are not recorded."""
        return self._template.secret_questions

    def depends_on(self, name: str, field: str = "when") -> set[str]:
        """The variables in a question's condition, or in another field of its entry."""
        text = self.entries[name].get(field)
        return find_undeclared_variables(self._environment.parse(text)) if isinstance(text, str) else set()

    @property
    def exclude(self) -> tuple[str, ...]:
        """Patterns of files that are not generated."""
        return tuple(self._template.exclude)

    def skips_if_exists(self, answers: AnswersMap) -> Callable[[Path], bool]:
        """A function that says whether the kit leaves a file as it is where it exists already."""
        worker = self.worker(self._folder / "absent", {})
        worker.answers = answers
        return worker.match_skip

    def render(
        self, answers: AnswersMap, data: Mapping[str, Any], destination: Path, exclude: Sequence[str] = ()
    ) -> None:
        """Generate the files.

        Args:
            answers: The values of all questions.
            data: The answers that were given without a prompt.
            destination: The folder to create.
            exclude: Patterns of files to leave out, beside those of the kit.

        Raises:
            CopierError, jinja2.TemplateError, ValueError, OSError: As Copier raises them.
        """
        worker = self._new_worker(destination, data, RenderingWorker)
        worker.jinja_env = self._environment
        worker.exclude = exclude
        worker.answers = answers
        # Compiling a path ends the effect of the `yield` tag in another one, so paths are compiled at each use.
        vars(self._environment).pop("from_string", None)
        worker.run_copy()

    def worker(self, destination: Path, data: Mapping[str, Any]) -> AnsweredWorker:
        """Copier's worker for a folder, without answers.

        Args:
            destination: The folder.
            data: The answers that were given without a prompt.
        """
        worker = self._new_worker(destination, data)
        worker.jinja_env = self._environment  # templates that were compiled for the questions serve the files too
        return worker

    @cached_property
    def _environment(self) -> SandboxedEnvironment:
        environment = self._new_worker(self._folder, {}).jinja_env
        # Copier compiles each template of a question at each use.
        compiled = lru_cache(maxsize=None)(environment.from_string)
        environment.from_string = compiled  # type: ignore[assignment, method-assign]
        return environment

    def _new_worker(
        self, destination: Path, data: Mapping[str, Any], of: type[AnsweredWorker] = AnsweredWorker
    ) -> AnsweredWorker:
        worker = of(
            src_path=self._template.url,
            dst_path=destination,
            vcs_ref=self._template.ref,
            data=dict(data),
            settings=self._settings,
            defaults=True,
            quiet=True,
        )
        worker.template = self._template
        return worker
