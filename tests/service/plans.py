"""A service with small production stacks on local AWS, and its plan scripts, whose `aws` is a boto3 client."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.service.conftest import run_script

Document = dict[str, Any]
KINDS = ("network", "environment", "task-definition", "alarms", "service")
SCRIPTS = Path("config", "scripts")
REGION = "eu-central-1"
EXECUTION, COMMIT = "execution-2", "0123abc"
TOLD = {
    "ARTIFACT_BUCKET": "bucket",
    "NOTIFICATION_TOPIC": "arn:notifications",
    "PIPELINE_PAGE": "https://pipeline",
    "RELEASE_NAME": "20260131-1100-v1",
}
POLICY = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"}]}


def topic(title: str, output: str = "Value", export: str = "", **parameters: Document) -> Document:
    """A template with a topic, and an output that may be an export."""
    exported = {"Export": {"Name": {"Fn::Sub": f"${{AWS::StackName}}-{export}"}}} if export else {}
    return {
        "Parameters": {"AppName": {"Type": "String"}, "Level": {"Type": "String", "Default": "low"}, **parameters},
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": title}}},
        "Outputs": {output: {"Value": title, **exported}},
    }


def importing(template: Document, name: str) -> Document:
    """The template with a topic more, whose name is an import."""
    resource = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Fn::ImportValue": name}}}
    return template | {"Resources": {**template["Resources"], "Importing": resource}}


class Production:
    """A service's production, its pipeline's state and the scripts.

    Attributes:
        calls: The calls of the scripts, as SERVICE:OPERATION and the request.
        faults: By SERVICE:OPERATION, what answers in place of AWS. Called with the request, it returns an answer, or
            None for that of AWS.
        stages: What GetPipelineState returns, by the stage's name.
        executions: Those that ListPipelineExecutions returns, the newest first.
        actions: What ListActionExecutions returns.
        chat: The topic of chat; empty for none.
        protect: Whether the release protects the load balancer; empty for an environment before production.
        longest_pause: The minutes for which a release can wait while its tasks run; empty where none can.
    """

    def __init__(self, app: str, root: Path, session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.app = app
        self.root = root
        self.api = session
        self._monkeypatch = monkeypatch
        self.calls: list[tuple[str, Document]] = []
        self.faults: dict[str, Callable[[Document], Document | None]] = {}
        self.stages: dict[str, Document] = {"Plan-Prod": running(EXECUTION), "Approve-Prod": {}, "Prod": {}}
        self.executions = ["execution-3", EXECUTION, "execution-1"]
        self.actions: list[Document] = []
        self.rollback = False
        self.chat = ""
        self.longest_pause = ""
        self.protect = ""
        self.image = "v1"
        export = f"{app}-prod-network-Network"
        self.templates = {
            "network": topic("network", "Network", "Network"),
            "environment": importing(topic("environment", "Environment", "Environment"), export),
            "task-definition": topic("x", "TaskDefinitionArn"),
            "alarms": topic("alarms"),
            "service": topic("service", TaskDefinitionArn={"Type": "String"}),
        }
        parameters = {name: {"Type": "String"} for name in ("ImageUri", "Version")}
        self.templates["task-definition"]["Parameters"] = parameters
        reference = {"Fn::Sub": "arn:task:${Version}"}
        self.templates["task-definition"]["Outputs"]["TaskDefinitionArn"]["Value"] = reference
        self.templates["task-definition"]["Resources"]["Topic"]["Properties"]["DisplayName"] = {"Ref": "Version"}
        self.templates["service"]["Resources"]["Topic"]["Properties"]["DisplayName"] = {"Ref": "TaskDefinitionArn"}
        self.configurations: dict[str, Document] = {
            kind: {"Parameters": {"AppName": app}, "Tags": {"gitops-scaffold:service": app}} for kind in KINDS
        }
        self.configurations["environment"]["StackPolicy"] = POLICY

    def name(self, kind: str) -> str:
        return f"{self.app}-prod-{kind}"

    def write(self) -> None:
        """Write the source."""
        folder = self.root / "infrastructure"
        for kind in KINDS:
            place = folder / "prod" if kind == "task-definition" else folder
            (place / f"{kind}.yaml").write_text(json.dumps(self.templates[kind], indent=2))
            if kind != "task-definition":
                (folder / "prod" / f"{kind}.json").write_text(json.dumps(self.configurations[kind]))

    def release(self, *kinds: str) -> None:
        """Deploy stacks as the pipeline does; all without names."""
        for kind in kinds or KINDS:
            configuration = self.configurations[kind]
            parameters, more = dict(configuration["Parameters"]), {}
            if kind == "task-definition":
                parameters = {"ImageUri": f"image:{self.image}", "Version": self.image}
            else:
                more["Tags"] = [{"Key": key, "Value": value} for key, value in configuration["Tags"].items()]
            if kind == "service":
                parameters["TaskDefinitionArn"] = f"arn:task:{self.image}"
            if kind == "environment" and self.protect:
                parameters["ProtectLoadBalancer"] = self.protect
            if "StackPolicy" in configuration:
                more["StackPolicyBody"] = json.dumps(configuration["StackPolicy"])
            self.update(kind, self.templates[kind], parameters, **more)

    def update(self, kind: str, template: Document, parameters: dict[str, str], **more: Any) -> None:
        """Create or update a stack."""
        request = {
            "StackName": self.name(kind),
            "TemplateBody": json.dumps(template, indent=2),
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            **more,
        }
        try:
            self.api.update_stack(**request)
        except ClientError as error:
            if "No updates" in str(error):
                return
            if "does not exist" not in str(error):
                raise
            self.api.create_stack(**request)
        while self.status(kind).endswith("_IN_PROGRESS"):
            time.sleep(0.02)
        assert self.status(kind) in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), self.status(kind)

    def status(self, kind: str) -> str:
        return str(self.api.describe_stacks(StackName=self.name(kind))["Stacks"][0]["StackStatus"])

    def change_sets(self) -> list[str]:
        """The change sets that exist."""
        return [
            one["ChangeSetName"]
            for kind in KINDS
            for one in self.api.list_change_sets(StackName=self.name(kind))["Summaries"]
        ]

    def requests(self, operation: str) -> list[Document]:
        """The requests of an operation so far."""
        return [request for name, request in self.calls if name == operation]

    def plan(self) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
        """Run plan_release.py; return also the variables that it exports."""
        output = self.root / "plan.env"
        output.unlink(missing_ok=True)
        given = {**TOLD, "COMMIT": COMMIT, "CHAT_TOPIC": self.chat, "LONGEST_PAUSE": self.longest_pause}
        done = self._run("plan_release.py", [str(output), "--poll-seconds", "0.01"], **given)
        lines = shlex.split(output.read_text()) if output.exists() else []
        return done, dict(word.partition("=")[::2] for word in lines if word != "export")

    def planned(self) -> dict[str, str]:
        """The variables of a plan that succeeds."""
        done, variables = self.plan()
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
        more = {"RUNNING", "WAITS"} if self.longest_pause else set()
        assert set(variables) == {"CHANGED", "SUMMARY", "STATE"} | more
        return variables

    def check(self, state: str) -> subprocess.CompletedProcess[str]:
        """Run plan_check.py."""
        return self._run("plan_check.py", [], STATE=state)

    def enter(self, state: str, freezes: str) -> subprocess.CompletedProcess[str]:
        """Run entry_check.py."""
        return self._run("entry_check.py", [], STATE=state, FREEZES=freezes)

    def _run(self, script: str, arguments: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
        given = {
            "APP_NAME": self.app,
            "ENVIRONMENT_NAME": "prod",
            "EXECUTION": EXECUTION,
            "AWS_REGION": REGION,
            "PROTECT": self.protect,
            **variables,
        }
        given |= {"IMAGE_URI": f"image:{self.image}", "IMAGE_TAG": self.image}
        handler = signal.getsignal(signal.SIGTERM)
        try:
            return run_script(self._monkeypatch, self.root / SCRIPTS / script, self._aws, given, arguments)
        finally:
            signal.signal(signal.SIGTERM, handler)

    def _aws(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        program, service, operation, *rest = command
        if service == "s3api":  # The bucket has no records.
            return subprocess.CompletedProcess(command, 0, "", "")
        assert (program, rest[0], rest[2:]) == ("aws", "--cli-input-json", ["--no-paginate", "--output", "json"])
        assert options["timeout"] > 0
        name, request = f"{service}:{operation}", json.loads(rest[1])
        self.calls.append((name, request))
        try:
            answer = self.faults[name](request) if name in self.faults else None
            if answer is None:
                made = {"codepipeline": self._pipeline, "cloudformation": self._cloudformation}.get(
                    service, self._other
                )
                answer = made(operation, request)
        except ClientError as error:
            return subprocess.CompletedProcess(command, 254, "", f"\n{error}\n")
        return subprocess.CompletedProcess(command, 0, json.dumps(answer, default=str), "")

    def _cloudformation(self, operation: str, request: Document) -> Document:
        answer: Document = getattr(self.api, operation.replace("-", "_"))(**request)
        answer.pop("ResponseMetadata", None)
        return answer

    def _other(self, operation: str, _: Document) -> Document:
        if operation == "publish":
            return {"MessageId": "1"}
        refused("RepositoryDoesNotExistException")({})
        return {}

    def _pipeline(self, operation: str, request: Document) -> Document:
        if operation == "get-pipeline-state":
            return {"stageStates": [{"stageName": name, **state} for name, state in self.stages.items()]}
        if operation == "list-pipeline-executions":
            return {"pipelineExecutionSummaries": [{"pipelineExecutionId": one} for one in self.executions]}
        if operation == "get-pipeline-execution":
            return {"pipelineExecution": {"executionType": "ROLLBACK" if self.rollback else "STANDARD"}}
        if operation == "list-action-executions":
            assert request["filter"] == {"pipelineExecutionId": EXECUTION}
            return {"actionExecutionDetails": self.actions}
        assert operation == "stop-pipeline-execution"
        self.stages["Approve-Prod"] = {}
        return {}


def running(execution: str, status: str = "InProgress") -> Document:
    """A stage with an execution."""
    return {"latestExecution": {"pipelineExecutionId": execution, "status": status}}


def refused(code: str, message: str = "no") -> Callable[[Document], None]:
    """A fault: AWS refuses the call."""

    def refuse(_: Document) -> None:
        raise ClientError({"Error": {"Code": code, "Message": message}}, "Operation")

    return refuse


def client(variables: dict[str, str]) -> Any:
    """A CloudFormation client of local AWS."""
    keys = variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"]
    session = boto3.session.Session(*keys, region_name=variables.get("AWS_REGION", "us-east-1"))
    return session.client("cloudformation", endpoint_url=variables["AWS_ENDPOINT_URL"])
