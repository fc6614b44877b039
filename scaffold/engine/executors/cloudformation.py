"""CloudFormation actions: create, update, replace and delete stacks, and create and execute change sets."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from scaffold.engine.executors.artifacts import ArtifactProblem, Artifacts
from scaffold.engine.executors.clients import Clients, code_of, message_of
from scaffold.engine.executors.stack_operations import (
    Abandoned,
    Document,
    OperationFailed,
    StackOperations,
    changes_nothing,
)
from scaffold.engine.pipeline.jobs import Assignment, Failed, Job, Outcome, Progress, Succeeded

#: The states in which REPLACE_ON_FAILURE deletes a stack first.
_FAILED_STATES = (
    "CREATE_FAILED",
    "DELETE_FAILED",
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "UPDATE_ROLLBACK_FAILED",
)
_LARGEST_BODY = 51_200
_KEYS = (
    "ActionMode",
    "StackName",
    "ChangeSetName",
    "TemplatePath",
    "TemplateConfiguration",
    "ParameterOverrides",
    "Capabilities",
    "RoleArn",
)


class CloudFormationAction:
    """Executes actions through CloudFormation's API.

    Args:
        clients: The AWS clients.
        artifacts: Where templates and their configurations are.
    """

    def __init__(self, clients: Clients, artifacts: Artifacts) -> None:
        self._clients = clients
        self._artifacts = artifacts
        self._modes = {
            "CREATE_UPDATE": self._create_or_update,
            "REPLACE_ON_FAILURE": self._replace_on_failure,
            "DELETE_ONLY": self._delete,
            "CHANGE_SET_REPLACE": self._replace_change_set,
            "CHANGE_SET_EXECUTE": self._execute_change_set,
        }

    def __call__(self, job: Job) -> Outcome:
        """Execute an action."""
        given, region = job.assignment.configuration, job.assignment.region
        unknown = [key for key in given if key not in _KEYS]
        mode = self._modes.get(given.get("ActionMode", ""))
        if mode is None or unknown or job.assignment.outputs:
            what = "output artifacts" if job.assignment.outputs else ", ".join(unknown)
            what = what if mode else f"the action mode {given.get('ActionMode')}"
            return Failed("ActionConfigurationError", f"not rehearsed: {what} of a CloudFormation action")
        api = self._clients("cloudformation", region)
        stack = StackOperations(api, given["StackName"], job.ended)
        try:
            summary = mode(api, stack, job)
            variables = {} if given["ActionMode"] in ("DELETE_ONLY", "CHANGE_SET_REPLACE") else stack.outputs()
        except Abandoned:
            return Failed("JobFailed", "The action was abandoned")
        except ClientError as error:
            return Failed("JobFailed", f"{message_of(error)} (Service: CloudFormation; Error Code: {code_of(error)})")
        except (OperationFailed, ArtifactProblem) as error:
            return Failed("JobFailed", str(error))
        return Succeeded(summary, variables)

    def _create_or_update(self, api: Any, stack: StackOperations, job: Job) -> str:
        request = self._request(job.assignment, with_policy=True)
        existing = stack.describe()
        before = stack.last_event()
        if existing is None:
            identifier = api.create_stack(**request)["StackId"]
            return _finish(stack, job, identifier, before, "Stack created")
        try:
            identifier = api.update_stack(**request)["StackId"]
        except ClientError as error:
            if not changes_nothing(message_of(error)):
                raise
            _report(job, existing["StackId"], "No updates are to be performed.")
            return "No updates are to be performed."
        return _finish(stack, job, identifier, before, "Stack updated")

    def _replace_on_failure(self, api: Any, stack: StackOperations, job: Job) -> str:
        existing = stack.describe()
        if existing and existing["StackStatus"] in _FAILED_STATES:
            self._delete(api, stack, job)
        return self._create_or_update(api, stack, job)

    def _delete(self, api: Any, stack: StackOperations, job: Job) -> str:
        existing = stack.describe()
        if existing is None:
            return "The stack does not exist."
        before = stack.last_event()
        role = job.assignment.configuration.get("RoleArn")
        api.delete_stack(StackName=stack.name, **({"RoleARN": role} if role else {}))
        return _finish(stack, job, existing["StackId"], before, "Stack deleted")

    def _replace_change_set(self, api: Any, stack: StackOperations, job: Job) -> str:
        name = job.assignment.configuration["ChangeSetName"]
        request = self._request(job.assignment, with_policy=False)
        existing = stack.describe()
        if existing:
            api.delete_change_set(StackName=stack.name, ChangeSetName=name)
        kind = "UPDATE" if existing and existing["StackStatus"] != "REVIEW_IN_PROGRESS" else "CREATE"
        made = api.create_change_set(ChangeSetName=name, ChangeSetType=kind, **request)
        empty = stack.wait_for_change_set(made["Id"])
        summary = empty or f"Change set {name} created."
        _report(job, made["StackId"], summary)
        return summary

    def _execute_change_set(self, api: Any, stack: StackOperations, job: Job) -> str:
        name = job.assignment.configuration["ChangeSetName"]
        described = api.describe_change_set(StackName=stack.name, ChangeSetName=name)
        if described["Status"] == "FAILED" and changes_nothing(described.get("StatusReason", "")):
            return str(described["StatusReason"])
        before = stack.last_event()
        api.execute_change_set(StackName=stack.name, ChangeSetName=name)
        return _finish(stack, job, described["StackId"], before, f"Change set {name} executed.")

    def _request(self, assignment: Assignment, with_policy: bool) -> Document:
        """What the requests to create a stack, to update it and to create a change set have in common."""
        given = assignment.configuration
        configuration = self._configuration(assignment)
        overrides = _object(given.get("ParameterOverrides", "{}"), "ParameterOverrides")
        for name, value in overrides.items():
            if isinstance(value, dict):
                raise OperationFailed(f"not rehearsed: {next(iter(value), '{}')} in ParameterOverrides of {name}")
        parameters = configuration.get("Parameters", {}) | overrides
        request: Document = {
            "StackName": given["StackName"],
            "Parameters": [{"ParameterKey": key, "ParameterValue": _text(value)} for key, value in parameters.items()],
            "Tags": [{"Key": key, "Value": _text(value)} for key, value in configuration.get("Tags", {}).items()],
            "Capabilities": given.get("Capabilities", "").replace(",", " ").split(),
            **self._template(assignment),
        }
        if "RoleArn" in given:
            request["RoleARN"] = given["RoleArn"]
        if with_policy and "StackPolicy" in configuration:
            request["StackPolicyBody"] = json.dumps(configuration["StackPolicy"])
        return request

    def _configuration(self, assignment: Assignment) -> Document:
        reference = assignment.configuration.get("TemplateConfiguration")
        if not reference:
            return {}
        return _object(self._artifacts.file(assignment, reference).decode(), reference)

    def _template(self, assignment: Assignment) -> Document:
        """The template itself, or the URL of a copy of it if it is too large."""
        body = self._artifacts.file(assignment, assignment.configuration["TemplatePath"])
        if len(body) <= _LARGEST_BODY:
            return {"TemplateBody": body.decode()}
        bucket = next(iter(assignment.inputs.values())).bucket
        key = f"{assignment.pipeline}/templates/{assignment.identifier}"
        self._clients("s3", assignment.region).put_object(Bucket=bucket, Key=key, Body=body)
        return {"TemplateURL": f"{self._clients.endpoint}/{bucket}/{key}"}


def _finish(stack: StackOperations, job: Job, identifier: str, before: str, summary: str) -> str:
    _report(job, identifier, "")
    stack.wait(identifier, before)
    return summary


def _report(job: Job, identifier: str, summary: str) -> None:
    region = job.assignment.region
    console = f"https://{region}.console.aws.amazon.com/cloudformation/home?region={region}"
    job.report(Progress(identifier, summary, f"{console}#/stacks/stackinfo?stackId={identifier}"))


def _object(text: str, where: str) -> Document:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise OperationFailed(f"{where} is not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise OperationFailed(f"{where} is not a JSON object")
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
