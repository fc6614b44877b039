"""Requests that AWS has done although their answers were lost, and two deployments at once."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import COMMAND
from tests.deploy.services import (
    MORE,
    PIPELINE,
    RULE,
    Wire,
    client,
    commit,
    make_service,
    remove,
    run,
)
from tests.destroy.test_destroy import fill

TWO = RULE | {"Statements": [{"Type": "Approvers", "NumberOfApprovalsNeeded": 2}]}
QUICK = ("CreateApprovalRuleTemplate", "CreateStack", "CreateChangeSet")


def change(service: Path) -> None:
    configuration = json.loads((service / "infrastructure/pipeline.json").read_text())
    configuration["StackPolicy"]["Statement"][0]["Action"] = ["Update:*"]
    commit(
        service,
        infrastructure__pipeline_yaml=PIPELINE + MORE,
        infrastructure__pipeline_json=json.dumps(configuration),
        **{"config__policies__approval-rule-review_json": json.dumps(TWO)},
    )


def check_lost(service: Path, wire: Wire, operation: str) -> None:
    """A deployment, a changed one and a teardown end as if no answer were lost."""
    for role in client("iam").list_roles(PathPrefix="/aws-service-role/")["Roles"]:
        client("iam").delete_service_linked_role(RoleName=role["RoleName"])
    wire.lose_answer(operation)
    run(service)
    assert not run(service).changed
    change(service)
    wire.lose_answer(operation)
    run(service)
    assert not run(service, plan=True).changed
    fill(service)
    wire.lose_answer(operation)
    remove(service)
    wire.transport.clear()
    assert operation in wire.lost
    assert not remove(service, plan=True).changes


@pytest.mark.parametrize("operation", QUICK)
def test_a_lost_answer_changes_no_outcome(service: Path, wire: Wire, operation: str) -> None:
    wire.lose_answer(operation)
    run(service)
    if operation == "CreateChangeSet":
        change(service)
        run(service)
    assert wire.lost == [operation]
    assert not run(service, plan=True).changed


def writing_operations() -> list[str]:
    return [
        "AssociateApprovalRuleTemplateWithRepository",
        "CreateApprovalRuleTemplate",
        "CreateChangeSet",
        "CreateRepository",
        "CreateServiceLinkedRole",
        "CreateStack",
        "DeleteApprovalRuleTemplate",
        "DeleteBucket",
        "DeleteChangeSet",
        "DeleteObjects",
        "DeleteRepository",
        "DeleteStack",
        "DisassociateApprovalRuleTemplateFromRepository",
        "ExecuteChangeSet",
        "ScheduleKeyDeletion",
        "SetStackPolicy",
        "TagResource",
        "UpdateApprovalRuleTemplateContent",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("operation", writing_operations())
def test_no_lost_answer_changes_an_outcome(service: Path, wire: Wire, operation: str) -> None:
    check_lost(service, wire, operation)


@pytest.mark.slow
def test_the_sweep_covers_every_writing_call(service: Path, wire: Wire) -> None:
    run(service)
    change(service)
    run(service)
    remove(service)
    called = {call.split(":")[1] for call in wire.calls}
    writes = {one for one in called if not one.startswith(("Get", "List", "Describe", "Head"))}
    assert writes <= set(writing_operations())


def test_a_key_whose_deletion_was_scheduled_without_an_answer_is_scheduled(deployed: Path, wire: Wire) -> None:
    wire.lose_answer("ScheduleKeyDeletion")
    result = remove(deployed)
    assert [kept.reason for kept in result.kept if kept.type == "AWS::KMS::Key"] == ["waiting-period"]
    assert wire.lost == ["ScheduleKeyDeletion"]


@pytest.mark.parametrize("rounds", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_two_deployments_at_once_converge_or_report_the_other(tmp_path: Path, aws: None, rounds: int) -> None:
    """Each ends as done, or says that another one is running; a repetition finds nothing to do."""
    for number in range(rounds):
        service = make_service(tmp_path / f"service{number}")
        for _ in range(min(rounds, 2)):
            command = [*COMMAND, "deploy", str(service)]
            both = [subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
            for one in both:
                said = one.communicate(timeout=120)[1].decode()
                assert one.returncode == 0 or "Another deployment" in said, said
            run(service)
            assert not run(service).changed
            change(service)
