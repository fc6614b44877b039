"""Calls of ministack's APIs without HTTP."""

from __future__ import annotations

import json
from typing import cast
from urllib.parse import urlencode

from ministack.core.responses import get_region, request_scope
from ministack.services import (
    alb,
    budgets,
    cloudtrail,
    cloudwatch,
    cloudwatch_logs,
    ec2,
    ecr,
    ecs,
    eventbridge,
    iam,
    rds,
    s3,
    secretsmanager,
    sns,
    ssm,
    waf,
)

from scaffold.local.protocol import ACCOUNT, Document, ServiceError
from scaffold.local.wire import Response, error_of, output_of

_TARGETS = {
    "budgets": "AWSBudgetServiceGateway",
    "cloudtrail": "CloudTrail_20131101",
    "cloudwatch": "GraniteServiceVersion20100801",
    "ecr": "AmazonEC2ContainerRegistry_V20150921",
    "events": "AWSEvents",
    "logs": "Logs_20140328",
    "secretsmanager": "secretsmanager",
    "ssm": "AmazonSSM",
    "wafv2": "AWSWAF_20190729",
}
_MODULES = {
    "budgets": budgets,
    "cloudtrail": cloudtrail,
    "cloudwatch": cloudwatch,
    "ec2": ec2,
    "ecr": ecr,
    "elbv2": alb,
    "events": eventbridge,
    "iam": iam,
    "logs": cloudwatch_logs,
    "secretsmanager": secretsmanager,
    "sns": sns,
    "ssm": ssm,
    "wafv2": waf,
}


def call(service: str, operation: str, parameters: Document, region: str = "") -> Document:
    """Call an API of ministack without HTTP, in the region of the current request or in another one.

    Args:
        service: The service's name in botocore.
        parameters: The input: nested for the JSON services, flat as on the wire for the others.

    Returns:
        The output: the JSON document, or the XML's elements by name.

    Raises:
        ServiceError: The API answers with an error.
    """
    with request_scope(ACCOUNT, region or get_region()):
        status, _, body = _answer(service, operation, parameters)
    text = body.decode() if isinstance(body, bytes) else str(body or "")
    if status >= 400:
        raise ServiceError(*error_of(text))
    return output_of(text)


def _answer(service: str, operation: str, parameters: Document) -> Response:
    if service == "ecs":  # Its handle_request runs this function in a thread.
        return cast(Response, ecs._dispatch_action(operation, parameters))
    if service == "rds":  # So does this one.
        return cast(Response, rds._ACTION_MAP[operation]({key: [str(one)] for key, one in parameters.items()}))
    if service in _TARGETS:
        headers = {"x-amz-target": f"{_TARGETS[service]}.{operation}", "content-type": "application/x-amz-json-1.1"}
        return _request(service, headers, json.dumps(parameters).encode())
    form = {"content-type": "application/x-www-form-urlencoded"}
    return _request(service, form, urlencode({"Action": operation, **parameters}).encode())


def _request(service: str, headers: dict[str, str], body: bytes) -> Response:
    """Run a coroutine that awaits nothing. The event loop is running already, so it cannot be used for this."""
    coroutine = _MODULES[service].handle_request("POST", "/", headers, body, {})
    try:
        coroutine.send(None)
    except StopIteration as done:
        return cast(Response, done.value)
    coroutine.close()
    raise RuntimeError("handle_request of a ministack service awaits something, which it did not in ministack 1.5")


def secret_arn(name: str, region: str) -> str:
    """The ARN of a secret, which has a random suffix; without it if the secret does not exist.

    Args:
        name: Its name, or its ARN with or without the suffix.
    """
    try:
        return str(call("secretsmanager", "DescribeSecret", {"SecretId": name}, region)["ARN"])
    except ServiceError:
        return name if name.startswith("arn:") else f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:{name}"


def bucket_policy(name: str) -> Document:
    """The policy of a bucket; an empty document if it has none."""
    text = s3._bucket_policies.get(name)
    found: Document = json.loads(text) if text else {}
    return found


def delete_bucket(name: str) -> None:
    """Delete a bucket by S3's API, which raises ServiceError unless the bucket is empty."""
    status, _, body = s3._delete_bucket(name)
    if status >= 400:
        raise ServiceError(*error_of(body.decode()))


def database_clusters() -> dict[str, Document]:
    """The records of RDS's clusters in the region of the current request, by identifier."""
    found: dict[str, Document] = rds._clusters
    return found


def task_roles(definition: str, region: str) -> list[str]:
    """The ARNs of the roles that a task definition names; none if it does not exist."""
    try:
        found = call("ecs", "DescribeTaskDefinition", {"taskDefinition": definition}, region)["taskDefinition"]
    except ServiceError:
        return []
    return [str(found[name]) for name in ("executionRoleArn", "taskRoleArn") if found.get(name)]
