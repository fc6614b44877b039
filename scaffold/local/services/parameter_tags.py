"""The tags of parameters in Parameter Store: ministack also answers for a parameter that does not exist, with none."""

from __future__ import annotations

from scaffold.local import ministack_bridge
from scaffold.local.protocol import AwsService, Call, Document, ServiceError


class ParameterTags(AwsService):
    """ListTagsForResource of Parameter Store."""

    name = "ssm"

    def list_tags_for_resource(self, call: Call) -> Document:
        """The tags of a parameter that exists."""
        wanted = call.parameters["ResourceId"]
        named = {"Key": "Name", "Values": [wanted]}
        found = ministack_bridge.call("ssm", "DescribeParameters", {"ParameterFilters": [named]}, call.region)
        if call.parameters["ResourceType"] == "Parameter" and not found["Parameters"]:
            raise ServiceError("InvalidResourceId", "The resource ID is not valid.")
        return ministack_bridge.call("ssm", "ListTagsForResource", call.parameters, call.region)
