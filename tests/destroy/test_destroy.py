"""`scaffold destroy`: everything is deleted in order, and what is kept is listed with its reason."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from scaffold.core.errors import Interrupted, ScaffoldError, UsageError
from scaffold.core.git import git
from scaffold.core.results import Change
from scaffold.service import names
from scaffold.service.service import read
from scaffold.service.stack_kinds import identify
from scaffold.views.destroy import text
from tests.deploy.services import (
    Deployments,
    Wire,
    client,
    clone,
    commit,
    environment_stack,
    foundation_stack,
    in_child,
    listed,
    make_service,
    release_stack,
    remove,
    run,
    wait_for_next_second,
)

READS = ("Get", "List", "Describe", "Head")
ENVIRONMENT = """\
Parameters: {Name: {Type: String}}
Resources:
  Cluster: {Type: AWS::ECS::Cluster, Properties: {ClusterName: !Ref Name}}
  Logs: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Sub '/${Name}/tasks'}}
Outputs:
  Cluster: {Value: !Ref Cluster, Export: {Name: !Sub '${AWS::StackName}-Cluster'}}
"""
PROTECTED = """\
  Balancer:
    Type: AWS::ElasticLoadBalancingV2::LoadBalancer
    Properties: {LoadBalancerAttributes: [{Key: deletion_protection.enabled, Value: 'true'}]}
Outputs:
"""
TASK = """\
Parameters: {Name: {Type: String}, Version: {Type: String, Default: a}}
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    UpdateReplacePolicy: Retain
    Properties:
      Family: !Ref Name
      RequiresCompatibilities: [FARGATE]
      NetworkMode: awsvpc
      Cpu: '256'
      Memory: '512'
      ContainerDefinitions: [{Name: app, Image: !Sub 'image:${Version}'}]
"""
SERVICE = """\
Parameters: {Name: {Type: String}, Environment: {Type: String}}
Resources:
  Alarms: {Type: AWS::SNS::Topic, Properties: {DisplayName: !ImportValue '%s-Cluster'}}
"""


def name_of(service: Path) -> str:
    return read(service).app_name


def make_environment(service: Path, environment: str) -> None:
    """What the pipeline would release: three stacks with the deploy role, a second revision, and a log group of ECS."""
    app = name_of(service)
    cluster = names.cluster(app, environment)
    role = f"arn:aws:iam::000000000000:role{names.deploy_role(app, environment)}"
    tags = [{"Key": names.TAG_SERVICE, "Value": app}, {"Key": names.TAG_ENVIRONMENT, "Value": environment}]
    first = environment_stack(app, environment, "environment")
    for kind, template in (("environment", ENVIRONMENT), ("task-definition", TASK), ("service", SERVICE % first)):
        parameters = {"Name": cluster} | ({"Environment": environment} if kind == "service" else {})
        # The pipeline gives this kind no configuration file, so no tags either.
        tagged = [] if kind == "task-definition" else tags
        release_stack(environment_stack(app, environment, kind), template, parameters, RoleARN=role, Tags=tagged)
    task = environment_stack(app, environment, "task-definition")
    release_stack(task, TASK, {"Name": cluster, "Version": "b"})
    client("logs").create_log_group(logGroupName=names.container_insights_log_group(app, environment))


def protect_load_balancer(service: Path, environment: str) -> str:
    """Give an environment a load balancer that is protected from deletion, and return its name for metrics."""
    app = name_of(service)
    name = environment_stack(app, environment, "environment")
    tags = [{"Key": names.TAG_SERVICE, "Value": app}, {"Key": names.TAG_ENVIRONMENT, "Value": environment}]
    template = ENVIRONMENT.replace("Outputs:\n", PROTECTED)
    release_stack(name, template, {"Name": names.cluster(app, environment)}, Tags=tags)
    resource = client("cloudformation").describe_stack_resource(StackName=name, LogicalResourceId="Balancer")
    return str(resource["StackResourceDetail"]["PhysicalResourceId"]).partition(":loadbalancer/")[2]


def fill(service: Path) -> None:
    """Put versions, delete markers and an image into what has to be empty for its deletion, a second after creation."""
    wait_for_next_second()
    app = name_of(service)
    foundation = client("cloudformation").describe_stacks(StackName=foundation_stack(app))["Stacks"][0]
    bucket = next(one["OutputValue"] for one in foundation["Outputs"] if one["OutputKey"] == "ArtifactBucketName")
    for key in ("one", "two"):
        for _ in range(2):
            client("s3").put_object(Bucket=bucket, Key=key, Body=b"x")
    client("s3").delete_object(Bucket=bucket, Key="two")
    manifest = '{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": []}'
    client("ecr").put_image(repositoryName=app, imageManifest=manifest, imageTag="v1")


def traces(app: str) -> list[str]:
    """Everything in local AWS with the service's name, except keys in their waiting period."""
    found: list[Any] = []
    stacks = listed("cloudformation", "describe_stacks", "Stacks")
    found += [one["StackName"] for one in stacks if one["StackStatus"] != "DELETE_COMPLETE"]
    found += [one["Name"] for one in listed("s3", "list_buckets", "Buckets")]
    found += [one["repositoryName"] for one in listed("ecr", "describe_repositories", "repositories")]
    found += [one["repositoryName"] for one in listed("codecommit", "list_repositories", "repositories")]
    found += listed("codecommit", "list_approval_rule_templates", "approvalRuleTemplateNames")
    found += [one["logGroupName"] for one in listed("logs", "describe_log_groups", "logGroups")]
    found += listed("ecs", "list_clusters", "clusterArns")
    for status in ("ACTIVE", "INACTIVE"):
        found += listed("ecs", "list_task_definitions", "taskDefinitionArns", status=status)
    found += [one["RoleName"] for one in listed("iam", "list_roles", "Roles") if f"/{app}/" in one["Path"]]
    found += [one["TopicArn"] for one in listed("sns", "list_topics", "Topics")]
    return [str(one) for one in found if app in str(one)]


@pytest.fixture
def released(aws: None, tmp_path: Path, deployments: Deployments) -> Path:
    """A service with data that was released to both environments."""

    def deploy(root: Path) -> None:
        run(make_service(root))
        for environment in ("dev", "prod"):
            make_environment(root, environment)
        fill(root)

    return deployments.copy("released", deploy, tmp_path / "service")


def test_everything_is_deleted_in_order(released: Path, wire: Wire) -> None:
    app = name_of(released)
    # An environment that the answers no longer name.
    answers = released / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace("dev,prod", "prod"))

    planned = remove(released, plan=True)
    assert planned.exit_code == 10
    assert all(call.split(":")[1].startswith(READS) for call in wire.calls)
    assert f"stack {app}-dev-service" in text(planned)
    assert "bucket" in text(planned)
    wire.requests.clear(), wire.calls.clear()

    result = remove(released)

    deletions = [
        identify(app, request["body"]["StackName"].split("/")[1])
        for call, request in zip(wire.calls, wire.requests, strict=True)
        if call == "cloudformation:DeleteStack"
    ]
    order = [call for call in wire.calls if call in ("cloudformation:DeleteStack", "s3:DeleteBucket")]
    assert order[-1] == "s3:DeleteBucket"  # data is deleted last, after its stack
    assert [stack.kind.name for stack in deletions if stack] == [
        *["service"] * 2,
        *["task-definition"] * 2,
        *["environment"] * 2,
        "pipeline",
        "events",
        "tests",
        "releases",
        "plans",
        "pull-requests",
        "checks",
        "build",
        *["deploy-role"] * 2,
        "permissions",
        "foundation",
    ]
    assert traces(app) == []
    assert {one.type: one.reason for one in result.kept} == {
        "AWS::KMS::Key": "waiting-period",
        "service-linked-role": "shared",
    }
    assert "waiting period" in text(result)
    assert result.exit_code == 0
    assert set(planned.changes) == set(result.changes)

    again = remove(released, confirm=lambda name: pytest.fail("nothing is left to be asked for"))
    assert not again.changes
    assert remove(released, plan=True).exit_code == 0


def test_one_environment_is_deleted_and_the_rest_kept(released: Path) -> None:
    app = name_of(released)
    result = remove(released, environment="dev")

    left = traces(app)
    assert not [one for one in left if f"{app}-dev" in one or f"/{app}/dev" in one]
    assert {f"{app}-prod-service", f"{app}-foundation", f"{app}-pipeline"} <= set(left)
    assert "scaffold env remove dev --keep-stacks --commit" in text(result)
    assert not remove(released, environment="dev", confirm=lambda name: pytest.fail("asked")).changes


def test_unknown_environment(deployed: Path) -> None:
    with pytest.raises(UsageError) as caught:
        remove(deployed, environment="nowhere")
    assert "dev, prod" in caught.value.remedy


def test_nothing_is_deleted_unless_the_name_is_typed(deployed: Path, wire: Wire) -> None:
    asked = []

    def refuse(name: str) -> bool:
        asked.append(name)
        return False

    with pytest.raises(ScaffoldError) as caught:
        remove(deployed, confirm=refuse)
    assert asked == [name_of(deployed)]
    assert "--yes" in caught.value.remedy
    assert all(call.split(":")[1].startswith(READS) for call in wire.calls)


def test_service_that_was_never_deployed(service: Path) -> None:
    result = remove(service)
    assert result.exit_code == 0
    assert "nothing to delete" in text(result)


def test_repository_with_commits_that_the_clone_lacks_is_kept(deployed: Path, tmp_path: Path) -> None:
    app = name_of(deployed)
    colleague = clone(tmp_path / "clone", app)
    git("switch", "-q", "-c", "feature", cwd=colleague)
    commit(colleague)
    git("push", "-q", "origin", "feature", cwd=colleague)

    result = remove(deployed)

    assert ("repository", app, "unpulled-commits") in {(one.type, one.name, one.reason) for one in result.kept}
    assert "1 commit that this clone lacks" in text(result)
    assert app in str(client("codecommit").list_repositories()["repositories"])

    git("fetch", "-q", "origin", cwd=deployed)
    git("branch", "feature", "origin/feature", cwd=deployed)
    assert Change("repository", app, "delete") in remove(deployed).changes
    assert traces(app) == []


@pytest.mark.slow
def test_service_of_another_history_is_not_deleted(service: Path, tmp_path: Path) -> None:
    other = make_service(tmp_path / "other", name_of(service), description="another one")
    run(other)
    before = traces(name_of(service))
    with pytest.raises(ScaffoldError, match="the root commit of its main"):
        remove(service)
    assert traces(name_of(service)) == before


@pytest.mark.slow
def test_stack_of_another_owner_is_kept_and_listed(deployed: Path) -> None:
    app = name_of(deployed)
    stack = environment_stack(app, "dev", "service")
    client("cloudformation").create_stack(
        StackName=stack, TemplateBody='{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
    )
    result = remove(deployed)
    assert [one.name for one in result.kept if one.type == "stack"] == [stack]
    assert stack in traces(app)


def test_a_protected_load_balancer_is_unprotected_right_before_its_deletion(deployed: Path, wire: Wire) -> None:
    app = name_of(deployed)
    change = Change("deletion-protection", protect_load_balancer(deployed, "dev"), "turn-off")
    planned = remove(deployed, environment="dev", plan=True)
    assert change in planned.changes
    assert "deletion protection of the load balancer app/" in text(planned)
    wire.calls.clear()
    remove(deployed, environment="dev")
    environment = environment_stack(app, "dev", "environment")
    made = [call for call in wire.calls if call.endswith((":DeleteStack", ":ModifyLoadBalancerAttributes"))]
    assert made[:2] == ["elbv2:ModifyLoadBalancerAttributes", "cloudformation:DeleteStack"]
    assert environment not in traces(app)


@pytest.mark.slow
def test_transition_into_the_stage_is_disabled_until_the_next_deployment(tmp_path: Path, aws: None) -> None:
    kits = pytest.importorskip("tests.kits")
    service = kits.generate(tmp_path / "service", app_name="d" + os.urandom(4).hex())
    git("init", "-q", "-b", "main", cwd=service)
    commit(service)
    run(service)
    app = name_of(service)

    def closed() -> dict[str, bool]:
        states = client("codepipeline").get_pipeline_state(name=names.pipeline(app))["stageStates"]
        return {one["stageName"]: not one.get("inboundTransitionState", {}).get("enabled", True) for one in states}

    make_environment(service, "dev")
    wait_for_next_second()
    remove(service, environment="dev")
    assert [stage for stage, shut in closed().items() if shut] == ["Dev"]

    # The deploy role of the environment is deleted with it, and created again.
    assert {step.action for step in run(service, plan=True).steps} == {"none", "update", "create"}
    run(service)
    assert not any(closed().values())

    result = remove(service, environment="staging")  # to which nothing was released yet
    kinds = ("service", "alarms", "task-definition", "environment", "network", "deploy-role")
    stacks = (Change("stack", f"{app}-staging-{kind}", "delete") for kind in kinds)
    assert result.changes == (Change("stage", "Staging", "disable"), *stacks)
    assert "scaffold env remove staging --keep-stacks --commit" in text(result)
    assert [stage for stage, shut in closed().items() if shut] == ["Staging"]

    remove(service)
    assert traces(app) == []


def test_interruption_while_deleting_an_environment_names_the_environment(deployed: Path, wire: Wire) -> None:
    wire.throw("DescribeStacks", KeyboardInterrupt())
    with pytest.raises(Interrupted) as caught:
        remove(deployed, environment="dev")
    assert "scaffold destroy --environment dev`" in caught.value.remedy
    wire.faults.clear()


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["DeleteStack", "DescribeStackEvents"])
def test_interruption_says_how_to_finish(deployed: Path, wire: Wire, operation: str) -> None:
    wire.throw(operation, KeyboardInterrupt())
    with pytest.raises(Interrupted) as caught:
        remove(deployed)
    assert "scaffold destroy" in caught.value.remedy
    wire.faults.clear()
    remove(deployed)
    assert traces(name_of(deployed)) == []


@pytest.mark.slow
def test_failed_deletion_names_the_reason_and_can_be_repeated(deployed: Path, wire: Wire) -> None:
    def fail(parsed: dict[str, Any]) -> None:
        for event in parsed.get("StackEvents", []):
            if event["ResourceStatus"].startswith("DELETE_") and event["ResourceType"] == "AWS::SNS::Topic":
                event |= {"ResourceStatus": "DELETE_FAILED", "ResourceStatusReason": "something still uses it"}
            if event["ResourceStatus"] == "DELETE_COMPLETE" and event["PhysicalResourceId"] == event["StackId"]:
                event["ResourceStatus"] = "DELETE_FAILED"

    wire.touched["DescribeStackEvents"] = fail
    with pytest.raises(ScaffoldError) as caught:
        remove(deployed)
    assert "something still uses it" in caught.value.happened
    assert "scaffold destroy" in caught.value.remedy
    wire.touched.clear()
    remove(deployed)
    assert traces(name_of(deployed)) == []


def check_killed(service: Path, calls: int) -> None:
    killed = in_child(lambda: remove(service), lambda count: os._exit(137) if count == calls else None)
    assert killed == 137, "it ended before that many calls"
    remove(service)
    assert traces(name_of(service)) == []


def test_killed_and_repeated(deployed: Path) -> None:
    fill(deployed)
    check_killed(deployed, 100)


@pytest.mark.slow
@pytest.mark.parametrize("calls", [*range(12, 96, 9), *range(96, 112, 3)])
def test_killed_at_many_calls_and_repeated(deployed: Path, calls: int) -> None:
    fill(deployed)
    check_killed(deployed, calls)
