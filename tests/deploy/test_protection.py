"""`scaffold deploy` turns termination protection on for foundation, permissions and production's stacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scaffold.core.errors import ScaffoldError
from scaffold.core.results import Change
from scaffold.service.service import Service, read
from scaffold.service.stack_kinds import stack_ids
from scaffold.views.deploy import text
from tests.deploy.services import (
    MORE,
    PERMISSIONS,
    Wire,
    commit,
    environment_stack,
    foundation_stack,
    lift_protection,
    protected_stacks,
    run,
    without_pages,
)
from tests.repair.situations import TOPIC, create, status

READS = ("Get", "List", "Describe", "Head")


@pytest.mark.parametrize(("production", "others"), [("dr", {"dev", "prod"}), ("prod", {"dev"}), ("dev", set())])
def test_what_others_depend_on_and_all_of_production_is_protected(
    tmp_path: Path, production: str, others: set[str]
) -> None:
    service = Service(tmp_path, "orders", "us-east-1", ("dev", "prod", "dr"), production)
    unprotected = {stack.name("orders") for stack in stack_ids(service.environments) if not service.protects(stack)}
    own = ("build", "checks", "pull-requests", "plans", "releases", "tests", "events", "pipeline")
    once = {f"orders-{kind}" for kind in own}
    of_environments = {stack.name("orders") for stack in stack_ids(others) if stack.environment}
    assert unprotected == once | of_environments


def enabled(service: Path, **options: Any) -> set[str]:
    """The stacks whose protection a deployment turns on, or its plan says that it would."""
    result = run(service, **options)
    found = {change.name for step in result.steps for change in step.changes if change.type == "termination-protection"}
    if result.planned and found:
        assert all(f"enable termination protection of {stack}\n" in text(result) + "\n" for stack in found)
    return found


def test_protection_is_created_planned_and_restored(service: Path, wire: Wire) -> None:
    app = read(service).app_name
    permissions = f"{app}-permissions"
    wanted = {foundation_stack(app), permissions, environment_stack(app, "prod", "deploy-role")}
    assert enabled(service, plan=True) == wanted
    assert protected_stacks(app) == set()
    assert enabled(service) == protected_stacks(app) == wanted
    # With the creation, so that there is no moment without it.
    assert "cloudformation:UpdateTerminationProtection" not in wire.calls

    def calls() -> list[str]:
        wire.calls.clear()
        assert not run(service).changed
        return without_pages(wire.calls)

    unchanged = calls()
    lift_protection(app)
    wire.calls.clear()
    planned = run(service, plan=True)
    assert planned.exit_code == 10
    assert {step.name: step.changes for step in planned.steps if step.action != "none"} == {
        stack: (Change("termination-protection", stack, "enable"),) for stack in wanted
    }
    assert all(call.split(":")[1].startswith(READS) for call in wire.calls)
    wire.calls.clear()
    assert enabled(service) == protected_stacks(app) == wanted
    writes = [call for call in wire.calls if not call.split(":")[1].startswith(READS)]
    assert writes == ["cloudformation:UpdateTerminationProtection"] * 3
    assert calls() == unchanged

    # Together with another change of the same stack.
    lift_protection(app)
    commit(service, infrastructure__permissions_yaml=PERMISSIONS + MORE)
    planned = run(service, plan=True)
    done = run(service)
    assert planned.steps == done.steps
    (step,) = (step for step in done.steps if step.name == permissions)
    assert step.changes[-1] == Change("termination-protection", permissions, "enable")
    assert len(step.changes) > 1
    assert protected_stacks(app) == wanted
    assert not run(service).changed


def test_a_stack_that_exists_by_now_keeps_its_protection(service: Path, wire: Wire) -> None:
    """Such as one in review, whose change set another person executes during the deployment."""
    app = read(service).app_name
    stack = foundation_stack(app)
    create(stack, app, TOPIC, EnableTerminationProtection=True)
    listed: list[str] = []

    def describe(parsed: dict[str, Any]) -> None:
        for one in parsed["Stacks"]:
            if one["StackName"] == stack and not listed:
                one["StackStatus"] = "REVIEW_IN_PROGRESS"
                listed.append(stack)

    wire.touched["DescribeStacks"] = describe
    with pytest.raises(ScaffoldError) as caught:
        run(service)
    assert caught.value.happened == (
        f"The stack {stack} was REVIEW_IN_PROGRESS, and is CREATE_COMPLETE now: another person works on it."
    )
    assert (status(stack), protected_stacks(app)) == ("CREATE_COMPLETE", {stack})
    assert not {"cloudformation:DeleteStack", "cloudformation:UpdateTerminationProtection"} & set(wire.calls)
