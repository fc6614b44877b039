"""Stacks on local AWS with the kit's deploy role: what the role lacks fails them in AWS's words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scaffold.local.environment import running_local_aws
from tests.engine.conftest import eventually
from tests.engine.roles import EVERYTHING, create_role
from tests.infrastructure.rules import walk
from tests.infrastructure.stacks import as_list, parse
from tests.infrastructure.test_local_aws import Account
from tests.kits import generate

ANSWERS = {"app_name": "provisioned", "environments": "dev,live"}
ARN = "arn:aws:{service}:us-east-1:000000000000:{resource}"


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A service with the network of dev, and both deploy roles."""
    root = generate(tmp_path_factory.mktemp("generated") / "service", **ANSWERS)
    with running_local_aws(runs=True) as aws:
        made = Account(aws.variables, root)
        for kind in ("foundation", "permissions"):
            made.apply(kind, f"{kind}.yaml", f"{kind}.json")
        for name in ("dev", "live"):
            made.apply(f"{name}-deploy-role", "deploy-role.yaml", f"{name}/deploy-role.json")
        made.apply("dev-network", "network.yaml", "dev/network.json", role_of(made))
        yield made


def role_of(account: Account) -> str:
    return f"arn:aws:iam::000000000000:role/{account.app}/deploy/{account.app}-dev-deploy"


def denied(message: str) -> tuple[str, str, str]:
    """The action, the resource and the reason of AWS's words."""
    said = re.search(
        r'Resource handler returned message: "User: arn:aws:sts::000000000000:assumed-role/provisioned-dev-deploy/'
        r"AWSCloudFormation is not authorized to perform: (\S+) on resource: (\S+) (.*?)\" \(RequestToken: [\w-]+, "
        r"HandlerErrorCode: AccessDenied\)",
        message,
    )
    assert said, message
    return said[1], said[2], said[3]


class Template:
    """A stack with resources of its own in the environment dev, and its deploy role."""

    def __init__(self, account: Account, name: str) -> None:
        self.name = f"{account.app}-dev-{name}"
        self.role = role_of(account)
        self._account = account
        self._api = account.cloudformation

    def create(self, environment: str = "dev", **resources: Any) -> dict[str, Any]:
        """The stack after its creation, with the failures of its resources."""
        tags = {"gitops-scaffold:service": self._account.app, "gitops-scaffold:environment": environment}
        self._api.create_stack(
            StackName=self.name,
            TemplateBody=json.dumps({"Resources": resources}),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            RoleARN=self.role,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
        return self.settled()

    def update(self, **resources: Any) -> dict[str, Any]:
        self._api.update_stack(
            StackName=self.name,
            TemplateBody=json.dumps({"Resources": resources}),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        return self.settled()

    def delete(self) -> None:
        self._api.delete_stack(StackName=self.name)

    def settled(self) -> dict[str, Any]:
        look = self._account._settled
        found = look(lambda: self._api.describe_stacks(StackName=self.name)["Stacks"][0])
        return found | {"failures": self._account.failures(self.name)}


@pytest.fixture
def template(account: Account, request: pytest.FixtureRequest) -> Template:
    return Template(account, re.sub(r"[^a-z]+", "-", request.node.name.removeprefix("test_"))[:60].strip("-"))


@pytest.fixture
def without(account: Account) -> Iterator[Callable[[str], None]]:
    """Takes an action, and updates the deploy role of dev from a template without it."""
    name = "dev-deploy-role"

    def remove(action: str) -> None:
        edited = parse((account._folder / "deploy-role.yaml").read_text())
        statements = [item for item in walk(edited["Resources"]) if action in as_list(item.get("Action", []))]
        assert statements
        for statement in statements:
            statement["Action"] = [one for one in as_list(statement["Action"]) if one != action] or ["none:None"]
        (account._folder / "edited.json").write_text(json.dumps(edited))
        account.apply(name, "edited.json", "dev/deploy-role.json")

    yield remove
    account.apply(name, "deploy-role.yaml", "dev/deploy-role.json")


def log_group(name: str = "/provisioned/dev", **properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name, **properties}}


def role(account: Account, **properties: Any) -> dict[str, Any]:
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    given = {"Path": f"/{account.app}/dev/", "AssumeRolePolicyDocument": document, **properties}
    return {"Type": "AWS::IAM::Role", "Properties": given}


def no_policy(action: str) -> str:
    return f"because no identity-based policy allows the {action} action"


def test_a_stack_is_rolled_back_where_its_role_lacks_a_permission(
    template: Template, without: Callable[[str], None]
) -> None:
    without("ec2:CreateVpc")
    made = template.create(
        Gateway={"Type": "AWS::EC2::InternetGateway"},
        Vpc={"Type": "AWS::EC2::VPC", "DependsOn": "Gateway", "Properties": {"CidrBlock": "10.0.0.0/16"}},
    )
    assert made["StackStatus"] == "ROLLBACK_COMPLETE"
    logical_id, message = made["failures"][0].split(": ", 1)
    assert logical_id == "Vpc"
    arn = ARN.format(service="ec2", resource="vpc/*")
    assert denied(message) == ("ec2:CreateVpc", arn, no_policy("ec2:CreateVpc"))


def test_resources_are_created_with_tags_of_their_environment_only(template: Template) -> None:
    group = {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "Tasks"}}
    made = template.create("live", Group=group)
    arn = ARN.format(service="ec2", resource="security-group/*")
    assert denied(made["failures"][0]) == ("ec2:CreateTags", arn, no_policy("ec2:CreateTags"))


def test_roles_are_passed_with_permission_only(
    account: Account, template: Template, without: Callable[[str], None]
) -> None:
    without("iam:PassRole")
    execution = ARN.format(service="iam", resource=f"role/{account.app}/dev/execution").replace("us-east-1", "")
    container = {"Name": "app", "Image": "app"}
    definition = {"ContainerDefinitions": [container], "ExecutionRoleArn": execution, "Family": f"{account.app}-dev"}
    made = template.create(Task={"Type": "AWS::ECS::TaskDefinition", "Properties": definition})
    assert denied(made["failures"][0]) == ("iam:PassRole", execution, no_policy("iam:PassRole"))


def test_roles_are_created_under_the_boundary_only(account: Account, template: Template) -> None:
    made = template.create(Role=role(account, RoleName="mine"))
    arn = f"arn:aws:iam::000000000000:role/{account.app}/dev/mine"
    assert denied(made["failures"][0]) == ("iam:CreateRole", arn, no_policy("iam:CreateRole"))


def test_inline_policies_are_put_into_roles_under_the_boundary_only(account: Account, template: Template) -> None:
    read = {"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": ARN.format(service="ssm", resource="x")}
    document = {"Version": "2012-10-17", "Statement": [read]}
    boundary = f"arn:aws:iam::000000000000:policy/{account.app}/{account.app}-dev-boundary"
    own = role(account, PermissionsBoundary=boundary)
    put = {"Type": "AWS::IAM::Policy", "Properties": {"PolicyName": "secrets", "PolicyDocument": document}}
    put["Properties"]["Roles"] = [{"Ref": "Role"}]
    made = template.create(Role=own, Policy=put)
    assert (made["StackStatus"], made["failures"]) == ("CREATE_COMPLETE", [])
    (name,) = [
        one["PhysicalResourceId"]
        for one in account.cloudformation.describe_stack_resources(StackName=template.name)["StackResources"]
        if one["LogicalResourceId"] == "Role"
    ]
    assert account.client("iam").list_role_policies(RoleName=name)["PolicyNames"] == ["secrets"]
    # Of what another environment has, not even the policy of its name.
    foreign = {**put, "Properties": {**put["Properties"], "Roles": [f"{account.app}-live-deploy"]}}
    refused = template.update(Role=own, Policy=put, Foreign=foreign)
    assert refused["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    action, resource, _ = denied(refused["failures"][0])
    assert action == "iam:PutRolePolicy"
    assert resource.endswith(f"role/{account.app}/deploy/{account.app}-live-deploy")
    assert template.update(Role=own)["StackStatus"] == "UPDATE_COMPLETE"
    assert account.client("iam").list_role_policies(RoleName=name)["PolicyNames"] == []


def test_listeners_of_another_environment_get_no_rules(account: Account, template: Template) -> None:
    elb, ec2 = account.client("elbv2"), account.client("ec2")
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"][:2]]
    tags = [{"Key": "gitops-scaffold:service", "Value": account.app}]
    tags += [{"Key": "gitops-scaffold:environment", "Value": "live"}]
    (balancer,) = elb.create_load_balancer(Name="live", Subnets=subnets, Tags=tags)["LoadBalancers"]
    (listener,) = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        Tags=tags,
    )["Listeners"]
    rule = {
        "ListenerArn": listener["ListenerArn"],
        "Priority": 1,
        "Conditions": [{"Field": "path-pattern", "Values": ["/*"]}],
        "Actions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}],
    }
    made = template.create(Rule={"Type": "AWS::ElasticLoadBalancingV2::ListenerRule", "Properties": rule})
    action = "elasticloadbalancing:CreateRule"
    assert denied(made["failures"][0]) == (action, listener["ListenerArn"], no_policy(action))


def test_log_groups_have_names_of_their_environment_only(template: Template) -> None:
    made = template.create(Logs=log_group("/provisioned/live"))
    arn = ARN.format(service="logs", resource="log-group:/provisioned/live:log-stream:")
    assert denied(made["failures"][0]) == ("logs:CreateLogGroup", arn, no_policy("logs:CreateLogGroup"))


def test_an_update_needs_the_permissions_for_what_changes(template: Template, without: Callable[[str], None]) -> None:
    group, name = "/provisioned/dev:updated", "provisioned-dev-alarm"
    given = {"ComparisonOperator": "LessThanThreshold", "EvaluationPeriods": 1, "Threshold": 1, "AlarmName": name}
    given |= {"MetricName": "Any", "Namespace": "Any", "Period": 60, "Statistic": "Sum"}
    alarm = {"Type": "AWS::CloudWatch::Alarm", "Properties": given}
    created = template.create(Alarm=alarm, Logs=log_group(group, RetentionInDays=1))
    assert created["StackStatus"] == "CREATE_COMPLETE", created["failures"]
    without("logs:PutRetentionPolicy")
    higher = {**alarm, "Properties": {**given, "Threshold": 2}}
    assert template.update(Alarm=higher, Logs=log_group(group, RetentionInDays=1))["failures"] == []
    changed = template.update(Alarm=higher, Logs=log_group(group, RetentionInDays=3))
    assert changed["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    arn = ARN.format(service="logs", resource=f"log-group:{group}:log-stream:")
    expected = ("logs:PutRetentionPolicy", arn, no_policy("logs:PutRetentionPolicy"))
    assert denied(changed["failures"][0]) == expected


def test_a_denied_replacement_leaves_the_resource(
    account: Account, template: Template, without: Callable[[str], None]
) -> None:
    one, other = "/provisioned/dev:one", "/provisioned/dev:other"
    assert template.create(Logs=log_group(one))["failures"] == []
    without("logs:CreateLogGroup")
    for _ in range(2):
        changed = template.update(Logs=log_group(other))
        assert changed["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
        assert denied(changed["failures"][0])[0] == "logs:CreateLogGroup"
    found = account.cloudformation.describe_stack_resource(StackName=template.name, LogicalResourceId="Logs")
    assert found["StackResourceDetail"]["PhysicalResourceId"] == one


def test_a_deletion_needs_permissions(account: Account, template: Template, without: Callable[[str], None]) -> None:
    group = "/provisioned/dev:deleted"
    assert template.create(Logs=log_group(group))["failures"] == []
    without("logs:Delete*")
    template.delete()
    assert eventually(lambda: template.settled()["StackStatus"] == "DELETE_FAILED")
    assert denied(template.settled()["failures"][0])[0] == "logs:DeleteDataProtectionPolicy"


def test_types_outside_the_table_are_not_rehearsed_with_a_role(account: Account, template: Template) -> None:
    made = template.create(Stream={"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 1}})
    expected = (
        "Local AWS denies a call of provisioned-dev-deploy, not rehearsed: the permissions of the resource type "
        "AWS::Kinesis::Stream"
    )
    assert expected in made["failures"][0]


def test_a_role_that_may_do_everything_provisions_every_type(account: Account, template: Template) -> None:
    template.role = create_role(account.client("iam"), "administrator", EVERYTHING)
    assert template.create(Queue={"Type": "AWS::SQS::Queue"})["StackStatus"] == "CREATE_COMPLETE"


def test_a_condition_key_that_is_not_evaluated_is_reported(account: Account, template: Template) -> None:
    condition = {"StringEquals": {"aws:PrincipalTag/team": "shop"}}
    statement = {"Effect": "Allow", "Action": "logs:*", "Resource": "*", "Condition": condition}
    template.role = create_role(account.client("iam"), "team", statement)
    made = template.create(Logs=log_group("/any"))
    expected = "not rehearsed: logs:CreateLogGroup with the condition key aws:PrincipalTag/team in a policy of team"
    assert expected in made["failures"][0]
