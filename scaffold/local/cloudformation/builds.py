"""The resource type of CodeBuild's projects where builds run: ministack's type drops their logs and caches."""

from __future__ import annotations

from scaffold.local.cloudformation.resource_types import Created, Request, ResourceType, call_service, tag_map, to_api
from scaffold.local.protocol import ACCOUNT, Document
from scaffold.local.services.codebuild import CodeBuild

# CodeBuild's API has them in calls of their own, or not at all.
_ONLY_IN_TEMPLATES = ("Tags", "Triggers", "Visibility", "ResourceAccessRole")


class CodeBuildProject(ResourceType):
    """AWS::CodeBuild::Project."""

    name = "AWS::CodeBuild::Project"
    create_only = ("Name",)
    tags = ("Tags", "list")
    custom_name = "Name"
    longest_name = 150

    def __init__(self, service: CodeBuild) -> None:
        self._service = service

    def create(self, request: Request) -> Created:
        """Create a project."""
        given = _properties(request, request.properties.get("Name", request.generated_name))
        project = call_service(self._service, "CreateProject", given, request.region)["project"]
        return project["name"], {"Arn": project["arn"]}

    def update(self, request: Request) -> Created:
        """Update a project."""
        given = _properties(request, request.identifier)
        call_service(self._service, "UpdateProject", given, request.region)
        return request.identifier, {"Arn": f"arn:aws:codebuild:{request.region}:{ACCOUNT}:project/{request.identifier}"}

    def delete(self, request: Request) -> None:
        """Delete a project."""
        call_service(self._service, "DeleteProject", {"name": request.identifier}, request.region)


def _properties(request: Request, name: str) -> Document:
    given = {key: value for key, value in request.properties.items() if key not in _ONLY_IN_TEMPLATES}
    properties: Document = to_api("codebuild", "CreateProjectInput", given | {"Name": name})
    properties["tags"] = [{"key": k, "value": v} for k, v in tag_map(request.properties.get("Tags")).items()]
    return properties
