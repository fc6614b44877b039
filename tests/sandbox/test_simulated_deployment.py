"""The probe of the simulation, with IAM's policies as this project evaluates them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from scaffold.iam.policies import Request, refusal
from tools.sandbox.probes.permissions import simulated_deployment
from tools.sandbox.verdicts import Outcome, Undecided


class Simulation:
    """Evaluates policies, with some of the given condition keys only.

    Args:
        kinds: The kinds of keys that it knows.
        all_allowed: Whether it allows everything.
    """

    def __init__(self, kinds: set[str], all_allowed: bool = False) -> None:
        self._kinds = kinds
        self._all_allowed = all_allowed

    def get_paginator(self, operation: str) -> Simulation:
        assert operation == "simulate_custom_policy"
        return self

    def paginate(
        self,
        PolicyInputList: list[str],  # noqa: N803
        ActionNames: list[str],  # noqa: N803
        ResourceArns: list[str],  # noqa: N803
        ContextEntries: list[dict[str, Any]],  # noqa: N803
    ) -> Iterator[dict[str, Any]]:
        statements = [one for text in PolicyInputList for one in json.loads(text)["Statement"]]
        context = {
            one["ContextKeyName"]: one["ContextKeyValues"]
            for one in ContextEntries
            if one["ContextKeyType"] in self._kinds
        }
        for action in ActionNames:
            results = []
            for resource in ResourceArns:
                denied = not self._all_allowed and refusal(Request(action, resource, context), statements)
                results.append({"EvalActionName": action, "EvalDecision": "implicitDeny" if denied else "allowed"})
            yield {"EvaluationResults": results}


@pytest.mark.parametrize(
    ("simulation", "outcome"),
    [
        (Simulation({"string", "stringList"}), Outcome.PROVED),
        (Simulation({"string"}), Outcome.REFUTED),
        (Simulation({"string"}, all_allowed=True), Outcome.REFUTED),
        (Simulation(set()), Outcome.UNDECIDED),
    ],
)
def test_the_verdict(simulation: Simulation, outcome: Outcome) -> None:
    account = SimpleNamespace(id="123456789012", region="us-east-1", partition="aws")
    sandbox: Any = SimpleNamespace(
        account=account, client=lambda service: simulation, name=lambda subject: f"sbx-1-{subject}"
    )
    try:
        assert simulated_deployment(sandbox).outcome is outcome
    except Undecided:
        assert outcome is Outcome.UNDECIDED
