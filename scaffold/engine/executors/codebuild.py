"""CodeBuild actions: start a build of the input artifact, and wait for its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from scaffold.engine.executors.clients import Clients, code_of, message_of
from scaffold.engine.pipeline.jobs import Assignment, Failed, Job, Outcome, Progress, Succeeded

Document = dict[str, Any]
_POLL_SECONDS = 0.2
_LOOK_SECONDS = 0.02
_KEYS = ("ProjectName", "EnvironmentVariables", "PrimarySource")


class BuildRefused(Exception):
    """CodeBuild refuses to start a build. The text is for people."""


#: Starts a build: takes the region, StartBuild's input, the initiator and the commit of the source, and returns the
#: build. The last two are what StartBuild's input cannot say. Raises BuildRefused.
StartBuild = Callable[[str, Document, str, str], Document]
#: Whether a build, by region and id, has not ended.
Runs = Callable[[str, str], bool]


class CodeBuildAction:
    """Executes actions through CodeBuild's API.

    Args:
        clients: The AWS clients.
        start: Starts builds in place of the API.
        runs: Tells when there is something to ask the API for; without it, the API is asked all the time.
    """

    def __init__(self, clients: Clients, start: StartBuild | None = None, runs: Runs | None = None) -> None:
        self._clients = clients
        self._start = start or self._start_with_api
        self._runs = runs

    def __call__(self, job: Job) -> Outcome:
        """Execute an action."""
        assignment = job.assignment
        problem = _not_rehearsed(assignment)
        if problem:
            return Failed("ActionConfigurationError", f"not rehearsed: {problem} of a CodeBuild action")
        api = self._clients("codebuild", assignment.region)
        try:
            initiator = f"codepipeline/{assignment.pipeline}"
            commit = next(iter(assignment.commits.values()), "")
            build = self._start(assignment.region, _request(assignment), initiator, commit)
            _report(job, build)
            while build["buildStatus"] == "IN_PROGRESS":
                if self._abandoned(job, build["id"]):
                    return Failed("JobFailed", "The action was abandoned")
                build = api.batch_get_builds(ids=[build["id"]])["builds"][0]
        except ClientError as error:
            return Failed("JobFailed", f"{message_of(error)} (Service: CodeBuild; Error Code: {code_of(error)})")
        except BuildRefused as error:
            return Failed("JobFailed", f"Error calling startBuild. {error}")
        except ValueError as error:
            return Failed("ActionConfigurationError", f"EnvironmentVariables is not valid JSON: {error}")
        _report(job, build)
        if build["buildStatus"] != "SUCCEEDED":
            return Failed("JobFailed", _reason(build))
        variables = {one["name"]: one.get("value", "") for one in build.get("exportedEnvironmentVariables", [])}
        return Succeeded(variables=variables)

    def _abandoned(self, job: Job, identifier: str) -> bool:
        """Wait until the API is worth asking; whether the action was abandoned meanwhile."""
        if self._runs is None:
            return job.ended.wait(_POLL_SECONDS)
        while self._runs(job.assignment.region, identifier):
            if job.ended.wait(_LOOK_SECONDS):
                return True
        return False

    def _start_with_api(self, region: str, request: Document, _initiator: str, _commit: str) -> Document:
        try:
            build: Document = self._clients("codebuild", region).start_build(**request)["build"]
        except ClientError as error:
            raise BuildRefused(f"Error code: {code_of(error)}, message: {message_of(error)}") from error
        return build


def _not_rehearsed(assignment: Assignment) -> str:
    unknown = [key for key in assignment.configuration if key not in _KEYS]
    if unknown:
        return ", ".join(unknown)
    if assignment.outputs:
        return "output artifacts"
    return "" if len(assignment.inputs) == 1 else f"{len(assignment.inputs)} input artifacts"


def _request(assignment: Assignment) -> Document:
    """The build of an input artifact. CodePipeline's own source type cannot be requested through the API."""
    (location,) = assignment.inputs.values()
    given = json.loads(assignment.configuration.get("EnvironmentVariables", "[]"))
    return {
        "projectName": assignment.configuration["ProjectName"],
        "sourceTypeOverride": "S3",
        "sourceLocationOverride": f"{location.bucket}/{location.key}",
        "environmentVariablesOverride": [{"type": "PLAINTEXT", **one} for one in given],
    }


def _report(job: Job, build: Document) -> None:
    logs = build.get("logs", {})
    url = logs.get("deepLink", "")
    job.report(Progress(build["id"], "", url, logs.get("cloudWatchLogsArn", "")))


def _reason(build: Document) -> str:
    """CodePipeline's message for a build that has not succeeded, with the phase that failed."""
    message = f"Build terminated with state: {build['buildStatus']}"
    for phase in build.get("phases", []):
        if phase.get("phaseStatus", "SUCCEEDED") != "SUCCEEDED":
            context: dict[str, str] = next(iter(phase.get("contexts", [])), {})
            code, text = context.get("statusCode", ""), context.get("message", "")
            return f"{message}. Phase: {phase['phaseType']}, Code: {code}, Message: {text}"
    return message
