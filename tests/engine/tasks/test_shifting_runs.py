"""Deployments on local AWS that shift traffic: a canary, its alarm, its API, and an end without a trace."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from scaffold.local.environment import running_local_aws
from tests.engine.tasks.test_running import Account, constant_client, resource, tasks_of, template, wait

PERCENT = 25


def shifting(image: str, strategy: str = "CANARY", **variables: Any) -> dict[str, Any]:
    """A service whose deployments shift traffic: 25 % for 2 hours, and a bake time of 2 minutes.

    Args:
        variables: Of the tasks; others are those of `template`.
    """
    made = template("shop", image, grace=0, **variables)
    resources = made["Resources"]
    properties = resources["Service"]["Properties"]
    properties["LoadBalancers"][0]["AdvancedConfiguration"] = {
        "AlternateTargetGroupArn": {"Ref": "Other"},
        "ProductionListenerRule": {"Ref": "Rule"},
        "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
    }
    properties["DeploymentConfiguration"] |= {
        "Strategy": strategy,
        "BakeTimeInMinutes": "2",
        "CanaryConfiguration": {"CanaryPercent": PERCENT, "CanaryBakeTimeInMinutes": 120},
        "Alarms": {"AlarmNames": [{"Ref": "Alarm"}], "Enable": True, "Rollback": True},
    }
    allowed = {"Effect": "Allow", "Action": "elasticloadbalancing:*", "Resource": "*"}
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}
    resources["Role"] = resource(
        "AWS::IAM::Role",
        AssumeRolePolicyDocument={"Version": "2012-10-17", "Statement": [trust]},
        Policies=[{"PolicyName": "shift", "PolicyDocument": {"Version": "2012-10-17", "Statement": [allowed]}}],
    )
    resources["Alarm"] = resource(
        "AWS::CloudWatch::Alarm",
        AlarmName="errors",
        Namespace="Tests",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",  # It keeps the state that a test sets.
    )
    return made


class Shop:
    """The service in a local AWS."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.image = account.registry.push_server("shop")

    def release(self, version: str, **variables: Any) -> None:
        body = json.dumps(shifting(self.image, APP_VERSION=version, **variables))
        exists = [one["StackName"] for one in self.account.stacks.describe_stacks()["Stacks"]]
        act = self.account.stacks.update_stack if exists else self.account.stacks.create_stack
        act(StackName="shop", TemplateBody=body, Capabilities=["CAPABILITY_IAM"])

    def weights(self) -> list[int]:
        """Those of the target group and the alternate one."""
        elb = self.account.client("elbv2")
        rule = self.account.service("shop")["loadBalancers"][0]["advancedConfiguration"]["productionListenerRule"]
        (action,) = elb.describe_rules(RuleArns=[rule])["Rules"][0]["Actions"]
        return [one["Weight"] for one in action["ForwardConfig"]["TargetGroups"]]

    def newest(self) -> dict[str, Any]:
        """The newest service deployment."""
        listed = self.account.ecs.list_service_deployments(cluster="shop", service="shop")["serviceDeployments"]
        described = self.account.ecs.describe_service_deployments(
            serviceDeploymentArns=[listed[0]["serviceDeploymentArn"]]
        )
        found: dict[str, Any] = described["serviceDeployments"][0]
        assert found["targetServiceRevision"]["arn"] == listed[0]["targetServiceRevisionArn"]
        return found

    def target_groups(self) -> list[str]:
        """The target group and the alternate one."""
        (balancer,) = self.account.service("shop")["loadBalancers"]
        return [balancer["targetGroupArn"], balancer["advancedConfiguration"]["alternateTargetGroupArn"]]

    def healthy_targets(self) -> list[int]:
        """How many each target group has."""
        elb = self.account.client("elbv2")
        found = [elb.describe_target_health(TargetGroupArn=arn) for arn in self.target_groups()]
        states = [[one["TargetHealth"]["State"] for one in group["TargetHealthDescriptions"]] for group in found]
        return [group.count("healthy") for group in states]

    def workers(self, version: str) -> list[int]:
        """The processes of a version's tasks, without those of their health checks."""
        pids = tasks_of(self.account.aws.process.pid, f"APP_VERSION={version}\0")
        return [pid for pid in pids if b"main.js" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def exit_codes(self) -> list[int | None]:
        """Of the tasks that have stopped."""
        return [one["containers"][0].get("exitCode") for one in self.account.tasks("shop", "STOPPED")]

    def unanswered(self, group: int, since: datetime) -> list[float]:
        """How many requests to a target group had no good answer, for each minute."""
        dimensions = [{"Name": "TargetGroup", "Value": self.target_groups()[group].rpartition(":")[2]}]
        (balancer,) = self.account.client("elbv2").describe_load_balancers()["LoadBalancers"]
        name = balancer["LoadBalancerArn"].rpartition(":loadbalancer/")[2]
        dimensions.append({"Name": "LoadBalancer", "Value": name})
        stats = {"requests": "RequestCount", "good": "HTTPCode_Target_2XX_Count"}
        metrics = [
            {
                "Id": key,
                "ReturnData": False,
                "MetricStat": {
                    "Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": metric, "Dimensions": dimensions},
                    "Period": 60,
                    "Stat": "Sum",
                },
            }
            for key, metric in stats.items()
        ]
        queries = [*metrics, {"Id": "unanswered", "Expression": "requests - good"}]
        (found,) = self.account.client("cloudwatch").get_metric_data(
            MetricDataQueries=queries, StartTime=since, EndTime=datetime.now(UTC)
        )["MetricDataResults"]
        values: list[float] = found["Values"]
        return values

    def inject(self, *faults: str) -> None:
        self.account.aws.inject_faults("shop", faults)

    def set_alarm(self, state: str) -> None:
        self.account.client("cloudwatch").set_alarm_state(AlarmName="errors", StateValue=state, StateReason="a test")


@pytest.fixture
def shop() -> Iterator[Shop]:
    with running_local_aws(runs=True, speed=60) as aws:
        made = Shop(Account(aws))
        made.release("1")
        assert made.account.settled("shop") == "CREATE_COMPLETE", made.account.failure("shop")
        yield made


@pytest.mark.slow
def test_a_bad_canary_is_taken_back_by_its_alarm(shop: Shop) -> None:
    assert shop.weights() == [0, 100]  # The first deployment is in the alternate target group.
    assert shop.newest()["status"] == "SUCCESSFUL"
    with constant_client(shop.account.url("shop")) as client:
        shop.release("2", FAIL="errors")
        wait(lambda: shop.weights() == [PERCENT, 100 - PERCENT])
        # ECS takes note of a shift after it has changed the rule.
        wait(lambda: shop.newest()["targetServiceRevision"].get("requestedProductionTrafficWeight") == PERCENT)
        deployment = shop.newest()
        assert (deployment["status"], deployment["lifecycleStage"]) == ("IN_PROGRESS", "PRODUCTION_TRAFFIC_SHIFT")
        assert deployment["deploymentConfiguration"]["strategy"] == "CANARY"
        assert deployment["alarms"]["status"] == "MONITORING"
        (source,), target = deployment["sourceServiceRevisions"], deployment["targetServiceRevision"]
        assert (source["requestedProductionTrafficWeight"], source["runningTaskCount"]) == (75.0, 1)
        assert (target["requestedProductionTrafficWeight"], target["runningTaskCount"]) == (25.0, 1)
        service = shop.account.service("shop")
        assert service["currentServiceDeployment"] == deployment["serviceDeploymentArn"]
        assert [one["arn"] for one in service["currentServiceRevisions"]] == [target["arn"], source["arn"]]
        (revision,) = shop.account.ecs.describe_service_revisions(serviceRevisionArns=[target["arn"]])[
            "serviceRevisions"
        ]
        group = service["loadBalancers"][0]["targetGroupArn"]
        assert revision["resolvedConfiguration"]["loadBalancers"][0]["targetGroupArn"] == group
        wait(lambda: client.outcomes["failed"] >= 3)
        shop.set_alarm("ALARM")
        assert shop.account.settled("shop") == "UPDATE_ROLLBACK_COMPLETE"
        assert "'ECS Deployment Alarm was triggered'" in shop.account.failure("shop")
        assert shop.weights() == [0, 100]
        before = Counter(client.outcomes)
        wait(lambda: client.outcomes["answered"] > before["answered"] + 20)
    assert client.outcomes["failed"] == before["failed"]
    assert client.answers == {"1"}
    # At most its share, with the margin that so few random draws need.
    assert before["failed"] / before.total() < 2 * PERCENT / 100
    ended = shop.newest()
    assert (ended["status"], ended["alarms"]["triggeredAlarmNames"]) == ("ROLLBACK_SUCCESSFUL", ["errors"])
    assert ended["rollback"]["serviceRevisionArn"] == source["arn"]
    assert [one["containers"][0]["name"] for one in shop.account.tasks("shop")] == ["app"]


@pytest.mark.slow
def test_a_shift_ends_on_request_and_the_server_leaves_nothing(shop: Shop) -> None:
    shop.set_alarm("ALARM")  # Before the deployment, which ignores it.
    shop.release("3", MARK="shifted")
    wait(lambda: shop.weights() == [PERCENT, 100 - PERCENT])
    assert shop.newest()["alarms"]["status"] == "DISABLED"
    stopped = shop.newest()["serviceDeploymentArn"]
    shop.account.ecs.stop_service_deployment(serviceDeploymentArn=stopped)
    assert shop.account.settled("shop") == "UPDATE_ROLLBACK_COMPLETE"
    assert (shop.weights(), shop.newest()["status"]) == ([0, 100], "ROLLBACK_SUCCESSFUL")
    with pytest.raises(shop.account.ecs.exceptions.ConflictException):
        shop.account.ecs.stop_service_deployment(serviceDeploymentArn=stopped)
    shop.inject("errors:100%")  # A canary fails for its share only.
    shop.release("4", MARK="killed")
    wait(lambda: shop.weights() == [PERCENT, 100 - PERCENT])
    with constant_client(shop.account.url("shop")) as client:
        wait(lambda: client.outcomes["failed"] >= 3 and client.outcomes["answered"] >= 3)
    assert client.answers == {"1"}
    shop.inject()
    with constant_client(shop.account.url("shop")) as client:
        wait(lambda: client.answers == {"1", "4"})
    assert client.failures == []
    server = shop.account.aws.process.pid
    pids = [*tasks_of(server, "APP_VERSION=1"), *tasks_of(server, "MARK=killed")]
    assert len(pids) >= 2
    os.kill(server, signal.SIGKILL)
    wait(lambda: not any(Path(f"/proc/{pid}/environ").exists() for pid in pids), 30)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "reason", "code"),
    [("exit", "Essential container in task exited", 1), ("unhealthy", "Task failed ELB health checks", 0)],
)
def test_faults_of_the_tasks_trip_the_circuit_breaker(shop: Shop, fault: str, reason: str, code: int) -> None:
    shop.inject(fault)
    with constant_client(shop.account.url("shop")) as client:
        shop.release("2")
        assert shop.account.settled("shop") == "UPDATE_ROLLBACK_COMPLETE"
    assert (client.failures, client.answers) == ([], {"1"})
    assert "'ECS Deployment Circuit Breaker was triggered'" in shop.account.failure("shop")
    failed = [one for one in shop.account.tasks("shop", "STOPPED") if one.get("stoppedReason") == reason]
    assert [one["containers"][0]["exitCode"] for one in failed[:3]] == [code] * 3


@pytest.mark.slow
def test_a_task_killed_in_mid_shift_fails_its_own_requests_only(shop: Shop) -> None:
    shop.release("2", count=2)
    wait(lambda: shop.weights() == [PERCENT, 100 - PERCENT])
    wait(lambda: shop.healthy_targets() == [2, 2])
    kill_a_task(shop, "1", other_group=0)
    kill_a_task(shop, "2", other_group=1)
    assert (shop.weights(), shop.newest()["status"]) == ([PERCENT, 100 - PERCENT], "IN_PROGRESS")


def kill_a_task(shop: Shop, version: str, other_group: int) -> None:
    """Kill one of a version's two tasks under traffic, and check which requests have failed.

    Args:
        other_group: The target group of the other version, whose requests have to be answered.
    """
    exited = len(shop.exit_codes())
    with constant_client(shop.account.url("shop")) as client:
        wait(lambda: client.outcomes["answered"] >= 20)
        killed_at = datetime.now(UTC)
        os.kill(shop.workers(version)[0], signal.SIGKILL)
        wait(lambda: len(shop.exit_codes()) > exited)
        wait(lambda: shop.healthy_targets() == [2, 2])
        answered = client.outcomes["answered"]
        wait(lambda: client.outcomes["answered"] >= answered + 50)
    assert 128 + signal.SIGKILL in shop.exit_codes()
    assert client.answers == {"1", "2"}
    assert all(moment < killed_at + timedelta(seconds=30) for moment in client.failed_at)
    unanswered = shop.unanswered(other_group, killed_at)
    assert unanswered
    assert set(unanswered) == {0}


def test_what_is_not_rehearsed_or_not_possible_is_refused() -> None:
    with running_local_aws(runs=True) as aws:
        account = Account(aws)
        account.ecs.create_cluster(clusterName="shop")
        account.ecs.register_task_definition(family="shop", containerDefinitions=[{"name": "app", "image": "x"}])
        hook = {"hookTargetArn": "arn:aws:lambda:us-east-1:0:function:x", "roleArn": "arn:aws:iam::0:role/x"}
        pause = {"targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]}
        pause |= {"timeoutConfiguration": {"timeoutInMinutes": 10, "action": "ROLLBACK"}}
        long = {"timeoutInMinutes": 20161, "action": "ROLLBACK"}
        balancer = {"containerName": "app", "containerPort": 8080, "targetGroupArn": "arn:aws:x"}
        for configuration, balancers, message in (
            ({"lifecycleHooks": [hook | {"lifecycleStages": ["POST_SCALE_UP"]}]}, [], "of the type AWS_LAMBDA"),
            ({"lifecycleHooks": [pause | {"lifecycleStages": ["PRE_SCALE_UP"]}]}, [], "in the stages PRE_SCALE_UP"),
            ({"lifecycleHooks": [pause | {"timeoutConfiguration": {}}]}, [], "pauses without timeout"),
            ({"lifecycleHooks": [pause | {"timeoutConfiguration": long}]}, [], "between 1 and 20160"),
            ({"lifecycleHooks": [pause, pause]}, [], "several lifecycle hooks"),
            ({"lifecycleHooks": [pause]}, [], "lifecycle hooks without a test listener rule"),
            ({"strategy": "LINEAR"}, [], "not rehearsed: the strategy LINEAR with 0 load balancers"),
            ({"strategy": "CANARY"}, [balancer], "advancedConfiguration field is required"),
            ({"strategy": "LINEAR", "canaryConfiguration": {}}, [balancer], "with the deployment strategy CANARY"),
            ({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 1}}, [balancer], "must be between 3.0"),
        ):
            with pytest.raises(ClientError, match=message):
                account.ecs.create_service(
                    cluster="shop",
                    serviceName="shop",
                    taskDefinition="shop",
                    deploymentConfiguration=configuration,
                    loadBalancers=balancers,
                )
