"""Copier without work that it repeats for each service: tests of one process render the kit several hundred times."""

from __future__ import annotations

from collections.abc import Mapping
from types import CodeType, ModuleType
from typing import Any

import pytest
import yaml
from copier._user_data import DEFAULT_DATA, AnswersMap
from jinja2 import Environment

# The attributes of an environment that decide how the text of a template becomes code.
_SYNTAX = (
    *(f"{kind}_{end}_string" for kind in ("block", "variable", "comment") for end in ("start", "end")),
    *("line_statement_prefix", "line_comment_prefix", "trim_blocks", "lstrip_blocks", "newline_sequence"),
    *("keep_trailing_newline", "autoescape", "finalize", "optimized", "is_async", "undefined", "__class__"),
)


def fast_copier(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Copier do without it."""
    compile_templates_once(monkeypatch)
    leave_file_modes_to_git(monkeypatch)
    combine_answers_in_one_go(monkeypatch)
    parse_yaml_in_c(monkeypatch)


def compile_templates_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Jinja compile each template once, also for other clones of the kit and other environments."""
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
            compiled[key] = compile_template(environment, source, name, filename)
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
