"""The properties as API requests: botocore's models accept their shapes and the values of enumerations."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.validate import ParamValidator

from tests.infrastructure.rules import every
from tests.infrastructure.stacks import Stacks
from tests.infrastructure.variants import FEW

API = {
    "AWS::ApplicationAutoScaling::ScalableTarget": ("application-autoscaling", "RegisterScalableTarget"),
    "AWS::CloudWatch::Alarm": ("cloudwatch", "PutMetricAlarm"),
    "AWS::CodeBuild::Project": ("codebuild", "CreateProject"),
    "AWS::CodeBuild::ReportGroup": ("codebuild", "CreateReportGroup"),
    "AWS::CodePipeline::Pipeline": ("codepipeline", "CreatePipeline"),
    "AWS::ECS::Cluster": ("ecs", "CreateCluster"),
    "AWS::ECS::Service": ("ecs", "CreateService"),
    "AWS::ECS::TaskDefinition": ("ecs", "RegisterTaskDefinition"),
    "AWS::ElasticLoadBalancingV2::Listener": ("elbv2", "CreateListener"),
    "AWS::ElasticLoadBalancingV2::ListenerRule": ("elbv2", "CreateRule"),
}
# Properties with another name in the API, and properties of CloudFormation only.
RENAMED = {"ClusterSettings": "settings"}
OWN = {"DeleteReports", "ForceNewDeployment", "RestartExecutionOnUpdate", "ScheduledActions", "Tags"}


@functools.cache
def shape_of(service: str, operation: str) -> Shape:
    session = botocore.session.Session()
    return session.get_service_model(service).operation_model(operation).input_shape


def to_api(shape: Shape, value: Any) -> Any:
    """Properties with the API's names and types; unknown ones stay, so that the validation finds them."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        known = {name.lower(): name for name in shape.members}
        converted = {}
        for key, item in value.items():
            name = known.get(key.lower(), key)
            member = shape.members.get(name)
            converted[name] = to_api(member, item) if member is not None else item
        return converted
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [to_api(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: to_api(shape.value, item) for key, item in value.items()}
    if shape.type_name in ("integer", "long"):
        return int(value)
    if shape.type_name in ("double", "float"):
        return float(value)
    if shape.type_name == "boolean" and value in ("false", "true"):  # A parameter is a string.
        return value == "true"
    return value


def outside_enums(shape: Shape, value: Any, where: str = "") -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for name, item in value.items():
            if name in shape.members:
                yield from outside_enums(shape.members[name], item, f"{where}.{name}")
    elif isinstance(shape, ListShape):
        for index, item in enumerate(value):
            yield from outside_enums(shape.member, item, f"{where}[{index}]")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from outside_enums(shape.value, item, f"{where}.{key}")
    elif getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{where} is {value}, not one of {', '.join(shape.enum)}"


def problems(kind: str, properties: dict[str, Any]) -> list[str]:
    shape = shape_of(*API[kind])
    given = {RENAMED.get(key, key): value for key, value in properties.items() if key not in OWN}
    if kind == "AWS::CodePipeline::Pipeline":
        given = {"pipeline": {"version": 1, **given}}
    converted = to_api(shape, given)
    found = [ParamValidator().validate(converted, shape).generate_report(), *outside_enums(shape, converted)]
    for one in properties.get("ScheduledActions", []):
        target = {name: properties[name] for name in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
        action = shape_of("application-autoscaling", "PutScheduledAction")
        found.append(ParamValidator().validate(to_api(action, one | target), action).generate_report())
    return [line for line in found if line]


@pytest.mark.parametrize("kind", API)
@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_the_api_accepts_the_properties(stacks_of: Callable[..., Stacks], answers: dict[str, Any], kind: str) -> None:
    found = list(every(stacks_of(**answers), kind))
    assert found
    for _, logical, properties in found:
        assert problems(kind, properties) == [], logical


def test_invalid_properties_are_found() -> None:
    service = {"ServiceName": "a", "DeploymentConfiguration": {"Strategy": "CANARIES"}}
    assert "CANARIES" in problems("AWS::ECS::Service", service)[0]
    assert "Unknown parameter" in problems("AWS::ECS::Service", {"ServiceName": "a", "Deployment": {}})[0]
