"""The templates of a small pipeline that shows what the kit's pipelines rely on, in a few minutes.

Its stages: the source; a check that fails once and is retried; an approval, which is skipped unless the check says
otherwise; an update of the pipeline itself; and the update of a stack that was created before.
"""

from __future__ import annotations

import json
from typing import Any

from .builds import IMAGE
from .queues import get, queue, rule
from .roles import allow, role, trust
from .sandbox import Sandbox
from .stacks import HANDLE, Template, template

CHECK, APPROVE, UPDATE, DEPLOY = "Check", "Approve", "Update", "Deploy"
# The first build of the project fails. The commit says whether something changes.
_INSTRUCTIONS = """\
version: 0.2
env:
  shell: bash
  exported-variables: [CHANGED]
phases:
  build:
    commands:
      - test "$CODEBUILD_BUILD_NUMBER" != 1
      - export CHANGED="$(cat changed.txt)"
"""


def surroundings(sandbox: Sandbox, repository: str) -> str:
    """What the pipeline needs: bucket, build, roles, and a queue of its events."""
    name = sandbox.name("line")
    bucket, log = get("Bucket", "Arn"), get("Logs", "Arn")
    objects = {"Fn::Join": ["/", [bucket, "*"]]}
    stacks = [sandbox.arn("cloudformation", f"stack/{sandbox.name(one)}/*") for one in ("line", "target")]
    pipeline = role(
        trust(service="codepipeline.amazonaws.com"),
        allow("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", resource=objects),
        allow("s3:GetBucketLocation", "s3:GetBucketVersioning", resource=bucket),
        allow(
            *(f"codecommit:{verb}" for verb in ("GetBranch", "GetCommit", "GetRepository", "UploadArchive")),
            "codecommit:GetUploadArchiveStatus",
            "codecommit:CancelUploadArchive",
            resource=sandbox.arn("codecommit", repository),
        ),
        allow("codebuild:StartBuild", "codebuild:BatchGetBuilds", resource=sandbox.arn("codebuild", f"project/{name}")),
        # Not CreateStack.
        allow(
            *(f"cloudformation:{verb}" for verb in ("DescribeStack*", "GetTemplate", "*TagResource", "UpdateStack")),
            resource=stacks,
        ),
        allow("cloudformation:ValidateTemplate"),
        allow("iam:PassRole", resource=get("Deployment", "Arn")),
    )
    deployment = role(
        trust(service="cloudformation.amazonaws.com"),
        allow("codepipeline:*", "sns:*"),
        allow("iam:GetRole", "iam:PassRole", resource=sandbox.arn("iam", f"role/{sandbox.run}-*", region="")),
        allow("s3:GetObject", "s3:GetObjectVersion", resource=objects),
    )
    build = role(
        trust(service="codebuild.amazonaws.com"),
        allow("logs:CreateLogStream", "logs:PutLogEvents", resource=log),
        allow("s3:GetBucketAcl", "s3:GetBucketLocation", resource=bucket),
        allow("s3:GetObject", "s3:GetObjectVersion", resource=objects),
    )
    events = rule({"source": ["aws.codepipeline"], "detail": {"pipeline": [name]}})
    resources: Template = {
        **queue(),
        "Events": events,
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {}},
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": f"/{name}", "RetentionInDays": 1}},
        "Pipeline": pipeline,
        "Deployment": deployment,
        "Build": build,
        "Project": {"Type": "AWS::CodeBuild::Project", "Properties": _project(name)},
    }
    outputs = {
        "Bucket": {"Value": {"Ref": "Bucket"}},
        "Pipeline": {"Value": get("Pipeline", "Arn")},
        "Deployment": {"Value": get("Deployment", "Arn")},
        "Url": {"Value": {"Ref": "Queue"}},
    }
    return template(resources, Outputs=outputs)


def _project(name: str) -> Template:
    return {
        "Name": name,
        "ServiceRole": get("Build", "Arn"),
        "Artifacts": {"Type": "CODEPIPELINE"},
        "Source": {"Type": "CODEPIPELINE", "BuildSpec": _INSTRUCTIONS},
        "TimeoutInMinutes": 10,
        "LogsConfig": {"CloudWatchLogs": {"Status": "ENABLED", "GroupName": {"Ref": "Logs"}}},
        "Environment": {"Type": "LINUX_CONTAINER", "Image": IMAGE, "ComputeType": "BUILD_GENERAL1_SMALL"},
    }


def target() -> str:
    """A stack that the pipeline updates, with a parameter that may be empty and has no default."""
    return template(
        {**HANDLE, "Topic": {"Type": "AWS::SNS::Topic"}},
        Parameters={"Empty": {"Type": "String"}},
        Outputs={"Empty": {"Value": {"Fn::Join": ["", ["empty:", {"Ref": "Empty"}]]}}},
    )


def pipeline(sandbox: Sandbox, repository: str, made: dict[str, str], timeout: int) -> str:
    """The pipeline, as the only resource of its stack.

    Args:
        made: The outputs of its surroundings.
        timeout: The minutes after which the approval fails. Another number is another pipeline.
    """
    name = sandbox.name("line")
    changed = {"Variable": "#{Check.CHANGED}", "Operator": "NE", "Value": "no"}
    check = {"Category": "Rule", "Owner": "AWS", "Provider": "VariableCheck", "Version": "1"}
    rules = [{"Name": "Changed", "RuleTypeId": check, "Configuration": changed}]
    source = {"RepositoryName": repository, "BranchName": "main", "PollForSourceChanges": "false"}
    own = _deployment(name, "line", made["Deployment"])
    other = _deployment(sandbox.name("target"), "target", made["Deployment"])
    stages = [
        _stage("Source", "Source", "CodeCommit", source, OutputArtifacts=[{"Name": "Source"}]),
        _stage(CHECK, "Test", "CodeBuild", {"ProjectName": name}, Namespace="Check", **_FROM_SOURCE)
        | {"OnFailure": {"Result": "RETRY", "RetryConfiguration": {"RetryMode": "FAILED_ACTIONS"}}},
        _stage(APPROVE, "Approval", "Manual", {}, TimeoutInMinutes=timeout)
        | {"BeforeEntry": {"Conditions": [{"Result": "SKIP", "Rules": rules}]}},
        _stage(UPDATE, "Deploy", "CloudFormation", own, **_FROM_SOURCE),
        _stage(DEPLOY, "Deploy", "CloudFormation", other, **_FROM_SOURCE),
    ]
    properties = {
        "Name": name,
        "PipelineType": "V2",
        "ExecutionMode": "QUEUED",
        "RoleArn": made["Pipeline"],
        "RestartExecutionOnUpdate": True,
        "ArtifactStore": {"Type": "S3", "Location": made["Bucket"]},
        "Stages": stages,
    }
    return template(
        {"Pipeline": {"Type": "AWS::CodePipeline::Pipeline", "Properties": properties}},
        Parameters={"Digest": {"Type": "String", "Default": "unknown"}},
        Outputs={"Digest": {"Value": {"Ref": "Digest"}}},
    )


_FROM_SOURCE: dict[str, Any] = {"InputArtifacts": [{"Name": "Source"}]}


def _stage(name: str, category: str, provider: str, configuration: dict[str, str], **more: Any) -> dict[str, Any]:
    kind = {"Category": category, "Owner": "AWS", "Provider": provider, "Version": "1"}
    return {"Name": name, "Actions": [{"Name": name, "ActionTypeId": kind, "Configuration": configuration, **more}]}


def _deployment(stack: str, file: str, deployment: str) -> dict[str, str]:
    return {
        "ActionMode": "CREATE_UPDATE",
        "StackName": stack,
        "TemplatePath": f"Source::{file}.json",
        "TemplateConfiguration": f"Source::{file}-configuration.json",
        "RoleArn": deployment,
    }


def configuration(sandbox: Sandbox, **values: str) -> str:
    """A configuration file of a template."""
    return json.dumps({"Parameters": values, "Tags": sandbox.tag_map})
