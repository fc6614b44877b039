"""The operator's policy in docs/ covers every call that deploy and destroy make, and not more."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from scaffold.aws.cloudformation import templates
from scaffold.service.service import read
from scaffold.service.stack_kinds import FOUNDATION
from tests.deploy.services import MORE, Wire, client, commit, make_service, remove, run
from tests.destroy.test_destroy import fill, make_environment

ROOT = Path(__file__).resolve().parents[2]
POLICY = json.loads((ROOT / "docs/operator-policy.json").read_text())

# Calls whose permission has another name, or that need more than one.
ACTIONS = {
    "s3:ListObjectVersions": {"s3:ListBucketVersions"},
    "s3:DeleteObjects": {"s3:DeleteObject", "s3:DeleteObjectVersion"},
    # CloudFormation fetches the template with the caller's permissions.
    "s3:PutObject": {"s3:PutObject", "s3:GetObject", "kms:GenerateDataKey", "kms:Decrypt"},
    "cloudformation:CreateStack": {"cloudformation:CreateStack", "cloudformation:TagResource", "iam:PassRole"},
    "cloudformation:CreateChangeSet": {"cloudformation:CreateChangeSet", "cloudformation:UntagResource"},
    "service-quotas:ListServiceQuotas": {"servicequotas:ListServiceQuotas"},
    "codecommit:CreateRepository": {"codecommit:CreateRepository", "codecommit:TagResource"},
    "sts:GetCallerIdentity": set(),
}
GIT = {"codecommit:GitPull", "codecommit:GitPush"}
# Calls in none of the situations below: a repository that exists without tags, an execution that runs.
SELDOM = {"codecommit:ListTagsForResource", "codepipeline:StopPipelineExecution", "codepipeline:EnableStageTransition"}

# What CloudFormation has to be allowed at least, for each kind of resource in the foundation.
CREATES = {
    "AWS::KMS::Key": "kms:CreateKey",
    "AWS::S3::Bucket": "s3:CreateBucket",
    "AWS::S3::BucketPolicy": "s3:PutBucketPolicy",
    "AWS::ECR::Repository": "ecr:CreateRepository",
    "AWS::SNS::Topic": "sns:CreateTopic",
    "AWS::SNS::TopicPolicy": "sns:SetTopicAttributes",
    "AWS::SNS::Subscription": "sns:Subscribe",
    "AWS::IAM::ManagedPolicy": "iam:CreatePolicy",
    "AWS::IAM::Role": "iam:CreateRole",
    "AWS::IAM::Policy": "iam:PutRolePolicy",
}


def allowed(*, foundation: bool = True) -> set[str]:
    statements = [one for one in POLICY["Statement"] if foundation or not one["Sid"].startswith("Foundation")]
    return {action for one in statements for action in one["Action"]}


@pytest.mark.slow
def test_policy_covers_every_call_and_nothing_else(tmp_path: Path, wire: Wire) -> None:
    # As in a new account, whatever other tests have created.
    for role in client("iam").list_roles(PathPrefix="/aws-service-role/")["Roles"]:
        client("iam").delete_service_linked_role(RoleName=role["RoleName"])
    service = make_service(tmp_path / "service")
    pipeline = service / "infrastructure/pipeline.yaml"
    run(service, plan=True)
    run(service)
    commit(service, infrastructure__pipeline_yaml=pipeline.read_text() + MORE + "# long\n" * 9000)
    run(service, plan=True)
    run(service)
    configuration = json.loads((service / "infrastructure/pipeline.json").read_text())
    configuration["StackPolicy"]["Statement"][0]["Action"] = ["Update:*"]
    rule = json.loads((service / "config/policies/approval-rule.json").read_text())
    rule["Statements"][0]["NumberOfApprovalsNeeded"] = 2
    files = {"config__policies__approval-rule_json": json.dumps(rule)}
    commit(service, infrastructure__pipeline_json=json.dumps(configuration), **files)
    run(service)
    fill(service)
    make_environment(service, "dev")
    client("codepipeline").create_pipeline(pipeline=a_pipeline(read(service).app_name))
    remove(service)

    calls = {call for call in wire.calls if not call.startswith("test")}
    needed = set().union(*(ACTIONS.get(call, {call}) for call in calls)) | GIT | SELDOM
    assert needed - allowed() == set()
    assert allowed(foundation=False) - needed == set()


def a_pipeline(name: str) -> dict[str, object]:
    def action(stage: str, category: str, provider: str, **artifacts: object) -> dict[str, object]:
        kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
        configuration = {"RepositoryName": name, "BranchName": "main"} if provider == "CodeCommit" else {}
        return {"name": stage, "actionTypeId": kind, "configuration": configuration, **artifacts}

    return {
        "name": name,
        "roleArn": "arn:aws:iam::000000000000:role/pipeline",
        "artifactStore": {"type": "S3", "location": "bucket"},
        "version": 1,
        "stages": [
            {
                "name": "Source",
                "actions": [action("Get", "Source", "CodeCommit", outputArtifacts=[{"name": "Source"}])],
            },
            {"name": "Dev", "actions": [action("Wait", "Approval", "Manual")]},
        ],
    }


def test_policy_fits_into_one_managed_policy() -> None:
    text = json.dumps(POLICY, separators=(",", ":"))
    filled = text.replace("SERVICE", "s" * 24).replace("ACCOUNT", "1" * 12).replace("REGION", "ap-southeast-2")
    assert len(filled) <= 6144


def test_no_statement_is_wider_than_its_reason() -> None:
    for statement in POLICY["Statement"]:
        assert not any(action.endswith(":*") or action == "*" for action in statement["Action"])
        if statement["Resource"] == "*":
            assert statement["Sid"] in {"Look", "ApprovalRule", "TaskDefinitions", "FoundationKey"}


def test_every_kind_of_resource_in_the_foundation_is_covered(tmp_path: Path) -> None:
    kits = pytest.importorskip("tests.kits")
    service = kits.generate(tmp_path / "service", notification_email="team@example.com", customize=True)
    spec = templates.load(read(service), FOUNDATION)
    kinds = {resource.type for resource in spec.resources.values()}
    assert kinds <= CREATES.keys()
    for kind in kinds:
        assert any(fnmatchcase(CREATES[kind], action) for action in allowed())


def test_documentation_names_every_statement() -> None:
    text = (ROOT / "docs/permissions.md").read_text()
    for statement in POLICY["Statement"]:
        assert statement["Sid"] in text or statement["Sid"].startswith("Foundation")
