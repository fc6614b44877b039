"""Rules of this repository for cfn-lint: what AWS accepts, and what fails later or loses data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

KEEPS = {"AWS::ECR::Repository", "AWS::KMS::Key", "AWS::S3::Bucket"}


class RolesHaveABoundary(CloudFormationLintRule):
    """A deploy role creates no others."""

    id = "E9001"
    shortdesc = "Roles have a path and a permissions boundary"
    description = "The deploy roles create roles under a path and with a permissions boundary only"
    tags = ("resources", "iam")

    def match(self, cfn: Template) -> Iterator[RuleMatch]:
        """The roles without."""
        for name, role in cfn.get_resources("AWS::IAM::Role").items():
            properties: dict[str, Any] = role.get("Properties", {})
            # What cloudformation.amazonaws.com assumes is a deploy role, which a person creates.
            if "cloudformation.amazonaws.com" in str(properties.get("AssumeRolePolicyDocument")):
                continue
            for key in ("Path", "PermissionsBoundary"):
                if key not in properties:
                    yield RuleMatch(["Resources", name, "Properties"], f"The role {name} has no {key}")


class DataIsRetained(CloudFormationLintRule):
    """A stack that is deleted, or a property that replaces a resource, deletes no data."""

    id = "E9002"
    shortdesc = "Data is retained"
    description = "Resources with data have DeletionPolicy and UpdateReplacePolicy Retain, or Delete where this is said"
    tags = ("resources",)

    def match(self, cfn: Template) -> Iterator[RuleMatch]:
        """The resources that say nothing."""
        for name, resource in cfn.get_resources().items():
            for key in ("DeletionPolicy", "UpdateReplacePolicy"):
                if resource.get("Type") in KEEPS and key not in resource:
                    yield RuleMatch(["Resources", name], f"{name} has no {key}")


class TargetGroupsAreOfTypeIp(CloudFormationLintRule):
    """A Fargate task registers its address."""

    id = "E9003"
    shortdesc = "Target groups are of type ip"
    description = "Fargate tasks are targets of type ip; CloudFormation creates the type instance without a word"
    tags = ("resources", "elasticloadbalancingv2")

    def match(self, cfn: Template) -> Iterator[RuleMatch]:
        """The target groups of another type."""
        for name, group in cfn.get_resources("AWS::ElasticLoadBalancingV2::TargetGroup").items():
            if group.get("Properties", {}).get("TargetType") != "ip":
                yield RuleMatch(["Resources", name, "Properties"], f"{name} is not of the type ip")


class RevisionsStay(CloudFormationLintRule):
    """A rollback needs the revision before."""

    id = "E9004"
    shortdesc = "Task definitions stay registered"
    description = "A task definition that is replaced stays registered, since running tasks and rollbacks need it"
    tags = ("resources", "ecs")

    def match(self, cfn: Template) -> Iterator[RuleMatch]:
        """The task definitions that are deregistered."""
        for name, definition in cfn.get_resources("AWS::ECS::TaskDefinition").items():
            if definition.get("UpdateReplacePolicy") != "Retain":
                yield RuleMatch(["Resources", name], f"{name} needs UpdateReplacePolicy: Retain")
