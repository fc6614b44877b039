"""The resource types of a running service that ministack lacks: alarms with metric math, and scaling."""

from __future__ import annotations

from scaffold.local.cloudformation.resource_types import (
    Created,
    Failed,
    Request,
    ResourceType,
    already_exists,
    call_ministack,
    call_service,
    to_api,
)
from scaffold.local.protocol import ACCOUNT, Document
from scaffold.local.services.autoscaling import ApplicationAutoScaling


class MetricAlarm(ResourceType):
    """AWS::CloudWatch::Alarm. ministack's own type refuses metric math."""

    name = "AWS::CloudWatch::Alarm"
    create_only = ("AlarmName",)
    tags = ("Tags", "list")
    custom_name = "AlarmName"

    def create(self, request: Request) -> Created:
        """Create the alarm."""
        name = request.properties.get("AlarmName", request.generated_name)
        if call_ministack("cloudwatch", "DescribeAlarms", {"AlarmNames": [name]})["MetricAlarms"]:
            raise already_exists(self.name, name)
        return self._put(request, name)

    def update(self, request: Request) -> Created:
        """Update the alarm."""
        return self._put(request, request.identifier)

    def _put(self, request: Request, name: str) -> Created:
        given = to_api("cloudwatch", "PutMetricAlarmInput", {**request.properties, "AlarmName": name})
        # CloudFormation sets system tags without this API, which refuses them.
        given["Tags"] = [tag for tag in given.get("Tags", []) if not tag["Key"].startswith("aws:")]
        call_ministack("cloudwatch", "PutMetricAlarm", given)
        return name, {"Arn": f"arn:aws:cloudwatch:{request.region}:{ACCOUNT}:alarm:{name}"}

    def delete(self, request: Request) -> None:
        """Delete the alarm."""
        call_ministack("cloudwatch", "DeleteAlarms", {"AlarmNames": [request.identifier]})


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
        self._schedule(resource, request)
        identifier = "|".join((resource["ResourceId"], resource["ScalableDimension"], resource["ServiceNamespace"]))
        return identifier, {"Id": identifier}

    def update(self, request: Request) -> Created:
        """Update the target's limits."""
        return self.create(request)

    def _schedule(self, resource: Document, request: Request) -> None:
        """Put the scheduled actions of the properties, and delete the others."""
        wanted = {one["ScheduledActionName"]: one for one in request.properties.get("ScheduledActions", [])}
        found = call_service(self._service, "DescribeScheduledActions", resource, request.region)
        for one in found["ScheduledActions"]:
            if one["ScheduledActionName"] not in wanted:
                given = resource | {"ScheduledActionName": one["ScheduledActionName"]}
                call_service(self._service, "DeleteScheduledAction", given, request.region)
        for one in wanted.values():
            given = to_api("application-autoscaling", "PutScheduledActionRequest", one) | resource
            call_service(self._service, "PutScheduledAction", given, request.region)

    def delete(self, request: Request) -> None:
        """Deregister the target. No error if it does not exist any more."""
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
        given |= target_of(request.properties)
        parameters = to_api("application-autoscaling", "PutScalingPolicyRequest", given)
        arn = call_service(self._service, "PutScalingPolicy", parameters, request.region)["PolicyARN"]
        return arn, {"Arn": arn}

    def update(self, request: Request) -> Created:
        """Update the policy."""
        return self.create(request)

    def delete(self, request: Request) -> None:
        """Delete the policy. No error if it was deleted together with its target."""
        try:
            given = target_of(request.properties) | {"PolicyName": request.properties["PolicyName"]}
            call_service(self._service, "DeleteScalingPolicy", given, request.region)
        except Failed as error:
            if error.code != "ObjectNotFoundException":
                raise


def target_of(properties: Document) -> Document:
    """What identifies the scalable target of a scaling policy."""
    if "ScalingTargetId" in properties:
        resource, dimension, namespace = properties["ScalingTargetId"].split("|")
        return {"ResourceId": resource, "ScalableDimension": dimension, "ServiceNamespace": namespace}
    return _target(properties)


def _target(properties: Document) -> Document:
    return {key: properties[key] for key in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
