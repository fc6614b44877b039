"""A template that keeps statements of the policy that is deployed, beside those of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

_POLICY = "AWS::IAM::ManagedPolicy"
_ROLE = "AWS::IAM::Role"
_RESOURCES = re.compile(r"^Resources: *\n", re.MULTILINE)
_KEPT = "Kept"
_STATEMENTS = re.compile(r"^( *)Statement: *\n", re.MULTILINE)
_REFERENCE = re.compile(r"\$\{(\w+)\}")


class _Loader(yaml.SafeLoader):
    """Reads templates; `!Sub` and the like become the long form, as in JSON."""


def _function(loader: Any, suffix: str, node: yaml.Node) -> Any:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.MappingNode):
        return {name: loader.construct_mapping(node, deep=True)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_scalar(node)}


_Loader.add_multi_constructor("!", _function)


def with_kept_statements(
    body: str, parameters: Mapping[str, str], deployed: str, deployed_parameters: Mapping[str, str]
) -> str:
    """A template's text whose policy also has the statements of the deployed one that differ, with their values.

    Both have one managed policy, with a list of statements in block notation.
    """
    own = [_bare(one) for one in _statements(body, parameters)]
    kept = [bare for one in _statements(deployed, deployed_parameters) if (bare := _bare(one)) not in own]
    start = _STATEMENTS.search(body)
    if not kept or not start:
        return body
    lines = (f"{start[1]}  - {json.dumps(one)}\n" for one in _named(kept))
    return f"{body[: start.end()]}{''.join(lines)}{body[start.end() :]}"


def with_kept_policies(
    body: str, parameters: Mapping[str, str], deployed: str, deployed_parameters: Mapping[str, str]
) -> str:
    """A role's template whose role also has the statements of the deployed policies that differ, with their values.

    They are in policies of their own, one for each of the deployed ones, so that none gets longer than IAM allows. The
    template has one role, and its resources in block notation.
    """
    seen = [_bare(one) for one in _statements(body, parameters)]
    kept: dict[str, dict[str, Any]] = {}
    for logical_id, policy in _policies(deployed, deployed_parameters).items():
        found = [bare for one in policy["PolicyDocument"]["Statement"] if (bare := _bare(one)) not in seen]
        seen += found
        if found:
            name = f"{_KEPT}{logical_id.removeprefix(_KEPT)}"
            kept.setdefault(name, {**policy, "PolicyDocument": {"Version": "2012-10-17", "Statement": []}})
            kept[name]["PolicyDocument"]["Statement"] += found
    roles = [logical_id for logical_id, one in _resources(body).items() if one["Type"] == _ROLE]
    start = _RESOURCES.search(body)
    if not kept or not start or len(roles) != 1:
        return body
    lines = [f"  {name}: {json.dumps(_policy(one, roles))}\n" for name, one in kept.items()]
    return f"{body[: start.end()]}{''.join(lines)}{body[start.end() :]}"


def _policy(properties: dict[str, Any], roles: list[str]) -> dict[str, Any]:
    document = properties["PolicyDocument"]
    document = {**document, "Statement": _named(document["Statement"])}
    attached = {"Roles": [{"Ref": one} for one in roles], "PolicyDocument": document}
    description = {"Description": "Permissions that the next release still needs"}
    return {"Type": _POLICY, "Metadata": description, "Properties": {**properties, **attached}}


def _named(statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"Sid": f"{_KEPT}{index}", **one} for index, one in enumerate(statements)]


def _resources(body: str) -> dict[str, dict[str, Any]]:
    resources: dict[str, dict[str, Any]] = yaml.load(body, Loader=_Loader)["Resources"]  # noqa: S506 (a safe loader)
    return resources


def _policies(body: str, parameters: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The properties of a template's managed policies, by their logical ids."""
    found = _resources(body).items()
    return {key: _valued(one["Properties"], parameters) for key, one in found if one["Type"] == _POLICY}


def _statements(body: str, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
    return [one for policy in _policies(body, parameters).values() for one in policy["PolicyDocument"]["Statement"]]


def _valued(value: Any, parameters: Mapping[str, str]) -> Any:
    """The value with those of the parameters in place of references to them."""
    if isinstance(value, list):
        return [_valued(one, parameters) for one in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Ref"}:
        return parameters.get(value["Ref"], value)
    if value.keys() == {"Fn::Sub"} and isinstance(value["Fn::Sub"], str):
        text = _REFERENCE.sub(lambda found: parameters.get(found[1], found[0]), value["Fn::Sub"])
        return {"Fn::Sub": text} if "${" in text else text
    return {key: _valued(one, parameters) for key, one in value.items()}


def _bare(statement: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in statement.items() if key != "Sid"}
