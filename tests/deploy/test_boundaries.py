"""A boundary may lose a permission only when no role uses it: refused before anything changes, in plans too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scaffold.deployment.boundaries import _served
from scaffold.iam.grants import Grant, Limit, grants
from scaffold.service.service import read
from tests.deploy.services import FOUNDATION, PERMISSIONS, Wire, all_stacks, client, commit, environment_stack, run
from tests.deploy.test_digest import with_digest
from tests.deploy.test_exports import refused

BOUNDARY = """\
  Boundary:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: !Sub ${AppName}-${EnvironmentName}-boundary
      PolicyDocument:
        Version: '2012-10-17'
        Statement:
          - Effect: Allow
            Action: [ACTIONS]
            Resource: !Sub 'arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/${AppName}/*'
          - {Effect: Allow, Action: ['dynamodb:GetItem', 'sqs:*'], Resource: '*'}
"""
OUTPUT = "  BoundaryArn: {Value: !Ref Boundary, Export: {Name: !Sub '${AWS::StackName}-BoundaryArn'}}\n"
WRITING = "'logs:CreateLogStream', 'logs:PutLogEvents'"


def deploy_role(actions: str = WRITING, old: str = "", new: str = "") -> str:
    template = with_digest(PERMISSIONS + BOUNDARY.replace("ACTIONS", actions)).replace(old or "none", new)
    return template.replace("Outputs:\n", f"Outputs:\n{OUTPUT}", 1)


def create_role(service: Path, actions: list[str], resource: Any = "*", **more: Any) -> str:
    """Create or update the environment stack of dev, with a role under the boundary; return its name."""
    app = read(service).app_name
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    properties = {
        "PermissionsBoundary": {"Fn::ImportValue": f"{app}-dev-deploy-role-BoundaryArn"},
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
        "Policies": [{"PolicyName": "use", "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}],
        **more,
    }
    return create_environment(service, {"Role": {"Type": "AWS::IAM::Role", "Properties": properties}})


def create_environment(service: Path, resources: dict[str, Any]) -> str:
    """Create or update the environment stack of dev; return its name."""
    name, api = environment_stack(read(service).app_name, "dev", "environment"), client("cloudformation")
    body = json.dumps({"Resources": resources})
    exists = name in [one["StackName"] for one in all_stacks(api)]
    (api.update_stack if exists else api.create_stack)(
        StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    done = "stack_update_complete" if exists else "stack_create_complete"
    api.get_waiter(done).wait(StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
    return name


def commit_role(service: Path, template: str) -> None:
    (service / "infrastructure" / "deploy-role.yaml").write_text(template)
    commit(service)


def test_a_deploy_role_keeps_the_services_of_deployed_resources(deployed: Path, wire: Wire) -> None:
    def commit_services(*services: str) -> None:
        actions = ", ".join(f"'{one}:*'" for one in services)
        commit_role(deployed, with_digest(PERMISSIONS.replace("Action: '*'", f"Action: [{actions}]")))

    commit_services("sns", "dynamodb", "sqs")
    run(deployed)
    key = {"AttributeName": "id", "KeyType": "HASH"}
    table = {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [key],
            "BillingMode": "PAY_PER_REQUEST",
        },
    }
    user = create_environment(deployed, {"Table": table})
    commit_services("sns")
    for plan in (True, False):
        error = refused(deployed, wire, plan=plan)
        assert error.happened == (
            "The deploy role in infrastructure/deploy-role.yaml no longer has permissions for AWS::DynamoDB::Table, "
            f"of which {user} has resources."
        )
        assert error.remedy.startswith("Restore them, release the commit that deletes these resources first")
    # What an AWS managed policy allows is not known.
    policy = "      ManagedPolicyArns: ['arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess']\n      Policies:"
    only_sns = with_digest(PERMISSIONS.replace("Action: '*'", "Action: 'sns:*'").replace("      Policies:", policy))
    commit_role(deployed, only_sns)
    assert run(deployed, plan=True).changed
    # Nothing of SQS is deployed.
    commit_services("sns", "dynamodb")
    assert run(deployed).changed


@pytest.mark.parametrize(
    ("resource_type", "prefix"),
    [
        ("AWS::ElasticLoadBalancingV2::Listener", "elasticloadbalancing"),
        ("AWS::ApplicationAutoScaling::ScalableTarget", "application-autoscaling"),
        ("AWS::Cognito::UserPool", "cognito-idp"),
        ("AWS::OpenSearchService::Domain", "es"),
        ("AWS::EFS::FileSystem", "elasticfilesystem"),
        ("AWS::KinesisFirehose::DeliveryStream", "firehose"),
        ("AWS::Cognito::IdentityPool", "cognito-identity"),
        ("AWS::DynamoDB::Table", "dynamodb"),
    ],
)
def test_the_prefix_of_a_types_actions(resource_type: str, prefix: str) -> None:
    assert _served(resource_type, {prefix})
    others = {"sqs", "*", "kinesis", "route53", "s3", "es", "cognito-idp", "dynamodb"} - {prefix}
    assert not _served(resource_type, others)


def test_a_permission_in_use_is_kept(deployed: Path, wire: Wire) -> None:
    commit_role(deployed, deploy_role())
    run(deployed)
    user = create_role(deployed, ["logs:PutLogEvents"])
    commit_role(deployed, deploy_role("'logs:CreateLogStream'"))
    for plan in (True, False):
        error = refused(deployed, wire, plan=plan)
        assert error.happened == (
            "The boundary in infrastructure/deploy-role.yaml no longer allows logs:PutLogEvents, "
            f"which roles of {user} still have."
        )
        assert error.remedy.startswith("If this commit stops using it, merge it to main")
    create_role(deployed, ["logs:CreateLogStream"])
    assert run(deployed).changed


@pytest.mark.slow
def test_templates_are_read_only_where_a_permission_is_removed(deployed: Path, wire: Wire) -> None:
    commit_role(deployed, deploy_role())
    run(deployed)
    create_role(deployed, ["logs:PutLogEvents"])
    reads = "cloudformation:GetTemplate"

    def read_for(template: str) -> int:
        """How many more templates a plan reads than one of the same template with a remark."""
        commit_role(deployed, template)
        wire.calls.clear()
        run(deployed, plan=True)
        return wire.calls.count(reads)

    unchanged = read_for(deploy_role())
    more = read_for(deploy_role(f"{WRITING}, 'logs:DescribeLogStreams'"))
    # One deploy role for each environment: dev, staging, prod.
    roles = sum(path.name == "deploy-role.json" for path in (deployed / "infrastructure").rglob("*"))
    assert more == unchanged + roles
    assert read_for(deploy_role(old="'dynamodb:GetItem', ")) == unchanged + roles + 1


@pytest.mark.slow
def test_resources_and_policies_of_other_stacks_count(deployed: Path, wire: Wire) -> None:
    policy = """\
  Shared:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Action: 'sqs:SendMessage', Resource: !GetAtt Key.Arn}]
Outputs:
  Shared: {Value: !Ref Shared, Export: {Name: !Sub '${AWS::StackName}-Shared'}}
"""
    commit(deployed, infrastructure__foundation_yaml=FOUNDATION.replace("Outputs:\n", policy))
    commit_role(deployed, deploy_role())
    run(deployed)
    app = read(deployed).app_name
    group = f"arn:aws:logs:us-east-1:000000000000:log-group:/{app}/dev"
    create_role(
        deployed,
        ["logs:PutLogEvents"],
        group,
        ManagedPolicyArns=[{"Fn::ImportValue": f"{app}-foundation-Shared"}],
    )
    commit_role(deployed, deploy_role(old="log-group:/${AppName}/*", new="log-group:/${AppName}/live"))
    assert f"no longer allows logs:PutLogEvents on {group}, which" in refused(deployed, wire, plan=True).happened
    commit_role(deployed, deploy_role(old=", 'sqs:*'"))
    assert "no longer allows sqs:SendMessage, which" in refused(deployed, wire, plan=True).happened
    commit_role(deployed, deploy_role(old="'sqs:*'", new="'sqs:SendMessage*'"))
    assert run(deployed, plan=True).changed


def limit(*allowed: Grant, denied: tuple[Grant, ...] = ()) -> Limit:
    return Limit(frozenset(allowed), frozenset(denied))


GET, ANY = Grant("s3:GetObject", "arn:b/*"), Grant("s3:*", "*")
TLS = Grant(GET.action, GET.resource, '{"Bool": {"aws:SecureTransport": "true"}}')


@pytest.mark.parametrize(
    ("before", "after", "used", "loses"),
    [
        (limit(GET), limit(GET), GET, False),
        (limit(GET), limit(), GET, True),
        (limit(GET), limit(), Grant("s3:PutObject", "arn:b/*"), False),
        (limit(GET), limit(ANY), GET, False),
        (limit(ANY), limit(GET), Grant("s3:getobject", "arn:b/key"), False),
        (limit(ANY), limit(GET), Grant("s3:GetObject", "arn:c/key"), True),
        (limit(ANY), limit(GET), Grant("s3:GetObject", None), False),
        (limit(GET, ANY), limit(ANY), GET, False),
        # A policy that allows more than the boundary.
        (limit(GET, Grant("s3:PutObject", "*")), limit(GET), Grant("s3:*", "*"), True),
        (limit(GET), limit(GET, Grant("s3:PutObject", "*")), Grant("s3:*", "*"), False),
        # Under other conditions.
        (limit(GET), limit(TLS), GET, True),
        (limit(GET), limit(TLS), TLS, False),
        (limit(TLS), limit(GET), GET, False),
        (limit(GET), limit(GET, denied=(ANY,)), GET, True),
        (limit(GET), limit(GET, denied=(Grant("s3:Put*", "*"),)), GET, False),
    ],
)
def test_what_a_boundary_loses(before: Limit, after: Limit, used: Grant, loses: bool) -> None:
    assert (bool(before.removed(after)) and before.loses(after, used)) is loses


@pytest.mark.parametrize(
    ("before", "after", "loses"),
    [
        ({"StringLike": {"key": "v*"}}, {"StringLike": {"key": ["renovate/*", "v*"]}}, False),
        ({"StringLike": {"key": ["renovate/*", "v*"]}}, {"StringLike": {"key": "v*"}}, True),
        ({"StringLike": {"key": "v*"}, "Bool": {"tls": "true"}}, {"StringLike": {"key": ["v*"]}}, False),
        ({"StringLike": {"key": "v*"}}, {"StringLike": {"key": "v*", "other": "v*"}}, True),
        ({"StringLike": {"key": "v*"}}, {"StringEquals": {"key": "v*"}}, True),
        ({"StringNotEquals": {"key": "a"}}, {"StringNotEquals": {"key": ["a", "b"]}}, True),
        ({"StringNotEquals": {"key": ["a", "b"]}}, {"StringNotEquals": {"key": "a"}}, False),
        ({"Fn::If": ["One", {}, {}]}, {"Fn::If": ["Other", {}, {}]}, True),
    ],
)
def test_a_condition_with_more_values_loses_nothing(before: dict[str, Any], after: dict[str, Any], loses: bool) -> None:
    old, new = (limit(*grants([statement(one)], "Allow")) for one in (before, after))
    assert (bool(old.removed(new)) and old.loses(new, GET)) is loses


def statement(condition: dict[str, Any]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": GET.action, "Resource": GET.resource, "Condition": condition}


@pytest.mark.parametrize(
    ("action", "own", "loses"),
    [
        ("codebuild:StartBuild", {}, False),
        ("codecommit:GetCommit", {}, False),
        ("codecommit:GitPush", {}, True),
        ("codecommit:GitPush", {"StringLikeIfExists": {"codecommit:References": "refs/tags/v*"}}, False),
        ("codecommit:GitPush", {"StringLikeIfExists": {"codecommit:References": "refs/heads/env/*"}}, True),
        ("codecommit:*", {}, True),
    ],
)
def test_a_condition_counts_for_the_actions_that_have_its_key(action: str, own: dict[str, Any], loses: bool) -> None:
    """As where releases no longer move branches: they still push tags, and the other builds go on."""

    def allowing(*references: str) -> Limit:
        condition = json.dumps({"StringLikeIfExists": {"codecommit:References": list(references)}})
        return limit(*(Grant(one, "*", condition) for one in ("codebuild:*Build*", "codecommit:G*")))

    old, new = allowing("refs/heads/env/*", "refs/tags/v*"), allowing("refs/tags/v*")
    assert old.loses(new, Grant(action, "*", json.dumps(own) if own else "")) is loses
