"""CodeBuild actions: start a build of the input artifact, and wait for its end."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from scaffold.engine.executors.clients import Clients, code_of, message_of
from scaffold.engine.pipeline.jobs import Assignment, Failed, Job, Outcome, Progress, Succeeded

_POLL_SECONDS = 0.2
_KEYS = ("ProjectName", "EnvironmentVariables", "PrimarySource")


class CodeBuildAction:
    """Executes actions through CodeBuild's API.

    Args:
        clients: The AWS clients.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def __call__(self, job: Job) -> Outcome:
        """Execute an action."""
        assignment = job.assignment
        problem = _not_rehearsed(assignment)
        if problem:
            return Failed("ActionConfigurationError", f"not rehearsed: {problem} of a CodeBuild action")
        api = self._clients("codebuild", assignment.region)
        try:
            build = api.start_build(**_request(assignment))["build"]
            _report(job, build)
            while build["buildStatus"] == "IN_PROGRESS":
                if job.ended.wait(_POLL_SECONDS):
                    return Failed("JobFailed", "The action was abandoned")
                build = api.batch_get_builds(ids=[build["id"]])["builds"][0]
        except ClientError as error:
            return Failed("JobFailed", f"Error calling startBuild. Error code: {code_of(error)}, {message_of(error)}")
        except ValueError as error:
            return Failed("ActionConfigurationError", f"EnvironmentVariables is not valid JSON: {error}")
        _report(job, build)
        if build["buildStatus"] != "SUCCEEDED":
            return Failed("JobFailed", _reason(build))
        variables = {one["name"]: one.get("value", "") for one in build.get("exportedEnvironmentVariables", [])}
        return Succeeded(variables=variables)


def _not_rehearsed(assignment: Assignment) -> str:
    unknown = [key for key in assignment.configuration if key not in _KEYS]
    if unknown:
        return ", ".join(unknown)
    if assignment.outputs:
        return "output artifacts"
    return "" if len(assignment.inputs) == 1 else f"{len(assignment.inputs)} input artifacts"


def _request(assignment: Assignment) -> dict[str, Any]:
    """The build of an input artifact. CodePipeline's own source type cannot be requested through the API."""
    (location,) = assignment.inputs.values()
    given = json.loads(assignment.configuration.get("EnvironmentVariables", "[]"))
    return {
        "projectName": assignment.configuration["ProjectName"],
        "sourceTypeOverride": "S3",
        "sourceLocationOverride": f"{location.bucket}/{location.key}",
        "environmentVariablesOverride": [{"type": "PLAINTEXT", **one} for one in given],
    }


def _report(job: Job, build: dict[str, Any]) -> None:
    logs = build.get("logs", {})
    url = logs.get("deepLink", "")
    job.report(Progress(build["id"], "", url, logs.get("cloudWatchLogsArn", "")))


def _reason(build: dict[str, Any]) -> str:
    """CodePipeline's message for a build that has not succeeded, with the phase that failed."""
    message = f"Build terminated with state: {build['buildStatus']}"
    for phase in build.get("phases", []):
        if phase.get("phaseStatus", "SUCCEEDED") != "SUCCEEDED":
            context: dict[str, str] = next(iter(phase.get("contexts", [])), {})
            code, text = context.get("statusCode", ""), context.get("message", "")
            return f"{message}. Phase: {phase['phaseType']}, Code: {code}, Message: {text}"
    return message
