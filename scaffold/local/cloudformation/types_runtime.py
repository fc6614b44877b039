"""CloudFormation types of the runtime: capacity of clusters, scaling, composite alarms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from scaffold.local.cloudformation.resource_types import (
    CallAws,
    Created,
    Failed,
    Request,
    ResourceType,
    call_service,
    to_api,
)
from scaffold.local.protocol import ACCOUNT, Document
from scaffold.local.services.autoscaling import ApplicationAutoScaling


class CapacityProvider(ResourceType):
    """AWS::ECS::CapacityProvider."""

    name = "AWS::ECS::CapacityProvider"
    create_only = ("Name", "ClusterName")
    tags = ("Tags", "list")
    custom_name = "Name"

    def __init__(self, aws: CallAws) -> None:
        self._aws = aws

    def create(self, request: Request) -> Created:
        """Create a provider."""
        given = to_api("ecs", "CreateCapacityProviderRequest", {"Name": request.generated_name, **request.properties})
        self._aws("ecs", "CreateCapacityProvider", given)
        return given["name"], {}

    def update(self, request: Request) -> Created:
        """Change a provider's scaling."""
        provider = dict(request.properties["AutoScalingGroupProvider"])
        if provider.pop("AutoScalingGroupArn") != request.old["AutoScalingGroupProvider"]["AutoScalingGroupArn"]:
            raise ValueError("Local AWS does not give a capacity provider another Auto Scaling group")
        given = {"Name": request.identifier, "AutoScalingGroupProvider": provider}
        self._aws("ecs", "UpdateCapacityProvider", to_api("ecs", "UpdateCapacityProviderRequest", given))
        return request.identifier, {}

    def delete(self, request: Request) -> None:
        """Delete a provider."""
        self._aws("ecs", "DeleteCapacityProvider", {"capacityProvider": request.identifier})


class ClusterCapacityProviders(ResourceType):
    """AWS::ECS::ClusterCapacityProviderAssociations."""

    name = "AWS::ECS::ClusterCapacityProviderAssociations"
    create_only = ("Cluster",)

    def __init__(self, aws: CallAws) -> None:
        self._aws = aws

    def create(self, request: Request) -> Created:
        """Give a cluster its capacity providers."""
        given = to_api("ecs", "PutClusterCapacityProvidersRequest", request.properties)
        known = {p["name"] for p in self._aws("ecs", "DescribeCapacityProviders", {}).get("capacityProviders", [])}
        unknown = [name for name in given["capacityProviders"] if name not in known | {"FARGATE", "FARGATE_SPOT"}]
        if unknown:
            raise ValueError(f"The specified capacity provider '{unknown[0]}' was not found.")
        used = [item["capacityProvider"] for item in given["defaultCapacityProviderStrategy"]]
        if any(name not in given["capacityProviders"] for name in used):
            raise ValueError("The default strategy may name only capacity providers of the cluster.")
        self._aws("ecs", "PutClusterCapacityProviders", given)
        return request.properties["Cluster"], {}

    def update(self, request: Request) -> Created:
        """Exchange a cluster's capacity providers."""
        return self.create(request)

    def delete(self, request: Request) -> None:
        """Take a cluster's capacity providers away; a cluster that is gone took them along."""
        found = self._aws("ecs", "DescribeClusters", {"clusters": [request.identifier]}).get("clusters", [])
        if any(cluster["status"] == "ACTIVE" for cluster in found):
            nothing: dict[str, list[Any]] = {"capacityProviders": [], "defaultCapacityProviderStrategy": []}
            self._aws("ecs", "PutClusterCapacityProviders", {"cluster": request.identifier, **nothing})


class CompositeAlarm(ResourceType):
    """AWS::CloudWatch::CompositeAlarm."""

    name = "AWS::CloudWatch::CompositeAlarm"
    create_only = ("AlarmName",)
    tags = ("Tags", "list")
    custom_name = "AlarmName"
    _operation: ClassVar[str] = "PutCompositeAlarm"

    def __init__(self, aws: CallAws) -> None:
        self._aws = aws

    def create(self, request: Request) -> Created:
        """Create the alarm."""
        named = {"AlarmName": request.generated_name, **request.properties}
        given = to_api("cloudwatch", f"{self._operation}Input", named)
        # The API takes no system tags, which CloudFormation sets by other means.
        given["Tags"] = [tag for tag in given.get("Tags", []) if not tag["Key"].startswith("aws:")]
        self._aws("cloudwatch", self._operation, given)
        return given["AlarmName"], {"Arn": f"arn:aws:cloudwatch:{request.region}:{ACCOUNT}:alarm:{given['AlarmName']}"}

    def update(self, request: Request) -> Created:
        """Change the alarm."""
        return self.create(replace(request, properties={**request.properties, "AlarmName": request.identifier}))

    def delete(self, request: Request) -> None:
        """Delete the alarm."""
        self._aws("cloudwatch", "DeleteAlarms", {"AlarmNames": [request.identifier]})


class MetricAlarm(CompositeAlarm):
    """AWS::CloudWatch::Alarm: ministack's own refuses metric math."""

    name = "AWS::CloudWatch::Alarm"
    replaces_ministack = True
    _operation = "PutMetricAlarm"


class ScalableTarget(ResourceType):
    """AWS::ApplicationAutoScaling::ScalableTarget."""

    name = "AWS::ApplicationAutoScaling::ScalableTarget"
    create_only = ("ResourceId", "ScalableDimension", "ServiceNamespace")

    def __init__(self, service: ApplicationAutoScaling) -> None:
        self._service = service

    def create(self, request: Request) -> Created:
        """Register the target."""
        given = {key: value for key, value in request.properties.items() if key != "ScheduledActions"}
        parameters = to_api("application-autoscaling", "RegisterScalableTargetRequest", given)
        call_service(self._service, "RegisterScalableTarget", parameters, request.region)
        resource = _target(parameters)
        for action in request.properties.get("ScheduledActions", []):
            scheduled = to_api("application-autoscaling", "PutScheduledActionRequest", action) | resource
            call_service(self._service, "PutScheduledAction", scheduled, request.region)
        identifier = "|".join((resource["ResourceId"], resource["ScalableDimension"], resource["ServiceNamespace"]))
        return identifier, {"Id": identifier}

    def update(self, request: Request) -> Created:
        """Change the target's limits and scheduled actions."""
        kept = {action["ScheduledActionName"] for action in request.properties.get("ScheduledActions", [])}
        for action in request.old.get("ScheduledActions", []):
            if action["ScheduledActionName"] not in kept:
                gone = _target(request.old) | {"ScheduledActionName": action["ScheduledActionName"]}
                call_service(self._service, "DeleteScheduledAction", gone, request.region)
        return self.create(request)

    def delete(self, request: Request) -> None:
        """Deregister the target; one that is gone already is no error."""
        try:
            call_service(self._service, "DeregisterScalableTarget", _target(request.properties), request.region)
        except Failed as error:
            if error.code != "ObjectNotFoundException":
                raise


class ScalingPolicy(ResourceType):
    """AWS::ApplicationAutoScaling::ScalingPolicy."""

    name = "AWS::ApplicationAutoScaling::ScalingPolicy"
    create_only = ("PolicyName", "ResourceId", "ScalableDimension", "ScalingTargetId", "ServiceNamespace")

    def __init__(self, service: ApplicationAutoScaling) -> None:
        self._service = service

    def create(self, request: Request) -> Created:
        """Create the policy."""
        given = {key: value for key, value in request.properties.items() if key != "ScalingTargetId"}
        given |= self._resource(request.properties)
        parameters = to_api("application-autoscaling", "PutScalingPolicyRequest", given)
        arn = call_service(self._service, "PutScalingPolicy", parameters, request.region)["PolicyARN"]
        return arn, {"Arn": arn}

    def update(self, request: Request) -> Created:
        """Change the policy."""
        return self.create(request)

    def delete(self, request: Request) -> None:
        """Delete the policy; one that went with its target is no error."""
        try:
            given = self._resource(request.properties) | {"PolicyName": request.properties["PolicyName"]}
            call_service(self._service, "DeleteScalingPolicy", given, request.region)
        except Failed as error:
            if error.code != "ObjectNotFoundException":
                raise

    @staticmethod
    def _resource(properties: Document) -> Document:
        if "ScalingTargetId" in properties:
            resource, dimension, namespace = properties["ScalingTargetId"].split("|")
            return {"ResourceId": resource, "ScalableDimension": dimension, "ServiceNamespace": namespace}
        return _target(properties)


def _target(properties: Document) -> Document:
    return {key: properties[key] for key in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
