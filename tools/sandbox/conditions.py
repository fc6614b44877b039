"""A small pipeline whose stages have conditions, and its releases: what is observed of them.

Its stages: the source; an approval with a condition before entry and one on success, both on an alarm; and an approval
whose window opens in some days.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from .account import said
from .git import Repository
from .queues import get
from .roles import allow, role, trust
from .sandbox import Sandbox
from .stacks import Stack, Template, parameters, template
from .verdicts import Unavailable

WATCHED, WINDOW = "Watched", "Window"
# CodePipeline takes no less.
_WAIT_MINUTES = 1


def _surroundings(sandbox: Sandbox, repository: str) -> str:
    """What the pipeline needs: bucket, role, and an alarm whose state a parameter decides."""
    bucket = get("Bucket", "Arn")
    objects = {"Fn::Join": ["/", [bucket, "*"]]}
    source = ("GetBranch", "GetCommit", "GetRepository", "*UploadArchive", "GetUploadArchiveStatus")
    pipeline = role(
        trust(service="codepipeline.amazonaws.com"),
        allow("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", resource=objects),
        allow("s3:GetBucketLocation", "s3:GetBucketVersioning", resource=bucket),
        allow(*(f"codecommit:{verb}" for verb in source), resource=sandbox.arn("codecommit", repository)),
        allow("cloudwatch:DescribeAlarms"),
    )
    alarm = {
        "AlarmName": sandbox.name("watched"),
        "Namespace": f"sandbox/{sandbox.run}",
        "MetricName": "Missing",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": {"Ref": "Missing"},
    }
    resources: Template = {
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {}},
        "Pipeline": pipeline,
        "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm},
    }
    outputs = {"Bucket": {"Value": {"Ref": "Bucket"}}, "Pipeline": {"Value": get("Pipeline", "Arn")}}
    missing = {"Type": "String", "Default": "notBreaching"}
    return template(resources, Parameters={"Missing": missing}, Outputs=outputs)


def _pipeline(sandbox: Sandbox, repository: str, made: dict[str, str]) -> str:
    opens = datetime.now(UTC) + timedelta(days=3)
    window = {"Cron": f"* * * ? * {opens.strftime('%a').upper()} *", "TimeZone": "UTC"}
    alarm = {"AlarmName": sandbox.name("watched"), "AlarmStates": "ALARM", "WaitTime": str(_WAIT_MINUTES)}
    watched = _condition("CloudWatchAlarm", alarm)
    source = {"RepositoryName": repository, "BranchName": "main", "PollForSourceChanges": "false"}
    stages = [
        _stage("Source", "Source", "CodeCommit", source, OutputArtifacts=[{"Name": "Source"}]),
        _stage(WATCHED, "Approval", "Manual", {}) | {"BeforeEntry": watched, "OnSuccess": watched},
        _stage(WINDOW, "Approval", "Manual", {}) | {"BeforeEntry": _condition("DeploymentWindow", window)},
    ]
    properties = {
        "Name": sandbox.name("conditions"),
        "PipelineType": "V2",
        "ExecutionMode": "QUEUED",
        "RoleArn": made["Pipeline"],
        "ArtifactStore": {"Type": "S3", "Location": made["Bucket"]},
        "Stages": stages,
    }
    return template({"Pipeline": {"Type": "AWS::CodePipeline::Pipeline", "Properties": properties}})


def _condition(provider: str, configuration: dict[str, str]) -> Template:
    kind = {"Category": "Rule", "Owner": "AWS", "Provider": provider, "Version": "1"}
    rule = {"Name": "Rule", "RuleTypeId": kind, "Configuration": configuration}
    return {"Conditions": [{"Result": "FAIL", "Rules": [rule]}]}


def _stage(name: str, category: str, provider: str, configuration: dict[str, str], **more: Any) -> Template:
    kind = {"Category": category, "Owner": "AWS", "Provider": provider, "Version": "1"}
    return {"Name": name, "Actions": [{"Name": name, "ActionTypeId": kind, "Configuration": configuration, **more}]}


class Conditions:
    """The pipeline and its executions, in the order in which the scenario makes them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.name = sandbox.name("conditions")
        self.executions: dict[str, str] = {}
        #: When the first execution began to wait for its window.
        self.waits_since = datetime.now(UTC)
        #: The stage with the window while the first execution waits for it.
        self.closed: dict[str, Any] = {}
        #: From the end of the actions to that of the condition on success.
        self.seconds_after_success = 0.0
        self.status_after_success = ""
        #: Why the rollback was refused, if it was.
        self.refusal_of_rollback = ""
        self.rollback_entered = False
        self.retry_entered = False

    @property
    def steps(self) -> dict[str, Callable[[], None]]:
        """The steps of the scenario, by their milestones."""
        return {
            "succeeded": self._succeed,
            "waiting": self._wait_for_window,
            "rolled back": self._roll_back,
            "retried": self._retry,
        }

    @property
    def _client(self) -> Any:
        return self._sandbox.client("codepipeline")

    def _succeed(self) -> None:
        repository = Repository.create(self._sandbox, "conditioned")
        repository.commit("Nothing is built", source__txt="nothing\n")
        repository.push()
        text = _surroundings(self._sandbox, repository.name)
        self._surroundings = Stack.create(self._sandbox, "conditioned", text, None, Capabilities=["CAPABILITY_IAM"])
        # New roles can be assumed once all servers know them.
        self._sandbox.settle(15)
        Stack.create(self._sandbox, "conditions", _pipeline(self._sandbox, repository.name, self._surroundings.outputs))
        self.executions["first"] = self._sandbox.wait(self._newest, "the start of the pipeline with conditions", 120)
        self._pass("first")
        stage = self.stage(WATCHED)
        (state,), (action,) = stage["onSuccessConditionState"]["conditionStates"], stage["actionStates"]
        (rule,) = state["ruleStates"]
        self.status_after_success = str(state["latestExecution"]["status"])
        ended = rule["latestExecution"]["lastStatusChange"] - action["latestExecution"]["lastStatusChange"]
        self.seconds_after_success = ended.total_seconds()

    def _wait_for_window(self) -> None:
        def waits() -> bool:
            return self._in(WINDOW, "first")

        self._sandbox.wait(waits, "the entry into the stage with a window", 120)
        self.waits_since = datetime.now(UTC)
        self._sandbox.settle(60)
        self.closed = self.stage(WINDOW)

    def _roll_back(self) -> None:
        """A rollback into the stage while a release could not enter it."""
        self.executions["second"] = self._start()
        self._pass("second")
        self._surroundings.update(
            Parameters=parameters({"Missing": "breaching"}), Capabilities=["CAPABILITY_IAM"], Tags=self._sandbox.tags
        )
        self._sandbox.wait(self._rings, "the state ALARM of the alarm", 600)
        try:
            answer = self._client.rollback_stage(
                pipelineName=self.name, stageName=WATCHED, targetPipelineExecutionId=self.executions["first"]
            )
        except ClientError as error:
            self.refusal_of_rollback = said(error)
            return
        self.executions["rollback"] = answer["pipelineExecutionId"]
        self.rollback_entered = self._enters("rollback")
        if self.rollback_entered:
            self._client.stop_pipeline_execution(
                pipelineName=self.name, pipelineExecutionId=self.executions["rollback"], abandon=True, reason="A probe"
            )
            self._sandbox.wait(lambda: self._ended("rollback"), "the end of the rollback", 300)

    def _retry(self) -> None:
        """A retry of a stage that its condition before entry has failed, and fails still."""
        self.executions["third"] = self._start()
        if self._enters("third"):
            raise Unavailable("a release has entered the stage although the alarm of its condition is in ALARM")
        # It enters nothing more, but CodePipeline has to have noticed.
        self._sandbox.settle(15)
        self._client.retry_stage_execution(
            pipelineName=self.name,
            stageName=WATCHED,
            pipelineExecutionId=self.executions["third"],
            retryMode="ALL_ACTIONS",
        )
        self._sandbox.settle(15)
        self.retry_entered = self._enters("third")

    def stage(self, name: str) -> dict[str, Any]:
        """The state of a stage."""
        stages: list[dict[str, Any]] = self._client.get_pipeline_state(name=self.name)["stageStates"]
        return next(one for one in stages if one["stageName"] == name)

    def status(self, execution: str) -> str:
        """The status of an execution."""
        identifier = self.executions[execution]
        answer = self._client.get_pipeline_execution(pipelineName=self.name, pipelineExecutionId=identifier)
        return str(answer["pipelineExecution"]["status"])

    def _ended(self, execution: str) -> str:
        status = self.status(execution)
        return "" if status in ("InProgress", "Stopping") else status

    def _in(self, name: str, execution: str) -> bool:
        latest = self.stage(name).get("latestExecution", {})
        return bool(latest.get("pipelineExecutionId") == self.executions[execution])

    def _token(self, execution: str) -> str:
        """That of the approval for which an execution waits in the stage."""
        stage = self.stage(WATCHED)
        if stage.get("latestExecution", {}).get("pipelineExecutionId") != self.executions[execution]:
            return ""
        (action,) = stage["actionStates"]
        latest = action.get("latestExecution", {})
        return str(latest.get("token", "")) if latest.get("status") == "InProgress" else ""

    def _enters(self, execution: str) -> bool:
        """Whether the actions of the stage start before its condition fails the execution."""
        self._sandbox.wait(
            lambda: self._token(execution) or self._ended(execution), f"the end of the condition of {execution}", 900
        )
        return bool(self._token(execution))

    def _pass(self, execution: str) -> None:
        """Approve an execution in the stage, and wait until it has left it."""
        token = self._sandbox.wait(lambda: self._token(execution), f"the approval of the {execution} execution", 600)
        self._client.put_approval_result(
            pipelineName=self.name,
            stageName=WATCHED,
            actionName=WATCHED,
            result={"summary": "A probe", "status": "Approved"},
            token=token,
        )

        def left() -> bool:
            latest = self.stage(WATCHED)["latestExecution"]
            return bool(latest["pipelineExecutionId"] != self.executions[execution] or latest["status"] != "InProgress")

        self._sandbox.wait(left, f"the end of the stage for the {execution} execution", 900)

    def _rings(self) -> bool:
        alarms = self._sandbox.client("cloudwatch").describe_alarms(AlarmNames=[self._sandbox.name("watched")])
        return [one["StateValue"] for one in alarms["MetricAlarms"]] == ["ALARM"]

    def _newest(self) -> str:
        found = self._client.list_pipeline_executions(pipelineName=self.name)["pipelineExecutionSummaries"]
        return str(found[0]["pipelineExecutionId"]) if found else ""

    def _start(self) -> str:
        return str(self._client.start_pipeline_execution(name=self.name)["pipelineExecutionId"])
