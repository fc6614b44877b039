"""The Route 53 health check of production: in us-east-1 wherever the service is, and only once production answers."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from scaffold.commands import status
from scaffold.commands.status import StatusOptions
from scaffold.console.console import Console
from scaffold.deployment.left_stack import Left
from scaffold.service import names
from scaffold.service.service import read
from scaffold.views import deploy as view
from scaffold.views import status as status_view
from tests.deploy.services import (
    Deployments,
    Wire,
    commit,
    environment_stack,
    lift_protection,
    make_service,
    remove,
    run,
)
from tests.deploy.test_domains import STACK as DOMAIN
from tests.deploy.test_refusals import refusal
from tests.destroy.test_permissions import DEPLOY, HEALTH_CHECK, a_pipeline, actions, needed
from tests.repair.situations import repair

KIT = Path(__file__).parents[2] / "template/infrastructure"
TEMPLATE = (KIT / "{% if health_checked %}health-check.yaml{% endif %}").read_text(encoding="utf-8")
REGION = "eu-central-1"
GROUP = """\
Resources:
  Group:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties: {TargetType: ip, Port: 80, Protocol: HTTP, VpcId: vpc-1, HealthCheckPath: %s}
"""
# Of a creation with a role, a stack policy or termination protection, which this stack has not.
NO_REQUEST = {"iam:PassRole", "cloudformation:SetStackPolicy", "cloudformation:UpdateTerminationProtection"}
TOPIC = "Resources: {Topic: {Type: AWS::SNS::Topic}}\n"


def client(name: str, region: str = "us-east-1") -> Any:
    return boto3.Session(region_name=region).client(name)


def files(service: Path) -> list[Path]:
    infrastructure = service / "infrastructure"
    return [infrastructure / "health-check.yaml", infrastructure / "prod/health-check.json"]


def ask(service: Path, name: str = "shop.example.com", path: str = "/health") -> None:
    """Commit the files of a service whose answers ask for a health check."""
    app = read(service).app_name
    given = {"AppName": app, "EnvironmentName": "prod", "DomainName": name, "HealthPath": path, "Email": "a@b.example"}
    tags = {names.TAG_SERVICE: app, names.TAG_ENVIRONMENT: "prod"}
    template, configuration = files(service)
    template.write_text(TEMPLATE)
    configuration.write_text(json.dumps({"Parameters": given, "Tags": tags}))
    domain = {"Parameters": {"DomainName": name}, "Tags": tags}
    (service / "infrastructure/domain.yaml").write_text(DOMAIN)
    (service / "infrastructure/prod/domain.json").write_text(json.dumps(domain))
    commit(service)


def ask_no_more(service: Path) -> None:
    for path in files(service):
        path.unlink()
    commit(service)


def release(service: Path, name: str = "shop.example.com", path: str = "/health") -> None:
    """What the pipeline would release to production."""
    app, cloudformation = read(service).app_name, client("cloudformation", REGION)
    given = [{"ParameterKey": "DomainName", "ParameterValue": name}]
    tags = [{"Key": names.TAG_SERVICE, "Value": app}, {"Key": names.TAG_ENVIRONMENT, "Value": "prod"}]
    for kind, template in (("environment", GROUP % path), ("domain", DOMAIN), ("service", TOPIC)):
        stack = environment_stack(app, "prod", kind)
        exists = stack in stacks(app, REGION)
        parameters = given if kind == "domain" else []
        operation = cloudformation.update_stack if exists else cloudformation.create_stack
        try:
            operation(StackName=stack, TemplateBody=template, Parameters=parameters, Tags=tags)
        except ClientError as error:
            if "No updates" not in str(error):
                raise
            continue
        waiter = cloudformation.get_waiter("stack_update_complete" if exists else "stack_create_complete")
        waiter.wait(StackName=stack, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})


def asked() -> list[tuple[str, str]]:
    """Name and path that Route 53 asks for."""
    found = client("route53").list_health_checks()["HealthChecks"]
    configurations = [one["HealthCheckConfig"] for one in found]
    assert all((one["Type"], one["Port"], one["EnableSNI"]) == ("HTTPS", 443, True) for one in configurations)
    return [(one["FullyQualifiedDomainName"], one["ResourcePath"]) for one in configurations]


def stacks(app: str, region: str) -> list[str]:
    found = client("cloudformation", region).describe_stacks()["Stacks"]
    return sorted(one["StackName"] for one in found if one["StackName"].startswith(f"{app}-"))


def destroy(service: Path, **options: Any) -> list[str]:
    """The names of the stacks that were deleted, in order."""
    lift_protection(read(service).app_name, cloudformation=client("cloudformation", REGION))
    removed = remove(service, lift=False, **options)
    return [change.name for change in removed.changes if change.type == "stack"]


def left_in_us_east_1(app: str) -> list[Any]:
    """What is there of a service."""
    alarms = client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{app}-")["MetricAlarms"]
    topics = [one["TopicArn"] for one in client("sns").list_topics()["Topics"] if f":{app}-" in one["TopicArn"]]
    return [*stacks(app, "us-east-1"), *asked(), *alarms, *topics]


@pytest.fixture
def service(aws: None, tmp_path: Path) -> Path:
    return make_service(tmp_path / "service", aws_region=REGION)


@pytest.mark.slow
def test_a_health_check_begins_with_its_release_ends_with_its_answer_and_leaves_nothing(
    service: Path, wire: Wire
) -> None:
    app = read(service).app_name
    stack = f"{app}-prod-health-check"
    ask(service)
    # The name leads nowhere yet: the alarm would ring.
    result = run(service)
    assert (result.waiting_stacks, asked(), stacks(app, "us-east-1")) == ((stack,), [], [])
    assert f"The stack {stack} waits for the release to its environment" in view.text(result)
    assert run(service, plan=True).waiting_stacks == (stack,)
    release(service)
    result = run(service)
    assert [(one.name, one.action) for one in result.steps if one.action != "none"] == [(stack, "create")]
    assert (result.waiting_stacks, asked()) == ((), [("shop.example.com", "/health")])
    # Alarms are in the region of their metric, and so is what they tell.
    assert (stacks(app, "us-east-1"), stack in stacks(app, REGION)) == ([stack], False)
    (alarm,) = client("cloudwatch").describe_alarms(AlarmNamePrefix=stack)["MetricAlarms"]
    (check,) = client("route53").list_health_checks()["HealthChecks"]
    assert alarm["Dimensions"] == [{"Name": "HealthCheckId", "Value": check["Id"]}]
    assert (alarm["Namespace"], alarm["TreatMissingData"]) == ("AWS/Route53", "missing")
    (subscription,) = client("sns").list_subscriptions()["Subscriptions"]
    assert [subscription["TopicArn"]] == alarm["AlarmActions"]
    tagged = client("route53").list_tags_for_resource(ResourceType="healthcheck", ResourceId=check["Id"])
    found = {one["Key"]: one["Value"] for one in tagged["ResourceTagSet"]["Tags"]}
    assert found.items() >= {"Name": f"{app}-prod", names.TAG_SERVICE: app, names.TAG_ENVIRONMENT: "prod"}.items()
    assert run(service, plan=True).changed is False
    # Another path is asked for once the tasks answer it.
    ask(service, path="/internal/healthz")
    assert (run(service).waiting_stacks, asked()) == ((stack,), [("shop.example.com", "/health")])
    release(service, path="/internal/healthz")
    run(service)
    assert asked() == [("shop.example.com", "/internal/healthz")]
    # Off: nothing imports from it, and it has no data.
    ask_no_more(service)
    result = run(service)
    deleted = [one.name for one in result.steps if one.action == "delete"]
    assert (deleted, result.left_stacks, left_in_us_east_1(app)) == ([stack], (), [])
    ask(service, path="/internal/healthz")
    run(service)
    assert asked() == [("shop.example.com", "/internal/healthz")]
    assert stack in destroy(service)
    assert (left_in_us_east_1(app), stacks(app, REGION)) == ([], [])
    # What the commands call there is in the policy for it, or allowed in every region.
    there = {call for call, here in zip(wire.calls, elsewhere(wire), strict=True) if here}
    look = actions({"Statement": [one for one in DEPLOY["Statement"] if one["Resource"] == "*"]})
    assert needed(there) - look - NO_REQUEST <= actions(HEALTH_CHECK)


@pytest.fixture
def checked(service: Path, deployments: Deployments, tmp_path: Path) -> Path:
    """A service with a health check, of which production is released."""

    def deploy(root: Path) -> None:
        made = make_service(root, aws_region=REGION, name="checked")
        ask(made)
        run(made)
        release(made)
        run(made)

    return deployments.copy("checked", deploy, tmp_path / "checked")


def test_production_is_deleted_with_its_health_check(checked: Path) -> None:
    assert "checked-prod-health-check" in destroy(checked, environment="prod")
    assert left_in_us_east_1("checked") == []


@pytest.mark.slow
def test_one_that_was_never_created_is_repaired_and_one_that_failed_is_replaced(checked: Path) -> None:
    ask_no_more(checked)
    run(checked)
    stack, cloudformation = "checked-prod-health-check", client("cloudformation")
    given = {"StackName": stack, "Tags": [{"Key": names.TAG_SERVICE, "Value": "checked"}]}
    cloudformation.create_change_set(**given, ChangeSetName="any", ChangeSetType="CREATE", TemplateBody=TOPIC)
    ask(checked)
    (problem,) = repair(checked).problems
    assert (problem.name, problem.state, stacks("checked", "us-east-1")) == (stack, "REVIEW_IN_PROGRESS", [])
    impossible = "Resources: {Queue: {Type: AWS::SQS::Queue, Properties: {MessageRetentionPeriod: 9}}}"
    cloudformation.create_stack(**given, TemplateBody=impossible)
    deadline = time.monotonic() + 60
    while cloudformation.describe_stacks()["Stacks"][0]["StackStatus"] != "ROLLBACK_COMPLETE":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    actions = {one.name: one.action for one in run(checked).steps}
    assert (actions[stack], asked()) == ("replace", [("shop.example.com", "/health")])


def test_a_stack_of_another_service_in_us_east_1_is_left_alone(checked: Path) -> None:
    ask_no_more(checked)
    run(checked)
    cloudformation = client("cloudformation")
    topic = "Parameters: {RootCommit: {Type: String}}\nResources: {Topic: {Type: AWS::SNS::Topic}}\n"
    other = [{"ParameterKey": "RootCommit", "ParameterValue": "0" * 40}]
    cloudformation.create_stack(StackName="checked-prod-health-check", TemplateBody=topic, Parameters=other)
    ask(checked)
    assert "The stack checked-prod-health-check" in refusal(checked).happened
    assert stacks("checked", "us-east-1") == ["checked-prod-health-check"]


@pytest.mark.slow
def test_the_alarm_is_one_of_production(checked: Path) -> None:
    client("cloudwatch").set_alarm_state(
        AlarmName="checked-prod-health-check", StateValue="ALARM", StateReason="not reached"
    )
    client("codepipeline", REGION).create_pipeline(pipeline=a_pipeline("checked"))
    result = status.run(StatusOptions(checked, drift=True), Console(), str)
    assert [one.alarms for one in result.environments] == [(), ("checked-prod-health-check",)]
    (compared,) = [one for one in result.drift or () if one.stack == "checked-prod-health-check"]
    assert compared.state == "in-sync"


@pytest.mark.slow
def test_status_says_when_scaffold_deploy_has_to_follow_the_release(checked: Path, wire: Wire) -> None:
    client("codepipeline", REGION).create_pipeline(pipeline=a_pipeline("checked"))

    def due() -> tuple[bool, int]:
        """Whether it has to, and how many templates were read for that."""
        wire.calls.clear()
        result = status.run(StatusOptions(checked), Console(), str)
        found = {one.name: one.health_check_due for one in result.environments}
        assert found["dev"] is False
        assert ("run `scaffold deploy` once more" in status_view.text(result)) == found["prod"]
        return found["prod"], wire.calls.count("cloudformation:GetTemplate")

    assert due() == (False, 0)
    # What Route 53 asks for changes with the deployment that follows the release.
    ask(checked, path="/internal/healthz")
    assert due() == (False, 1)
    release(checked, path="/internal/healthz")
    assert due() == (True, 1)
    run(checked)
    assert due() == (False, 0)
    ask(checked, name="other.example.com", path="/internal/healthz")
    assert due() == (False, 0)
    release(checked, name="other.example.com", path="/internal/healthz")
    assert due() == (True, 1)
    # Without the answer, nothing is due and nothing asked.
    ask_no_more(checked)
    assert due() == (False, 0)
    run(checked)
    assert left_in_us_east_1("checked") == []
    ask(checked, name="other.example.com", path="/internal/healthz")
    assert due() == (True, 1)
    _, configuration = files(checked)
    configuration.write_text("<<<<<<< HEAD")
    assert due() == (False, 0)


@pytest.mark.parametrize("change", [{"name": "other.example.com"}, {"path": "/internal/healthz"}])
def test_what_is_not_released_yet_is_not_asked_for(checked: Path, change: dict[str, str]) -> None:
    ask(checked, **change)
    result = run(checked, plan=True)
    actions = {one.name: one.action for one in result.steps}
    stack = "checked-prod-health-check"
    assert (actions[stack], result.waiting_stacks) == ("none", (stack,))


def elsewhere(wire: Wire) -> list[bool]:
    """Whether each call was one in us-east-1."""
    return [one["context"]["client_region"] == "us-east-1" for one in wire.requests]


def test_only_a_service_with_a_domain_is_looked_for_in_us_east_1(service: Path, wire: Wire) -> None:
    run(service, plan=True)
    assert not any(elsewhere(wire))
    ask(service)
    ask_no_more(service)
    run(service, plan=True)
    assert elsewhere(wire).count(True) == 1


def test_an_account_that_denies_us_east_1_stops_only_who_asks_for_a_health_check(checked: Path, wire: Wire) -> None:
    denied = "User is not authorized to perform: cloudformation:DescribeStacks with an explicit deny in an SCP"
    wire.refuse("DescribeStacks", "AccessDenied", denied)
    refuse = wire.faults["DescribeStacks"]
    wire.faults["DescribeStacks"] = lambda: refuse() if elsewhere(wire)[-1] else None
    assert "cloudformation:DescribeStacks" in refusal(checked).happened
    ask_no_more(checked)
    assert run(checked, plan=True).waiting_stacks == ()


def test_us_east_1_out_of_reach_stops_only_who_asks_for_a_health_check(checked: Path, wire: Wire) -> None:
    def unreachable() -> None:
        if elsewhere(wire)[-1]:
            raise EndpointConnectionError(endpoint_url="https://cloudformation.us-east-1.amazonaws.com")

    wire.faults["DescribeStacks"] = unreachable
    assert "us-east-1" in refusal(checked).happened
    ask_no_more(checked)
    assert run(checked, plan=True).waiting_stacks == ()


def test_another_partition_has_no_stacks_in_us_east_1(
    checked: Path, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scaffold.deployment.elsewhere._PARTITION", "aws-us-gov")
    ask_no_more(checked)
    run(checked, plan=True)
    assert not any(elsewhere(wire))


@pytest.mark.slow
def test_who_may_not_delete_it_is_told_the_command_and_the_region(checked: Path, wire: Wire) -> None:
    ask_no_more(checked)
    wire.refuse("DeleteStack", "AccessDenied", "User is not authorized to perform: cloudformation:DeleteStack")
    result = run(checked)
    assert result.left_stacks == (Left("checked-prod-health-check", "denied", region="us-east-1"),)
    command = "aws cloudformation delete-stack --region us-east-1 --stack-name checked-prod-health-check"
    assert command in view.text(result)
