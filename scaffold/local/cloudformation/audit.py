"""The resource type of CloudTrail's trails, which ministack's CloudFormation lacks."""

from __future__ import annotations

from scaffold.iam.policies import Request as Permission
from scaffold.iam.policies import refusal
from scaffold.local import ministack_bridge
from scaffold.local.cloudformation.resource_types import Created, Request, ResourceType, call_ministack, tag_map, to_api
from scaffold.local.protocol import ACCOUNT, Document

_SERVICE = "cloudtrail.amazonaws.com"
_SELECTORS = ("EventSelectors", "AdvancedEventSelectors")
_OWN = (*_SELECTORS, "IsLogging", "Tags")
_LATER = ("AggregationConfigurations", "InsightSelectors")


class Trail(ResourceType):
    """AWS::CloudTrail::Trail. No event is recorded."""

    name = "AWS::CloudTrail::Trail"
    create_only = ("TrailName",)
    tags = ("Tags", "list")
    custom_name = "TrailName"

    def create(self, request: Request) -> Created:
        """Create a trail whose bucket lets CloudTrail write, as AWS does."""
        name = request.properties.get("TrailName", request.generated_name)
        return self._put("CreateTrail", request, name)

    def update(self, request: Request) -> Created:
        """Update a trail in place."""
        return self._put("UpdateTrail", request, request.identifier)

    def delete(self, request: Request) -> None:
        """Delete a trail; its files stay in the bucket."""
        if call_ministack("cloudtrail", "DescribeTrails", {"trailNameList": [request.identifier]})["trailList"]:
            call_ministack("cloudtrail", "DeleteTrail", {"Name": request.identifier})

    def _put(self, operation: str, request: Request, name: str) -> Created:
        arn = f"arn:aws:cloudtrail:{request.region}:{ACCOUNT}:trail/{name}"
        _check(request, arn)
        call_ministack("cloudtrail", operation, _settings(request, name))
        given = {key: value for key, value in request.properties.items() if key in _SELECTORS}
        if given:
            selectors = to_api("cloudtrail", "PutEventSelectorsRequest", {**given, "TrailName": name})
            call_ministack("cloudtrail", "PutEventSelectors", selectors)
        logs = str(request.properties["IsLogging"]).lower() == "true"
        call_ministack("cloudtrail", "StartLogging" if logs else "StopLogging", {"Name": name})
        return name, {"Arn": arn}


def _settings(request: Request, name: str) -> Document:
    given = {key: value for key, value in request.properties.items() if key not in (*_OWN, "TrailName")}
    settings: Document = to_api("cloudtrail", "CreateTrailRequest", {**given, "Name": name})
    if not request.identifier:
        tags = tag_map(request.properties.get("Tags"))
        settings["TagsList"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    return settings


def _check(request: Request, arn: str) -> None:
    if unknown := [key for key in _LATER if key in request.properties]:
        raise ValueError(f"not rehearsed: {unknown[0]} of a trail")
    bucket = request.properties["S3BucketName"]
    policy = ministack_bridge.bucket_policy(bucket)
    statements = [
        one
        for one in policy.get("Statement", [])
        if one["Principal"] == "*" or _SERVICE in _listed(one["Principal"].get("Service", []))
    ]
    context = {"aws:SourceArn": arn, "aws:SecureTransport": "true", "s3:x-amz-acl": "bucket-owner-full-control"}
    prefix = f"{request.properties['S3KeyPrefix']}/" if request.properties.get("S3KeyPrefix") else ""
    for action, resource in (("GetBucketAcl", ""), ("PutObject", f"/{prefix}AWSLogs/{ACCOUNT}/CloudTrail/any")):
        if refusal(Permission(f"s3:{action}", f"arn:aws:s3:::{bucket}{resource}", context), statements):
            raise ValueError(
                f"Incorrect S3 bucket policy is detected for bucket: {bucket} (Service: CloudTrail, Error Code: "
                "InsufficientS3BucketPolicyException)"
            )


def _listed(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given
