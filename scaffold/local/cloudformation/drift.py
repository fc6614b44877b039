"""Drift-aware change sets, which ministack lacks.

Local AWS cannot compare all of a resource's properties with its template. So their execution applies the template to
every resource of the stack again that can be updated; where nothing differs, that changes nothing.
"""

from __future__ import annotations

from scaffold.local import ministack_bridge
from scaffold.local.cloudformation.requests import find_change_set, find_stack
from scaffold.local.cloudformation.stack_rules import NO_CHANGES
from scaffold.local.ministack_bridge import Handler
from scaffold.local.protocol import Document
from scaffold.local.wire import Response, parameter

# In the old properties of a resource, so that ministack sees a difference to the template.
_MARK = "scaffold:drift"


def install() -> None:
    """Monkeypatch the deployment mode REVERT_DRIFT into ministack's CloudFormation."""
    rule = _RevertDrift()
    ministack_bridge.wrap_action("cloudformation", "CreateChangeSet", rule.create_change_set)
    ministack_bridge.wrap_action("cloudformation", "ExecuteChangeSet", rule.execute_change_set)


class _RevertDrift:
    """Both actions, and the ids of drift-aware change sets."""

    def __init__(self) -> None:
        self._aware: set[str] = set()

    def create_change_set(self, parameters: Document, original: Handler) -> Response:
        """Add a change of each resource that is applied again."""
        response = original(parameters)
        change_set = find_change_set(parameters)
        if response[0] == 200 and change_set and parameter(parameters, "DeploymentMode") == "REVERT_DRIFT":
            self._aware.add(change_set["ChangeSetId"])
            changed = {change["ResourceChange"]["LogicalResourceId"] for change in change_set["Changes"]}
            applied = _applied(change_set["StackName"])
            change_set["Changes"] += [_change(one, record) for one, record in applied.items() if one not in changed]
            if change_set["Changes"] and change_set["StatusReason"].startswith(NO_CHANGES):
                change_set |= {"Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE", "StatusReason": ""}
        return response

    def execute_change_set(self, parameters: Document, original: Handler) -> Response:
        """Let ministack see a difference in each resource that is applied again."""
        change_set = find_change_set(parameters)
        if change_set and change_set["ChangeSetId"] in self._aware and change_set["ExecutionStatus"] == "AVAILABLE":
            tags = [tag["Key"] for tag in (find_stack(change_set["StackName"]) or {}).get("Tags", [])]
            for record in _applied(change_set["StackName"]).values():
                record["Properties"] = {**record["Properties"], _MARK: True, **_other_tags(record, tags)}
        return original(parameters)


def _applied(stack_name: str) -> dict[str, Document]:
    """The resources that are applied again, by logical id: ministack's own dictionaries, not copies."""
    resources: dict[str, Document] = (find_stack(stack_name) or {}).get("_resources", {})
    return {one: record for one, record in resources.items() if ministack_bridge.updatable(record["ResourceType"])}


def _other_tags(record: Document, keys: list[str]) -> Document:
    """The property of a resource's tags with other values, or nothing where its type has none."""
    name, shape = ministack_bridge.tag_property(record["ResourceType"]) or ("", "")
    values = dict.fromkeys(keys, _MARK)
    listed = [{"Key": key, "Value": value} for key, value in values.items()]
    return {name: values if shape == "map" else listed} if name else {}


def _change(logical_id: str, record: Document) -> Document:
    change = {
        "Action": "Modify",
        "LogicalResourceId": logical_id,
        "PhysicalResourceId": record.get("PhysicalResourceId", ""),
        "ResourceType": record["ResourceType"],
        "Replacement": "False",
        "Scope": ["Properties"],
        "Details": [],
    }
    return {"Type": "Resource", "ResourceChange": change}
