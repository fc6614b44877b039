"""The resource types of continuous delivery: pipelines and report groups."""

from __future__ import annotations

from scaffold.local.cloudformation.resource_types import Created, Request, ResourceType, call_service, tag_map, to_api
from scaffold.local.protocol import ACCOUNT, Document
from scaffold.local.services.codepipeline import CodePipeline
from scaffold.local.services.report_groups import ReportGroups


class CodePipelinePipeline(ResourceType):
    """AWS::CodePipeline::Pipeline."""

    name = "AWS::CodePipeline::Pipeline"
    create_only = ("Name",)
    tags = ("Tags", "list")
    custom_name = "Name"

    def __init__(self, service: CodePipeline) -> None:
        self._service = service

    def create(self, request: Request) -> Created:
        """Create a pipeline. This requests its first execution."""
        declaration = _declaration(request)
        tags = _tag_list(tag_map(request.properties.get("Tags")))
        given = {"pipeline": declaration, "tags": tags}
        pipeline = call_service(self._service, "CreatePipeline", given, request.region)["pipeline"]
        self._disable_transitions(request, pipeline["name"])
        return pipeline["name"], {"Version": str(pipeline["version"])}

    def update(self, request: Request) -> Created:
        """Replace a pipeline's structure, and start it if `RestartExecutionOnUpdate` is true."""
        declaration = _declaration(request) | {"name": request.identifier}
        given = {"pipeline": declaration}
        pipeline = call_service(self._service, "UpdatePipeline", given, request.region)["pipeline"]
        for transition in request.old.get("DisableInboundStageTransitions", []):
            if transition["StageName"] in [stage["name"] for stage in pipeline["stages"]]:
                inbound = {"stageName": transition["StageName"], "transitionType": "Inbound"}
                inbound["pipelineName"] = request.identifier
                call_service(self._service, "EnableStageTransition", inbound, request.region)
        self._disable_transitions(request, request.identifier)
        if str(request.properties.get("RestartExecutionOnUpdate", False)).lower() == "true":
            call_service(self._service, "StartPipelineExecution", {"name": request.identifier}, request.region)
        self._retag(request)
        return request.identifier, {"Version": str(pipeline["version"])}

    def delete(self, request: Request) -> None:
        """Delete a pipeline."""
        call_service(self._service, "DeletePipeline", {"name": request.identifier}, request.region)

    def _retag(self, request: Request) -> None:
        """Apply the change of tags. Tags that the template never had stay as they are."""
        arn = f"arn:aws:codepipeline:{request.region}:{ACCOUNT}:{request.identifier}"
        before, after = tag_map(request.old.get("Tags")), tag_map(request.properties.get("Tags"))
        removed = [key for key in before if key not in after]
        if removed:
            call_service(self._service, "UntagResource", {"resourceArn": arn, "tagKeys": removed}, request.region)
        if after:
            call_service(self._service, "TagResource", {"resourceArn": arn, "tags": _tag_list(after)}, request.region)

    def _disable_transitions(self, request: Request, name: str) -> None:
        for transition in request.properties.get("DisableInboundStageTransitions", []):
            given = {
                "pipelineName": name,
                "stageName": transition["StageName"],
                "transitionType": "Inbound",
                "reason": transition["Reason"],
            }
            call_service(self._service, "DisableStageTransition", given, request.region)


class CodeBuildReportGroup(ResourceType):
    """AWS::CodeBuild::ReportGroup."""

    name = "AWS::CodeBuild::ReportGroup"
    create_only = ("Name", "Type")
    tags = ("Tags", "list")
    custom_name = "Name"

    def __init__(self, service: ReportGroups) -> None:
        self._service = service

    def create(self, request: Request) -> Created:
        """Create a report group."""
        only_in_templates = ("Tags", "DeleteReports")
        given = {key: value for key, value in request.properties.items() if key not in only_in_templates}
        given.setdefault("Name", request.generated_name)
        parameters = to_api("codebuild", "CreateReportGroupInput", given)
        parameters["tags"] = _tag_list(tag_map(request.properties.get("Tags")))
        group = call_service(self._service, "CreateReportGroup", parameters, request.region)["reportGroup"]
        return group["arn"], {"Arn": group["arn"]}

    def update(self, request: Request) -> Created:
        """Update a report group's export configuration and tags."""
        given = to_api("codebuild", "UpdateReportGroupInput", {"ExportConfig": request.properties["ExportConfig"]})
        given |= {"arn": request.identifier, "tags": _tag_list(tag_map(request.properties.get("Tags")))}
        call_service(self._service, "UpdateReportGroup", given, request.region)
        return request.identifier, {"Arn": request.identifier}

    def delete(self, request: Request) -> None:
        """Delete a report group."""
        given: Document = {"arn": request.identifier}
        given["deleteReports"] = str(request.properties.get("DeleteReports", False)).lower() == "true"
        call_service(self._service, "DeleteReportGroup", given, request.region)


def _declaration(request: Request) -> Document:
    """A pipeline's properties as API input."""
    only_in_templates = ("Tags", "RestartExecutionOnUpdate", "DisableInboundStageTransitions")
    given = {key: value for key, value in request.properties.items() if key not in only_in_templates}
    given.setdefault("Name", request.generated_name)
    if "ArtifactStores" in given:  # A list in templates, a map by region in the API
        given["ArtifactStores"] = {store["Region"]: store["ArtifactStore"] for store in given["ArtifactStores"]}
    declaration: Document = to_api("codepipeline", "PipelineDeclaration", given)
    return declaration


def _tag_list(tags: dict[str, str]) -> list[Document]:
    return [{"key": key, "value": value} for key, value in tags.items()]
