"""CodeBuild's API where builds run: projects, builds and reports. What runs them is `scaffold.engine.builds`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from scaffold.engine.builds.builds import Builds
from scaffold.engine.builds.request import Refused
from scaffold.local.protocol import ACCOUNT, AwsService, Call, Document, ServiceError, service_model
from scaffold.local.services.report_groups import ReportGroups

_PAGE = 100


class CodeBuild(AwsService):
    """Projects and builds; the operations of reports are those of `ReportGroups`."""

    name = "codebuild"
    invalid_input = "InvalidInputException"

    def __init__(self, builds: Builds, reports: ReportGroups) -> None:
        self._builds = builds
        self._reports = reports
        self._projects: dict[tuple[str, str], Document] = {}

    def method(self, operation: str) -> Callable[[Call], Document] | None:
        """The method for an operation, here or of the report groups."""
        return super().method(operation) or self._reports.method(operation)

    def tags_of(self, arn: str) -> dict[str, str]:
        """The tags of a project or report group; none if it does not exist."""
        region = arn.split(":")[3]
        found = self._projects.get((region, _name(arn))) or self._reports.find(arn) or {}
        return {tag["key"]: tag["value"] for tag in found.get("tags", [])}

    def stop(self) -> None:
        """Stop all builds."""
        self._builds.stop_all()

    def create_project(self, call: Call) -> Document:
        """Create a project."""
        name = call.parameters["name"]
        if (call.region, name) in self._projects:
            arn = project_arn(call.region, name)
            raise ServiceError("ResourceAlreadyExistsException", f"Project already exists: {arn}")
        now = time.time()
        self._projects[call.region, name] = _project(call) | {"created": now, "lastModified": now}
        return {"project": self._projects[call.region, name]}

    def update_project(self, call: Call) -> Document:
        """Replace the given properties of a project."""
        project = self._project(call, "name")
        project |= call.parameters | {"lastModified": time.time()}
        return {"project": project}

    def delete_project(self, call: Call) -> Document:
        """Delete a project. No error if it does not exist."""
        self._projects.pop((call.region, _name(call.parameters["name"])), None)
        return {}

    def batch_get_projects(self, call: Call) -> Document:
        """Describe projects."""
        wanted = call.parameters["names"]
        known = {name: self._projects.get((call.region, _name(name))) for name in wanted}
        found = [project for project in known.values() if project]
        return {"projects": found, "projectsNotFound": [name for name, project in known.items() if not project]}

    def list_projects(self, call: Call) -> Document:
        """List the names of projects."""
        return {"projects": sorted(name for region, name in self._projects if region == call.region)}

    def start_build(self, call: Call) -> Document:
        """Start a build of a project."""
        return {"build": self.start(call.region, call.parameters)}

    def start(self, region: str, given: Document, initiator: str = "", resolved_version: str = "") -> Document:
        """Start a build, with what the API cannot say.

        Args:
            given: The input of StartBuild.
            initiator: Who starts it: `codepipeline/NAME` for a pipeline.
            resolved_version: The commit of the source, which the artifact of a pipeline does not say.

        Raises:
            ServiceError: There is no such project, or the input is refused.
        """
        project = self._project(Call("StartBuild", given, region), "projectName")
        try:
            return self._builds.start(region, project, given, initiator, resolved_version)
        except Refused as error:
            raise ServiceError("InvalidInputException", str(error)) from error

    def start_for_event(self, region: str, project: str, given: str, rule: str) -> None:
        """Start a build for an EventBridge rule.

        Args:
            given: The input of the target: that of StartBuild as JSON, without the project. Empty for an event, of
                which CodeBuild reads nothing.
            rule: The name of the rule.

        Raises:
            ServiceError: There is no such project, or the input is refused.
        """
        try:
            parameters = json.loads(given or "{}")
        except ValueError:
            parameters = None
        if not isinstance(parameters, dict):
            raise ServiceError("InvalidInputException", f"The input of the target is not a JSON object: {given}")
        parameters["projectName"] = project
        self.check_input(Call("StartBuild", parameters, region))
        self.start(region, parameters, f"rule/{rule}")

    def retry_build(self, call: Call) -> Document:
        """Start a build again."""
        identifier = call.parameters.get("id", "").rpartition(":build/")[2]
        return {"build": _found(self._builds.retry(call.region, identifier), identifier)}

    def stop_build(self, call: Call) -> Document:
        """Stop a build."""
        identifier = call.parameters["id"]
        return {"build": _found(self._builds.stop(call.region, identifier), identifier)}

    def batch_get_builds(self, call: Call) -> Document:
        """Describe builds."""
        known = {name: self._builds.find(call.region, name) for name in call.parameters["ids"]}
        found = [build for build in known.values() if build]
        return {"builds": found, "buildsNotFound": [name for name, build in known.items() if not build]}

    def list_builds(self, call: Call) -> Document:
        """List the ids of builds, the newest first unless the order is ascending."""
        return _page(call, self._builds.identifiers(call.region))

    def list_builds_for_project(self, call: Call) -> Document:
        """List the ids of a project's builds."""
        project = self._project(call, "projectName")
        return _page(call, self._builds.identifiers(call.region, project["name"]))

    def _project(self, call: Call, parameter: str) -> Document:
        name = call.parameters[parameter]
        project = self._projects.get((call.region, _name(name)))
        if project is None:
            arn = project_arn(call.region, _name(name))
            raise ServiceError("ResourceNotFoundException", f"Project cannot be found: {arn}")
        return project


def _project(call: Call) -> Document:
    """A project with CodeBuild's defaults, in the form of BatchGetProjects."""
    members = service_model("codebuild").shape_for("Project").members  # type: ignore[attr-defined]
    given = {key: value for key, value in call.parameters.items() if key in members}
    name = given["name"]
    return {
        "timeoutInMinutes": 60,
        "queuedTimeoutInMinutes": 480,
        "cache": {"type": "NO_CACHE"},
        "encryptionKey": f"arn:aws:kms:{call.region}:{ACCOUNT}:alias/aws/s3",
        "tags": [],
        **given,
        "arn": project_arn(call.region, name),
        "badge": {"badgeEnabled": False},
    }


def project_arn(region: str, name: str) -> str:
    """The ARN of a project."""
    return f"arn:aws:codebuild:{region}:{ACCOUNT}:project/{name}"


def _name(name_or_arn: str) -> str:
    return name_or_arn.rpartition(":project/")[2]


def _found(build: Document | None, identifier: str) -> Document:
    if build is None:
        raise ServiceError("ResourceNotFoundException", f"Build {identifier} cannot be found")
    return build


def _page(call: Call, identifiers: list[str]) -> Document:
    """One page of builds, which are given newest first."""
    if call.parameters.get("sortOrder", "DESCENDING") == "ASCENDING":
        identifiers = identifiers[::-1]
    first = int(call.parameters.get("nextToken", 0))
    rest = {"nextToken": str(first + _PAGE)} if first + _PAGE < len(identifiers) else {}
    return {"ids": identifiers[first : first + _PAGE], **rest}
