"""The rules of stage conditions."""

from __future__ import annotations

import re

from scaffold.engine.pipeline.jobs import Failed, Job, Outcome, Succeeded


def variable_check(job: Job) -> Outcome:
    """VariableCheck: compares a variable with a value."""
    given = job.assignment.configuration
    variable, value, operator = given.get("Variable", ""), given.get("Value", ""), given.get("Operator", "")
    comparisons = {"EQ": "equal to", "NE": "different from", "MATCHES": "matched by"}
    if operator not in comparisons:
        return Failed("RuleConfigurationError", f"not rehearsed: the operator {operator!r} of VariableCheck")
    if operator == "MATCHES":
        try:
            met = re.search(value, variable) is not None
        except re.error as error:
            return Failed("RuleConfigurationError", f"{value} is not a regular expression: {error}")
    else:
        met = (variable == value) == (operator == "EQ")
    comparison = f"{comparisons[operator]} {value!r}"
    if met:
        return Succeeded(f"{variable!r} is {comparison}")
    return Failed("RuleFailed", f"{variable!r} is not {comparison}")
