"""The rules of stage conditions."""

from __future__ import annotations

import re
from collections.abc import Callable

from scaffold.engine.pipeline.jobs import Failed, Job, Outcome, Succeeded

_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "EQ": lambda variable, value: variable == value,
    "NE": lambda variable, value: variable != value,
    "CONTAINS": lambda variable, value: value in variable,
    "MATCHES": lambda variable, value: re.fullmatch(value, variable) is not None,
}


def variable_check(job: Job) -> Outcome:
    """VariableCheck: compares a variable with a value."""
    given = job.assignment.configuration
    variable, value, operator = given.get("Variable", ""), given.get("Value", ""), given.get("Operator", "")
    if operator not in _COMPARISONS:
        return Failed("RuleConfigurationError", f"not rehearsed: the operator {operator!r} of VariableCheck")
    try:
        met = _COMPARISONS[operator](variable, value)
    except re.error as error:
        return Failed("RuleConfigurationError", f"{value!r} is not a regular expression: {error}")
    comparison = f"{variable!r} {operator} {value!r}"
    return Succeeded(f"{comparison} is true") if met else Failed("RuleFailed", f"{comparison} is false")
