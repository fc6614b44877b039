"""Why a YAML document cannot be read, with its place."""

from __future__ import annotations

import yaml


def reason(error: yaml.YAMLError) -> str:
    """The line, the column and the parser's words."""
    if isinstance(error, yaml.MarkedYAMLError) and (mark := error.problem_mark or error.context_mark):
        problem = " ".join((error.problem or error.context or "it is not YAML").split())
        return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"
    return " ".join(str(error).split()) or "it is not YAML"
