"""`scaffold repair` repairs stacks in every state in which CloudFormation refuses to update them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scaffold.core.errors import Interrupted, ScaffoldError, UsageError
from scaffold.core.results import Change
from scaffold.service import names
from scaffold.views.repair import text
from tests.deploy.services import Wire, client, environment_stack, foundation_stack, pipeline_stack, release_stack, run
from tests.destroy.test_destroy import READS
from tests.repair.situations import (
    BROKEN,
    TOPIC,
    app_of,
    create,
    fail_wait_condition,
    failed_rollback,
    in_review,
    make_ecs_service,
    register_again,
    repair,
    status,
    tags,
    updating,
    wait_for,
)


def writes(wire: Wire) -> list[str]:
    """The calls that change something."""
    return [call for call in wire.calls if not call.split(":")[1].startswith(READS)]


def refuse(name: str) -> bool:
    return False


# ---- UPDATE_ROLLBACK_FAILED ----


def test_a_failed_rollback_is_continued_once_its_cause_is_fixed(service: Path, wire: Wire) -> None:
    app = app_of(service)
    stack, target = failed_rollback(app)

    planned = repair(service, plan=True)
    assert planned.exit_code == 10
    assert writes(wire) == []
    assert f"stack {stack} is UPDATE_ROLLBACK_FAILED" in text(planned)
    assert "because of Policy (AWS::ApplicationAutoScaling::ScalingPolicy): No scalable target found" in text(planned)
    assert "Wait" not in [failure.name for failure in planned.problems[0].failures]  # it failed before the rollback

    with pytest.raises(ScaffoldError) as caught:
        repair(service)
    assert "because of Policy" in caught.value.happened
    assert f"scaffold repair --skip {stack}.Policy`" in caught.value.remedy
    assert status(stack) == "UPDATE_ROLLBACK_FAILED"

    register_again(target)
    # Nothing is deleted or skipped, so nothing is asked.
    result = repair(service, confirm=lambda name: pytest.fail("asked"))
    assert result.problems == planned.problems
    assert status(stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert "Nothing of" in text(repair(service, plan=True))
    assert repair(service, plan=True).exit_code == 0


def test_resources_to_skip_are_checked_shown_and_confirmed(
    service: Path, wire: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    stack, _ = failed_rollback(app_of(service))
    for wrong in ("Target", "Wait", "Nothing"):
        with pytest.raises(UsageError) as caught:
            repair(service, skip=(wrong,))
        assert "can be skipped: Policy." in caught.value.remedy
    with pytest.raises(ScaffoldError, match="not confirmed"):
        repair(service, skip=("Policy",), confirm=refuse)
    assert "leave Policy (AWS::ApplicationAutoScaling::ScalingPolicy) as it is" in capsys.readouterr().err
    assert writes(wire) == []
    result = repair(service, "dev", skip=(f"{stack}.Policy",))
    assert status(stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert "Left as it is: Policy." in text(result)


@pytest.mark.slow
def test_a_resource_of_several_stacks_needs_the_stack_s_name(service: Path) -> None:
    app = app_of(service)
    stacks = [failed_rollback(app, environment)[0] for environment in ("dev", "prod")]
    with pytest.raises(UsageError) as caught:
        repair(service, skip=("Policy",))
    assert all(stack in caught.value.happened for stack in stacks)
    assert ".Policy`" in caught.value.remedy
    repair(service, "dev", skip=("Policy",))
    assert [status(stack) for stack in stacks] == ["UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"]
    repair(service, skip=(f"{stacks[1]}.Policy",))
    assert status(stacks[1]) == "UPDATE_ROLLBACK_COMPLETE"


@pytest.mark.slow
@pytest.mark.parametrize("skipped", ["dev", "prod"])
def test_the_advice_to_skip_keeps_what_was_to_be_skipped_in_other_stacks(service: Path, skipped: str) -> None:
    """Whether the other stack's rollback has ended before, or was not reached, the advised command succeeds."""
    app = app_of(service)
    stacks = {environment: failed_rollback(app, environment)[0] for environment in ("dev", "prod")}
    with pytest.raises(ScaffoldError) as caught:
        repair(service, skip=(f"{stacks[skipped]}.Policy",))
    command = caught.value.remedy.split("`")[-2]
    ended = status(stacks[skipped]) == "UPDATE_ROLLBACK_COMPLETE"
    assert (f"--skip {stacks[skipped]}.Policy" in command) is not ended
    repair(service, skip=tuple(command.split(" --skip ")[1:]))
    assert {status(stack) for stack in stacks.values()} == {"UPDATE_ROLLBACK_COMPLETE"}


@pytest.mark.slow
def test_resources_of_nested_stacks_are_named_as_aws_names_them(service: Path, wire: Wire) -> None:
    """Local AWS has no rollback of a nested stack that fails, so its parent's events are made to name one."""
    app = app_of(service)
    nested, _ = failed_rollback(app, stack=f"{app}-nested")
    parent = environment_stack(app, "dev", "environment")
    create(parent, app, TOPIC)
    nested_id = client("cloudformation").describe_stacks(StackName=nested)["Stacks"][0]["StackId"]

    def describe_stacks(parsed: dict[str, Any]) -> None:
        for stack in parsed["Stacks"]:
            if stack["StackName"] == parent:
                stack["StackStatus"] = "UPDATE_ROLLBACK_FAILED"

    def describe_events(parsed: dict[str, Any]) -> None:
        for event in parsed["StackEvents"]:
            if event["StackName"] == parent and event["LogicalResourceId"] == "Topic":
                event |= {
                    "ResourceType": "AWS::CloudFormation::Stack",
                    "ResourceStatus": "UPDATE_FAILED",
                    "PhysicalResourceId": nested_id,
                }

    wire.touched |= {"DescribeStacks": describe_stacks, "DescribeStackEvents": describe_events}
    problem = next(one for one in repair(service, plan=True).problems if one.name == parent)
    assert [failure.name for failure in problem.failures] == [f"{nested}.Policy"]
    planned = repair(service, plan=True, skip=(f"{nested}.Policy",))
    assert Change("AWS::ApplicationAutoScaling::ScalingPolicy", f"{nested}.Policy", "skip") in [
        change for problem in planned.problems for change in problem.changes
    ]


@pytest.mark.slow
def test_failures_that_follow_from_a_cancellation_cannot_be_skipped(service: Path, wire: Wire) -> None:
    failed_rollback(app_of(service))

    def cancel(parsed: dict[str, Any]) -> None:
        for event in parsed["StackEvents"]:
            if event["ResourceStatus"] == "UPDATE_FAILED":
                event["ResourceStatusReason"] = "Resource update cancelled"

    wire.touched["DescribeStackEvents"] = cancel
    assert repair(service, plan=True).problems[0].failures == ()


# ---- stacks that can only be deleted ----


@pytest.mark.parametrize(
    "kind",
    ["service", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("environment", "pipeline", "foundation"))],
)
def test_a_stack_in_review_is_deleted_with_its_change_set(service: Path, wire: Wire, kind: str) -> None:
    app = app_of(service)
    once = kind in ("pipeline", "foundation")
    stack = f"{app}-{kind}" if once else environment_stack(app, "prod", kind)
    in_review(stack, app)
    planned = repair(service, plan=True)
    assert [change.action for change in planned.problems[0].changes] == ["delete", "delete"]
    assert "delete change set release" in text(planned)
    with pytest.raises(ScaffoldError, match="not confirmed"):
        repair(service, confirm=refuse)
    assert writes(wire) == []
    repair(service)
    assert status(stack) is None
    assert writes(wire) == ["cloudformation:DeleteChangeSet", "cloudformation:DeleteStack"]


def test_a_failed_creation_is_left_to_the_next_deployment(service: Path, wire: Wire) -> None:
    app = app_of(service)
    stack = environment_stack(app, "dev", "environment")
    create(stack, app, {**TOPIC, **BROKEN})
    assert status(stack) == "ROLLBACK_COMPLETE"
    result = repair(service)
    assert result.problems == ()
    assert f"Left alone: stack {stack} is ROLLBACK_COMPLETE" in text(result)
    assert "`scaffold deploy` replaces it." in text(result)
    assert writes(wire) == []


def test_a_failed_creation_of_an_environment_that_left_the_answers_is_deleted_and_others_stay(service: Path) -> None:
    app = app_of(service)
    stack, other = environment_stack(app, "qa", "environment"), environment_stack(app, "prod", "environment")
    create(stack, app, {**TOPIC, **BROKEN})
    create(other, app, TOPIC)
    assert status(stack) == "ROLLBACK_COMPLETE"
    repair(service, "prod")
    assert status(stack) == "ROLLBACK_COMPLETE"
    assert [problem.name for problem in repair(service).problems] == [stack]
    assert (status(stack), status(other)) == (None, "CREATE_COMPLETE")


def test_a_creation_that_was_not_rolled_back_is_deleted(service: Path) -> None:
    app = app_of(service)
    stack = environment_stack(app, "dev", "environment")
    create(stack, app, {**TOPIC, **BROKEN}, OnFailure="DO_NOTHING")
    assert repair(service).problems[0].state == "CREATE_FAILED"
    assert status(stack) is None


def test_an_unfinished_deletion_is_finished_once_it_can_be(service: Path, wire: Wire) -> None:
    app = app_of(service)
    stack, bucket = environment_stack(app, "dev", "environment"), f"{app}-uploads"
    create(stack, app, {"Uploads": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": bucket}}})
    client("s3").put_object(Bucket=bucket, Key="order", Body=b"x")
    client("cloudformation").delete_stack(StackName=stack)
    wait_for(stack, "DELETE_FAILED")
    with pytest.raises(ScaffoldError, match=f"{bucket} of the stack {stack} is not empty"):
        repair(service)
    assert writes(wire) == []
    client("s3").delete_object(Bucket=bucket, Key="order")
    assert f"delete S3 bucket {bucket}" in text(repair(service, plan=True))
    repair(service)
    assert status(stack) is None


PROTECTED = """\
Parameters: {ProtectLoadBalancer: {Type: String, Default: 'true'}}
Resources:
  Balancer:
    Type: AWS::ElasticLoadBalancingV2::LoadBalancer
    Properties: {LoadBalancerAttributes: [{Key: deletion_protection.enabled, Value: !Ref ProtectLoadBalancer}]}
"""


def balancer(service: Path) -> tuple[str, Callable[..., str]]:
    """The stack of an environment with a protected load balancer, and how to read and set its attribute."""
    stack = environment_stack(app_of(service), "dev", "environment")
    release_stack(stack, PROTECTED, Tags=tags(app_of(service)))
    elbv2, key = client("elbv2"), "deletion_protection.enabled"
    (resource,) = client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    arn = resource["PhysicalResourceId"]

    def attribute(value: str = "") -> str:
        if value:
            elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[{"Key": key, "Value": value}])
        found = elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        return next(str(one["Value"]) for one in found if one["Key"] == key)

    return stack, attribute


def test_a_protection_that_somebody_has_turned_off_is_turned_on_again(service: Path, wire: Wire) -> None:
    _, attribute = balancer(service)
    assert repair(service).problems == ()
    attribute("false")
    wire.calls.clear()
    plan = repair(service, plan=True)
    assert [(one.type, one.state) for one in plan.problems] == [("deletion-protection", "off")]
    assert "    turn on deletion protection of the load balancer app/" in text(plan)
    repair(service)
    assert attribute() == "true"
    assert {one for one in wire.calls if one.startswith("elbv2:")} == {
        "elbv2:DescribeLoadBalancerAttributes",
        "elbv2:ModifyLoadBalancerAttributes",
    }
    assert repair(service).problems == ()


def test_a_deletion_that_a_protected_load_balancer_has_stopped_is_finished(service: Path) -> None:
    stack, _ = balancer(service)
    client("cloudformation").delete_stack(StackName=stack)
    wait_for(stack, "DELETE_FAILED")
    assert "turn off deletion protection" in text(repair(service, plan=True))
    repair(service)
    assert status(stack) is None


def test_a_failed_rollback_of_a_creation_is_deleted(service: Path, wire: Wire) -> None:
    """Local AWS can always roll a creation back, so the status is made up."""
    app = app_of(service)
    stack = environment_stack(app, "dev", "environment")
    create(stack, app, TOPIC)
    times = itertools.count()

    def describe(parsed: dict[str, Any]) -> None:
        for one in parsed["Stacks"]:
            if one["StackName"] == stack and next(times) == 0:
                one["StackStatus"] = "ROLLBACK_FAILED"

    wire.touched["DescribeStacks"] = describe
    assert repair(service).problems[0].state == "ROLLBACK_FAILED"
    assert status(stack) is None


def test_what_would_stop_a_deletion_is_asked_before_the_first_change(service: Path, wire: Wire) -> None:
    app = app_of(service)
    stack, target = failed_rollback(app)
    register_again(target)
    protected = environment_stack(app, "prod", "environment")
    in_review(protected, app)
    client("cloudformation").update_termination_protection(StackName=protected, EnableTerminationProtection=True)
    for plan in (True, False):
        with pytest.raises(ScaffoldError, match=f"termination protection is on for {protected}"):
            repair(service, plan=plan)
    assert writes(wire) == []
    assert status(stack) == "UPDATE_ROLLBACK_FAILED"


@pytest.mark.parametrize("importer", ["service", "another"])
def test_a_stack_is_deleted_after_those_that_import_from_it(service: Path, wire: Wire, importer: str) -> None:
    """Local AWS refuses to delete a stack that is imported from, so the status is made up."""
    app = app_of(service)
    exporting, importing = (environment_stack(app, "dev", kind) for kind in ("environment", importer))
    export, value = f"{exporting}-topic", {"Fn::ImportValue": f"{exporting}-topic"}
    for stack, content in (
        (exporting, {"Resources": TOPIC, "Outputs": {"Topic": {"Value": "x", "Export": {"Name": export}}}}),
        (importing, {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": value}}}}),
    ):
        client("cloudformation").create_stack(StackName=stack, TemplateBody=json.dumps(content), Tags=tags(app))
        wait_for(stack, "CREATE_COMPLETE")
    times = {exporting: itertools.count(), importing: itertools.count()}

    def describe(parsed: dict[str, Any]) -> None:
        for one in parsed["Stacks"]:
            if one["StackName"] in times and next(times[one["StackName"]]) == 0:
                one["StackStatus"] = "DELETE_FAILED"

    wire.touched["DescribeStacks"] = describe
    if importer == "another":
        with pytest.raises(ScaffoldError, match=f"{exporting} is imported by {importing}"):
            repair(service)
        assert writes(wire) == []
    else:
        assert [problem.name for problem in repair(service).problems] == [importing, exporting]
        assert (status(importing), status(exporting)) == (None, None)


def test_stacks_of_another_owner_are_not_touched(service: Path) -> None:
    app = app_of(service)
    stack = environment_stack(app, "dev", "environment")
    create(stack, "another", {**TOPIC, **BROKEN})
    assert repair(service).problems == ()
    assert status(stack) == "ROLLBACK_COMPLETE"


@pytest.mark.slow
def test_an_unfinished_deletion_of_the_foundation_is_left_to_destroy(deployed: Path, wire: Wire) -> None:
    stack = foundation_stack(app_of(deployed))

    def describe(parsed: dict[str, Any]) -> None:
        for one in parsed["Stacks"]:
            if one["StackName"] == stack:
                one["StackStatus"] = "DELETE_FAILED"

    wire.touched["DescribeStacks"] = describe
    for command in (run, repair):
        with pytest.raises(ScaffoldError) as caught:
            command(deployed)
        assert "`scaffold destroy`" in caught.value.remedy
        assert "scaffold repair" not in caught.value.remedy


# ---- operations in progress ----


def test_an_update_in_progress_is_cancelled_only_in_a_named_environment(service: Path, wire: Wire) -> None:
    app = app_of(service)
    stack = environment_stack(app, "dev", "environment")
    updating(stack, app)
    whole = repair(service)
    assert whole.problems == ()
    assert f"stack {stack} is UPDATE_IN_PROGRESS since" in text(whole)
    assert "`scaffold repair dev` cancels that." in text(whole)
    assert repair(service, "prod").problems == ()
    with pytest.raises(ScaffoldError, match="not confirmed"):
        repair(service, "dev", confirm=refuse)
    assert writes(wire) == []
    wire.touched["CancelUpdateStack"] = lambda _: fail_wait_condition(stack)
    result = repair(service, "dev")
    assert result.problems[0].changes == (Change("stack", stack, "cancel-update"),)
    assert "cloudformation:CancelUpdateStack" in wire.calls
    assert status(stack) == "UPDATE_ROLLBACK_COMPLETE"


@pytest.mark.parametrize("found", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"])
def test_the_ecs_deployment_that_an_update_waits_for_is_rolled_back_first(
    service: Path, wire: Wire, found: str
) -> None:
    """Local AWS completes every deployment at once, so this one is made to look as if it were in progress."""
    app = app_of(service)
    stack = environment_stack(app, "dev", "service")
    make_ecs_service(app, "dev")
    create(stack, app, TOPIC)
    arn = f"arn:aws:ecs:us-east-1:000000000000:service-deployment/{names.cluster(app, 'dev')}/x/1"
    times = itertools.count()

    def describe(parsed: dict[str, Any]) -> None:
        for one in parsed["Stacks"]:
            if one["StackName"] == stack and next(times) == 0:
                one["StackStatus"] = found

    def in_progress(parsed: dict[str, Any]) -> None:
        parsed["serviceDeployments"] = [{"serviceDeploymentArn": arn, "status": "IN_PROGRESS"}]

    wire.touched |= {"DescribeStacks": describe, "ListServiceDeployments": in_progress}
    response = type("Response", (), {"status_code": 200})()
    wire.faults["StopServiceDeployment"] = lambda: (response, {"serviceDeploymentArn": arn, "ResponseMetadata": {}})
    result = repair(service, "dev")
    updates = found == "UPDATE_IN_PROGRESS"
    assert [change.action for change in result.problems[0].changes] == ["roll-back", *["cancel-update"] * updates]
    # The update may have ended by itself when it is cancelled: that is what was wanted.
    assert writes(wire) == ["ecs:StopServiceDeployment", *["cloudformation:CancelUpdateStack"] * updates]
    assert wire.requests[wire.calls.index("ecs:StopServiceDeployment")]["body"]
    assert '"stopType": "ROLLBACK"' in str(wire.requests[wire.calls.index("ecs:StopServiceDeployment")]["body"])


@pytest.mark.parametrize("kind", ["service", "environment"])
def test_a_rollback_in_progress_names_the_repair_of_its_environment(service: Path, wire: Wire, kind: str) -> None:
    app = app_of(service)
    stack = environment_stack(app, "dev", kind)
    create(stack, app, TOPIC)

    def describe(parsed: dict[str, Any]) -> None:
        for one in parsed["Stacks"]:
            if one["StackName"] == stack:
                one["StackStatus"] = "UPDATE_ROLLBACK_IN_PROGRESS"

    wire.touched["DescribeStacks"] = describe
    assert "`scaffold repair dev` rolls back an ECS deployment" in text(repair(service))
    # It has just been run, and found no deployment to roll back.
    assert "wait for its end" in text(repair(service, "dev"))


# ---- the command ----


def test_an_environment_that_does_not_exist(service: Path) -> None:
    with pytest.raises(UsageError) as caught:
        repair(service, "nowhere")
    assert "dev, prod" in caught.value.remedy


def test_skip_without_a_failed_rollback(service: Path) -> None:
    with pytest.raises(UsageError, match="because of Queue"):
        repair(service, skip=("Queue",))


def test_deploy_names_repair_and_works_after_it(deployed: Path, wire: Wire) -> None:
    """The whole way: a deployment is refused, repaired, and then succeeds."""
    app = app_of(deployed)
    stack = pipeline_stack(app)

    def describe(parsed: dict[str, Any]) -> None:
        for one in parsed["Stacks"]:
            if one["StackName"] == stack:
                one["StackStatus"] = "UPDATE_ROLLBACK_FAILED"

    wire.touched["DescribeStacks"] = describe
    with pytest.raises(ScaffoldError) as caught:
        run(deployed)
    assert "`scaffold repair`" in caught.value.remedy
    assert "aws cloudformation" not in caught.value.remedy


def test_interruption_says_that_aws_goes_on_and_what_to_repeat(service: Path, wire: Wire) -> None:
    stack, target = failed_rollback(app_of(service))
    register_again(target)
    wire.after = lambda count: (
        wire.throw("DescribeStackEvents", KeyboardInterrupt()) if "Continue" in wire.calls[-1] else None
    )
    with pytest.raises(Interrupted) as caught:
        repair(service, "dev")
    assert caught.value.exit_code == 130
    assert "continue there" in caught.value.happened
    assert "scaffold repair dev`" in caught.value.remedy
    wire.faults.clear()
    wire.after = lambda count: None
    repair(service, "dev")
    assert status(stack) == "UPDATE_ROLLBACK_COMPLETE"


@pytest.mark.slow
def test_json_has_states_reasons_and_changes_as_data(service: Path) -> None:
    stack, _ = failed_rollback(app_of(service))
    document = repair(service, plan=True).document()
    assert (document["schema_version"], document["command"]) == (1, "repair")
    (problem,) = document["problems"]
    assert (problem["name"], problem["state"]) == (stack, "UPDATE_ROLLBACK_FAILED")
    assert problem["failures"][0]["name"] == "Policy"
    assert problem["changes"][0]["action"] == "continue-rollback"
