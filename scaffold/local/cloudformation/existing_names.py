"""CloudFormation creates no resource whose name another one has. ministack overwrites the other one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from scaffold.local import ministack_bridge
from scaffold.local.cloudformation.resource_types import Failed, already_exists, call_ministack
from scaffold.local.ministack_bridge import Created
from scaffold.local.protocol import ACCOUNT, Document


def _cluster(name: str) -> bool:
    return any(one["status"] == "ACTIVE" for one in _ask("ecs", "DescribeClusters", clusters=[name])["clusters"])


def _dashboard(name: str) -> bool:
    return bool(_ask("cloudwatch", "GetDashboard", DashboardName=name))


def _load_balancer(name: str) -> bool:
    answer = _ask("elbv2", "DescribeLoadBalancers", **{"Names.member.1": name})
    return bool(answer and answer["DescribeLoadBalancersResult"]["LoadBalancers"])


def _log_group(name: str) -> bool:
    return name in [
        one["logGroupName"] for one in _ask("logs", "DescribeLogGroups", logGroupNamePrefix=name)["logGroups"]
    ]


def _repository(name: str) -> bool:
    return bool(_ask("ecr", "DescribeRepositories", repositoryNames=[name]))


def _rule(name: str) -> bool:
    return bool(_ask("events", "DescribeRule", Name=name))


def _target_group(name: str) -> bool:
    answer = _ask("elbv2", "DescribeTargetGroups", **{"Names.member.1": name})
    return bool(answer and answer["DescribeTargetGroupsResult"]["TargetGroups"])


def _topic(name: str) -> bool:
    arn = f"arn:aws:sns:{ministack_bridge.get_region()}:{ACCOUNT}:{name}"
    return bool(_ask("sns", "GetTopicAttributes", TopicArn=arn))


#: A type's property for the name of a resource, and the function that says whether a resource of that name exists.
_NAMES = {
    "AWS::CloudWatch::Dashboard": ("DashboardName", _dashboard),
    "AWS::ECR::Repository": ("RepositoryName", _repository),
    "AWS::ECS::Cluster": ("ClusterName", _cluster),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ("Name", _load_balancer),
    "AWS::ElasticLoadBalancingV2::TargetGroup": ("Name", _target_group),
    "AWS::Events::Rule": ("Name", _rule),
    "AWS::Logs::LogGroup": ("LogGroupName", _log_group),
    "AWS::SNS::Topic": ("TopicName", _topic),
}


def install() -> None:
    """Monkeypatch the rule into the types of ministack that the kit's templates name."""
    for type_name in _NAMES:
        ministack_bridge.wrap_create(type_name, functools.partial(_create, type_name))


def _create(type_name: str, properties: Document, create: Callable[[], Created]) -> Created:
    key, exists = _NAMES[type_name]
    name = properties.get(key)
    if name and exists(name):
        raise already_exists(type_name, name)
    return create()


def _ask(service: str, operation: str, **parameters: Any) -> Document:
    """The output of an API, or an empty document where the API answers that there is no such resource.

    Raises:
        Failed: The API answers with another error.
    """
    try:
        return call_ministack(service, operation, parameters)
    except Failed as error:
        if "NotFound" not in error.code:
            raise
        return {}
