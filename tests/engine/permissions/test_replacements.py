"""Which updates are replacements, compared with the schemas of the types."""

from __future__ import annotations

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from scaffold.local.permissions.provisioning.replacements import CREATE_ONLY, replaces


@pytest.mark.parametrize("kind", CREATE_ONLY)
def test_the_properties_are_those_that_the_schema_calls_create_only(kind: str) -> None:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    found = {*schema["createOnlyProperties"], *schema.get("conditionalCreateOnlyProperties", ())}
    assert {f"/properties/{name}" for name in CREATE_ONLY[kind]} <= found


def test_only_a_change_of_such_a_property_is_a_replacement() -> None:
    old = {"LogGroupName": "one", "RetentionInDays": 1}
    assert replaces("AWS::Logs::LogGroup", old, {**old, "LogGroupName": "two"})
    assert replaces("AWS::Logs::LogGroup", old, {"RetentionInDays": 1})
    assert not replaces("AWS::Logs::LogGroup", old, {**old, "RetentionInDays": 3})
    assert not replaces("AWS::Another::Type", old, {**old, "LogGroupName": "two"})
