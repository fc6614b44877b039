"""Every kind of stack is created, updated and deleted on local AWS, in the order of a release.

Local AWS does not show what AWS accepts. It checks order, references, exports, conditions and rollback.
"""

from __future__ import annotations

import itertools
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from scaffold.local.environment import local_aws
from scaffold.service import names
from tests.deploy.services import all_stacks
from tests.infrastructure.stacks import ROOT_COMMIT, environments, parse

pytest.importorskip("ministack")


class Account:
    """An account on local AWS, with the stacks of one service."""

    def __init__(self, variables: dict[str, str], root: Path) -> None:
        self._session = boto3.session.Session(
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            region_name="us-east-1",
        )
        self._endpoint = variables["AWS_ENDPOINT_URL"]
        self._folder = root / "infrastructure"
        self.app = self._configuration("foundation.json")["Parameters"]["AppName"]
        self.cloudformation = self.client("cloudformation")
        self._numbers = itertools.count()

    def client(self, service: str, **credentials: str) -> Any:
        return self._session.client(service, endpoint_url=self._endpoint, **credentials)

    def _configuration(self, path: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self._folder / path).read_text())
        return document

    def apply(
        self, name: str, template: str, configuration: str = "", role: str = "", **parameters: str
    ) -> dict[str, str]:
        """Create or update a stack by a change set, as the pipeline does, and return its outputs."""
        given = self._configuration(configuration) if configuration else {}
        parameters |= {"RootCommit": ROOT_COMMIT} if name == "foundation" else {}
        stack = f"{self.app}-{name}"
        exists = stack in self.stacks()
        change = f"change-{next(self._numbers)}"
        self.cloudformation.create_change_set(
            StackName=stack,
            ChangeSetName=change,
            ChangeSetType="UPDATE" if exists else "CREATE",
            TemplateBody=(self._folder / template).read_text(),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in {**given.get("Parameters", {}), **parameters}.items()
            ],
            Tags=[{"Key": key, "Value": value} for key, value in given.get("Tags", {}).items()],
            **({"RoleARN": role} if role else {}),
        )
        change_set = self._settled(
            lambda: self.cloudformation.describe_change_set(StackName=stack, ChangeSetName=change), "Status"
        )
        kept: tuple[str, ...] = ()
        if change_set["Status"] == "FAILED":
            assert "didn't contain changes" in change_set["StatusReason"], change_set["StatusReason"]
            self.cloudformation.delete_change_set(StackName=stack, ChangeSetName=change)
            kept = (self.status(name),)  # Nothing to do, also after a release that failed.
        else:
            self.cloudformation.execute_change_set(StackName=stack, ChangeSetName=change)
        settled = self._settled(lambda: self.cloudformation.describe_stacks(StackName=stack)["Stacks"][0])
        assert settled["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE", *kept), self.failures(stack)
        return {output["OutputKey"]: output["OutputValue"] for output in settled.get("Outputs", [])}

    def _settled(self, look: Callable[[], dict[str, Any]], key: str = "StackStatus") -> dict[str, Any]:
        end = time.monotonic() + 30
        while (found := look())[key].endswith(("IN_PROGRESS", "PENDING")):
            assert time.monotonic() < end, f"still {found[key]}"
            time.sleep(0.05)
        return found

    def failures(self, stack: str) -> list[str]:
        events = self.cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        return [
            f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}"
            for event in reversed(events)
            if event["ResourceStatus"].endswith(("_FAILED", "ROLLBACK_IN_PROGRESS"))
        ]

    def status(self, name: str) -> str:
        return str(self.cloudformation.describe_stacks(StackName=f"{self.app}-{name}")["Stacks"][0]["StackStatus"])

    def state(self, name: str) -> list[Any]:
        """What a stack shows and holds, but its status."""
        stack = self.cloudformation.describe_stacks(StackName=f"{self.app}-{name}")["Stacks"][0]
        resources = self.cloudformation.describe_stack_resources(StackName=f"{self.app}-{name}")["StackResources"]
        held = [one["LogicalResourceId"] for one in resources if one["ResourceStatus"] != "DELETE_COMPLETE"]
        return [stack.get("Outputs"), stack.get("Parameters"), held]

    def stacks(self) -> list[str]:
        """The stacks of the service."""
        names = [stack["StackName"] for stack in all_stacks(self.cloudformation)]
        return [name for name in names if name.startswith(f"{self.app}-")]

    def release(self, environment: str, digit: str) -> dict[str, str]:
        """Deploy a release to an environment, and return the outputs of its task definition."""
        image = f"registry/{self.app}@sha256:{digit * 64}"
        for kind in ("network", "environment", "alarms"):
            if (self._folder / environment / f"{kind}.json").exists():
                self.apply(f"{environment}-{kind}", f"{kind}.yaml", f"{environment}/{kind}.json")
        task = self.apply(
            f"{environment}-task-definition",
            f"{environment}/task-definition.yaml",
            ImageUri=image,
            Version=digit * 12,
        )
        self.apply(f"{environment}-service", "service.yaml", f"{environment}/service.json", **task)
        return task

    def delete(self, name: str) -> None:
        stack = f"{self.app}-{name}"
        self.cloudformation.delete_stack(StackName=stack)
        end = time.monotonic() + 30
        while stack in self.stacks():
            assert time.monotonic() < end, self.failures(stack)
            time.sleep(0.05)

    def service(self, environment: str) -> dict[str, Any]:
        name = f"{self.app}-{environment}"
        described: dict[str, Any] = self.client("ecs").describe_services(cluster=name, services=[name])["services"][0]
        return described


@pytest.fixture(scope="module")
def account(generated: Callable[..., Path]) -> Iterator[Callable[..., Account]]:
    """An account for all tests; each test uses a service with another name."""
    with local_aws() as variables:
        yield lambda **answers: Account(variables, generated(**answers))


def deploy_all(account: Account, root: Path) -> None:
    for kind in ("foundation", "permissions"):
        account.apply(kind, f"{kind}.yaml", f"{kind}.json")
    for environment in environments(root):
        account.apply(f"{environment}-deploy-role", "deploy-role.yaml", f"{environment}/deploy-role.json")
    for kind in ("build", "checks", "pull-requests", "plans", "releases", "tests", "events", "pipeline"):
        account.apply(kind, f"{kind}.yaml", f"{kind}.json")
    for environment in environments(root):
        account.release(environment, "1")


@pytest.mark.slow
def test_a_service_is_created_updated_and_deleted(
    account: Callable[..., Account], generated: Callable[..., Path]
) -> None:
    answers = {"app_name": "lifecycle", "environments": "test,live"}
    aws = account(**answers)
    deploy_all(aws, generated(**answers))
    assert len(aws.stacks()) == 10 + 2 * 6

    # The same again changes nothing.
    before = aws.service("live")["taskDefinition"]
    aws.release("live", "1")
    assert aws.service("live")["taskDefinition"] == before

    # The next release runs another revision, and the previous one stays registered for a rollback.
    task = aws.release("live", "2")
    assert aws.service("live")["taskDefinition"] == task["TaskDefinitionArn"] != before
    old = aws.client("ecs").describe_task_definition(taskDefinition=before)["taskDefinition"]
    assert old["status"] == "ACTIVE"

    # An environment cannot be deleted while its service imports its exports.
    with suppress(ClientError):
        aws.cloudformation.delete_stack(StackName=f"{aws.app}-live-environment")
    time.sleep(0.3)
    assert f"{aws.app}-live-environment" in aws.stacks()

    for environment in ("live", "test"):
        for kind in ("service", "alarms", "task-definition", "environment", "network"):
            aws.delete(f"{environment}-{kind}")
    once = ("pipeline", "events", "tests", "releases", "plans", "pull-requests", "checks", "build")
    for name in (*once, "live-deploy-role", "test-deploy-role"):
        aws.delete(name)
    for name in ("permissions", "foundation"):
        aws.delete(name)
    assert aws.stacks() == []

    # Data is retained; `scaffold destroy` deletes it.
    assert aws.client("ecr").describe_repositories(repositoryNames=[aws.app])["repositories"]


def test_a_failed_first_release_leaves_the_placeholder_and_the_next_one_succeeds(
    account: Callable[..., Account], generated: Callable[..., Path], tmp_path: Path
) -> None:
    """Each stack fails after everything else that its template declares was created."""
    answers = {"app_name": "first-release", "environments": "live"}
    aws, folder = account(**answers), generated(**answers) / "infrastructure"
    for kind in ("foundation", "permissions"):
        aws.apply(kind, f"{kind}.yaml", f"{kind}.json")
    aws.apply("live-deploy-role", "deploy-role.yaml", "live/deploy-role.json")
    given = {"ImageUri": f"registry/{aws.app}@sha256:{'1' * 64}", "Version": "1" * 12}
    for kind in ("network", "environment", "alarms", "task-definition", "service"):
        name, configuration = f"live-{kind}", "" if kind == "task-definition" else f"live/{kind}.json"
        template = f"live/{kind}.yaml" if kind == "task-definition" else f"{kind}.yaml"
        parameters = given if kind in ("task-definition", "service") else {}
        aws.apply(name, "placeholder.yaml", AppName=aws.app)
        before = aws.state(name)
        with pytest.raises(AssertionError, match="Broken: "):
            aws.apply(name, broken(folder / template, tmp_path), configuration, **parameters)
        assert aws.state(name) == before
        assert aws.status(name) == "UPDATE_ROLLBACK_COMPLETE"
        released = aws.apply(name, template, configuration, **parameters)
        assert names.PREPARED not in released
        given = released if kind == "task-definition" else given


def broken(template: Path, folder: Path) -> str:
    """The path of a template with another resource, which fails after all the others."""
    text = template.read_text()
    others = [name for name, resource in parse(text)["Resources"].items() if "Condition" not in resource]
    properties = "Properties: {MessageRetentionPeriod: 9}"
    resource = f"  Broken: {{Type: AWS::SQS::Queue, DependsOn: [{', '.join(others)}], {properties}}}\n"
    path = folder / template.name
    path.write_text(text.replace("\nResources:\n", f"\nResources:\n{resource}", 1))
    return str(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy",
    ["rolling", "canary", "linear", "blue_green"],
)
def test_every_strategy_deploys_two_releases(
    account: Callable[..., Account], generated: Callable[..., Path], strategy: str
) -> None:
    answers = {
        "app_name": strategy.replace("_", "-"),
        "environments": "live",
        "deployment_strategy": strategy,
    }
    aws = account(**answers)
    deploy_all(aws, generated(**answers))
    aws.release("live", "2")
    configuration = aws.service("live")["deploymentConfiguration"]
    assert configuration["strategy"] == strategy.upper()
    assert configuration["deploymentCircuitBreaker"]["rollback"] is True
    assert configuration["alarms"]["rollback"] is True
    assert int(configuration["bakeTimeInMinutes"]) == 10


@pytest.mark.slow
def test_a_nat_gateway_comes_with_a_release_and_goes_with_two(
    account: Callable[..., Account], generated: Callable[..., Path], tmp_path: Path
) -> None:
    without = {"app_name": "private", "environments": "live", "customize": True, "architecture": "arm64"}
    answers = {**without, "egress": "nat_gateway"}
    aws, root = account(**without), generated(**answers)
    deploy_all(aws, generated(**without))
    before = aws.state("live-network")

    def address() -> str:
        return str(aws.service("live")["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"])

    aws._folder = root / "infrastructure"
    aws.release("live", "2")
    assert address() == "DISABLED"

    aws._folder = generated(**without) / "infrastructure"
    with pytest.raises(AssertionError, match="network-PrivateSubnetA as it is in use by private-live-service"):
        aws.release("live", "3")
    assert (aws.status("live-network"), address()) == ("UPDATE_ROLLBACK_COMPLETE", "DISABLED")
    # As `scaffold update` says: first all but the network.
    aws._folder = Path(shutil.copytree(aws._folder, tmp_path / "infrastructure"))
    shutil.copy(root / "infrastructure/live/network.json", aws._folder / "live")
    aws.release("live", "3")
    assert address() == "ENABLED"
    aws._folder = generated(**without) / "infrastructure"
    aws.release("live", "4")
    assert (address(), aws.state("live-network")) == ("ENABLED", before)


@pytest.mark.slow
def test_scaling_on_requests_observability_and_shells_begin_and_end_with_their_answers(
    account: Callable[..., Account], generated: Callable[..., Path]
) -> None:
    """The policy that is replaced comes back; the service and the stacks' other resources stay."""
    answers = {"app_name": "scaled", "environments": "live", "deployment_strategy": "canary"}
    wanted = {**answers, "customize": True, "requests_per_task": 50, "observability": "full", "exec": "live"}
    aws = account(**answers)
    deploy_all(aws, generated(**answers))

    def policies() -> set[str]:
        found = aws.client("application-autoscaling").describe_scaling_policies(
            ServiceNamespace="ecs", ResourceId="service/scaled-live/scaled-live"
        )
        return {one["PolicyName"] for one in found["ScalingPolicies"]}

    def observed() -> tuple[list[str], list[str], list[str], str]:
        """Containers, policies of the tasks, what watches deployments, Container Insights."""
        name, ecs = f"{aws.app}-live", aws.client("ecs")
        described = aws.service("live")
        task = ecs.describe_task_definition(taskDefinition=described["taskDefinition"])["taskDefinition"]
        own = aws.client("iam").list_role_policies(RoleName=task["taskRoleArn"].rpartition("/")[2])["PolicyNames"]
        alarms = [one.removeprefix(f"{name}-") for one in described["deploymentConfiguration"]["alarms"]["alarmNames"]]
        (cluster,) = ecs.describe_clusters(clusters=[name], include=["SETTINGS"])["clusters"]
        (insights,) = [one["value"] for one in cluster["settings"] if one["name"] == "containerInsights"]
        return [one["name"] for one in task["containerDefinitions"]], own, alarms, insights

    service, off = aws.service("live")["serviceArn"], aws.state("live-service")
    unobserved, alarms = observed(), aws.state("live-alarms")[2]
    assert unobserved[::3] == (["app"], "disabled")
    assert policies() == {"cpu", "cpu-while-shifting"}
    for given, second in ((wanted, "requests"), (answers, "cpu-while-shifting")):
        aws._folder = generated(**given) / "infrastructure"
        aws.apply("live-deploy-role", "deploy-role.yaml", "live/deploy-role.json")
        aws.release("live", "1")
        assert policies() == {"cpu", second}
        if given is wanted:
            assert observed() == (
                ["app", "collector"],
                [*unobserved[1], "shells", "traces"],
                [*unobserved[2], "operations"],
                "enhanced",
            )
            assert set(aws.state("live-alarms")[2]) == {*alarms, "OperationsAlarm"}
            assert str(aws.service("live")["enableExecuteCommand"]).lower() == "true"
    assert (observed(), set(aws.state("live-alarms")[2])) == (unobserved, set(alarms))
    assert (aws.service("live")["serviceArn"], aws.state("live-service")[2]) == (service, off[2])


@pytest.mark.slow
def test_office_hours_begin_and_end_with_their_answer(
    account: Callable[..., Account], generated: Callable[..., Path]
) -> None:
    """An environment that is asleep when they end wakes; the service and the stack's other resources stay."""
    answers = {"app_name": "sleepy", "environments": "dev,live"}
    wanted = {**answers, "customize": True, "office_hours": "MON-FRI 07-19 Europe/Berlin"}
    aws = account(**answers)
    deploy_all(aws, generated(**answers))
    scaling = aws.client("application-autoscaling")

    def scheduled(environment: str) -> tuple[set[str], int]:
        """The names of the scheduled actions, and the largest number of tasks."""
        resource = f"service/sleepy-{environment}/sleepy-{environment}"
        actions = scaling.describe_scheduled_actions(ServiceNamespace="ecs", ResourceId=resource)["ScheduledActions"]
        (target,) = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])["ScalableTargets"]
        return {one["ScheduledActionName"] for one in actions}, target["MaxCapacity"]

    service, off = aws.service("dev")["serviceArn"], aws.state("dev-service")
    for given, expected in ((wanted, {"sleep", "wake"}), (answers, set())):
        aws._folder = generated(**given) / "infrastructure"
        for environment in ("dev", "live"):
            aws.release(environment, "1")
        assert scheduled("dev") == (expected, 2)
        assert scheduled("live") == (set(), 10)
        target = {"ServiceNamespace": "ecs", "ResourceId": "service/sleepy-dev/sleepy-dev"}
        target["ScalableDimension"] = "ecs:service:DesiredCount"
        scaling.register_scalable_target(**target, MinCapacity=0, MaxCapacity=0)
    assert (aws.service("dev")["serviceArn"], aws.state("dev-service")[2]) == (service, off[2])


def placed(aws: Account, environment: str) -> dict[str, Any]:
    """Where the load balancer and the tasks of an environment are."""
    elb = aws.client("elbv2")
    resources = aws.cloudformation.describe_stack_resources(StackName=f"{aws.app}-{environment}-environment")
    ids = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources["StackResources"]}
    (balancer,) = elb.describe_load_balancers(LoadBalancerArns=[ids["LoadBalancer"]])["LoadBalancers"]
    groups = elb.describe_target_groups(TargetGroupArns=[ids["TargetGroup"], ids["AlternateTargetGroup"]])
    named = [ids["TaskSecurityGroup"], ids["LoadBalancerSecurityGroup"]]
    security = aws.client("ec2").describe_security_groups(GroupIds=named)["SecurityGroups"]
    return {
        # Not the load balancer's, which is the default VPC on local AWS.
        "vpcs": {one["VpcId"] for one in (*groups["TargetGroups"], *security)},
        "load balancer": {zone["SubnetId"] for zone in balancer["AvailabilityZones"]},
        "tasks": aws.service(environment)["networkConfiguration"]["awsvpcConfiguration"],
    }


@pytest.mark.slow
def test_environments_in_an_existing_vpc_and_in_their_own_deploy(
    account: Callable[..., Account], generated: Callable[..., Path]
) -> None:
    ec2 = account(app_name="owner").client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.77.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate("abab")
    ]
    public, private = ",".join(subnets[:2]), ",".join(subnets[2:])
    own = {"vpc_id": "", "egress": "public_ip"}
    answers = {
        "app_name": "placed",
        "environments": "own,test,live",
        "customize": True,
        "vpc_id": vpc,
        "public_subnet_ids": public,
        "environment_overrides": {"own": own, "live": {"private_subnet_ids": private}},
    }
    aws = account(**answers)
    deploy_all(aws, generated(**answers))
    assert {name for name in aws.stacks() if name.endswith("-network")} == {"placed-own-network"}
    for environment, tasks, address in (("test", subnets[:2], "ENABLED"), ("live", subnets[2:], "DISABLED")):
        found = placed(aws, environment)
        assert (found["vpcs"], found["load balancer"]) == ({vpc}, set(subnets[:2]))
        assert (found["tasks"]["subnets"], found["tasks"]["assignPublicIp"]) == (tasks, address)
    assert vpc not in placed(aws, "own")["vpcs"]
    assert placed(aws, "own")["tasks"]["assignPublicIp"] == "ENABLED"

    # The next release changes nothing of it, and a deletion leaves what existed before.
    before = placed(aws, "live")
    aws.release("live", "2")
    assert placed(aws, "live") == before
    for kind in ("service", "alarms", "task-definition", "environment"):
        aws.delete(f"live-{kind}")
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
    assert len(ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]) == 4


BROKEN = """
  Broken:
    Type: AWS::ApplicationAutoScaling::ScalableTarget
    DependsOn:
      [Repository, ArtifactBucketPolicy, Approver, BranchProtection, ReadArtifactsPolicy, NotificationTopicPolicy]
    Properties:
      ServiceNamespace: ecs
      ScalableDimension: ecs:service:DesiredCount
      ResourceId: service/nothing/nothing
      MinCapacity: 1
      MaxCapacity: 1

Outputs:
"""


def test_the_foundation_can_be_created_after_a_failed_creation(
    account: Callable[..., Account], generated: Callable[..., Path], tmp_path: Path
) -> None:
    answers = {"app_name": "repeated", "environments": "live"}
    aws = account(**answers)
    template = generated(**answers) / "infrastructure" / "foundation.yaml"
    failing = tmp_path / "broken.yaml"
    failing.write_text(template.read_text().replace("\nOutputs:\n", BROKEN))
    with pytest.raises(AssertionError, match="Broken"):
        aws.apply("foundation", str(failing), "foundation.json")
    aws.delete("foundation")
    # No resource with a fixed name is left that would fail the next creation.
    outputs = aws.apply("foundation", "foundation.yaml", "foundation.json")
    assert outputs["RepositoryName"] == aws.app
    policy = aws.client("iam").get_policy(PolicyArn=outputs["ApproverArn"])["Policy"]
    assert policy["Arn"].endswith(f":policy/{aws.app}/{aws.app}-approver")
