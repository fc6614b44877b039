"""The permissions that a request needs: IAM actions, each with a resource and the condition keys of the request.

The tables have the calls of builds, tasks and pipelines. Actions and resources are those of the Service Authorization
Reference. A call that they lack is not rehearsed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from scaffold.iam.policies import Context, as_list
from scaffold.local.permissions.api_requests import ApiRequest
from scaffold.local.protocol import ACCOUNT

#: The name of a service in IAM actions, where it is not that of its signatures.
_PREFIXES = {"monitoring": "cloudwatch"}

_ANY = "*"
_ECR = "arn:aws:ecr:{region}:{account}:repository/{repositoryName}"
_LOG_GROUP = "arn:aws:logs:{region}:{account}:log-group:{logGroupName}"
_PROJECT = "arn:aws:codebuild:{region}:{account}:project/"
_CODECOMMIT = "arn:aws:codecommit:{region}:{account}:{repositoryName}"
_STACK = "arn:aws:cloudformation:{region}:{account}:stack/{StackName}/*"
_TABLE = "arn:aws:dynamodb:{region}:{account}:table/{TableName}"
_QUEUE = "arn:aws:sqs:{region}:{account}:"
_SERVICE = "arn:aws:ecs:{region}:{account}:service/"
# Their ids are random.
_TARGETS = "arn:aws:application-autoscaling:{region}:{account}:scalable-target/*"
_PIPELINE = "arn:aws:codepipeline:{region}:{account}:"

# The resource of operations, by the name of the service in signatures. {Name} is a parameter of the request; one that
# is a list names several resources.
_RESOURCES: dict[str, dict[str, str]] = {
    "application-autoscaling": {
        "DescribeScalableTargets DescribeScheduledActions": _ANY,
        "PutScheduledAction RegisterScalableTarget": _TARGETS,
    },
    "cloudformation": {
        "CreateStack UpdateStack DeleteStack DescribeStacks DescribeStackEvents DescribeStackResource": _STACK,
        "DescribeStackResources ListStackResources GetTemplate GetStackPolicy SetStackPolicy": _STACK,
        "CreateChangeSet DeleteChangeSet DescribeChangeSet ExecuteChangeSet ListChangeSets": _STACK,
        "ListStacks ListExports ListImports ValidateTemplate": _ANY,
    },
    "codebuild": {
        "StartBuild": f"{_PROJECT}{{projectName}}",
        "BatchGetProjects": f"{_PROJECT}{{names}}",
        "BatchGetBuilds": f"{_PROJECT}{{ids}}",
        "StopBuild RetryBuild": f"{_PROJECT}{{id}}",
        "ListBuildsForProject": f"{_PROJECT}{{projectName}}",
        "ListProjects ListBuilds": _ANY,
    },
    "codecommit": {
        "GetBranch GetCommit GetDifferences GetFile GetFolder GetRepository ListBranches": _CODECOMMIT,
        "GetCommentsForComparedCommit ListPullRequests PostCommentForComparedCommit": _CODECOMMIT,
        "ListRepositories": _ANY,
    },
    "codepipeline": {
        "StartPipelineExecution GetPipeline GetPipelineState": f"{_PIPELINE}{{name}}",
        "GetPipelineExecution ListPipelineExecutions ListActionExecutions": f"{_PIPELINE}{{pipelineName}}",
        "StopPipelineExecution": f"{_PIPELINE}{{pipelineName}}",
        "PutApprovalResult": f"{_PIPELINE}{{pipelineName}}/{{stageName}}/{{actionName}}",
    },
    "dynamodb": {
        "GetItem PutItem UpdateItem DeleteItem Query Scan DescribeTable": _TABLE,
    },
    "ecr": {
        "GetAuthorizationToken": _ANY,
        "BatchCheckLayerAvailability BatchGetImage GetDownloadUrlForLayer": _ECR,
        "InitiateLayerUpload UploadLayerPart CompleteLayerUpload PutImage": _ECR,
        "DescribeImages ListImages DescribeImageScanFindings StartImageScan BatchDeleteImage": _ECR,
    },
    "ecr-public": {"GetAuthorizationToken": _ANY},
    "ecs": {
        "DescribeServices": f"{_SERVICE}{{cluster}}/{{services}}",
        "DescribeTaskDefinition": _ANY,
        "RunTask": "{taskDefinition}",
        "DescribeTasks": "arn:aws:ecs:{region}:{account}:task/{cluster}/{tasks}",
        "StopTask": "arn:aws:ecs:{region}:{account}:task/{cluster}/{task}",
    },
    "elasticloadbalancing": {
        "DescribeListeners DescribeLoadBalancers DescribeRules DescribeTags DescribeTargetGroups": _ANY,
        "DescribeTargetHealth": _ANY,
        "ModifyRule": "{RuleArn}",
        "RegisterTargets DeregisterTargets": "{TargetGroupArn}",
    },
    "inspector-scan": {"ScanSbom": _ANY},
    "inspector2": {"ListCoverage ListFindings": _ANY},
    "kms": {"Decrypt DescribeKey Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext": "{KeyId}"},
    "logs": {
        "CreateLogStream PutLogEvents": f"{_LOG_GROUP}:log-stream:{{logStreamName}}",
        "CreateLogGroup DescribeLogStreams FilterLogEvents": f"{_LOG_GROUP}:log-stream:",
        "GetLogEvents": f"{_LOG_GROUP}:log-stream:{{logStreamName}}",
        "DescribeLogGroups": _ANY,
    },
    "monitoring": {"DescribeAlarms GetMetricData GetMetricStatistics ListMetrics PutMetricData": _ANY},
    "secretsmanager": {"DescribeSecret GetSecretValue": "{SecretId}"},
    "sns": {"Publish": "{TopicArn}"},
    "sqs": {
        "ChangeMessageVisibility ChangeMessageVisibilityBatch": f"{_QUEUE}{{QueueUrl}}",
        "DeleteMessage DeleteMessageBatch": f"{_QUEUE}{{QueueUrl}}",
        "GetQueueAttributes ReceiveMessage SendMessage SendMessageBatch": f"{_QUEUE}{{QueueUrl}}",
        "GetQueueUrl": f"{_QUEUE}{{QueueName}}",
    },
    "sts": {"AssumeRole": "{RoleArn}"},
    "ssm": {
        "GetParameter": "arn:aws:ssm:{region}:{account}:parameter/{Name}",
        "GetParameters": "arn:aws:ssm:{region}:{account}:parameter/{Names}",
        "GetParametersByPath": "arn:aws:ssm:{region}:{account}:parameter/{Path}",
        "ListTagsForResource": "arn:aws:ssm:{region}:{account}:parameter/{ResourceId}",
    },
}
_BY_OPERATION = {
    (service, operation): resource
    for service, rows in _RESOURCES.items()
    for operations, resource in rows.items()
    for operation in operations.split()
}
#: Parameters that may be missing.
_DEFAULTS = {"StackName": _ANY}
_PARAMETER = re.compile(r"\{(\w+)\}")

#: The ARN of a secret, by its name or ARN and its region.
SecretArn = Callable[[str, str], str]


class NotRehearsed(Exception):
    """It is not known which permissions a request needs. The text says of what."""


@dataclass(frozen=True)
class Need:
    """A permission that a request needs."""

    action: str
    resource: str = _ANY
    context: Context = field(default_factory=dict)


def needs_of(request: ApiRequest, secret_arn: SecretArn) -> list[Need]:
    """The permissions that a request to a service other than S3 needs.

    Raises:
        NotRehearsed: They are not known.
    """
    operation = request.operation
    template = _BY_OPERATION.get((request.service, operation))
    prefix = _PREFIXES.get(request.service, request.service)
    if template is None or "IndexName" in request.parameters:  # The index of a table is a resource of its own.
        raise NotRehearsed(f"the permissions of {prefix} {operation or f'{request.method} {request.path}'}")
    context = _context(request)
    resources = _resources(template, request)
    if request.service == "secretsmanager":
        resources = [secret_arn(one, request.region) for one in resources]
    # IAM has no actions of its own for the batches of a queue.
    action = operation.removesuffix("Batch") if request.service == "sqs" else operation
    found = [Need(f"{prefix}:{action}", resource, context) for resource in resources]
    return [*found, *_more(request, operation)]


def passed_role(role: str, service: str) -> Need:
    """The permission to pass a role to a service."""
    return Need("iam:PassRole", role, {"iam:PassedToService": service})


def _more(request: ApiRequest, operation: str) -> Iterator[Need]:
    """The permissions that a call needs beside that of its own name."""
    given = request.parameters
    if request.service == "cloudformation":
        if role := given.get("RoleARN"):
            yield passed_role(str(role), "cloudformation.amazonaws.com")
        if operation in ("CreateStack", "UpdateStack") and "StackPolicyBody" in given:
            yield from (Need("cloudformation:SetStackPolicy", one) for one in _resources(_STACK, request))
        if url := given.get("TemplateURL"):
            yield Need("s3:GetObject", f"arn:aws:s3:::{unquote(urlsplit(str(url)).path).lstrip('/')}")
    elif request.service == "ecr-public":
        yield Need("sts:GetServiceBearerToken")


def _context(request: ApiRequest) -> dict[str, str | list[str]]:
    context: dict[str, str | list[str]] = {f"aws:RequestTag/{key}": value for key, value in request.tags.items()}
    if request.tags:
        context["aws:TagKeys"] = list(request.tags)
    if request.operation == "PutMetricData" and "Namespace" in request.parameters:
        context["cloudwatch:namespace"] = str(request.parameters["Namespace"])
    if request.service == "application-autoscaling" and "ServiceNamespace" in request.parameters:
        context["application-autoscaling:service-namespace"] = str(request.parameters["ServiceNamespace"])
    if request.service == "ecs" and "cluster" in request.parameters:
        cluster = str(request.parameters["cluster"]).rpartition("/")[2]
        context["ecs:cluster"] = f"arn:aws:ecs:{request.region}:{ACCOUNT}:cluster/{cluster}"
    if request.operation == "AssumeRole":
        context["sts:RoleSessionName"] = str(request.parameters.get("RoleSessionName", ""))
    if request.service == "cloudformation" and "ChangeSetName" in request.parameters:
        context["cloudformation:ChangeSetName"] = str(request.parameters["ChangeSetName"])
    return context


def _resources(template: str, request: ApiRequest) -> list[str]:
    """The ARNs of the resources that a request names."""
    if template == _ANY:
        return [_ANY]
    found = [template.replace("{region}", request.region).replace("{account}", ACCOUNT)]
    for name in _PARAMETER.findall(found[0]):
        values = [str(one) for one in as_list(request.parameters.get(name, _DEFAULTS.get(name, [])))]
        found = [_filled(text, name, value, request) for text in found for value in values]
    if not found:
        raise NotRehearsed(f"the permissions of {request.service} {request.operation} without a resource")
    return found


def _filled(text: str, name: str, value: str, request: ApiRequest) -> str:
    """An ARN with the value of a parameter, which may be an ARN itself."""
    if value.startswith("arn:"):
        kept = value.replace(":build/", ":project/") if request.service == "codebuild" else value
        return kept.rpartition(":")[0] if name in ("id", "ids") else kept
    if request.service == "kms":
        if value.startswith("alias/"):
            raise NotRehearsed("permissions for a KMS key by its alias")
        return f"arn:aws:kms:{request.region}:{ACCOUNT}:key/{value}"
    if name in ("id", "ids"):
        value = value.rpartition(":")[0]
    if name == "QueueUrl":
        value = value.rpartition("/")[2]
    return text.replace(f"{{{name}}}", value.lstrip("/") if request.service == "ssm" else value)


def registry_needs(method: str, path: str, query: Mapping[str, str], region: str) -> list[Need]:
    """The permissions that a request to ECR's registry needs, in the form of the OCI distribution API.

    Raises:
        NotRehearsed: They are not known.
    """
    found = re.fullmatch(r"/v2/(?P<name>.+?)/(?P<kind>manifests|blobs|tags)/(?P<rest>.*)", path)
    if found is None:
        return []  # Whether the registry answers.
    write = method not in ("GET", "HEAD")
    if found["kind"] == "manifests":
        names = {"PUT": ["PutImage"], "GET": ["BatchGetImage"], "HEAD": ["BatchGetImage"]}.get(method, [])
    elif found["kind"] == "tags":
        names = ["ListImages"]
    elif write:
        whole = ["InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload"]
        steps = {"POST": whole if "digest" in query else whole[:1], "PATCH": whole[1:2], "PUT": whole[2:]}
        names = steps.get(method, [])
    else:
        names = ["BatchCheckLayerAvailability" if method == "HEAD" else "GetDownloadUrlForLayer"]
    if not names:
        raise NotRehearsed(f"the permissions of {method} in the registry")
    arn = f"arn:aws:ecr:{region}:{ACCOUNT}:repository/{found['name']}"
    return [Need(f"ecr:{name}", arn) for name in names]
