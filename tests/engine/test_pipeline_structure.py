"""What CreatePipeline refuses, as AWS does."""

from __future__ import annotations

from typing import Any

import pytest

from scaffold.local.protocol import ServiceError
from scaffold.local.services.pipeline_structure import check_structure
from tests.engine.pipeline.driver import action, condition, pipeline, stage


def conditional(kind: str, outcome: str, provider: str = "VariableCheck", **more: str) -> dict[str, Any]:
    made = condition(kind, outcome, "r")
    made[kind]["conditions"][0]["rules"][0]["ruleTypeId"]["provider"] = provider
    return {kind: made[kind] | more}


@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        (
            conditional("beforeEntry", "SKIP", "CloudWatchAlarm"),
            "the result SKIP needs rules of LambdaInvoke or VariableCheck, not CloudWatchAlarm",
        ),
        (conditional("onFailure", "RETRY"), "the result of a condition of onFailure must be ROLLBACK, not RETRY"),
        (
            conditional("onFailure", "ROLLBACK", result="RETRY"),
            "a stage with a condition of onFailure cannot be retried automatically",
        ),
    ],
    ids=["skip", "retry", "condition and retry"],
)
def test_conditions_that_aws_does_not_support_are_refused(conditions: dict[str, Any], reason: str) -> None:
    with pytest.raises(ServiceError) as refused:
        check_structure(pipeline(stage("Deploy", action("A"), **conditions)))
    assert (refused.value.code, refused.value.message) == (
        "InvalidStageDeclarationException",
        f"Stage 'Deploy': {reason}",
    )


@pytest.mark.parametrize(
    "conditions",
    [
        conditional("beforeEntry", "SKIP", "LambdaInvoke"),
        conditional("beforeEntry", "SKIP"),
        conditional("beforeEntry", "FAIL", "DeploymentWindow"),
        conditional("onFailure", "ROLLBACK"),
        conditional("onFailure", "ROLLBACK", result="ROLLBACK"),
    ],
    ids=str,
)
def test_conditions_that_aws_supports_are_accepted(conditions: dict[str, Any]) -> None:
    check_structure(pipeline(stage("Deploy", action("A"), **conditions)))
