"""Copier without work that it repeats for each service: tests of one process render the kit several hundred times."""

from __future__ import annotations

from types import CodeType
from typing import Any

import pytest
from jinja2 import Environment

# The attributes of an environment that decide how the text of a template becomes code.
_SYNTAX = (
    *(f"{kind}_{end}_string" for kind in ("block", "variable", "comment") for end in ("start", "end")),
    *("line_statement_prefix", "line_comment_prefix", "trim_blocks", "lstrip_blocks", "newline_sequence"),
    *("keep_trailing_newline", "autoescape", "finalize", "optimized", "is_async", "undefined", "__class__"),
)


def compile_templates_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Jinja compile each template once, also for other clones of the kit and other environments."""
    compile_template = Environment.compile
    compiled: dict[tuple[Any, ...], CodeType] = {}

    def compile_once(
        environment: Environment, source: Any, name: str | None = None, filename: str | None = None, **more: Any
    ) -> Any:
        # Copier's `yield` tag takes effect while it is compiled.
        if more or not isinstance(source, str) or "yield" in source:
            return compile_template(environment, source, name, filename, **more)
        key = (source, name, *environment.extensions, *(getattr(environment, field) for field in _SYNTAX))
        if key in compiled:
            environment.preprocess(source, name, filename)  # ends the effect of an earlier `yield`
        else:
            compiled[key] = compile_template(environment, source, name, filename)
        return compiled[key].replace(co_filename=filename or "<template>")

    monkeypatch.setattr(Environment, "compile", compile_once)


def leave_file_modes_to_git(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Copier run no Git for each file: it would set modes in the index where `core.fileMode` is false."""
    monkeypatch.setattr("copier._main.Worker._sync_git_index_executable_bit", lambda *_: None)
