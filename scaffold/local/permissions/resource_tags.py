"""The tags of resources by their ARNs, as the services in local AWS have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scaffold.local import ministack_bridge
from scaffold.local.protocol import ServiceError

#: The tags of a resource by its ARN; none if it does not exist.
TagsOf = Callable[[str], Mapping[str, str]]


class ResourceTags:
    """The tags of all resources.

    Args:
        services: How the tags are found of services that are not ministack's, by the service in ARNs.
    """

    def __init__(self, services: Mapping[str, TagsOf]) -> None:
        self._services: dict[str, TagsOf] = {
            "acm": lambda arn: _pairs(ministack_bridge.certificate_tags(arn)),
            "application-autoscaling": lambda _: {},
            "cloudformation": ministack_bridge.stack_tags,
            "cloudwatch": _alarm,
            "ec2": _ec2,
            "ecs": _ecs,
            "elasticloadbalancing": _load_balancing,
            "events": _rule,
            "iam": _role,
            "logs": _log_group,
            "route53": lambda _: {},
            "rds-db": lambda _: {},
            "secretsmanager": _secret,
            **services,
        }
        self._kept: dict[str, dict[str, str]] = {}

    def keep(self, arn: str, tags: Mapping[str, str]) -> None:
        """Keep the tags of a resource whose service keeps none here. They are replaced each time."""
        self._kept[arn] = dict(tags)

    def kept(self, arn: str) -> dict[str, str]:
        """The tags that were kept."""
        return self._kept.get(arn, {})

    def of(self, arn: str) -> Mapping[str, str] | None:
        """The tags of a resource, none if it does not exist; None where its service is not known."""
        service = arn.split(":")[2] if arn.startswith("arn:") else ""
        # Calls name a stack without its id.
        if arn.endswith("*") and not (service == "cloudformation" and arn.count("*") == 1):
            return {}
        if service not in self._services:
            return None
        return {**self._services[service](arn), **self.kept(arn)}


def _asked(arn: str, service: str, operation: str, **parameters: Any) -> Any:
    """The output of an API in the region of an ARN; an empty one where it answers with an error."""
    try:
        return ministack_bridge.call(service, operation, parameters, arn.split(":")[3])
    except ServiceError:
        return {}


def _pairs(tags: Any) -> dict[str, str]:
    """A list of tags, whose keys have any case, as a map."""
    lower = [{key.lower(): value for key, value in tag.items()} for tag in tags or []]
    return {str(tag["key"]): str(tag.get("value", "")) for tag in lower}


def _alarm(arn: str) -> Mapping[str, str]:
    return _pairs(_asked(arn, "cloudwatch", "ListTagsForResource", ResourceARN=arn).get("Tags"))


def _ec2(arn: str) -> Mapping[str, str]:
    identifier = arn.rpartition("/")[2]
    given = {"Filter.1.Name": "resource-id", "Filter.1.Value.1": identifier}
    return _pairs(_asked(arn, "ec2", "DescribeTags", **given).get("tagSet"))


def _ecs(arn: str) -> Mapping[str, str]:
    return _pairs(ministack_bridge.ecs_tags().get(arn))


def _load_balancing(arn: str) -> Mapping[str, str]:
    given = {"ResourceArns.member.1": arn}
    found = _asked(arn, "elbv2", "DescribeTags", **given).get("DescribeTagsResult") or {}
    return _pairs([tag for one in found.get("TagDescriptions") or [] for tag in one["Tags"] or []])


def _rule(arn: str) -> Mapping[str, str]:
    return _pairs(_asked(arn, "events", "ListTagsForResource", ResourceARN=arn).get("Tags"))


def _role(arn: str) -> Mapping[str, str]:
    kind, _, path = arn.split(":", 5)[5].partition("/")
    if kind != "role":
        return {}
    found = _asked(arn, "iam", "ListRoleTags", RoleName=path.rpartition("/")[2])
    return _pairs((found.get("ListRoleTagsResult") or {}).get("Tags"))


def _secret(arn: str) -> Mapping[str, str]:
    """Those of a master secret include the cluster's ARN, which RDS sets without the API."""
    for cluster in ministack_bridge.database_clusters().values():
        if (cluster.get("MasterUserSecret") or {}).get("SecretArn") == arn:
            return {"aws:rds:primaryDBClusterArn": str(cluster["DBClusterArn"])}
    return _pairs(_asked(arn, "secretsmanager", "DescribeSecret", SecretId=arn).get("Tags"))


def _log_group(arn: str) -> Mapping[str, str]:
    group = ":".join(arn.split(":")[:7])
    found: dict[str, str] = _asked(arn, "logs", "ListTagsForResource", resourceArn=group).get("tags", {})
    return found
