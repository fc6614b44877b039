"""CloudFormation types of the delivery services: CodeCommit, CodePipeline, CodeBuild's report groups."""

from __future__ import annotations

from scaffold.local.cloudformation.resource_types import Created, Request, ResourceType, call_service, tag_map, to_api
from scaffold.local.protocol import ACCOUNT, Document, Service
from scaffold.local.services.codecommit import CodeCommit
from scaffold.local.services.codepipeline import CodePipeline
from scaffold.local.services.report_groups import ReportGroups


class CodeCommitRepository(ResourceType):
    """AWS::CodeCommit::Repository, without initial code and triggers."""

    name = "AWS::CodeCommit::Repository"
    tags = ("Tags", "list")

    def __init__(self, service: CodeCommit) -> None:
        self._service = service

    def create(self, request: Request) -> Created:
        """Create an empty repository."""
        for unsupported in ("Code", "Triggers"):
            if unsupported in request.properties:
                raise ValueError(f"Local AWS does not know the property {unsupported} of {self.name}")
        given = {
            "repositoryName": request.properties["RepositoryName"],
            "tags": tag_map(request.properties.get("Tags")),
        }
        if "RepositoryDescription" in request.properties:
            given["repositoryDescription"] = request.properties["RepositoryDescription"]
        metadata = call_service(self._service, "CreateRepository", given, request.region)["repositoryMetadata"]
        return metadata["repositoryId"], _attributes(metadata)

    def update(self, request: Request) -> Created:
        """Rename, describe or tag a repository."""
        if request.old["RepositoryName"] != request.properties["RepositoryName"]:
            names = {"oldName": request.old["RepositoryName"], "newName": request.properties["RepositoryName"]}
            call_service(self._service, "UpdateRepositoryName", names, request.region)
        named = {"repositoryName": request.properties["RepositoryName"]}
        described = {"repositoryDescription": request.properties.get("RepositoryDescription", "")}
        call_service(self._service, "UpdateRepositoryDescription", named | described, request.region)
        metadata = call_service(self._service, "GetRepository", named, request.region)["repositoryMetadata"]
        _retag(self._service, request, metadata["Arn"])
        return request.identifier, _attributes(metadata)

    def delete(self, request: Request) -> None:
        """Delete a repository with its contents."""
        named = {"repositoryName": request.properties["RepositoryName"]}
        call_service(self._service, "DeleteRepository", named, request.region)


class CodePipelinePipeline(ResourceType):
    """AWS::CodePipeline::Pipeline."""

    name = "AWS::CodePipeline::Pipeline"
    create_only = ("Name",)
    tags = ("Tags", "list")
    custom_name = "Name"

    def __init__(self, service: CodePipeline) -> None:
        self._service = service

    def create(self, request: Request) -> Created:
        """Create a pipeline, which asks for its first execution."""
        declaration = _declaration(request)
        tags = _tag_list(tag_map(request.properties.get("Tags")))
        given = {"pipeline": declaration, "tags": tags}
        pipeline = call_service(self._service, "CreatePipeline", given, request.region)["pipeline"]
        self._disable_transitions(request, pipeline["name"])
        return pipeline["name"], {"Version": str(pipeline["version"])}

    def update(self, request: Request) -> Created:
        """Replace a pipeline's structure; run it again where the template asks for that."""
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
        _retag(self._service, request, f"arn:aws:codepipeline:{request.region}:{ACCOUNT}:{request.identifier}")
        return request.identifier, {"Version": str(pipeline["version"])}

    def delete(self, request: Request) -> None:
        """Delete a pipeline."""
        call_service(self._service, "DeletePipeline", {"name": request.identifier}, request.region)

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
        """Change where a report group exports to, and its tags."""
        given = to_api("codebuild", "UpdateReportGroupInput", {"ExportConfig": request.properties["ExportConfig"]})
        given |= {"arn": request.identifier, "tags": _tag_list(tag_map(request.properties.get("Tags")))}
        call_service(self._service, "UpdateReportGroup", given, request.region)
        return request.identifier, {"Arn": request.identifier}

    def delete(self, request: Request) -> None:
        """Delete a report group."""
        call_service(self._service, "DeleteReportGroup", {"arn": request.identifier}, request.region)


def _attributes(metadata: Document) -> Document:
    return {
        "Arn": metadata["Arn"],
        "Name": metadata["repositoryName"],
        "CloneUrlHttp": metadata["cloneUrlHttp"],
        "CloneUrlSsh": metadata["cloneUrlSsh"],
    }


def _declaration(request: Request) -> Document:
    """A pipeline's properties as the API takes them."""
    only_in_templates = ("Tags", "RestartExecutionOnUpdate", "DisableInboundStageTransitions")
    given = {key: value for key, value in request.properties.items() if key not in only_in_templates}
    given.setdefault("Name", request.generated_name)
    if "ArtifactStores" in given:  # A list in templates, a map by region in the API.
        given["ArtifactStores"] = {store["Region"]: store["ArtifactStore"] for store in given["ArtifactStores"]}
    declaration: Document = to_api("codepipeline", "PipelineDeclaration", given)
    return declaration


def _retag(service: Service, request: Request, arn: str) -> None:
    """Make a resource's tags those of the new properties, leaving tags from elsewhere alone."""
    before, after = tag_map(request.old.get("Tags")), tag_map(request.properties.get("Tags"))
    gone = [key for key in before if key not in after]
    if gone:
        call_service(service, "UntagResource", {"resourceArn": arn, "tagKeys": gone}, request.region)
    if after:
        tags = _tag_list(after) if service.name == "codepipeline" else after
        call_service(service, "TagResource", {"resourceArn": arn, "tags": tags}, request.region)


def _tag_list(tags: dict[str, str]) -> list[Document]:
    return [{"key": key, "value": value} for key, value in tags.items()]
