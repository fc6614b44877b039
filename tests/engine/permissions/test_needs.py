"""Which permissions requests need."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from scaffold.local.permissions.api_requests import ApiRequest
from scaffold.local.permissions.bucket_needs import bucket_needs
from scaffold.local.permissions.code_reviews import Reviewed, review_needs
from scaffold.local.permissions.needs import Need, NotRehearsed, needs_of, registry_needs

LOGS = "arn:aws:logs:us-east-1:000000000000:log-group:/shop:log-stream:"
ECR = "arn:aws:ecr:us-east-1:000000000000:repository/shop"
STACK = "arn:aws:cloudformation:us-east-1:000000000000:stack/shop/*"
KEY = "arn:aws:kms:us-east-1:000000000000:key/1"


def signed(service: str) -> dict[str, str]:
    return {"authorization": f"AWS4-HMAC-SHA256 Credential=ASIA1/20260101/us-east-1/{service}/aws4_request, Sign"}


def json_request(service: str, operation: str, **parameters: Any) -> ApiRequest:
    headers = {"x-amz-target": f"Prefix_1.{operation}", "content-type": "application/x-amz-json-1.1"}
    return ApiRequest.read("POST", "/", "", signed(service) | headers, json.dumps(parameters).encode())


def form_request(service: str, operation: str, **parameters: str) -> ApiRequest:
    headers = signed(service) | {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    body = urlencode({"Action": operation} | {key.replace("_", "."): value for key, value in parameters.items()})
    return ApiRequest.read("POST", "/", "", headers, body.encode())


def needs(request: ApiRequest) -> list[Need]:
    return needs_of(request, lambda name, _region: f"arn:{name}-AbCdEf")


def pairs(needs: list[Need]) -> list[tuple[str, str]]:
    return [(need.action, need.resource) for need in needs]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (json_request("ecr", "GetAuthorizationToken"), [("ecr:GetAuthorizationToken", "*")]),
        (
            json_request("codepipeline", "PutApprovalResult", pipelineName="shop", stageName="Go", actionName="Ask"),
            [("codepipeline:PutApprovalResult", "arn:aws:codepipeline:us-east-1:000000000000:shop/Go/Ask")],
        ),
        (json_request("ecr", "DescribeImages", repositoryName="shop"), [("ecr:DescribeImages", ECR)]),
        (
            json_request("ecr-public", "GetAuthorizationToken"),
            [("ecr-public:GetAuthorizationToken", "*"), ("sts:GetServiceBearerToken", "*")],
        ),
        (
            json_request("logs", "PutLogEvents", logGroupName="/shop", logStreamName="a", logEvents=[]),
            [("logs:PutLogEvents", f"{LOGS}a")],
        ),
        (json_request("logs", "CreateLogGroup", logGroupName="/shop"), [("logs:CreateLogGroup", LOGS)]),
        (
            json_request("codebuild", "BatchGetBuilds", ids=["shop-build:1", "arn:aws:codebuild:r:1:build/b:2"]),
            [
                ("codebuild:BatchGetBuilds", "arn:aws:codebuild:us-east-1:000000000000:project/shop-build"),
                ("codebuild:BatchGetBuilds", "arn:aws:codebuild:r:1:project/b"),
            ],
        ),
        (
            json_request("codecommit", "ListPullRequests", repositoryName="shop"),
            [("codecommit:ListPullRequests", "arn:aws:codecommit:us-east-1:000000000000:shop")],
        ),
        (
            json_request(
                "codepipeline", "PutApprovalResult", pipelineName="shop", stageName="Live", actionName="Approval"
            ),
            [
                (
                    "codepipeline:PutApprovalResult",
                    "arn:aws:codepipeline:us-east-1:000000000000:shop/Live/Approval",
                )
            ],
        ),
        (
            form_request("sts", "AssumeRole", RoleArn="arn:aws:iam::1:role/r", RoleSessionName="mary"),
            [("sts:AssumeRole", "arn:aws:iam::1:role/r")],
        ),
        (
            json_request("ssm", "GetParameters", Names=["/shop/a", "b"]),
            [
                ("ssm:GetParameters", "arn:aws:ssm:us-east-1:000000000000:parameter/shop/a"),
                ("ssm:GetParameters", "arn:aws:ssm:us-east-1:000000000000:parameter/b"),
            ],
        ),
        (
            json_request("ssm", "ListTagsForResource", ResourceType="Parameter", ResourceId="/shop/a"),
            [("ssm:ListTagsForResource", "arn:aws:ssm:us-east-1:000000000000:parameter/shop/a")],
        ),
        # The whole ARN counts, with the suffix.
        (
            json_request("secretsmanager", "GetSecretValue", SecretId="arn:shop"),
            [("secretsmanager:GetSecretValue", "arn:arn:shop-AbCdEf")],
        ),
        (
            form_request("cloudformation", "DescribeStacks", StackName="shop"),
            [("cloudformation:DescribeStacks", STACK)],
        ),
        (
            form_request("cloudformation", "DescribeStacks"),
            [("cloudformation:DescribeStacks", STACK.replace("shop", "*"))],
        ),
        (
            form_request("cloudformation", "CreateStack", StackName="shop", RoleARN="arn:r", StackPolicyBody="{}"),
            [
                ("cloudformation:CreateStack", STACK),
                ("iam:PassRole", "arn:r"),
                ("cloudformation:SetStackPolicy", STACK),
            ],
        ),
        (
            form_request("cloudformation", "UpdateStack", StackName="shop", TemplateURL="http://127.0.0.1:1/b/a%20b"),
            [("cloudformation:UpdateStack", STACK), ("s3:GetObject", "arn:aws:s3:::b/a b")],
        ),
        (
            json_request("ecs", "DescribeTaskDefinition", taskDefinition="shop:1"),
            [("ecs:DescribeTaskDefinition", "*")],
        ),
        (
            json_request("ecs", "DescribeServices", cluster="shop", services=["web"]),
            [("ecs:DescribeServices", "arn:aws:ecs:us-east-1:000000000000:service/shop/web")],
        ),
        (
            form_request("elasticloadbalancing", "DescribeRules", RuleArns_member_1="arn:x"),
            [("elasticloadbalancing:DescribeRules", "*")],
        ),
        (
            form_request("elasticloadbalancing", "ModifyRule", RuleArn="arn:x"),
            [("elasticloadbalancing:ModifyRule", "arn:x")],
        ),
        (ApiRequest.read("POST", "/findings/list", "", signed("inspector2")), [("inspector2:ListFindings", "*")]),
        (ApiRequest.read("POST", "/scan/sbom", "", signed("inspector-scan")), [("inspector-scan:ScanSbom", "*")]),
    ],
    ids=lambda value: f"{value.service}-{value.operation}" if isinstance(value, ApiRequest) else "",
)
def test_calls_need_permissions(request_: ApiRequest, expected: list[tuple[str, str]]) -> None:
    assert pairs(needs(request_)) == expected


def test_requests_have_condition_keys() -> None:
    tagged = form_request(
        "cloudformation", "CreateStack", StackName="shop", Tags_member_1_Key="service", Tags_member_1_Value="shop"
    )
    assert needs(tagged)[0].context == {"aws:RequestTag/service": "shop", "aws:TagKeys": ["service"]}
    metric = json_request("monitoring", "PutMetricData", Namespace="Shop", MetricData=[])
    assert needs(metric)[0] == Need("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "Shop"})
    passed = needs(form_request("cloudformation", "CreateStack", StackName="shop", RoleARN="arn:r"))[1]
    assert passed.context == {"iam:PassedToService": "cloudformation.amazonaws.com"}
    cluster = "arn:aws:ecs:us-east-1:000000000000:cluster/shop-dev"
    for given in ("shop-dev", cluster):
        (task,) = needs(json_request("ecs", "RunTask", cluster=given, taskDefinition="arn:x"))
        assert task.context == {"ecs:cluster": cluster}
    named = form_request("cloudformation", "ExecuteChangeSet", StackName="shop", ChangeSetName="plan-1")
    assert needs(named)[0].context == {"cloudformation:ChangeSetName": "plan-1"}
    assumed = form_request("sts", "AssumeRole", RoleArn="arn:r", RoleSessionName="mary")
    assert needs(assumed)[0].context == {"sts:RoleSessionName": "mary"}


@pytest.mark.parametrize(
    ("operation", "given", "context"),
    [
        ("CreatePullRequest", {"targets": [{"repositoryName": "shop"}]}, {}),
        ("UpdatePullRequestApprovalState", {"pullRequestId": "7"}, {}),
        ("MergePullRequestBySquash", {"pullRequestId": "7"}, {"codecommit:References": "refs/heads/main"}),
        ("UpdatePullRequestApprovalState", {"pullRequestId": "8"}, None),
    ],
)
def test_calls_about_pull_requests_need_permissions_on_their_repository(
    operation: str, given: dict[str, Any], context: dict[str, str] | None
) -> None:
    """Nothing is needed for a pull request that does not exist, of which CodeCommit says so."""

    def find(region: str, parameters: Mapping[str, Any]) -> Reviewed | None:
        known = (region, parameters["pullRequestId"]) == ("us-east-1", "7")
        return Reviewed("shop", "refs/heads/main") if known else None

    repository = "arn:aws:codecommit:us-east-1:000000000000:shop"
    expected = [] if context is None else [Need(f"codecommit:{operation}", repository, context)]
    assert review_needs(json_request("codecommit", operation, **given), find) == expected


def test_other_calls_are_not_about_pull_requests() -> None:
    for service, operation in (("codecommit", "GetBranch"), ("ecr", "DescribeImages")):
        assert review_needs(json_request(service, operation, repositoryName="shop"), lambda *_: None) is None


@pytest.mark.parametrize(
    "request_",
    [
        json_request("dynamodb", "CreateTable", TableName="shop"),
        json_request("dynamodb", "Query", TableName="shop", IndexName="by-date"),
        json_request("kms", "Decrypt", KeyId="alias/shop"),
        json_request("logs", "PutLogEvents", logEvents=[]),
        form_request("sts", "GetSessionToken"),
        ApiRequest.read("GET", "/2015-03-31/functions", "", signed("lambda")),
    ],
    ids=lambda request: f"{request.service}-{request.operation}",
)
def test_the_permissions_of_other_calls_are_not_rehearsed(request_: ApiRequest) -> None:
    with pytest.raises(NotRehearsed):
        needs(request_)


def bucket(method: str, path: str, query: str = "", default_key: str = "", object_key: str = "", **more: str) -> Any:
    """The needs of a request to S3 with a default key and the key of the object in it."""

    async def ask(method: str, _path: str) -> tuple[dict[str, str], bytes]:
        if method == "HEAD":
            return {"x-amz-server-side-encryption-aws-kms-key-id": object_key} if object_key else {}, b""
        return {}, f"<Rule><KMSMasterKeyID>{default_key}</KMSMasterKeyID></Rule>".encode() if default_key else b""

    headers = signed("s3") | {f"x-amz-{key.replace('_', '-')}": value for key, value in more.items()}
    return pairs(asyncio.run(bucket_needs(ApiRequest.read(method, path, query, headers), ask)))


OBJECT = "arn:aws:s3:::b/a/c"


@pytest.mark.parametrize(
    ("given", "more", "expected"),
    [
        (("GET", "/b/a/c"), {}, [("s3:GetObject", OBJECT)]),
        (("HEAD", "/b/a/c", "partNumber=1"), {}, [("s3:GetObject", OBJECT)]),
        (("GET", "/b/a/c", "versionId=1"), {}, [("s3:GetObjectVersion", OBJECT)]),
        (("GET", "/b", "list-type=2&prefix=a"), {}, [("s3:ListBucket", "arn:aws:s3:::b")]),
        (("GET", "/b", "versioning"), {}, [("s3:GetBucketVersioning", "arn:aws:s3:::b")]),
        (("GET", "/"), {}, [("s3:ListAllMyBuckets", "*")]),
        (("DELETE", "/b/a/c"), {}, [("s3:DeleteObject", OBJECT)]),
        (("PUT", "/b/a/c"), {}, [("s3:PutObject", OBJECT)]),
        (("PUT", "/b/a/c"), {"default_key": "1"}, [("s3:PutObject", OBJECT), ("kms:GenerateDataKey", KEY)]),
        (
            ("PUT", "/b/a/c"),
            {"server_side_encryption": "aws:kms", "server_side_encryption_aws_kms_key_id": KEY},
            [("s3:PutObject", OBJECT), ("kms:GenerateDataKey", KEY)],
        ),
        (("PUT", "/b/a/c"), {"server_side_encryption": "AES256", "default_key": "1"}, [("s3:PutObject", OBJECT)]),
        (("GET", "/b/a/c"), {"object_key": KEY}, [("s3:GetObject", OBJECT), ("kms:Decrypt", KEY)]),
    ],
    ids=str,
)
def test_requests_to_buckets_need_permissions(given: tuple[str, ...], more: dict[str, str], expected: Any) -> None:
    assert bucket(*given, **more) == expected


def test_a_write_that_replaces_nothing_has_its_condition_key() -> None:
    async def ask(_method: str, _path: str) -> tuple[dict[str, str], bytes]:
        return {}, b""

    def context(method: str) -> Any:
        headers = signed("s3") | {"if-none-match": "*"}
        return asyncio.run(bucket_needs(ApiRequest.read(method, "/b/a/c", "", headers), ask))[0].context

    assert context("PUT") == {"s3:if-none-match": "*"}
    # S3 has the key for writes only.
    assert context("GET") == {}


@pytest.mark.parametrize("given", [("PUT", "/b"), ("PUT", "/b/a", "acl"), ("POST", "/b", "delete")], ids=str)
def test_the_permissions_of_other_requests_to_buckets_are_not_rehearsed(given: tuple[str, ...]) -> None:
    with pytest.raises(NotRehearsed):
        bucket(*given)


@pytest.mark.parametrize(
    ("method", "path", "query", "actions"),
    [
        ("GET", "/v2/", {}, []),
        ("GET", "/v2/shop/manifests/1", {}, ["BatchGetImage"]),
        ("PUT", "/v2/shop/manifests/1", {}, ["PutImage"]),
        ("GET", "/v2/shop/blobs/sha256:1", {}, ["GetDownloadUrlForLayer"]),
        ("HEAD", "/v2/shop/blobs/sha256:1", {}, ["BatchCheckLayerAvailability"]),
        ("POST", "/v2/shop/blobs/uploads/", {}, ["InitiateLayerUpload"]),
        (
            "POST",
            "/v2/shop/blobs/uploads/",
            {"digest": "sha256:1"},
            ["InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload"],
        ),
        ("PATCH", "/v2/shop/blobs/uploads/1", {}, ["UploadLayerPart"]),
        ("PUT", "/v2/shop/blobs/uploads/1", {"digest": "sha256:1"}, ["CompleteLayerUpload"]),
    ],
)
def test_the_registry_needs_ecrs_permissions(method: str, path: str, query: dict[str, str], actions: list[str]) -> None:
    assert pairs(registry_needs(method, path, query, "us-east-1")) == [(f"ecr:{action}", ECR) for action in actions]
