"""Copier without work that it repeats for each service: tests of one process render the kit several hundred times."""

from __future__ import annotations

import marshal
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest
import yaml
from copier import _template
from copier._main import Worker
from copier._user_data import DEFAULT_DATA, AnswersMap
from jinja2 import Environment

# The attributes of an environment that decide how the text of a template becomes code.
_SYNTAX = (
    *(f"{kind}_{end}_string" for kind in ("block", "variable", "comment") for end in ("start", "end")),
    *("line_statement_prefix", "line_comment_prefix", "trim_blocks", "lstrip_blocks", "newline_sequence"),
    *("keep_trailing_newline", "autoescape", "finalize", "optimized", "is_async", "undefined", "__class__"),
)


def fast_copier(monkeypatch: pytest.MonkeyPatch, compiled: Path) -> None:
    """Let Copier do without it.

    Args:
        compiled: A folder for compiled templates, which all processes of a test run share, and for clones.
    """
    compile_templates_once(monkeypatch, compiled)
    leave_file_modes_to_git(monkeypatch)
    combine_answers_in_one_go(monkeypatch)
    derive_from_answers_once(monkeypatch)
    leave_plain_text_as_it_is(monkeypatch)
    parse_yaml_in_c(monkeypatch)
    clone_each_state_once(monkeypatch, compiled)


def clone_each_state_once(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let Copier read a tag or a commit of a local repository from one clone while that repository stays as it is."""
    clone = _template.clone
    clones: dict[tuple[Any, ...], str] = {}

    def state(repository: Path) -> tuple[Any, ...]:
        # Each commit, tag and setting renames a file into one of these folders.
        folders = (repository / ".git", *sorted((repository / ".git" / "refs").rglob("*/")))
        return tuple((os.fspath(path), path.stat().st_mtime_ns, path.stat().st_ino) for path in folders)

    def clone_once(url: str, ref: str = "HEAD", location: str | None = None) -> str:
        repository = Path(url)
        if ref == "HEAD" or not repository.is_absolute() or not (repository / ".git").is_dir():
            return clone(url, ref, location)
        key = (url, ref, state(repository))
        if key not in clones:
            clones[key] = clone(url, ref, tempfile.mkdtemp(prefix="clone-", dir=folder))
        return clones[key]  # Copier deletes the empty location.

    monkeypatch.setattr(_template, "clone", clone_once)


def compile_templates_once(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let Jinja compile each template once, also for other clones of the kit, environments and processes."""
    compile_template = Environment.compile
    compiled: dict[tuple[Any, ...], CodeType] = {}

    def compile_once(
        environment: Environment, source: Any, name: str | None = None, filename: str | None = None, **more: Any
    ) -> Any:
        if more or not isinstance(source, str):
            return compile_template(environment, source, name, filename, **more)
        key = (source, name, *environment.extensions, *(getattr(environment, field) for field in _SYNTAX))
        if key in compiled:
            environment.preprocess(source, name, filename)  # ends the effect of Copier's `yield` tag in another one
        else:
            file = folder / sha256(repr(key).encode()).hexdigest()
            if file.exists():
                compiled[key] = marshal.loads(file.read_bytes())
                environment.preprocess(source, name, filename)
            else:
                compiled[key] = compile_template(environment, source, name, filename)
                with suppress(OSError):  # A test limits what is written.
                    partial = file.with_suffix(f".{os.getpid()}")
                    partial.write_bytes(marshal.dumps(compiled[key]))
                    partial.replace(file)
        return compiled[key].replace(co_filename=filename or "<template>")

    monkeypatch.setattr(Environment, "compile", compile_once)


def leave_file_modes_to_git(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Copier run no Git for each file: it would set modes in the index where `core.fileMode` is false."""
    monkeypatch.setattr("copier._main.Worker._sync_git_index_executable_bit", lambda *_: None)


def combine_answers_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Copier combine its sources of answers without a ChainMap, which looks each answer up by itself."""

    def combined(answers: AnswersMap) -> Mapping[str, Any]:
        sources = (answers.user_defaults, answers.last, answers.metadata, answers.init, answers.user)
        found = {**DEFAULT_DATA, "_external_data": answers.external}
        for source in sources:
            found.update(source)
        return found

    monkeypatch.setattr(AnswersMap, "combined", property(combined))


def derive_from_answers_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Copier derive once for a rendering what it derives from the answers for each path and each file."""
    render_template, remember = Worker._render_template, Worker._answers_to_remember
    answers_file = vars(Worker)["answers_relpath"].fget

    def rendering(worker: Worker) -> None:
        vars(worker)["_derived"] = {}
        try:
            render_template(worker)
        finally:
            del vars(worker)["_derived"]

    def once(derive: Callable[[Worker], Any], worker: Worker) -> Any:
        derived = vars(worker).get("_derived")
        if derived is None:
            return derive(worker)
        if derive not in derived:
            derived[derive] = derive(worker)
        return derived[derive]

    def answers_file_once(worker: Worker) -> Path:
        worker.jinja_env.preprocess("")  # ends the effect of Copier's `yield` tag, as rendering its name does
        path: Path = once(answers_file, worker)
        return path

    monkeypatch.setattr(Worker, "_render_template", rendering)
    monkeypatch.setattr(Worker, "_answers_to_remember", lambda worker: once(remember, worker))
    monkeypatch.setattr(Worker, "answers_relpath", property(answers_file_once))


def leave_plain_text_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Copier render no text without any Jinja: most parts of its paths are plain names."""
    render_string = Worker._render_string

    def rendered(worker: Worker, string: Any, extra_context: dict[str, Any] | None = None) -> str:
        environment = worker.jinja_env
        starts = (environment.block_start_string, environment.variable_start_string, environment.comment_start_string)
        lines = "\n", "\r", environment.line_statement_prefix, environment.line_comment_prefix
        if not isinstance(string, str) or any(mark in string for mark in (*starts, *lines) if mark):
            return render_string(worker, string, extra_context)
        environment.preprocess(string)  # ends the effect of Copier's `yield` tag in another one
        return string

    monkeypatch.setattr(Worker, "_render_string", rendered)


def parse_yaml_in_c(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Copier and its filters parse YAML with libyaml; what is refused is parsed again, for the same message."""

    def safe_load(text: str) -> Any:
        try:
            return yaml.load(text, yaml.CSafeLoader)
        except yaml.YAMLError:
            return yaml.safe_load(text)

    fast = ModuleType("yaml")
    vars(fast).update(vars(yaml), safe_load=safe_load, SafeLoader=yaml.CSafeLoader)
    for module in ("copier._template", "copier._user_data", "jinja2_ansible_filters.core_filters"):
        monkeypatch.setattr(f"{module}.yaml", fast)
