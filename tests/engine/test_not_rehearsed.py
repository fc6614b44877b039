"""The lists "Not rehearsed" of docs/rehearsal.md: everything that they name is refused with these words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from scaffold.engine.balancer.rehearsed import not_rehearsed
from scaffold.engine.builds import buildspec
from scaffold.engine.builds.request import combine
from scaffold.engine.executors.deployment_window import Window
from scaffold.engine.tasks.containers import check as check_container
from scaffold.engine.tasks.logs import LogStream
from scaffold.local.services import ecs_checks
from scaffold.local.services.pipeline_structure import check_rehearsed
from tests.engine.conftest import Client, eventually, name_of
from tests.engine.pipeline.driver import action, pipeline, stage
from tests.engine.test_rehearsal import PAGE, TESTS, names

#: The sections whose lists are compared with this file.
SECTIONS = (
    *("Actions and rules", "Builds", "Deployments of ECS services", "Deployments that shift traffic", "Tasks"),
    "Load balancers",
)
Attempt = Callable[[], Any]


def listed(section: str) -> list[str]:
    """What a section and its subsections call not rehearsed."""
    paragraphs = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0].split("\n\n")
    found = [re.search(r"Not rehearsed: (.*?)\.(?: [A-Z]|$)", " ".join(one.split())) for one in paragraphs]
    return [item for one in found if one for item in one[1].split("; ")]


def source(**configuration: str) -> Attempt:
    given = {"RepositoryName": "r", "BranchName": "main", "PollForSourceChanges": "false"} | configuration
    stages = [stage("Source", action("Source", provider="CodeCommit", configuration=given)), stage("D", action("A"))]
    return lambda: check_rehearsed({**pipeline(), "stages": stages})


def triggered() -> None:
    trigger = {"providerType": "CodeStarSourceConnection", "gitConfiguration": {"sourceActionName": "Source"}}
    check_rehearsed({**pipeline(stage("D", action("A"))), "triggers": [trigger]})


def project(**more: Any) -> Attempt:
    kind = {"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL"} | more.pop(
        "environment", {}
    )
    given = {"name": "p", "source": {"type": "NO_SOURCE"}, "artifacts": {"type": "NO_ARTIFACTS"}, "environment": kind}
    return lambda: combine({**given, **more}, {})


def spec(text: str) -> Attempt:
    return lambda: buildspec.parse(f"{text}\nphases: {{build: {{commands: [make]}}}}\n")


def service(**more: Any) -> Attempt:
    return lambda: ecs_checks.check({"serviceName": "s", "cluster": "c", "taskDefinition": "t", **more})


def container(**more: Any) -> Attempt:
    return lambda: check_container({"name": "app", "image": "i", "essential": True, **more})


def logged() -> None:
    LogStream({"name": "app", "logConfiguration": {"logDriver": "splunk"}}, "task", None)


def refused(parts: Any) -> Attempt:
    def attempt() -> None:
        raise ValueError(f"not rehearsed: {parts}" if parts else "accepted")

    return attempt


def balancing(**more: Any) -> Attempt:
    return refused(not_rehearsed(more))


def attribute(key: str, value: str) -> Attempt:
    return balancing(Attributes=[{"Key": key, "Value": value}])


VPC = {"vpcId": "vpc-1", "subnets": ["subnet-1"], "securityGroupIds": ["sg-1"]}

#: What the page names, and what is refused for it: here, in `OPERATIONS`, or in another test, which is named.
TRIED: dict[str, list[Attempt] | str] = {
    "other providers of actions and rules, among them LambdaInvoke, S3 and ECR": (
        "test_a_rule_without_executor_does_not_skip_its_stage"
    ),
    "seconds, `L`, `W` and `#` in the Cron of a DeploymentWindow": [
        (lambda cron=cron: Window.parse(cron))  # type: ignore[misc]
        for cron in ("0 0 9 ? * MON", "* 0 9 L * ?", "* 0 9 15W * ?", "* 0 9 ? * 2#1")
    ],
    "output artifacts and several inputs of builds and stacks": "test_what_builds_do_not_rehearse_is_said",
    "`Fn::GetParam` and `Fn::GetArtifactAtt` in ParameterOverrides": "test_other_overrides_are_not_rehearsed",
    "OutputArtifactFormat CODEBUILD_CLONE_REF": [source(OutputArtifactFormat="CODEBUILD_CLONE_REF")],
    "PollForSourceChanges other than false": [source(PollForSourceChanges="true")],
    "other keys of a source's configuration": [source(Colour="red")],
    "triggers": [triggered],
    "webhooks": "test_operations_that_are_not_rehearsed_are_not_answered",
    (
        "targets of rules other than pipelines, builds, topics, queues, functions, state machines and event buses"
    ): "test_what_aws_would_accept_is_refused_at_each_entry_point",
    "the InputPath of a target in CodeBuild": "test_a_target_in_codebuild_needs_a_role",
    "version 0.1": [spec("version: 0.1")],
    "`batch`": [spec("version: 0.2\nbatch: {}")],
    "`proxy`": [spec("version: 0.2\nproxy: {}")],
    "`run-as`": [spec("version: 0.2\nrun-as: root")],
    "`git-credential-helper`": [spec("version: 0.2\nenv: {git-credential-helper: 'yes'}")],
    "shells other than bash and sh": [spec("version: 0.2\nenv: {shell: powershell.exe}")],
    "`on-failure: RETRY`": "test_what_is_not_rehearsed",
    "reports in other formats": [spec("version: 0.2\nreports: {r: {files: [a], file-format: NUNITXML}}")],
    "secondary artifacts": [
        project(secondaryArtifacts=[{"type": "S3", "location": "b", "artifactIdentifier": "a"}]),
        spec("version: 0.2\nartifacts: {files: [a], secondary-artifacts: {}}"),
    ],
    "sources other than S3, CodeCommit and the artifacts of a pipeline": [
        project(source={"type": "GITHUB", "location": "https://github.com/a/b.git"})
    ],
    "settings of sources and artifacts such as clone depths, submodules and build statuses": [
        project(source={"type": "CODECOMMIT", "location": "r", **more})
        for more in (
            {"gitCloneDepth": 1},
            {"gitSubmodulesConfig": {"fetchSubmodules": True}},
            {"reportBuildStatus": True},
        )
    ]
    + [project(artifacts={"type": "S3", "location": "b", "overrideArtifactName": True})],
    "`npm audit`, cfn-lint and checkov (`make check` runs them)": "test_an_audit_is_not_rehearsed",
    "batch builds": "test_operations_that_are_not_rehearsed_are_not_answered",
    "sandboxes": "test_operations_that_are_not_rehearsed_are_not_answered",
    "fleets": [project(environment={"fleet": {"fleetArn": "arn"}})],
    "VPCs": [project(vpcConfig=VPC)],
    "file systems": [project(fileSystemLocations=[{"type": "EFS", "location": "fs"}])],
    "logs in S3": [project(logsConfig={"s3Logs": {"status": "ENABLED", "location": "b/logs"}})],
    "Windows, Lambda and EC2 environments": [
        project(environment={"type": kind})
        for kind in ("WINDOWS_SERVER_2022_CONTAINER", "LINUX_LAMBDA_CONTAINER", "ARM_LAMBDA_CONTAINER", "LINUX_EC2")
    ],
    "certificates and Docker servers": [
        project(environment={"certificate": "arn"}),
        project(environment={"dockerServer": {"computeType": "BUILD_GENERAL1_SMALL"}}),
    ],
    "concurrent build limits and automatic retries": [project(concurrentBuildLimit=1), project(autoRetryLimit=1)],
    "overrides and other parameters of `RunTask`": "test_what_a_task_without_a_service_does_not_rehearse_is_said",
    "DAEMON services": [service(schedulingStrategy="DAEMON")],
    "other deployment controllers": [service(deploymentController={"type": "CODE_DEPLOY"})],
    "early success criteria": [service(deploymentConfiguration={"earlySuccessCriteria": {"a": 1}})],
    "Service Connect": [service(serviceConnectConfiguration={"enabled": True})],
    "service registries": [service(serviceRegistries=[{"registryArn": "arn"}])],
    "volumes of services": [service(volumeConfigurations=[{"name": "v"}])],
    "VPC Lattice": [service(vpcLatticeConfigurations=[{"roleArn": "arn", "targetGroupArn": "arn", "portName": "p"}])],
    "placement constraints and strategies": [
        service(placementConstraints=[{"type": "distinctInstance"}]),
        service(placementStrategy=[{"type": "spread"}]),
    ],
    "lifecycle hooks but a pause before traffic shifts": [
        service(deploymentConfiguration={"lifecycleHooks": [{"roleArn": "arn"}]})
    ],
    "pauses of the first deployment": "test_what_is_not_rehearsed_or_not_possible_is_refused",
    "services with several load balancers": [
        service(deploymentConfiguration={"strategy": "BLUE_GREEN"}, loadBalancers=[{}, {}])
    ],
    "several essential containers in a task": "test_several_essential_containers_are_not_rehearsed",
    "mounts of volumes other than empty ones": [
        container(mountPoints=[{"sourceVolume": "v", "containerPath": "/v"}]),
        container(volumesFrom=[{"sourceContainer": "other"}]),
    ],
    "environment files": [container(environmentFiles=[{"value": "arn:aws:s3:::b/e.env", "type": "s3"}])],
    "dependencies between containers": [container(dependsOn=[{"containerName": "absent", "condition": "HEALTHY"}])],
    "log drivers other than awslogs": [logged],
    "GPUs and other resources": [container(resourceRequirements=[{"type": "GPU", "value": "1"}])],
    "privileged containers": [container(privileged=True)],
    "other settings of a container, such as restart policies and devices": [
        container(restartPolicy={"enabled": True}),
        container(linuxParameters={"devices": [{"hostPath": "/dev/fuse"}]}),
    ],
    "HTTPS targets": [balancing(Protocol="HTTPS", Port=443)],
    "Network and Gateway Load Balancers": [balancing(Type="network"), balancing(Type="gateway")],
    "WebSocket connections": "test_websockets_are_not_rehearsed",
    "authentication": [balancing(DefaultActions=[{"Type": "authenticate-oidc"}])],
    "stickiness": [
        attribute("stickiness.enabled", "true"),
        balancing(Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroupStickinessConfig": {"Enabled": True}}}]),
    ],
    "slow start": [attribute("slow_start.duration_seconds", "30")],
    "Lambda targets": [balancing(TargetType="lambda")],
    "gRPC and HTTP/2 targets": [balancing(ProtocolVersion="GRPC"), balancing(ProtocolVersion="HTTP2")],
    "health checks over HTTPS": [balancing(HealthCheckProtocol="HTTPS")],
    "algorithms other than round robin": [attribute("load_balancing.algorithm.type", "least_outstanding_requests")],
    "other attributes of target groups": [
        attribute("target_group_health.dns_failover.minimum_healthy_targets.count", "2")
    ],
    "transforms": [balancing(Transforms=[{"Type": "url-rewrite"}])],
}


def test_the_page_names_what_is_tried() -> None:
    assert {item for section in SECTIONS for item in listed(section)} == set(TRIED)
    assert {tried for tried in TRIED.values() if isinstance(tried, str)} <= names(TESTS)


@pytest.mark.parametrize("item", [item for item, tried in TRIED.items() if not isinstance(tried, str)])
def test_what_the_page_calls_not_rehearsed_is_refused(item: str) -> None:
    for attempt in TRIED[item]:
        with pytest.raises(Exception, match="not rehearsed: "):
            attempt()  # type: ignore[operator]


@pytest.mark.parametrize(
    "attempt",
    [
        source(),
        project(logsConfig={"s3Logs": {"status": "DISABLED"}, "cloudWatchLogs": {"status": "ENABLED"}}),
        project(vpcConfig={}, secondaryArtifacts=[], autoRetryLimit=0, badge={"badgeEnabled": False}),
        service(serviceConnectConfiguration={"enabled": False}, placementConstraints=[]),
        container(mountPoints=[], volumesFrom=[], environmentFiles=[], linuxParameters={"initProcessEnabled": True}),
    ],
    ids=["source", "logs", "project", "service", "container"],
)
def test_what_is_empty_or_off_is_accepted(attempt: Attempt) -> None:
    attempt()


def test_default_attributes_of_target_groups_are_accepted() -> None:
    given = {"stickiness.enabled": "false", "slow_start.duration_seconds": "0", "stickiness.type": "lb_cookie"}
    assert not not_rehearsed({"Attributes": [{"Key": key, "Value": value} for key, value in given.items()]})


def test_operations_that_are_not_rehearsed_are_not_answered(client: Client) -> None:
    codepipeline, codebuild = client("codepipeline"), client("codebuild")
    hook = {"name": "w", "targetPipeline": "p", "targetAction": "a", "filters": [], "authentication": "IP"}
    for attempt in (
        lambda: codepipeline.put_webhook(webhook={**hook, "authenticationConfiguration": {}}),
        lambda: codebuild.start_build_batch(projectName="shop"),
        lambda: codebuild.start_sandbox(projectName="shop"),
        lambda: codebuild.create_webhook(projectName="shop"),
    ):
        with pytest.raises(ClientError, match="Local AWS does not answer"):
            attempt()


def test_what_a_task_without_a_service_does_not_rehearse_is_said(client: Client) -> None:
    for more in ({"overrides": {}}, {"group": "g"}, {"enableExecuteCommand": True}):
        with pytest.raises(ClientError, match=f"not rehearsed: {next(iter(more))} of RunTask"):
            client("ecs").run_task(taskDefinition="t", **more)


def test_what_aws_would_accept_is_refused_at_each_entry_point(client: Client, request: pytest.FixtureRequest) -> None:
    name = name_of(request)
    elb, events = client("elbv2"), client("events")
    codebuild, ecs = client("codebuild"), client("ecs")
    stages = [stage("Source", action("Source", provider="CodeCommit", configuration={})), stage("D", action("A"))]
    role, stream_arn = (
        "arn:aws:iam::000000000000:role/builds",
        f"arn:aws:kinesis:us-east-1:000000000000:stream/{name}",
    )
    codebuild.create_project(
        name=name,
        source={"type": "NO_SOURCE", "buildspec": "version: 0.2"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=role,
        vpcConfig=VPC,
    )
    ecs.create_cluster(clusterName=name)
    image = [{"name": "app", "image": "i", "memory": 128}]
    ecs.register_task_definition(family=name, containerDefinitions=image)
    events.put_rule(Name=name, EventPattern='{"source": ["aws.codecommit"]}')
    alarm = {
        "MetricName": "m",
        "Namespace": "n",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Statistic": "Sum",
        "Threshold": 1,
    }
    asked: dict[str, Attempt] = {
        "InvalidActionDeclarationException": lambda: client("codepipeline").create_pipeline(
            pipeline={**pipeline(), "name": name, "roleArn": role, "stages": stages}
        ),
        "InvalidInputException": lambda: codebuild.start_build(projectName=name),
        "UnsupportedFeatureException": lambda: ecs.create_service(
            cluster=name, serviceName=name, taskDefinition=name, serviceRegistries=[{"registryArn": "arn"}]
        ),
        "InvalidConfigurationRequest": lambda: elb.create_load_balancer(Name="net", Type="network"),
        "ValidationException": lambda: events.put_targets(
            Rule=name, Targets=[{"Id": "b", "Arn": stream_arn, "RoleArn": role}]
        ),
        "ValidationError": lambda: client("cloudwatch").put_metric_alarm(
            AlarmName=name,
            ComparisonOperator="GreaterThanThreshold",
            AlarmActions=["arn:aws:automate:us-east-1:ec2:recover"],
            **alarm,
        ),
    }
    for code, attempt in asked.items():
        with pytest.raises(ClientError, match="not rehearsed: ") as refused_with:
            attempt()
        assert refused_with.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("ElasticLoadBalancingV2::LoadBalancer", {"Type": "network"}),
        ("CodeBuild::Project", {"Triggers": {"Webhook": True}}),
        ("Events::Rule", {"Targets": [{"Id": "b", "Arn": "arn:aws:kinesis:us-east-1:000000000000:stream/s"}]}),
    ],
)
def test_a_stack_says_what_is_not_rehearsed(client: Client, kind: str, properties: dict[str, Any]) -> None:
    stacks, name = client("cloudformation"), f"refused-{kind.replace(':', '').lower()}"
    resources = {"R": {"Type": f"AWS::{kind}", "Properties": properties}}
    stacks.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))
    settled = eventually(
        lambda: (
            (found := stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]).endswith("_COMPLETE")
            and found
        )
    )
    assert settled == "ROLLBACK_COMPLETE"
    reasons = [
        one.get("ResourceStatusReason", "") for one in stacks.describe_stack_events(StackName=name)["StackEvents"]
    ]
    assert any("not rehearsed: " in reason for reason in reasons)
