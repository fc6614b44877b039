"""The operator's policies in docs/ cover every call that deploy, repair and destroy make, and not more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scaffold.service import names
from scaffold.service.identity import root_commit
from scaffold.service.service import Service, read
from scaffold.service.stack_kinds import OPTIONAL_KINDS, STACK_KINDS, Deployer, deployed_by_pipeline, stack_ids
from tests.deploy.services import (
    MORE,
    Wire,
    client,
    commit,
    environment_stack,
    make_service,
    remove,
    run,
)
from tests.deploy.test_networks import put
from tests.deploy.test_quotas import add_environments, set_quotas
from tests.destroy.test_destroy import fill, make_environment, protect_load_balancer
from tests.infrastructure.handlers import UNNAMED, calls
from tests.infrastructure.iam import Statement, allowed, matches
from tests.infrastructure.regions import longest_regions, moved, size
from tests.infrastructure.stacks import ACCOUNT, REGION, Stack, as_list, load
from tests.infrastructure.variants import BUILD_VPC, DOMAIN, LONGEST_APP
from tests.repair.situations import fail_wait_condition, failed_rollback, in_review, repair, updating
from tests.repair.test_data import lose_bucket, lose_images, lose_key

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = json.loads((ROOT / "docs/operator-policy.json").read_text())
BY_CLOUDFORMATION = json.loads((ROOT / "docs/operator-policy-cloudformation.json").read_text())
OPTIONS = json.loads((ROOT / "docs/operator-policy-options.json").read_text())
REPAIR = json.loads((ROOT / "docs/operator-policy-repair.json").read_text())
REPAIR_DATA = json.loads((ROOT / "docs/operator-policy-repair-data.json").read_text())
DESTROY = json.loads((ROOT / "docs/operator-policy-destroy.json").read_text())
DESTROY_DATA = json.loads((ROOT / "docs/operator-policy-destroy-data.json").read_text())
SECRETS = json.loads((ROOT / "docs/operator-policy-secrets.json").read_text())
DATA = json.loads((ROOT / "docs/operator-policy-data.json").read_text())
HEALTH_CHECK = json.loads((ROOT / "docs/operator-policy-health-check.json").read_text())
RELEASE = json.loads((ROOT / "docs/operator-policy-release.json").read_text())
WAKE = json.loads((ROOT / "docs/operator-policy-wake.json").read_text())
QUOTAS = json.loads((ROOT / "docs/operator-policy-quotas.json").read_text())
EXEC = json.loads((ROOT / "docs/operator-policy-exec.json").read_text())
RESTORE = json.loads((ROOT / "docs/operator-policy-restore.json").read_text())
POLICIES = {
    "deploy": DEPLOY,
    "cloudformation": BY_CLOUDFORMATION,
    "options": OPTIONS,
    "health-check": HEALTH_CHECK,
    "quotas": QUOTAS,
    "release": RELEASE,
    "wake": WAKE,
    "exec": EXEC,
    "secrets": SECRETS,
    "repair": REPAIR,
    "repair-data": REPAIR_DATA,
    "destroy": DESTROY,
    "destroy-data": DESTROY_DATA,
    "data": DATA,
    "restore": RESTORE,
}
STATEMENTS = [statement for policy in POLICIES.values() for statement in policy["Statement"]]
SERVICE = "hello-service"

# Calls whose permission has another name, or that need more than one.
ACTIONS = {
    "s3:HeadBucket": {"s3:ListBucket"},
    "s3:GetBucketTagging": {"s3:GetBucket*"},
    "s3:ListObjectVersions": {"s3:ListBucketVersions"},
    "s3:DeleteObjects": {"s3:DeleteObject", "s3:DeleteObjectVersion"},
    # CloudFormation fetches the template with the caller's permissions.
    "s3:PutObject": {"s3:PutObject", "s3:GetObject", "kms:GenerateDataKey", "kms:Decrypt"},
    "cloudformation:CreateStack": {
        "cloudformation:CreateStack",
        "cloudformation:SetStackPolicy",
        "cloudformation:TagResource",
        "cloudformation:UpdateTerminationProtection",
        "iam:PassRole",
    },
    "cloudformation:CreateChangeSet": {"cloudformation:CreateChangeSet", "cloudformation:UntagResource"},
    "elbv2:DescribeLoadBalancers": {"elasticloadbalancing:DescribeLoadBalancers"},
    "elbv2:DescribeLoadBalancerAttributes": {"elasticloadbalancing:DescribeLoadBalancerAttributes"},
    "elbv2:ModifyLoadBalancerAttributes": {"elasticloadbalancing:ModifyLoadBalancerAttributes"},
    "service-quotas:GetServiceQuota": {"servicequotas:GetServiceQuota"},
    "service-quotas:GetAWSDefaultServiceQuota": {"servicequotas:GetAWSDefaultServiceQuota"},
    "codecommit:CreateRepository": {"codecommit:CreateRepository", "codecommit:TagResource"},
    "sts:GetCallerIdentity": set(),
}
GIT = {"codecommit:GitPull", "codecommit:GitPush"}
# Made by the code, and by none of the situations below: an export that is removed, a repository that exists without
# tags, an execution that runs. What makes sure that a release has started needs a pipeline that runs: tests/release.
SELDOM_DEPLOYING = {
    "cloudformation:ListImports",
    "codecommit:ListTagsForResource",
    "codepipeline:EnableStageTransition",
    "codepipeline:ListActionExecutions",
    "codepipeline:ListPipelineExecutions",
    "codepipeline:RetryStageExecution",
    "codepipeline:StartPipelineExecution",
}
# What `scaffold deploy` looks up for a domain, which only tests/deploy/test_domains.py has.
LOOKING_AT_DOMAINS = {"acm:DescribeCertificate", "route53:GetHostedZone", "route53:ListResourceRecordSets"}
# Local AWS has no ECS deployment in progress, and no unfinished stack of the test holds anything.
SELDOM_REPAIRING = {"cloudformation:GetTemplate", "ecs:StopServiceDeployment"} | {
    # Of a load balancer without its protection: tests/repair.
    f"elasticloadbalancing:{one}LoadBalancerAttributes"
    for one in ("Describe", "Modify")
}
# The test's service has neither a database nor tables: tests/repair/test_databases.py, test_tables.py.
SELDOM_REPAIRING |= {"rds:DescribeDBClusters", "rds:ModifyDBCluster", "dynamodb:DescribeTable", "dynamodb:UpdateTable"}
# Or task definitions of an environment whose stacks are deleted already, and the test's foundation has no policies.
SELDOM_DESTROYING = {"codepipeline:StopPipelineExecution", "ecs:DescribeTaskDefinition", "iam:ListEntitiesForPolicy"}
# The test's service has no database; `test_database_option.py` deletes one.
SELDOM_DESTROYING |= {"rds:DescribeDBClusters", "rds:ModifyDBCluster"}


def actions(*policies: dict[str, Any]) -> set[str]:
    statements = [one for policy in policies for one in policy["Statement"]]
    return {action for one in statements if one["Effect"] == "Allow" for action in as_list(one["Action"])}


@pytest.mark.slow
def test_policies_cover_every_call_and_nothing_else(tmp_path: Path, wire: Wire) -> None:
    # As in a fresh account, whatever tests came before.
    for role in client("iam").list_roles(PathPrefix="/aws-service-role/")["Roles"]:
        client("iam").delete_service_linked_role(RoleName=role["RoleName"])
    service = add_environments(make_service(tmp_path / "service"))
    ec2 = client("ec2")
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    ids = list({one["AvailabilityZone"]: one["SubnetId"] for one in subnets}.values())
    put(service, "dev", vpc["VpcId"], ids, ids)
    set_quotas(wire)
    wire.calls.clear()
    pipeline = service / "infrastructure/pipeline.yaml"
    run(service, plan=True)
    run(service)
    commit(service, infrastructure__pipeline_yaml=pipeline.read_text() + MORE + "# long\n" * 9000)
    run(service, plan=True)
    run(service)
    configuration = json.loads((service / "infrastructure/pipeline.json").read_text())
    configuration["StackPolicy"]["Statement"][0]["Action"] = ["Update:*"]
    rule = json.loads((service / "config/policies/approval-rule-review.json").read_text())
    rule["Statements"][0]["NumberOfApprovalsNeeded"] = 2
    files = {"config__policies__approval-rule-review_json": json.dumps(rule)}
    commit(service, infrastructure__pipeline_json=json.dumps(configuration), **files)
    run(service)
    deploying = set(wire.calls)
    wire.calls.clear()
    app = read(service).app_name
    lose_key(service), lose_bucket(service), lose_images(service)
    failed_rollback(app)
    in_review(environment_stack(app, "prod", "environment"), app)
    repair(service, skip=("Policy",))
    stack = environment_stack(app, "prod", "service")
    updating(stack, app)
    wire.touched["CancelUpdateStack"] = lambda _: fail_wait_condition(stack)
    repair(service, "prod")
    repairing = needed(set(wire.calls)) | SELDOM_REPAIRING
    for environment in ("prod", "dev"):
        remove(service, environment=environment)
    run(service)
    ecs, cluster = client("ecs"), names.cluster(app, "dev")
    ecs.delete_service(cluster=cluster, service=cluster, force=True)
    ecs.delete_cluster(cluster=cluster)
    make_environment(service, "dev")
    protect_load_balancer(service, "dev")
    fill(service)
    client("codepipeline").create_pipeline(pipeline=a_pipeline(read(service).app_name))
    tags = {names.TAG_SERVICE: app, names.TAG_ROOT_COMMIT: root_commit(read(service))}
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    client("ssm").put_parameter(Name=f"/{app}/dev/A", Value="value", Type="SecureString", Tags=pairs)
    client("secretsmanager").create_secret(Name=f"{app}/dev/B", SecretString="value", Tags=pairs)
    wire.calls.clear()
    remove(service)

    deploying = needed(deploying) | GIT | SELDOM_DEPLOYING
    destroying = needed(set(wire.calls)) | SELDOM_DESTROYING
    assert deploying - actions(DEPLOY, BY_CLOUDFORMATION, QUOTAS) == set()
    assert actions(DEPLOY) - deploying == set()
    # With the policy for destroying, since a stack is deleted.
    assert repairing - actions(DEPLOY, BY_CLOUDFORMATION, REPAIR, REPAIR_DATA, DESTROY) == set()
    assert actions(REPAIR, REPAIR_DATA) - repairing == set()
    assert destroying - actions(DEPLOY, BY_CLOUDFORMATION, DESTROY, DESTROY_DATA) == set()
    assert actions(DESTROY, DESTROY_DATA) - destroying == set()


def needed(calls: set[str]) -> set[str]:
    """The IAM actions of calls."""
    return set().union(*(ACTIONS.get(call, {call}) for call in calls if not call.startswith("test")))


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


def filled(policy: dict[str, Any], service: str = SERVICE) -> list[Statement]:
    """The statements of a policy, with its placeholders replaced as docs/permissions.md says."""
    text = json.dumps(policy["Statement"])
    statements: list[Statement] = json.loads(
        text.replace("SERVICE", service).replace("REGION", REGION).replace("ACCOUNT", ACCOUNT)
    )
    return statements


def deploying() -> list[Statement]:
    """The statements of who deploys a service with optional stacks."""
    return [*filled(DEPLOY), *filled(OPTIONS), *filled(HEALTH_CHECK)]


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_fits_into_one_managed_policy_in_every_region(name: str) -> None:
    document = {**POLICIES[name], "Statement": filled(POLICIES[name], LONGEST_APP)}
    for partition, region in longest_regions():
        assert size(moved(document, partition, region)) <= 6144, (partition, region)


def test_who_releases_reads_logs_and_rolls_back_in_one_service_only() -> None:
    """Not in `shop-admin`, whose names begin like those of `shop`."""
    statements = filled(RELEASE, "shop")
    for own, other, action in (
        (
            "logs:REGION:ACCOUNT:log-group:/shop/prod:*",
            "logs:REGION:ACCOUNT:log-group:/shop-admin/prod:*",
            "FilterLogEvents",
        ),
        (
            "codebuild:REGION:ACCOUNT:project/shop-build",
            "codebuild:REGION:ACCOUNT:project/shop-admin-build",
            "BatchGetBuilds",
        ),
        ("codepipeline:REGION:ACCOUNT:shop/Prod", "codepipeline:REGION:ACCOUNT:shop-admin/Prod", "RollbackStage"),
        (
            "codepipeline:REGION:ACCOUNT:shop/Prod",
            "codepipeline:REGION:ACCOUNT:shop-admin/Prod",
            "DisableStageTransition",
        ),
        (
            "ecs:REGION:ACCOUNT:service-deployment/shop-prod/shop-prod/1",
            "ecs:REGION:ACCOUNT:service-deployment/cart-prod/cart-prod/1",
            "StopServiceDeployment",
        ),
    ):
        arns = [f"arn:aws:{one}".replace("REGION", REGION).replace("ACCOUNT", ACCOUNT) for one in (own, other)]
        found = [allowed(statements, f"{own.partition(':')[0]}:{action}", arn) for arn in arns]
        assert found == [True, False], action
    for kind in STACK_KINDS:
        stack = f"shop-dev-{kind.name}" if kind.per_environment else f"shop-{kind.name}"
        assert allowed(
            statements, "cloudformation:GetTemplate", f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack}/1"
        )


def test_no_statement_is_wider_than_its_reason() -> None:
    for statement in STATEMENTS:
        if statement["Effect"] == "Deny":
            continue
        assert not any(action.endswith(":*") or action == "*" for action in as_list(statement["Action"]))
        if statement["Resource"] == "*" and "Condition" not in statement:
            assert statement["Sid"] in {
                "Look",
                "Quotas",
                "LookAtReleases",
                "OfficeHours",
                "LookForData",
                "LookForProtection",
                "LookForStores",
                "LookForSecrets",
                "ApprovalRule",
                "TaskDefinitions",
            }


def test_documentation_names_every_statement() -> None:
    text = (ROOT / "docs/permissions.md").read_text()
    for statement in STATEMENTS:
        assert f"`{statement['Sid']}`" in text or statement["Sid"].startswith("Foundation")


@pytest.fixture(scope="module")
def by_a_person(tmp_path_factory: pytest.TempPathFactory) -> list[Stack]:
    """The stacks that CloudFormation creates with the caller's credentials."""
    kits = pytest.importorskip("tests.kits")
    root = kits.generate(
        tmp_path_factory.mktemp("permissions") / "service",
        app_name=SERVICE,
        notification_email="team@example.com",
        customize=True,
        audit="trail",
        access_logs=True,
        flow_logs=True,
        monthly_budget=200,
        environment_overrides={"prod": {"alarm_email": "oncall@example.com"}},
        **DOMAIN,
        health_check=True,
        **BUILD_VPC,
    )
    stacks = load(root)
    person = {kind.name for kind in STACK_KINDS if kind.deployer is Deployer.PERSON}
    return [stack for stack in stacks.values() if stack.kind in person]


@pytest.fixture(scope="module")
def foundation(by_a_person: list[Stack]) -> Stack:
    return next(stack for stack in by_a_person if stack.kind == "foundation")


TAG_IN_REQUEST = "aws:RequestTag/gitops-scaffold:service"
TAG_OF_RESOURCE = "aws:ResourceTag/gitops-scaffold:service"
VIA_CLOUDFORMATION = {"aws:CalledVia": ["cloudformation.amazonaws.com"]}
# Actions that only a resource with a property needs.
OF_PROPERTIES = {
    "iam:PutRolePermissionsBoundary": "PermissionsBoundary",
    "s3:PutBucketVersioning": "VersioningConfiguration",
}
# Actions whose request contains the tags of the stack.
TAGGING = ("*:Create*", "*:Tag*", "s3:PutBucketTagging")


def resource_of(stack: Stack, logical: str, action: str) -> str:
    """The ARN that IAM checks when CloudFormation makes a call for a resource."""
    resource = stack.resources[logical]
    properties = resource["Properties"]
    role = f"arn:aws:iam::{ACCOUNT}:role/{SERVICE}/deploy/any"
    if any(matches(pattern, action) for pattern in UNNAMED) and not action.startswith("ec2:Create"):
        return "*"
    match resource["Type"]:
        case "AWS::IAM::ManagedPolicy":
            return role if "RolePolicy" in action else stack._identifier(logical)
        case "AWS::Budgets::Budget":
            return f"arn:aws:budgets::{ACCOUNT}:budget/{properties['Budget']['BudgetName']}"
        case "AWS::CloudTrail::Trail":
            return f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/{properties['TrailName']}"
        case "AWS::EC2::SecurityGroup":
            return f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/sg-1"
        case "AWS::Route53::HealthCheck":
            return f"arn:aws:route53:::healthcheck/{stack._identifier(logical)}"
        case "AWS::S3::BucketPolicy":
            return f"arn:aws:s3:::{properties['Bucket']}"
        case "AWS::SNS::TopicPolicy":
            (topic,) = properties["Topics"]
            return str(topic)
        case "AWS::SNS::Subscription":
            return str(properties["TopicArn"])
        case _:
            return stack._arn(logical)


def calls_of(stack: Stack) -> Iterator[tuple[str, str, dict[str, str | list[str]]]]:
    """Every call for the resources of a stack: action, resource and condition keys.

    No call has a resource tag: tags take up to five minutes to take effect, and a new resource has none. Those of EC2
    are there with the resource, and the conditions of deploy roles rely on it.
    """
    for logical, resource in stack.resources.items():
        for action in calls(resource["Type"]):
            if action in OF_PROPERTIES and OF_PROPERTIES[action] not in resource["Properties"]:
                continue
            context: dict[str, str | list[str]] = {**VIA_CLOUDFORMATION}
            if any(matches(pattern, action) for pattern in TAGGING):
                context[TAG_IN_REQUEST] = SERVICE
            if action.startswith("ec2:") and "Create" not in action:
                context[TAG_OF_RESOURCE] = SERVICE
            yield action, resource_of(stack, logical, action), context


def test_cloudformation_may_create_update_and_delete_what_a_person_deploys(by_a_person: list[Stack]) -> None:
    statements = [*filled(BY_CLOUDFORMATION), *filled(OPTIONS), *filled(HEALTH_CHECK)]
    denied = [
        f"{stack.name}: {action} on {arn}"
        for stack in by_a_person
        for action, arn, context in calls_of(stack)
        if not allowed(statements, action, arn, context)
    ]
    assert not denied


def test_every_statement_for_cloudformation_is_used(by_a_person: list[Stack]) -> None:
    made = {action for stack in by_a_person for action, _, _ in calls_of(stack)}
    of_cloudformation = actions(BY_CLOUDFORMATION, OPTIONS, HEALTH_CHECK) - actions(DEPLOY) - LOOKING_AT_DOMAINS
    of_cloudformation -= actions(DESTROY, REPAIR)  # Of the stack in us-east-1, in a policy of its own.
    for pattern in of_cloudformation:
        assert any(matches(pattern, action) for action in made), pattern


def test_keys_of_others_cannot_be_changed() -> None:
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/any"
    both = [*deploying(), *filled(BY_CLOUDFORMATION), *filled(DESTROY), *filled(DESTROY_DATA)]
    # A person who could set the tag on any key could then use and delete it.
    assert not allowed(both, "kms:TagResource", key, {TAG_IN_REQUEST: SERVICE})
    assert not allowed(both, "kms:TagResource", key, VIA_CLOUDFORMATION | {TAG_IN_REQUEST: "other-service"})
    assert not allowed(both, "kms:PutKeyPolicy", key, {TAG_OF_RESOURCE: SERVICE})
    assert not allowed(both, "kms:ScheduleKeyDeletion", key)
    assert not allowed(both, "kms:ScheduleKeyDeletion", key, {TAG_OF_RESOURCE: "other-service"})
    assert allowed(both, "kms:ScheduleKeyDeletion", key, {TAG_OF_RESOURCE: SERVICE})


def test_the_key_encrypts_templates_in_the_bucket_of_the_foundation_only(foundation: Stack) -> None:
    statements = filled(DEPLOY)
    key, context = foundation._arn("Key"), "kms:EncryptionContext:aws:s3:arn"
    bucket = foundation._arn("ArtifactBucket")
    for action in ("kms:GenerateDataKey", "kms:Decrypt"):
        # S3 gives the bucket with a bucket key, the object without.
        assert allowed(statements, action, key, {context: bucket})
        assert allowed(statements, action, key, {context: f"{bucket}/scaffold/templates/any.yaml"})
        assert not allowed(statements, action, key, {context: "arn:aws:s3:::other-bucket"})
        assert not allowed(statements, action, key)


def test_data_is_deleted_with_the_policy_for_destroy_only(foundation: Stack) -> None:
    bucket, stack = (
        foundation._arn("ArtifactBucket"),
        f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{foundation.name}/1",
    )
    for action, arn in (("s3:DeleteObjectVersion", f"{bucket}/key"), ("cloudformation:DeleteStack", stack)):
        assert not allowed([*deploying(), *filled(BY_CLOUDFORMATION)], action, arn)
        assert allowed([*filled(DESTROY), *filled(DESTROY_DATA)], action, arn)


def test_every_stack_can_be_examined_by_who_repairs_or_destroys_it() -> None:
    """`DeleteStack` alone is not enough: what a stack holds is listed before it is deleted."""
    for policy in (DESTROY, REPAIR):
        statements = [*deploying(), *filled(policy)]
        for stack in stack_ids(("dev",), optional=OPTIONAL_KINDS):
            arn = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack.name(SERVICE)}/1"
            for action in ("DescribeStackEvents", "GetTemplate", "ListStackResources"):
                assert allowed(statements, f"cloudformation:{action}", arn), f"{action} on {arn}"
            deleting = [*filled(DESTROY), *filled(HEALTH_CHECK)]
            assert allowed(deleting, "cloudformation:DeleteStack", arn)


def test_stacks_of_services_with_longer_names_are_denied() -> None:
    """`shop-admin` and its environment `dev` have names that begin like those of an environment of `shop`."""
    changes = {
        "deploy": (
            "cloudformation:CreateStack",
            "cloudformation:ExecuteChangeSet",
            "cloudformation:SetStackPolicy",
            "cloudformation:UpdateTerminationProtection",
        ),
        "options": ("cloudformation:CreateStack", "cloudformation:ExecuteChangeSet"),
        "health-check": ("cloudformation:CreateStack", "cloudformation:DeleteStack", "cloudformation:GetTemplate"),
        "destroy": ("cloudformation:DeleteStack",),
        "repair": ("cloudformation:CancelUpdateStack", "cloudformation:ContinueUpdateRollback"),
        "release": ("cloudformation:DescribeChangeSet", "cloudformation:GetTemplate"),
    }
    for name, made in changes.items():
        statements = filled(POLICIES[name], "shop")
        for kind in STACK_KINDS:
            other = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/shop-admin-dev-{kind.name}/1"
            for action in made:
                # A person's policy may read what has no tags, such as a stack that does not exist.
                assert not allowed(statements, action, other, {TAG_OF_RESOURCE: "shop-admin"}), (name, action, kind)
    own = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/shop-dev-deploy-role/1"
    assert allowed(filled(DESTROY, "shop"), "cloudformation:DeleteStack", own)
    # Nor could CloudFormation change what is in such a stack.
    for role in ("shop-admin/deploy/shop-admin-dev-deploy", "shop-admin/dev/any"):
        statements = filled(BY_CLOUDFORMATION, "shop")
        assert not allowed(statements, "iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/{role}")


def test_who_deploys_protects_exactly_the_stacks_that_may_be_protected(tmp_path: Path) -> None:
    """Foundation, permissions, and each environment's stacks: which one is production is not in the policy."""
    service = Service(tmp_path, SERVICE, REGION, ("dev", "prod"), "dev")
    statements, action = deploying(), "cloudformation:UpdateTerminationProtection"
    for stack in stack_ids(service.environments, optional=OPTIONAL_KINDS):
        arn = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack.name(SERVICE)}/1"
        assert allowed(statements, action, arn) is service.protects(stack), arn
    for other in (f"{SERVICE}-admin-foundation", f"{SERVICE}-admin-dev-deploy-role", "another-permissions"):
        assert not allowed(statements, action, f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{other}/1"), other
    # In the other policies nothing lifts it, but from what was restored.
    others = [policy for name, policy in POLICIES.items() if name not in ("deploy", "options", "restore")]
    assert not any(action in actions(policy) for policy in others)
    restored = filled(RESTORE)
    assert not any(
        allowed(restored, action, f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack.name(SERVICE)}/1")
        for stack in stack_ids(service.environments, optional=OPTIONAL_KINDS)
    )


def test_who_deploys_creates_and_protects_the_stacks_of_environments_and_does_not_update_them() -> None:
    statements = deploying()
    for stack in deployed_by_pipeline(("dev", "prod")):
        arn = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack.name(SERVICE)}/1"
        for action in ACTIONS["cloudformation:CreateStack"] - {"iam:PassRole"} | {"cloudformation:DescribeStackEvents"}:
            assert allowed(statements, action, arn), (action, arn)
        for action in ("CreateChangeSet", "DeleteStack", "ExecuteChangeSet", "UpdateStack"):
            assert not allowed(statements, f"cloudformation:{action}", arn), (action, arn)
        role = f"arn:aws:iam::{ACCOUNT}:role{names.deploy_role(SERVICE, stack.environment)}"
        assert allowed(statements, "iam:PassRole", role, {"iam:PassedToService": "cloudformation.amazonaws.com"})
