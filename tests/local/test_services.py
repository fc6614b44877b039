"""CodePipeline, Application Auto Scaling, IAM, Service Quotas, and the endpoint that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from scaffold.aws.service_quotas import BUILDS, ELASTIC_IPS, ON_DEMAND_VCPUS, SPOT_VCPUS, VPCS
from tests.local.conftest import Client

Shell = Callable[..., Any]


def action(name: str, category: str, provider: str, **more: Any) -> dict[str, Any]:
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": kind, **more}


def declaration(**more: Any) -> dict[str, Any]:
    source = action("Source", "Source", "CodeCommit", outputArtifacts=[{"name": "Source"}], namespace="Source")
    build = action("Build", "Build", "CodeBuild", inputArtifacts=[{"name": "Source"}])
    return {
        "name": "direct",
        "pipelineType": "V2",
        "roleArn": "arn:aws:iam::000000000000:role/pipeline",
        "artifactStore": {"type": "S3", "location": "bucket"},
        "stages": [{"name": "Source", "actions": [source]}, {"name": "Build", "actions": [build]}],
        **more,
    }


@pytest.fixture
def codepipeline(client: Client) -> Iterator[Any]:
    made = client("codepipeline")
    yield made
    made.delete_pipeline(name="direct")


def test_a_pipeline_is_stored_and_never_run(codepipeline: Any) -> None:
    codepipeline.create_pipeline(pipeline=declaration(), tags=[{"key": "a", "value": "b"}])
    with pytest.raises(codepipeline.exceptions.PipelineNameInUseException):
        codepipeline.create_pipeline(pipeline=declaration())
    identifier = codepipeline.start_pipeline_execution(name="direct")["pipelineExecutionId"]
    runs = codepipeline.list_pipeline_executions(pipelineName="direct")["pipelineExecutionSummaries"]
    assert not codepipeline.list_action_executions(pipelineName="direct")["actionExecutionDetails"]
    assert len(runs) == 2
    assert (runs[0]["pipelineExecutionId"], runs[0]["status"]) == (identifier, "Stopped")
    assert "does not run them" in runs[0]["statusSummary"]
    with pytest.raises(codepipeline.exceptions.PipelineExecutionNotStoppableException):
        codepipeline.stop_pipeline_execution(pipelineName="direct", pipelineExecutionId=identifier)
    with pytest.raises(codepipeline.exceptions.PipelineExecutionNotFoundException):
        codepipeline.stop_pipeline_execution(
            pipelineName="direct", pipelineExecutionId="0" * 8 + "-0000" * 3 + "-" + "0" * 12
        )


def test_the_state_of_a_pipeline_has_its_stages(codepipeline: Any) -> None:
    codepipeline.create_pipeline(pipeline=declaration())
    codepipeline.disable_stage_transition(
        pipelineName="direct", stageName="Build", transitionType="Inbound", reason="wait"
    )
    states = codepipeline.get_pipeline_state(name="direct")["stageStates"]
    assert [(s["stageName"], s["inboundTransitionState"]["enabled"]) for s in states] == [
        ("Source", True),
        ("Build", False),
    ]
    codepipeline.enable_stage_transition(pipelineName="direct", stageName="Build", transitionType="Inbound")
    assert codepipeline.get_pipeline_state(name="direct")["stageStates"][1]["inboundTransitionState"]["enabled"]
    with pytest.raises(codepipeline.exceptions.StageNotFoundException):
        codepipeline.enable_stage_transition(pipelineName="direct", stageName="Absent", transitionType="Inbound")


def test_a_pipeline_is_updated(codepipeline: Any) -> None:
    codepipeline.create_pipeline(pipeline=declaration())
    codepipeline.update_pipeline(pipeline=declaration(executionMode="QUEUED"))
    found = codepipeline.get_pipeline(name="direct")
    assert (found["pipeline"]["version"], found["pipeline"]["executionMode"]) == (2, "QUEUED")
    arn = found["metadata"]["pipelineArn"]
    codepipeline.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    codepipeline.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert codepipeline.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}]
    with pytest.raises(codepipeline.exceptions.PipelineVersionNotFoundException):
        codepipeline.get_pipeline(name="direct", version=1)
    codepipeline.delete_pipeline(name="direct")
    with pytest.raises(codepipeline.exceptions.PipelineNotFoundException):
        codepipeline.update_pipeline(pipeline=declaration())


@pytest.mark.parametrize(
    ("stages", "problem"),
    [
        (
            lambda s, b: [{"name": "A", "actions": [b]}, {"name": "B", "actions": [b]}],
            "source actions belong in the first stage",
        ),
        (lambda s, b: [{"name": "A", "actions": [s]}, {"name": "A", "actions": [b]}], "Stage name 'A'"),
        (lambda s, b: [{"name": "A", "actions": [s]}, {"name": "B", "actions": []}], "has no actions"),
        (lambda s, b: [{"name": "A", "actions": [s]}, {"name": "B", "actions": [b, b]}], "Action name 'Build'"),
        (
            lambda s, b: [
                {"name": "A", "actions": [s]},
                {"name": "B", "actions": [b | {"inputArtifacts": [{"name": "Other"}]}]},
            ],
            "no earlier action produces",
        ),
        (
            lambda s, b: [
                {"name": "A", "actions": [s]},
                {"name": "B", "actions": [b | {"outputArtifacts": [{"name": "Source"}]}]},
            ],
            "more than one action",
        ),
        (
            lambda s, b: [{"name": "A", "actions": [s]}, {"name": "B", "actions": [b | {"namespace": "Source"}]}],
            "Namespace 'Source'",
        ),
        (
            lambda s, b: [
                {"name": "A", "actions": [s]},
                {
                    "name": "B",
                    "actions": [
                        b
                        | {
                            "configuration": {"k": "#{Source.CommitId} #{variables.x} #{Build.IMAGE}"},
                            "namespace": "Build",
                        }
                    ],
                },
            ],
            r"ActionName=\[Build\], ActionConfigurationKey=\[k\], VariableReferenceText=\[Build.IMAGE\]",
        ),
    ],
)
def test_an_invalid_structure_is_refused(codepipeline: Any, stages: Any, problem: str) -> None:
    (source,), (build,) = (stage["actions"] for stage in declaration()["stages"])
    with pytest.raises(ClientError, match=problem):
        codepipeline.create_pipeline(pipeline=declaration(stages=stages(source, build)))


@pytest.fixture
def scaling(client: Client) -> Any:
    return client("application-autoscaling")


TARGET = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/absent/absent",
    "ScalableDimension": "ecs:service:DesiredCount",
}


def test_a_scalable_target_needs_an_existing_service(scaling: Any) -> None:
    with pytest.raises(ClientError, match="ECS service doesn't exist: service/absent/absent"):
        scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=2)
    with pytest.raises(scaling.exceptions.ObjectNotFoundException):
        scaling.deregister_scalable_target(**TARGET)
    with pytest.raises(scaling.exceptions.ObjectNotFoundException):
        scaling.put_scaling_policy(**TARGET, PolicyName="p", PolicyType="StepScaling")
    with pytest.raises(scaling.exceptions.ObjectNotFoundException):
        scaling.delete_scaling_policy(**TARGET, PolicyName="p")


def test_scheduled_actions(scaling: Any) -> None:
    target = TARGET | {
        "ServiceNamespace": "dynamodb",
        "ResourceId": "table/scheduled",
        "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
    }
    night = {"MinCapacity": 0, "MaxCapacity": 0}
    with pytest.raises(scaling.exceptions.ObjectNotFoundException):
        scaling.put_scheduled_action(**target, ScheduledActionName="sleep", Schedule="cron(0 19 * * ? *)")
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    with pytest.raises(scaling.exceptions.ValidationException):
        scaling.put_scheduled_action(**target, ScheduledActionName="sleep", ScalableTargetAction=night)
    given = {"Schedule": "cron(0 19 * * ? *)", "ScalableTargetAction": night, "StartTime": "2027-01-01T00:00:00Z"}
    scaling.put_scheduled_action(**target, ScheduledActionName="sleep", **given)
    scaling.put_scheduled_action(**target, ScheduledActionName="sleep", Timezone="Europe/Berlin")
    (found,) = scaling.describe_scheduled_actions(**target)["ScheduledActions"]
    assert (found["Schedule"], found["Timezone"], found["ScalableTargetAction"]) == (
        "cron(0 19 * * ? *)",
        "Europe/Berlin",
        night,
    )
    assert "StartTime" not in found
    scaling.delete_scheduled_action(**target, ScheduledActionName="sleep")
    with pytest.raises(scaling.exceptions.ObjectNotFoundException):
        scaling.delete_scheduled_action(**target, ScheduledActionName="sleep")
    scaling.deregister_scalable_target(**target)


def test_targets_and_policies(scaling: Any) -> None:
    target = TARGET | {
        "ServiceNamespace": "dynamodb",
        "ResourceId": "table/t",
        "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
    }
    with pytest.raises(ClientError, match="Maximum capacity"):
        scaling.register_scalable_target(**target, MinCapacity=3, MaxCapacity=2)
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    scaling.register_scalable_target(**target, MaxCapacity=5)
    found = scaling.describe_scalable_targets(ServiceNamespace="dynamodb", ResourceIds=["table/t"])
    assert [(t["MinCapacity"], t["MaxCapacity"]) for t in found["ScalableTargets"]] == [(1, 5)]
    step = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": []}
    scaling.put_scaling_policy(**target, PolicyName="p", PolicyType="StepScaling", StepScalingPolicyConfiguration=step)
    assert scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"] == []
    scaling.delete_scaling_policy(**target, PolicyName="p")
    scaling.deregister_scalable_target(**target)
    assert scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"] == []


def test_service_linked_roles_have_the_names_of_aws_and_are_created_once(client: Client) -> None:
    iam = client("iam")
    role = iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")["Role"]
    assert role["RoleName"] == "AWSServiceRoleForECS"
    assert role["Path"] == "/aws-service-role/ecs.amazonaws.com/"
    with pytest.raises(iam.exceptions.InvalidInputException, match="has been taken in this account"):
        iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")


def test_a_parameter_has_tags_only_while_it_exists(client: Client) -> None:
    ssm = client("ssm")
    tags = [{"Key": "a", "Value": "b"}]
    asked = {"ResourceType": "Parameter", "ResourceId": "/tagged/parameter"}
    with pytest.raises(ssm.exceptions.InvalidResourceId):
        ssm.list_tags_for_resource(**asked)
    ssm.put_parameter(Name="/tagged/parameter", Value="x", Type="SecureString", Tags=tags)
    assert ssm.list_tags_for_resource(**asked)["TagList"] == tags
    ssm.delete_parameter(Name="/tagged/parameter")
    with pytest.raises(ssm.exceptions.InvalidResourceId):
        ssm.list_tags_for_resource(**asked)


def test_the_aws_cli_reaches_every_service_through_one_endpoint(shell: Shell) -> None:
    done = shell(
        "aws codecommit list-repositories --query 'length(repositories)' && "
        "aws ecs list-clusters --query 'length(clusterArns)'"
    )
    assert done.returncode == 0, done.stderr
    assert all(line.isdigit() for line in done.stdout.split())


def test_an_invalid_body_is_an_error(variables: dict[str, str], shell: Shell) -> None:
    target = "-H 'X-Amz-Target: CodeCommit_20150413.CreateRepository'"
    done = shell(f"curl -s {target} -d 'not json' $AWS_ENDPOINT_URL/ ; curl -s {target} -d '[]' $AWS_ENDPOINT_URL/")
    assert done.stdout.count("SerializationException") == 2


@pytest.mark.parametrize("operation", ["get_service_quota", "get_aws_default_service_quota"])
def test_an_unknown_quota_is_an_error(client: Client, operation: str) -> None:
    quotas = client("service-quotas")
    with pytest.raises(quotas.exceptions.NoSuchResourceException):
        getattr(quotas, operation)(ServiceCode="vpc", QuotaCode="L-00000000")


def test_every_quota_that_is_read_was_raised_above_its_default(client: Client) -> None:
    quotas = client("service-quotas")
    for quota in (VPCS, ELASTIC_IPS, ON_DEMAND_VCPUS, SPOT_VCPUS, *BUILDS.values()):
        given = {"ServiceCode": quota.service, "QuotaCode": quota.code}
        default = quotas.get_aws_default_service_quota(**given)["Quota"]
        assert quotas.get_service_quota(**given)["Quota"] == default | {"Value": 10_000}
        assert default["Value"] < 10


def test_a_family_of_task_definitions_has_revisions_of_its_own(client: Client) -> None:
    """A family that was renamed begins with 1, and no number is given twice."""
    ecs = client("ecs")

    def register(family: str) -> int:
        containers = [{"name": "app", "image": "app:1"}]
        made = ecs.register_task_definition(family=family, containerDefinitions=containers)["taskDefinition"]
        ecs.deregister_task_definition(taskDefinition=made["taskDefinitionArn"])
        return int(made["revision"])

    assert [register(family) for family in ("before", "before", "after", "before", "after")] == [1, 2, 1, 3, 2]
