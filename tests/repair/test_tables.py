"""A table without the deletion protection that its template gives it, which `scaffold repair` turns on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scaffold.core.results import Change
from scaffold.views.repair import text
from tests.deploy.services import Wire, client, environment_stack, release_stack
from tests.destroy.test_permissions import DESTROY, REPAIR_DATA, actions, filled
from tests.infrastructure.iam import allowed
from tests.infrastructure.stacks import ACCOUNT, REGION
from tests.repair.situations import app_of, repair, tags

TABLE = """\
  %(name)s:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    Properties:
      TableName: !Sub ${AWS::StackName}--%(name)s
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
%(more)s"""


def release(service: Path, **protection: str) -> dict[str, str]:
    """What an action of the pipeline does with the stack of the data; returns the names of its tables.

    Args:
        protection: What the template says of each table; empty for nothing.
    """
    app = app_of(service)
    stack = environment_stack(app, "dev", "data")
    body = "Parameters: {Protect: {Type: String, Default: 'true'}}\nResources:\n"
    for name, value in protection.items():
        more = f"      DeletionProtectionEnabled: {value}\n" if value else ""
        body += TABLE % {"name": name, "more": more}
    release_stack(stack, body, Tags=tags(app))
    return {name: f"{stack}--{name}" for name in protection}


def is_protected(name: str) -> bool:
    return bool(client("dynamodb").describe_table(TableName=name)["Table"]["DeletionProtectionEnabled"])


def unprotect(*names: str) -> None:
    for name in names:
        client("dynamodb").update_table(TableName=name, DeletionProtectionEnabled=False)


def test_a_protection_that_somebody_has_turned_off_is_turned_on_again(service: Path, wire: Wire) -> None:
    tables = release(
        service, Orders="true", Mails="'true'", Drafts="true", Counts="false", Notes="", Texts="!Ref Protect"
    )
    assert repair(service).problems == ()
    off = [name for one, name in tables.items() if one != "Drafts"]
    unprotect(*off)
    wire.calls.clear()
    planned = repair(service, plan=True)
    wanted = [tables["Orders"], tables["Mails"]]
    assert {(one.name, one.state, one.changes) for one in planned.problems} == {
        (name, "off", (Change("table-protection", name, "turn-on"),)) for name in wanted
    }
    assert f"    turn on deletion protection of the DynamoDB table {wanted[0]}\n" in f"{text(planned)}\n"
    assert [name for name in off if is_protected(name)] == []
    # No release does.
    release(
        service,
        Orders="true",
        Mails="'true'",
        Drafts="true",
        Counts="false",
        Notes="",
        Texts="!Ref Protect",
        Lists="true",
    )
    assert not is_protected(wanted[0])
    assert repair(service, "prod").problems == ()
    repair(service, "dev")
    assert [name for name in off if is_protected(name)] == wanted
    made = {one for one in wire.calls if one.startswith("dynamodb:")}
    assert made == {"dynamodb:DescribeTable", "dynamodb:UpdateTable"}
    assert made <= actions(REPAIR_DATA) - actions(DESTROY)
    assert repair(service).problems == ()


def test_the_policy_for_repairing_changes_tables_of_one_service_only() -> None:
    statements, arn = filled(REPAIR_DATA, "shop"), f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/"
    for name, own in {"shop-dev--orders": True, "shop-admin-dev--orders": False, "shop-dev": False}.items():
        assert allowed(statements, "dynamodb:UpdateTable", arn + name) is own


def test_tables_are_left_alone_while_their_stack_changes_and_where_they_are_gone(service: Path, wire: Wire) -> None:
    """The status is made up."""
    tables = release(service, Orders="true", Mails="true")
    unprotect(*tables.values())
    client("dynamodb").delete_table(TableName=tables["Mails"])
    assert [one.name for one in repair(service, plan=True).problems] == [tables["Orders"]]

    def describe(parsed: dict[str, Any]) -> None:
        for one in parsed["Stacks"]:
            if one["StackName"] == environment_stack(app_of(service), "dev", "data"):
                one["StackStatus"] = "UPDATE_IN_PROGRESS"

    wire.touched["DescribeStacks"] = describe
    assert repair(service).problems == ()
