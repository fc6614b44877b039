"""Operations on stacks that fail without a failed resource: the reason is the stack's own, or its role's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scaffold.aws.cloudformation import stacks
from scaffold.aws.cloudformation.stack_events import Watch, explain, follow, newest_event
from scaffold.aws.session import Session, new_session
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError
from scaffold.core.target import configured_target
from scaffold.views.deploy import text
from tests.deploy.services import Wire, client, run, unused_name
from tests.pauses import skip_pauses

TOPIC: dict[str, Any] = {"Type": "AWS::SNS::Topic", "Properties": {}}


def exporting(name: str, value: str) -> str:
    outputs = {"Shared": {"Value": value, "Export": {"Name": name}}}
    return json.dumps({"Resources": {"Topic": TOPIC}, "Outputs": outputs})


@pytest.fixture
def session(aws: None) -> Session:
    target = configured_target("us-east-1")
    return Session("000000000000", "arn:aws:iam::000000000000:root", target, new_session(target))


@pytest.fixture
def exporter(session: Session) -> Iterator[str]:
    """A stack whose export, of the same name, another stack imports."""
    name, api = unused_name(), client("cloudformation")
    importing = TOPIC | {"Properties": {"DisplayName": {"Fn::ImportValue": name}}}
    made = {name: exporting(name, "a"), f"{name}-importer": json.dumps({"Resources": {"Topic": importing}})}
    for stack, body in made.items():
        api.create_stack(StackName=stack, TemplateBody=body)
        api.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
    yield name
    for stack in reversed(made):
        api.delete_stack(StackName=stack)
        api.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})


def test_a_deletion_that_is_canceled_says_why(session: Session, exporter: str) -> None:
    stack = stacks.find(session, exporter)
    assert stack is not None
    with pytest.raises(ScaffoldError) as refused:
        stacks.delete(session, [stack], Console(), again="scaffold destroy")
    reason = f"Cannot delete export {exporter} as it is in use by {exporter}-importer."
    assert refused.value.happened == f"The stack {exporter} could not be deleted: Delete canceled. {reason}"
    assert "Delete the stacks that use it" in refused.value.remedy


def test_an_update_that_is_canceled_says_why(session: Session, exporter: str) -> None:
    stack = stacks.find(session, exporter)
    assert stack is not None
    watch = Watch(session, stack.id, exporter, after=newest_event(session, stack.id))
    client("cloudformation").update_stack(StackName=exporter, TemplateBody=exporting(exporter, "b"))
    follow([watch], Console())
    error = explain(watch, "updated", "scaffold deploy")
    reason = f"Cannot update export {exporter} as it is in use by {exporter}-importer."
    assert error.happened == f"The stack {exporter} could not be updated: Update canceled. {reason}"
    assert "then run `scaffold deploy` again" in error.remedy


@pytest.mark.parametrize(
    "reason",
    [
        "The vpc 'vpc-0123' has dependencies and cannot be deleted. (Service: Ec2, Status Code: 400)",
        "resource sg-0123 has a dependent object (Service: Ec2, Status Code: 400)",
    ],
)
def test_a_network_in_which_others_have_something_says_so(reason: str) -> None:
    """Local AWS deletes a network with whatever is in it, so the event is that of CloudFormation."""
    event = {"LogicalResourceId": "Vpc", "ResourceStatus": "DELETE_FAILED", "ResourceStatusReason": reason}
    watch = Watch(None, "id", "orders-dev-network", events=[event])  # type: ignore[arg-type]
    error = explain(watch, "deleted", "scaffold destroy")
    assert reason.removesuffix(".") in error.happened
    assert "Delete what others have created there" in error.remedy
    assert error.remedy.endswith("then run `scaffold destroy` again.")


def test_a_new_role_that_cannot_be_assumed_yet_is_waited_for_and_the_wait_is_said(
    service: Path, wire: Wire, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pauses = skip_pauses(monkeypatch)
    not_yet = "Role arn:aws:iam::000000000000:role/x is invalid or cannot be assumed"
    wire.refuse("CreateStack", "ValidationError", not_yet, times=3)
    assert "is deployed" in text(run(service))
    assert capsys.readouterr().err.count("Waiting until CloudFormation may assume its new role") == 1
    assert pauses.count(3) == 3


def test_a_role_that_can_never_be_assumed_ends_the_wait(
    service: Path, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stacks, "_ROLE_SECONDS", -1)
    wire.refuse("CreateStack", "ValidationError", "Role arn:aws:iam::000000000000:role/x cannot be assumed")
    with pytest.raises(ScaffoldError, match="cannot be assumed"):
        run(service)
