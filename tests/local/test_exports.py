"""CloudFormation's rules about exports and imports, each broken once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from tests.local.conftest import Client, Stack
from tests.local.test_resource_types import resource
from tests.local.test_stack_rules import change_set

IMPORT = {"Topic": resource("SNS::Topic", DisplayName={"Fn::ImportValue": "shared"})}


def exporting(value: str = "a", name: str = "shared") -> dict[str, Any]:
    outputs = {"A": {"Value": value, "Export": {"Name": name}}, "B": {"Value": value}}
    return {"Resources": {"Topic": resource("SNS::Topic")}, "Outputs": outputs}


def without_export(value: str = "a") -> dict[str, Any]:
    return exporting(value) | {"Outputs": {"B": {"Value": value}}}


@pytest.fixture
def exporter(stack: Stack) -> Stack:
    """A stack with an export."""
    stack.api.create_stack(StackName=stack.name, TemplateBody=json.dumps(exporting()))
    stack.wait("stack_create_complete")
    return stack


@pytest.fixture
def importers(stack: Stack, exporter: Stack) -> Iterator[list[Stack]]:
    """Two stacks that import it."""
    made = [Stack(stack.api, f"{name}-{stack.name}") for name in ("first", "second")]
    for one in made:
        one.create(IMPORT)
    yield made
    for one in made:
        with suppress(ClientError):
            one.api.delete_stack(StackName=one.name)


def own_events(stack: Stack) -> list[tuple[str, str]]:
    """The status and reason of each event of the stack itself, the newest first."""
    events = stack.api.describe_stack_events(StackName=stack.name)["StackEvents"]
    return [
        (event["ResourceStatus"], event.get("ResourceStatusReason", ""))
        for event in events
        if event["ResourceType"] == "AWS::CloudFormation::Stack"
    ]


def update(stack: Stack, template: dict[str, Any], through: str) -> None:
    if through == "UpdateStack":
        stack.api.update_stack(StackName=stack.name, TemplateBody=json.dumps(template))
    else:
        made = change_set(stack, template)
        assert made["Status"] == "CREATE_COMPLETE", made
        stack.api.execute_change_set(ChangeSetName=made["ChangeSetId"])
    stack.wait("stack_update_complete")


@pytest.mark.parametrize("through", ["UpdateStack", "ExecuteChangeSet"])
@pytest.mark.parametrize(
    ("template", "verb"),
    [(exporting("b"), "Update"), (without_export(), "Delete"), (exporting(name="renamed"), "Delete")],
    ids=["changed", "removed", "renamed"],
)
def test_an_imported_export_cannot_be_changed_or_removed(
    exporter: Stack, importers: list[Stack], template: dict[str, Any], verb: str, through: str
) -> None:
    with pytest.raises(WaiterError):
        update(exporter, template, through)
    first, second = importers
    reason = f"{verb} canceled. Cannot {verb.lower()} export shared as it is in use by {first.name} and {second.name}."
    events = own_events(exporter)
    assert ("UPDATE_ROLLBACK_IN_PROGRESS", reason) in events
    # Only the rollback has the reason, as in AWS.
    assert not [status for status, _ in events if status.endswith("FAILED")]
    described = exporter.describe()
    assert (described["StackStatus"], described["Outputs"]["A"]) == ("UPDATE_ROLLBACK_COMPLETE", "a")
    values = {one["Name"]: one["Value"] for one in exporter.api.list_exports()["Exports"]}
    assert values == {"shared": "a"}


def test_an_import_ends_with_its_stack_or_its_template(exporter: Stack, importers: list[Stack]) -> None:
    first, second = importers
    first.delete()
    second.update({"Topic": resource("SNS::Topic")})
    update(exporter, exporting("b"), "UpdateStack")
    assert exporter.describe()["Outputs"]["A"] == "b"
    update(exporter, without_export(), "ExecuteChangeSet")
    assert exporter.api.list_exports()["Exports"] == []
    with pytest.raises(WaiterError):
        second.update(IMPORT)


def test_an_imported_export_may_stay(exporter: Stack, importers: list[Stack]) -> None:
    template = exporting() | {"Resources": {"Topic": resource("SNS::Topic", DisplayName="changed")}}
    update(exporter, template, "UpdateStack")
    assert exporter.describe()["StackStatus"] == "UPDATE_COMPLETE"


def test_the_deletion_of_an_imported_export_is_cancelled(exporter: Stack, importers: list[Stack]) -> None:
    exporter.api.delete_stack(StackName=exporter.name)
    first, second = importers
    reason = f"Delete canceled. Cannot delete export shared as it is in use by {first.name} and {second.name}."
    assert own_events(exporter)[:2] == [("CREATE_COMPLETE", reason), ("DELETE_IN_PROGRESS", "User Initiated")]
    described = exporter.describe()
    assert (described["StackStatus"], described["StackStatusReason"]) == ("CREATE_COMPLETE", reason)
    first.delete()
    second.delete()
    exporter.delete()


def test_a_deletion_time_is_that_of_the_deletion_that_succeeds(exporter: Stack, importers: list[Stack]) -> None:
    identifier = exporter.describe()["StackId"]
    exporter.api.delete_stack(StackName=exporter.name)
    importing = [one.describe()["StackId"] for one in importers]
    for one in importers:
        one.delete()
    exporter.delete()
    described = exporter.api.describe_stacks(StackName=identifier)["Stacks"][0]
    for stack_id in importing:
        newest = exporter.api.describe_stack_events(StackName=stack_id)["StackEvents"][0]
        assert newest["ResourceStatus"] == "DELETE_COMPLETE"
        assert described["DeletionTime"] >= newest["Timestamp"]


def test_an_exported_name_is_taken(exporter: Stack) -> None:
    other = Stack(exporter.api, "other-exporter")
    other.api.create_stack(StackName=other.name, TemplateBody=json.dumps(exporting("b")))
    with pytest.raises(WaiterError):
        other.wait("stack_create_complete")
    reason = f"Export with name shared is already exported by stack {exporter.name}. Rollback requested by user."
    assert ("ROLLBACK_IN_PROGRESS", reason) in own_events(other)
    assert {one["Value"] for one in exporter.api.list_exports()["Exports"]} == {"a"}
    other.delete()


@pytest.mark.parametrize("kind", ["CREATE", "UPDATE"])
@pytest.mark.parametrize(
    "template",
    [
        {"Resources": IMPORT},
        {"Resources": {"T": resource("SNS::Topic")}, "Outputs": {"O": {"Value": {"Fn::ImportValue": "shared"}}}},
        {"Resources": {"T": resource("SNS::Topic", DisplayName={"Fn::ImportValue": {"Fn::Sub": "sha${Tail}"}})}},
    ],
    ids=["resource", "output", "computed"],
)
def test_a_change_set_cannot_import_what_is_not_exported(stack: Stack, kind: str, template: dict[str, Any]) -> None:
    template = template | {"Parameters": {"Tail": {"Type": "String", "Default": "red"}}}
    if kind == "UPDATE":
        stack.create({"Other": resource("SNS::Topic")})
    made = change_set(stack, template, kind)
    assert (made["Status"], made["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert made["StatusReason"] == "No export named shared found."
    with pytest.raises(stack.api.exceptions.InvalidChangeSetStatusException):
        stack.api.execute_change_set(ChangeSetName=made["ChangeSetId"])


@pytest.mark.parametrize("kind", ["CREATE", "UPDATE"])
def test_a_stack_cannot_import_what_is_not_exported(stack: Stack, kind: str) -> None:
    if kind == "UPDATE":
        stack.create({"Other": resource("SNS::Topic")})
    with pytest.raises(WaiterError):
        (stack.update if kind == "UPDATE" else stack.create)(IMPORT)
    events = own_events(stack)
    if kind == "UPDATE":
        assert ("UPDATE_ROLLBACK_IN_PROGRESS", "No export named shared found") in events
    else:
        assert ("ROLLBACK_IN_PROGRESS", "No export named shared found. Rollback requested by user.") in events
    assert stack.failures() == []


def test_a_change_set_resolves_imports_by_its_conditions(exporter: Stack, client: Client) -> None:
    importing = Stack(exporter.api, "conditional-importer")
    chosen = {"Fn::If": ["Yes", {"Fn::ImportValue": "shared"}, {"Fn::ImportValue": "absent"}]}
    absent = resource("SNS::Topic", DisplayName={"Fn::ImportValue": "absent"}) | {"Condition": "No"}
    template = {
        "Conditions": {"Yes": {"Fn::Equals": ["a", "a"]}, "No": {"Fn::Equals": ["a", "b"]}},
        "Resources": {"Chosen": resource("SNS::Topic", DisplayName=chosen), "Absent": absent},
    }
    made = change_set(importing, template, "CREATE")
    assert made["Status"] == "CREATE_COMPLETE"
    importing.api.execute_change_set(ChangeSetName=made["ChangeSetId"])
    importing.wait("stack_create_complete")
    importing.delete()
