"""The `#{namespace.variable}` references in the configuration of actions and rules."""

from __future__ import annotations

import re
from collections.abc import Mapping

from scaffold.engine.pipeline.state import Execution

_REFERENCE = re.compile(r"#\{(?P<namespace>[A-Za-z0-9@_-]+)\.(?P<variable>[A-Za-z0-9@_-]+)\}")

Namespaces = Mapping[str, Mapping[str, str]]


class Unresolvable(Exception):
    """A reference names a variable that no action has produced."""


def namespaces_of(execution: Execution) -> Namespaces:
    """The variables that an execution's actions and rules may use."""
    own = {"PipelineExecutionId": execution.identifier}
    return {**execution.namespaces, "variables": execution.variables, "codepipeline": own}


def resolve(configuration: Mapping[str, str], namespaces: Namespaces) -> dict[str, str]:
    """Replace each reference by its variable's value, which is not searched for references again.

    Raises:
        Unresolvable: A variable does not exist.
    """

    def value(match: re.Match[str]) -> str:
        variables = namespaces.get(match["namespace"], {})
        if match["variable"] not in variables:
            raise Unresolvable(match[0])
        return variables[match["variable"]]

    return {key: _REFERENCE.sub(value, text) for key, text in configuration.items()}
