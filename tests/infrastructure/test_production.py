"""Production is named: which environments come before or after it changes neither its stage nor its files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.iam import allowed, statements_of
from tests.infrastructure.stacks import Stacks, one
from tests.infrastructure.test_permissions import stack_arn

Answers = dict[str, Any]
LISTS = {
    "live": {"environments": "live"},
    "dev,live,dr": {"environments": "dev,live,dr", "production": "live"},
    "live,dev": {"environments": "live,dev", "production": "live"},
    "qa, live ,dr,zz": {"environments": "qa, live ,dr,zz", "production": "live"},
}
STRATEGIES = {"rolling": {}, "canary": {"deployment_strategy": "canary"}}
STACKS = ("network", "environment", "task-definition", "alarms", "service")


def split(answers: Answers) -> tuple[list[str], list[str]]:
    """The environments before production, and those from production on."""
    names = [name.strip() for name in answers["environments"].split(",")]
    return names[: names.index("live")], names[names.index("live") :]


def renamed(value: Any, name: str) -> Any:
    """The same for an environment of the name `live`."""
    # The first environment has none before it, whose alarms would count.
    before = re.compile(r'{\\"name\\": \\"BEFORE\\", \\"value\\": \\"\w+\\"}, ')
    text = before.sub("", json.dumps(value, default=str)).replace("entry_check", "plan_check")
    text = re.sub(rf"\b{name}\b", "live", text)
    text = re.sub(rf"(PROTECT_){name.upper()}\b", r"\1LIVE", text)
    return json.loads(re.sub(rf"(\bPlan|\b){name.capitalize()}", r"\1Live", text))


def treatment(stacks: Stacks, root: Path, name: str) -> dict[str, Any]:
    """How an environment is treated: its stage, its parameters, and the pipeline's permissions for its stacks."""
    pipeline = one(stacks, "pipeline")
    ((_, properties),) = pipeline.of_type("AWS::CodePipeline::Pipeline")
    # Only the named production records and tags a release.
    stages = [
        {**one, "Actions": [action for action in one["Actions"] if action["Name"] != "Release"]}
        for one in properties["Stages"]
        if one["Name"].rpartition("-")[2] == name.capitalize()
    ]
    role = statements_of(one(stacks, "build"), "PipelineRole")
    environment, service = (
        json.loads((root / "infrastructure" / name / f"{kind}.json").read_text())["Parameters"]
        for kind in ("environment", "service")
    )
    actions = ("CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet", "ExecuteChangeSet")
    return {
        "stages": renamed(stages, name),
        "service": renamed(service, name),
        "insights": environment["ContainerInsights"],
        "permissions": {
            (kind, action): allowed(role, f"cloudformation:{action}", stack_arn(f"hello-service-{name}-{kind}"))
            for kind in STACKS
            for action in actions
        },
    }


@pytest.mark.parametrize("strategy", ["rolling", pytest.param("canary", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "environments",
    ["live", "dev,live,dr", *(pytest.param(one, marks=pytest.mark.slow) for one in ("live,dev", "qa, live ,dr,zz"))],
)
def test_every_environment_from_production_on_is_treated_like_the_last_of_two(
    stacks_of: Callable[..., Stacks], generated: Callable[..., Path], environments: str, strategy: str
) -> None:
    two = {"environments": "dev,live", **STRATEGIES[strategy]}
    production = treatment(stacks_of(**two), generated(**two), "live")
    answers = LISTS[environments] | STRATEGIES[strategy]
    stacks, root = stacks_of(**answers), generated(**answers)
    earlier, later = split(answers)
    for name in later:
        assert treatment(stacks, root, name) == production, name
    for name in earlier:
        assert treatment(stacks, root, name)["stages"] != production["stages"], name


def test_production_has_approval_capacity_and_protection(
    stacks_of: Callable[..., Stacks], generated: Callable[..., Path]
) -> None:
    answers = LISTS["dev,live,dr"]
    for name in ("live", "dr"):
        found = treatment(stacks_of(**answers), generated(**answers), name)
        (plan, approval, stage), service = found["stages"], found["service"]
        assert [one["Name"] for one in (plan, approval, stage)] == ["Plan-Live", "Approve-Live", "Live"]
        (condition,) = approval["BeforeEntry"]["Conditions"]
        (rule,) = condition["Rules"]
        assert condition["Result"] == "SKIP"
        assert rule["Configuration"] == {"Variable": "#{PlanLive.CHANGED}", "Operator": "NE", "Value": "no"}
        (action,) = approval["Actions"]
        assert action["TimeoutInMinutes"] == 7 * 24 * 60
        assert "#{PlanLive.SUMMARY}" in action["Configuration"]["CustomData"]
        assert min(stage["Actions"], key=lambda one: one["RunOrder"])["Name"] == "PlanCheck"
        assert not {"OnFailure", "BeforeEntry"} & set(stage)
        assert (service["MinTasks"], service["MaxTasks"], service["Spot"]) == ("2", "10", "false")
        assert service["BakeMinutes"] == "10"
        assert found["insights"] == "disabled"
        assert {action for (_, action), may in found["permissions"].items() if may} == {"UpdateStack"}


@pytest.mark.parametrize("environments", LISTS)
def test_the_pipeline_creates_and_deletes_no_stack(stacks_of: Callable[..., Stacks], environments: str) -> None:
    stacks = stacks_of(**LISTS[environments])
    modes = {
        action["Configuration"].get("ActionMode")
        for _, properties in one(stacks, "pipeline").of_type("AWS::CodePipeline::Pipeline")
        for stage in properties["Stages"]
        for action in stage["Actions"]
        if action["ActionTypeId"]["Provider"] == "CloudFormation"
    }
    assert modes == {"CREATE_UPDATE"}
    (boundary,) = [
        properties["PolicyDocument"]["Statement"]
        for logical, properties in one(stacks, "permissions").of_type("AWS::IAM::ManagedPolicy")
        if logical == "Boundary"
    ]
    for statements in (statements_of(one(stacks, "build"), "PipelineRole"), boundary):
        assert all(statement["Resource"] for statement in statements)
        for name in stacks:
            for action in ("CreateStack", "DeleteStack"):
                assert not allowed(statements, f"cloudformation:{action}", stack_arn(name)), (action, name)
