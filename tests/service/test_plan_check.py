"""Production's stage stops a release where others have changed a stack since its plan, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.service.plans import REGION, Production, client, refused, topic

OPEN, CLOSED_BY_CHANGE, USAGE_ERROR, CLOSED_UNREAD = 0, 1, 2, 3


@pytest.fixture
def production(service: Path, local: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Production:
    """A production whose stacks are those of the source, which was planned with a new version and other alarms."""
    made = Production("check", service, client(local), monkeypatch)
    made.release()
    made.templates["alarms"] = topic("louder")
    made.image = "v2"
    made.write()
    return made


def opened(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert (done.returncode, done.stderr) == (OPEN, ""), done.stdout + done.stderr
    assert done.stdout.startswith("Plan check open: ")
    assert done.stdout.count("\n") == 1
    for word in words:
        assert word in done.stdout


def closed(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Assert that the check closed with one sentence, which has a remedy."""
    assert (done.returncode, done.stdout) == (code, ""), done.stdout + done.stderr
    assert done.stderr.startswith("Plan check closed: ")
    assert done.stderr.count("\n") == done.stderr.count("; ") == 1
    for word in words:
        assert word in done.stderr


def by_hand(production: Production, kind: str) -> None:
    """Change a stack as a person does."""
    production.update(kind, topic("by hand"), {"AppName": production.app})


def test_stacks_that_are_as_planned_pass(production: Production) -> None:
    opened(production.check(production.planned()["STATE"]), "prod are as they were planned")


def test_what_this_release_has_changed_already_passes(production: Production) -> None:
    state = production.planned()["STATE"]
    for kind in ("task-definition", "alarms", "service"):
        production.release(kind)
        opened(production.check(state))


def test_the_protection_of_the_load_balancer_is_planned_and_released_alike(production: Production) -> None:
    environment = production.templates["environment"]
    environment["Parameters"]["ProtectLoadBalancer"] = {"Type": "String", "Default": "false"}
    environment["Resources"]["Topic"]["Properties"]["DisplayName"] = {"Ref": "ProtectLoadBalancer"}
    production.write()
    production.release("environment")
    assert "environment" not in production.planned()["SUMMARY"]
    production.protect = "true"
    found = production.planned()
    assert "environment: update Topic" in found["SUMMARY"]
    production.release("environment")
    opened(production.check(found["STATE"]))
    production.protect = "false"
    closed(production.check(found["STATE"]), CLOSED_BY_CHANGE, production.name("environment"))


def test_a_stack_that_was_changed_by_hand_stops_the_release(production: Production) -> None:
    state = production.planned()["STATE"]
    by_hand(production, "alarms")
    start = f"`aws codepipeline start-pipeline-execution --name {production.app} --region {REGION}`.\n"
    done = production.check(state)
    closed(done, CLOSED_BY_CHANGE, production.name("alarms"), start)
    assert "retry" not in done.stderr


def test_another_value_of_a_default_stops_the_release(production: Production) -> None:
    state = production.planned()["STATE"]
    production.update("alarms", production.templates["alarms"], {"AppName": production.app, "Level": "high"})
    closed(production.check(state), CLOSED_BY_CHANGE, production.name("alarms"))


def test_a_plan_that_knows_nothing_of_a_stack_stops_the_release(production: Production) -> None:
    state = production.planned()["STATE"].replace("alarms=", "others=")
    closed(production.check(state), CLOSED_BY_CHANGE, production.name("alarms"))


def test_the_entry_check_compares_too(production: Production) -> None:
    state = production.planned()["STATE"]
    assert "Entry check open" in production.enter(state, "2020-01-01..2020-01-02").stdout
    frozen = production.enter(state, "2020-01-01..2099-12-31")
    assert (frozen.returncode, frozen.stdout.count("Plan check open")) == (1, 1)
    by_hand(production, "alarms")
    closed(production.enter(state, "2020-01-01..2099-12-31"), CLOSED_BY_CHANGE, production.name("alarms"))


def test_a_rollback_is_not_compared(production: Production) -> None:
    state = production.planned()["STATE"]
    by_hand(production, "alarms")
    production.rollback = True
    opened(production.check(state), "a rollback returns to an older state")


def test_a_retried_stage_is_not_compared(production: Production) -> None:
    state = production.planned()["STATE"]
    by_hand(production, "alarms")
    action = {"stageName": "Prod", "actionName": "PlanCheck"}
    # The check itself, and those of other stages and actions, are no retry.
    others = [action | {"stageName": "Dr"}, action | {"actionName": "Network"}]
    production.actions = [action | {"status": "InProgress"}, *(one | {"status": "Failed"} for one in others)]
    closed(production.check(state), CLOSED_BY_CHANGE)
    production.actions.append(action | {"status": "Failed"})
    opened(production.check(state), "the stage is retried")


@pytest.mark.parametrize(
    "operation",
    [
        "codepipeline:get-pipeline-execution",
        "codepipeline:list-action-executions",
        "cloudformation:describe-stacks",
        "cloudformation:get-template",
        "cloudformation:validate-template",
    ],
)
def test_what_cannot_be_read_stops_the_release(production: Production, operation: str) -> None:
    state = production.planned()["STATE"]
    production.release("alarms")
    production.faults[operation] = refused("AccessDenied", "not authorized")
    closed(production.check(state), CLOSED_UNREAD, "not authorized", "`scaffold deploy`")


def test_a_missing_plan_is_a_usage_error(production: Production) -> None:
    done = production.check("")
    assert (done.returncode, done.stderr) == (USAGE_ERROR, "Set STATE.\n")
