"""Each resource type that local AWS adds is created, updated and deleted in a stack."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from tests.local.conftest import Client, Stack


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def att(name: str, attribute: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, attribute]}


VPC = {
    "Vpc": resource("EC2::VPC", CidrBlock="10.0.0.0/16"),
    "Subnet": resource("EC2::Subnet", VpcId={"Ref": "Vpc"}, CidrBlock="10.0.0.0/24"),
}


def action(name: str, category: str, provider: str, **more: Any) -> dict[str, Any]:
    kind = {"Category": category, "Owner": "AWS", "Provider": provider, "Version": "1"}
    return {"Name": name, "ActionTypeId": kind, **more}


def pipeline(**more: Any) -> dict[str, Any]:
    source = action(
        *("Source", "Source", "CodeCommit"),
        OutputArtifacts=[{"Name": "Source"}],
        Configuration={"RepositoryName": "r", "BranchName": "main", "PollForSourceChanges": False},
        Namespace="Source",
    )
    build = action(
        *("Build", "Build", "CodeBuild"), InputArtifacts=[{"Name": "Source"}], Configuration={"ProjectName": "b"}
    )
    properties = {
        "Name": "piped",
        "PipelineType": "V2",
        "ExecutionMode": "QUEUED",
        "RoleArn": "arn:aws:iam::000000000000:role/pipeline",
        "ArtifactStore": {"Type": "S3", "Location": "bucket"},
        "Stages": [
            {"Name": "Source", "Actions": [source]},
            {"Name": "Build", "Actions": [build], "OnFailure": {"Result": "ROLLBACK"}},
        ],
    }
    return resource("CodePipeline::Pipeline", **properties | more)


def test_codepipeline_pipeline(stack: Stack, client: Client) -> None:
    made = stack.create({"P": pipeline()}, Outputs={"Name": {"Ref": "P"}, "Version": att("P", "Version")})
    assert made["Outputs"] == {"Name": "piped", "Version": "1"}
    codepipeline = client("codepipeline")
    stages = codepipeline.get_pipeline(name="piped")["pipeline"]["stages"]
    assert stages[0]["actions"][0]["configuration"]["PollForSourceChanges"] == "false"
    assert stages[1]["onFailure"] == {"result": "ROLLBACK"}
    runs = codepipeline.list_pipeline_executions(pipelineName="piped")["pipelineExecutionSummaries"]
    assert [run["trigger"]["triggerType"] for run in runs] == ["CreatePipeline"]

    closed = [{"StageName": "Build", "Reason": "not yet"}]
    stack.update({"P": pipeline(RestartExecutionOnUpdate=True, DisableInboundStageTransitions=closed)})
    assert codepipeline.get_pipeline(name="piped")["pipeline"]["version"] == 2
    assert len(codepipeline.list_pipeline_executions(pipelineName="piped")["pipelineExecutionSummaries"]) == 2
    state = codepipeline.get_pipeline_state(name="piped")["stageStates"][1]["inboundTransitionState"]
    assert state == {"enabled": False, "disabledReason": "not yet"}
    stack.update({"P": pipeline()})
    assert codepipeline.get_pipeline_state(name="piped")["stageStates"][1]["inboundTransitionState"]["enabled"]

    stack.delete()
    with pytest.raises(codepipeline.exceptions.PipelineNotFoundException):
        codepipeline.get_pipeline(name="piped")


RETRY = {"RetryMode": "ALL_ACTIONS"}


def failing(stage: int = 1, **on_failure: Any) -> dict[str, Any]:
    """A pipeline's stages, one of which does something on failure."""
    stages = [{key: value for key, value in one.items() if key != "OnFailure"} for one in stages_of(pipeline())]
    stages[stage]["OnFailure"] = on_failure
    return {"Stages": stages}


def conditional(**conditions: list[str]) -> dict[str, Any]:
    """A pipeline's stages, the last of which has conditions with these results."""
    kind = {"Category": "Rule", "Owner": "AWS", "Provider": "VariableCheck", "Version": "1"}
    rules = [
        {"Name": "Check", "RuleTypeId": kind, "Configuration": {"Operator": "EQ", "Value": "1", "Variable": "#{a.b}"}}
    ]
    first, last = stages_of(pipeline())
    made = {key: {"Conditions": [{"Result": one, "Rules": rules} for one in ones]} for key, ones in conditions.items()}
    return {"Stages": [first, last | made]}


def stages_of(made: dict[str, Any]) -> list[dict[str, Any]]:
    stages: list[dict[str, Any]] = made["Properties"]["Stages"]
    return stages


def test_a_stage_is_retried_once_and_checked(stack: Stack, client: Client) -> None:
    retried = failing(Result="RETRY", RetryConfiguration=RETRY)
    checked = conditional(BeforeEntry=["SKIP"], OnSuccess=["ROLLBACK"])
    stack.create({"P": pipeline(**retried)})
    stages = client("codepipeline").get_pipeline(name="piped")["pipeline"]["stages"]
    assert stages[1]["onFailure"] == {"result": "RETRY", "retryConfiguration": {"retryMode": "ALL_ACTIONS"}}
    stack.update({"P": pipeline(**checked)})
    stages = client("codepipeline").get_pipeline(name="piped")["pipeline"]["stages"]
    assert stages[1]["beforeEntry"]["conditions"][0]["result"] == "SKIP"
    # The source stage is retried too.
    stack.update({"P": pipeline(**failing(stage=0, Result="RETRY", RetryConfiguration=RETRY))})


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"Stages": pipeline()["Properties"]["Stages"][:1]}, "minimum of 2 stages"),
        ({"ExecutionMode": "SOMETIMES"}, "SOMETIMES"),
        ({"Colour": "red"}, "extraneous key [Colour]"),
        ({"PipelineType": "V1", "ExecutionMode": "QUEUED"}, "SUPERSEDED only"),
        (
            {"ArtifactStores": [{"Region": "us-east-1", "ArtifactStore": {"Type": "S3", "Location": "bucket"}}]},
            "exactly one",
        ),
        (failing(Result="FAIL"), "the result of onFailure must be RETRY or ROLLBACK, not FAIL"),
        (failing(Result="SKIP"), "the result of onFailure must be RETRY or ROLLBACK, not SKIP"),
        (failing(Result="RETRY", RetryConfiguration={"RetryMode": "TWICE"}), "FAILED_ACTIONS, ALL_ACTIONS"),
        (failing(Result="RETRY", RetryConfiguration={"Retries": 2}), "extraneous key [Retries]"),
        (failing(Result="RETRY", RetryCount=2), "extraneous key [RetryCount]"),
        (failing(Result="ROLLBACK", RetryConfiguration=RETRY), "retryConfiguration needs the result RETRY"),
        (failing(RetryConfiguration=RETRY), "retryConfiguration needs the result RETRY"),
        (failing(stage=0, Result="ROLLBACK"), "a stage with source actions cannot be rolled back"),
        (failing(Result="ROLLBACK") | {"ExecutionMode": "PARALLEL"}, "PARALLEL cannot be rolled back"),
        (
            failing(Result="RETRY") | {"PipelineType": "V1", "ExecutionMode": "SUPERSEDED"},
            "pipelines of type V1 have no onFailure",
        ),
        (conditional(BeforeEntry=["ROLLBACK"]), "the result of beforeEntry must be FAIL or SKIP, not ROLLBACK"),
        (conditional(OnSuccess=["SKIP"]), "the result of onSuccess must be FAIL or ROLLBACK, not SKIP"),
        (conditional(BeforeEntry=["FAIL", "SKIP"]), "must have at most 1 members"),
    ],
)
def test_an_invalid_pipeline_rolls_its_stack_back(stack: Stack, wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(WaiterError):
        stack.create({"P": pipeline(**wrong)})
    assert stack.describe()["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reason in stack.failures()[-1]


def test_codebuild_report_group(stack: Stack, client: Client) -> None:
    group = {"Name": "tests", "Type": "TEST", "ExportConfig": {"ExportConfigType": "NO_EXPORT"}}
    made = stack.create({"G": resource("CodeBuild::ReportGroup", **group)}, Outputs={"Arn": att("G", "Arn")})
    codebuild, arn = client("codebuild"), made["Outputs"]["Arn"]
    assert codebuild.batch_get_report_groups(reportGroupArns=[arn])["reportGroups"][0]["name"] == "tests"
    stack.update({"G": resource("CodeBuild::ReportGroup", **group, Tags=[{"Key": "a", "Value": "b"}])})
    found = codebuild.batch_get_report_groups(reportGroupArns=[arn])["reportGroups"][0]
    assert {"key": "a", "value": "b"} in found["tags"]
    stack.delete()
    assert codebuild.batch_get_report_groups(reportGroupArns=[arn])["reportGroupsNotFound"] == [arn]


def test_address_and_nat_gateway(stack: Stack, client: Client) -> None:
    resources = {
        **VPC,
        "Address": resource("EC2::EIP", Domain="vpc", Tags=[{"Key": "Name", "Value": "one"}]),
        "Nat": resource("EC2::NatGateway", SubnetId={"Ref": "Subnet"}, AllocationId=att("Address", "AllocationId")),
        "Routes": resource("EC2::RouteTable", VpcId={"Ref": "Vpc"}),
        "Route": resource(
            "EC2::Route",
            RouteTableId={"Ref": "Routes"},
            DestinationCidrBlock="0.0.0.0/0",
            NatGatewayId={"Ref": "Nat"},
        ),
    }
    outputs = {"Ip": {"Ref": "Address"}, "Allocation": att("Address", "AllocationId"), "Nat": {"Ref": "Nat"}}
    made = stack.create(resources, Outputs=outputs)["Outputs"]
    ec2 = client("ec2")
    address = ec2.describe_addresses(AllocationIds=[made["Allocation"]])["Addresses"][0]
    assert address["PublicIp"] == made["Ip"]
    assert ec2.describe_nat_gateways(NatGatewayIds=[made["Nat"]])["NatGateways"][0]["State"] == "available"

    resources["Address"]["Properties"]["Tags"] = [{"Key": "Name", "Value": "two"}]
    resources["Nat"]["Properties"]["Tags"] = [{"Key": "Name", "Value": "nat"}]
    assert stack.update(resources, Outputs=outputs)["Outputs"] == made
    assert {"Key": "Name", "Value": "two"} in ec2.describe_addresses(AllocationIds=[made["Allocation"]])["Addresses"][
        0
    ]["Tags"]

    stack.delete()
    gateways = ec2.describe_nat_gateways(NatGatewayIds=[made["Nat"]])["NatGateways"]
    assert [gateway["State"] for gateway in gateways] in ([], ["deleted"])
    assert made["Ip"] not in [a["PublicIp"] for a in ec2.describe_addresses()["Addresses"]]


TASK = resource(
    "ECS::TaskDefinition",
    Family="scaled",
    Cpu="256",
    Memory="512",
    NetworkMode="awsvpc",
    RequiresCompatibilities=["FARGATE"],
    ContainerDefinitions=[{"Name": "app", "Image": "app"}],
)


def scaled(minimum: int, target: float) -> dict[str, Any]:
    tracking = {
        "TargetValue": target,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
    }
    return {
        "Cluster": resource("ECS::Cluster", ClusterName="scaled"),
        "Task": TASK,
        "Service": resource(
            "ECS::Service", ServiceName="scaled", Cluster={"Ref": "Cluster"}, TaskDefinition={"Ref": "Task"}
        ),
        "Target": resource(
            "ApplicationAutoScaling::ScalableTarget",
            ServiceNamespace="ecs",
            ResourceId={"Fn::Sub": "service/${Cluster}/${Service.Name}"},
            ScalableDimension="ecs:service:DesiredCount",
            MinCapacity=minimum,
            MaxCapacity=4,
        ),
        "Policy": resource(
            "ApplicationAutoScaling::ScalingPolicy",
            PolicyName="cpu",
            PolicyType="TargetTrackingScaling",
            ScalingTargetId={"Ref": "Target"},
            TargetTrackingScalingPolicyConfiguration=tracking,
        ),
    }


def test_scaling_of_a_service(stack: Stack, client: Client) -> None:
    made = stack.create(scaled(1, 60), Outputs={"Target": {"Ref": "Target"}})
    assert made["Outputs"]["Target"] == "service/scaled/scaled|ecs:service:DesiredCount|ecs"
    scaling = client("application-autoscaling")
    target = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"][0]
    assert (target["MinCapacity"], target["MaxCapacity"], target["ResourceId"]) == (1, 4, "service/scaled/scaled")
    policy = scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"][0]
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 60

    stack.update(scaled(2, 70.5))
    target = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"][0]
    policy = scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"][0]
    assert target["MinCapacity"] == 2
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 70.5

    stack.delete()
    assert scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
    assert scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"] == []


def test_alarm_with_metric_math(stack: Stack, client: Client) -> None:
    def resources(threshold: int) -> dict[str, Any]:
        errors = {"Metric": {"Namespace": "n", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
        metrics = [
            {"Id": "errors", "MetricStat": errors, "ReturnData": False},
            {"Id": "doubled", "Expression": "errors * 2"},
        ]
        alarm = {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "Threshold": threshold}
        return {"Alarm": resource("CloudWatch::Alarm", AlarmName="math", Metrics=metrics, **alarm)}

    def thresholds() -> list[float]:
        found = client("cloudwatch").describe_alarms(AlarmNames=["math"])["MetricAlarms"]
        return [alarm["Threshold"] for alarm in found]

    made = stack.create(resources(1), Outputs={"Name": {"Ref": "Alarm"}, "Arn": att("Alarm", "Arn")})
    assert made["Outputs"] == {"Name": "math", "Arn": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:math"}
    assert thresholds() == [1]
    stack.update(resources(2))
    assert thresholds() == [2]
    stack.delete()
    assert thresholds() == []


def test_unknown_types_are_refused(stack: Stack) -> None:
    with pytest.raises(ClientError, match=r"Unrecognized resource types: \[AWS::Made::Up\]"):
        stack.create({"X": resource("Made::Up")})


def test_a_missing_property_is_named(stack: Stack) -> None:
    with pytest.raises(WaiterError):
        stack.create({"Nat": resource("EC2::NatGateway", ConnectivityType="private")})
    assert "required key [SubnetId] not found" in stack.failures()[-1]


def test_a_named_resource_is_not_replaced(stack: Stack) -> None:
    first = {"G": resource("CodeBuild::ReportGroup", Name="kept", Type="TEST", ExportConfig={})}
    first["G"]["Properties"]["ExportConfig"] = {"ExportConfigType": "NO_EXPORT"}
    stack.create(first)
    second = json.loads(json.dumps(first).replace('"TEST"', '"CODE_COVERAGE"'))
    with pytest.raises(WaiterError):
        stack.update(second)
    assert stack.describe()["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert any("requires replacing" in reason for reason in stack.failures())
