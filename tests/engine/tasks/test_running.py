"""A service on local AWS really runs: releases under traffic, failures, rollbacks, and an end without a trace."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import boto3
import pytest
from botocore.exceptions import ClientError

from scaffold.local.environment import LocalAws, running_local_aws
from tests.engine.tasks.standin import Registry

GET = build_opener(ProxyHandler({})).open
HEALTH = "fetch('http://127.0.0.1:8080/health').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"
ELB = "AWS::ElasticLoadBalancingV2"


class Account:
    """A local AWS that runs, with one cluster and one load balancer."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        target = aws.target
        assert target.endpoint
        self.endpoint = target.endpoint.url
        self._session = boto3.session.Session(target.endpoint.access_key, target.endpoint.secret_key)
        self.registry = Registry(self.endpoint)
        self.ecs, self.stacks = self.client("ecs"), self.client("cloudformation")
        self.client("ecr").create_repository(repositoryName="shop")
        self.client("logs").create_log_group(logGroupName="/shop")

    def client(self, service: str) -> Any:
        return self._session.client(service, "us-east-1", endpoint_url=self.endpoint)

    def deploy(self, name: str, image: str, **more: Any) -> str:
        """Create or update the stack of a service, wait for the end, and return its status."""
        exists = name in [stack["StackName"] for stack in self.stacks.describe_stacks()["Stacks"]]
        action = self.stacks.update_stack if exists else self.stacks.create_stack
        action(StackName=name, TemplateBody=json.dumps(template(name, image, **more)))
        return self.settled(name)

    def settled(self, name: str) -> str:
        end = time.monotonic() + 90
        while (status := self.stack(name)["StackStatus"]).endswith("IN_PROGRESS"):
            assert time.monotonic() < end, status
            time.sleep(0.1)
        return str(status)

    def stack(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.stacks.describe_stacks(StackName=name)["Stacks"][0]
        return found

    def failure(self, name: str) -> str:
        events = self.stacks.describe_stack_events(StackName=name)["StackEvents"]
        return next(e["ResourceStatusReason"] for e in events if e["ResourceStatus"].endswith("FAILED"))

    def url(self, name: str) -> str:
        return str(self.stack(name)["Outputs"][0]["OutputValue"])

    def get(self, name: str, path: str = "/") -> str:
        with GET(self.url(name) + path, timeout=20) as answer:
            return str(answer.read().decode())

    def service(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ecs.describe_services(cluster=name, services=[name])["services"][0]
        return found

    def tasks(self, name: str, status: str = "RUNNING") -> list[dict[str, Any]]:
        arns = self.ecs.list_tasks(cluster=name, serviceName=name, desiredStatus=status)["taskArns"]
        found: list[dict[str, Any]] = self.ecs.describe_tasks(cluster=name, tasks=arns)["tasks"] if arns else []
        return found

    def delete(self, name: str) -> None:
        self.stacks.delete_stack(StackName=name)
        wait(lambda: name not in [one["StackName"] for one in self.stacks.describe_stacks()["Stacks"]])


def wait(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def group() -> dict[str, Any]:
    return resource(
        f"{ELB}::TargetGroup",
        TargetType="ip",
        Port=8080,
        Protocol="HTTP",
        HealthCheckPath="/health",
        HealthCheckIntervalSeconds=5,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
        TargetGroupAttributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "5"}],
    )


def template(name: str, image: str, count: int | None = None, grace: int = 10, **variables: str) -> dict[str, Any]:
    """A service behind a load balancer, with the properties that the kit's templates use."""
    container = {
        "Name": "app",
        "Image": image,
        "PortMappings": [{"ContainerPort": "8080"}],
        "Environment": [{"Name": key, "Value": value} for key, value in variables.items()],
        "HealthCheck": {"Command": ["CMD", "node", "-e", HEALTH], "Interval": 10, "Timeout": 5, "StartPeriod": 15},
        "StopTimeout": 5,
        "LogConfiguration": {
            "LogDriver": "awslogs",
            "Options": {"awslogs-group": "/shop", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "tasks"},
        },
    }
    forward = [{"TargetGroupArn": {"Ref": one}, "Weight": weight} for one, weight in (("Group", 100), ("Other", 0))]
    none = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"}}
    definition = resource(
        "AWS::ECS::TaskDefinition",
        Family=name,
        Cpu="256",
        Memory="512",
        NetworkMode="awsvpc",
        RequiresCompatibilities=["FARGATE"],
        ContainerDefinitions=[container],
    )
    service = resource(
        "AWS::ECS::Service",
        ServiceName=name,
        Cluster={"Ref": "Cluster"},
        TaskDefinition={"Ref": "Definition"},
        LoadBalancers=[{"ContainerName": "app", "ContainerPort": 8080, "TargetGroupArn": {"Ref": "Group"}}],
        HealthCheckGracePeriodSeconds=grace,
        DeploymentConfiguration={
            "MinimumHealthyPercent": 100,
            "MaximumPercent": 200,
            "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
        },
        **({} if count is None else {"DesiredCount": count}),
    )
    resources = {
        "Balancer": resource(f"{ELB}::LoadBalancer", Subnets=["subnet-1", "subnet-2"]),
        "Listener": resource(
            f"{ELB}::Listener", LoadBalancerArn={"Ref": "Balancer"}, Port=80, Protocol="HTTP", DefaultActions=[none]
        ),
        "Rule": resource(
            f"{ELB}::ListenerRule",
            ListenerArn={"Ref": "Listener"},
            Priority=1000,
            Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}],
            Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": forward}}],
        ),
        "Group": group(),
        "Other": group(),
        "Cluster": resource("AWS::ECS::Cluster", ClusterName=name),
        "Definition": definition | {"UpdateReplacePolicy": "Retain"},
        "Service": service | {"DependsOn": "Rule"},
    }
    return {"Resources": resources, "Outputs": {"Url": {"Value": {"Fn::Sub": "http://${Balancer.DNSName}"}}}}


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with running_local_aws(runs=True) as aws:
        yield Account(aws)


@pytest.fixture(scope="module")
def image(account: Account) -> str:
    return account.registry.push_server("shop")


class Client:
    """Sends requests all the time."""

    def __init__(self, url: str) -> None:
        self.answers: set[str] = set()
        self.failures: list[str] = []
        self.failed_at: list[datetime] = []
        self.outcomes: Counter[str] = Counter()
        self.ended = threading.Event()
        self._url = url

    def run(self) -> None:
        while not self.ended.wait(0.01):
            try:
                with GET(self._url, timeout=20) as answer:
                    self.answers.add(answer.read().decode())
                self.outcomes["answered"] += 1
            except (OSError, HTTPException) as error:
                self.failures.append(str(error))
                self.failed_at.append(datetime.now(UTC))
                self.outcomes["failed"] += 1


@contextmanager
def constant_client(url: str) -> Iterator[Client]:
    client = Client(url)
    thread = threading.Thread(target=client.run)
    thread.start()
    try:
        yield client
    finally:
        client.ended.set()
        thread.join()


@pytest.mark.slow
def test_releases_and_rollbacks_fail_no_request(account: Account, image: str) -> None:
    assert account.deploy("shop", image, APP_VERSION="1") == "CREATE_COMPLETE"
    assert account.url("shop").startswith("http://127.0.0.1:")
    assert account.get("shop") == "1"
    before = account.service("shop")["taskDefinition"]
    with constant_client(account.url("shop")) as client:
        assert account.deploy("shop", image, APP_VERSION="2") == "UPDATE_COMPLETE"
        assert account.get("shop") == "2"
        good = account.service("shop")["taskDefinition"]
        assert good != before
        assert account.deploy("shop", image, APP_VERSION="3", FAIL="exit") == "UPDATE_ROLLBACK_COMPLETE"
        assert "'ECS Deployment Circuit Breaker was triggered'" in account.failure("shop")
        time.sleep(0.5)
    assert client.failures == []
    assert client.answers == {"1", "2"}
    service = account.service("shop")
    assert (service["taskDefinition"], service["runningCount"]) == (good, 1)
    assert [one["rolloutState"] for one in service["deployments"]] == ["COMPLETED"]
    assert [one["runningTaskCount"] for one in service["currentServiceRevisions"]] == [1]
    listed = account.ecs.list_service_deployments(cluster="shop", service="shop")["serviceDeployments"]
    assert [one["status"] for one in listed] == ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL"]
    # The newest one, though the revision of the one before is current.
    arn = service["currentServiceDeployment"]
    assert arn == listed[0]["serviceDeploymentArn"]
    assert service["currentServiceRevisions"][0]["arn"] == listed[1]["targetServiceRevisionArn"]
    (described,) = account.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"]
    assert described["statusReason"] == "ECS deployment circuit breaker: tasks failed to start."
    with pytest.raises(account.ecs.exceptions.ConflictException):
        account.ecs.stop_service_deployment(serviceDeploymentArn=arn)
    failed = [one for one in account.tasks("shop", "STOPPED") if one["stopCode"] == "EssentialContainerExited"]
    assert [one["containers"][0]["exitCode"] for one in failed] == [3, 3, 3]
    messages = [one["message"] for one in service["events"]]
    assert "(service shop) has reached a steady state." in messages
    logs = account.client("logs")
    streams = [one["logStreamName"] for one in logs.describe_log_streams(logGroupName="/shop")["logStreams"]]
    running = account.tasks("shop")[0]["taskArn"].rpartition("/")[2]
    stream = f"tasks/app/{running}"
    assert stream in streams
    found = logs.get_log_events(logGroupName="/shop", logStreamName=stream)["events"]
    assert [one["message"] for one in found] == ["version 2 listens"]


@pytest.mark.slow
def test_tasks_are_replaced_counted_and_described(account: Account, image: str) -> None:
    assert account.deploy("crew", image, count=2, APP_VERSION="1", PORT="8080") == "CREATE_COMPLETE"
    assert account.ecs.describe_clusters(clusters=["crew"])["clusters"][0]["runningTasksCount"] == 2
    (target,) = {
        one["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] for one in account.tasks("crew")[:1]
    }
    health = account.client("elbv2").describe_target_health(
        TargetGroupArn=account.service("crew")["loadBalancers"][0]["targetGroupArn"]
    )
    states = {one["Target"]["Id"]: one["TargetHealth"]["State"] for one in health["TargetHealthDescriptions"]}
    assert len(states) == 2
    assert states[target] == "healthy"

    assert account.get("crew", "/crash") == "bye"
    wait(lambda: any(one.get("stopCode") == "EssentialContainerExited" for one in account.tasks("crew", "STOPPED")))
    wait(lambda: account.service("crew")["runningCount"] == 2)
    first = account.tasks("crew")[0]["taskArn"]
    account.ecs.stop_task(cluster="crew", task=first, reason="by hand")
    wait(lambda: first in [one["taskArn"] for one in account.tasks("crew", "STOPPED") if one.get("stopCode")])
    stopped = {one["taskArn"]: one for one in account.tasks("crew", "STOPPED")}[first]
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "by hand")

    scaling = account.client("application-autoscaling")
    limits = {
        "ServiceNamespace": "ecs",
        "ResourceId": "service/crew/crew",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    scaling.register_scalable_target(**limits, MinCapacity=3, MaxCapacity=4)
    wait(lambda: account.service("crew")["runningCount"] == 3)
    wait(lambda: {one["healthStatus"] for one in account.tasks("crew")} == {"HEALTHY"})
    account.ecs.update_service(cluster="crew", service="crew", desiredCount=1)
    wait(lambda: len(account.tasks("crew")) == 1 and account.service("crew")["runningCount"] == 1)
    environment = json.loads(account.get("crew", "/environment"))
    assert (environment["AWS_REGION"], environment["AWS_EXECUTION_ENV"]) == ("us-east-1", "AWS_ECS_FARGATE")
    assert environment["NODE_ENV"] == "production"
    assert account.get("crew", "/aws") == "200"  # A task reaches local AWS.

    port = int(account.url("crew").rpartition(":")[2])
    account.delete("crew")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)
    wait(lambda: not tasks_of(account.aws.process.pid, "APP_VERSION=1\0PORT=8080"))


def test_what_cannot_run_says_why(account: Account, image: str) -> None:
    foreign = account.registry.push("shop", Labels={})
    assert account.deploy("foreign", foreign, APP_VERSION="1") == "ROLLBACK_COMPLETE"
    assert "Circuit Breaker was triggered" in account.failure("foreign")
    account.ecs.create_cluster(clusterName="foreign")
    account.ecs.register_task_definition(family="foreign", containerDefinitions=[{"name": "app", "image": foreign}])
    account.ecs.create_service(cluster="foreign", serviceName="foreign", taskDefinition="foreign", desiredCount=1)
    wait(lambda: bool(account.tasks("foreign", "STOPPED")))
    (task, *_) = account.tasks("foreign", "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert "needs a container engine" in task["stoppedReason"]
    account.ecs.delete_service(cluster="foreign", service="foreign", force=True)
    assert account.ecs.list_services(cluster="foreign")["serviceArns"] == []
    with pytest.raises(ClientError, match="Network Configuration must be provided"):
        account.ecs.run_task(cluster="foreign", taskDefinition="foreign")
    with pytest.raises(ClientError, match="not rehearsed: the scheduling strategy DAEMON"):
        account.ecs.create_service(
            cluster="foreign", serviceName="x", taskDefinition="foreign", schedulingStrategy="DAEMON"
        )
    balancers = [{"containerName": "app", "containerPort": 8080, "targetGroupArn": "arn:aws:x"}]
    with pytest.raises(ClientError, match="does not have an associated load balancer"):
        account.ecs.create_service(
            cluster="foreign", serviceName="x", taskDefinition="foreign", desiredCount=1, loadBalancers=balancers
        )


@pytest.mark.slow
def test_an_unhealthy_version_is_rolled_back(account: Account, image: str) -> None:
    assert account.deploy("sick", image, grace=0, APP_VERSION="1") == "CREATE_COMPLETE"
    status = account.deploy("sick", image, grace=0, APP_VERSION="2", FAIL="unhealthy")
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    reasons = {one["stoppedReason"] for one in account.tasks("sick", "STOPPED")}
    assert reasons <= {"Task failed ELB health checks", "Task failed container health checks"}
    assert account.get("sick") == "1"


@pytest.mark.slow
def test_a_hung_deployment_is_stopped(account: Account, image: str) -> None:
    assert account.deploy("hung", image, APP_VERSION="1") == "CREATE_COMPLETE"
    body = template("hung", image, grace=3600, APP_VERSION="2", FAIL="unhealthy")
    account.stacks.update_stack(StackName="hung", TemplateBody=json.dumps(body))

    def in_progress() -> list[str]:
        given = {"cluster": "hung", "service": "hung", "status": ["IN_PROGRESS"]}
        listed = account.ecs.list_service_deployments(**given)["serviceDeployments"]
        return [one["serviceDeploymentArn"] for one in listed]

    wait(lambda: bool(in_progress()) and len(account.tasks("hung")) == 2)
    assert account.stack("hung")["StackStatus"] == "UPDATE_IN_PROGRESS"
    account.ecs.stop_service_deployment(serviceDeploymentArn=in_progress()[0])
    assert account.settled("hung") == "UPDATE_ROLLBACK_COMPLETE"
    assert account.get("hung") == "1"


def tasks_of(server: int, mark: str) -> list[int]:
    """The processes below the server of local AWS whose environment has a mark."""
    found = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in found.splitlines()[1:]]
    below = {server}
    while more := {pid for pid, parent in pairs if parent in below} - below:
        below |= more
    matching = []
    for pid in below - {server}:
        with suppress(OSError):
            if mark in Path(f"/proc/{pid}/environ").read_text(errors="replace"):
                matching.append(pid)
    return matching


@pytest.mark.slow
def test_without_namespaces_tasks_have_ports_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in ("git", "sh"):
        (tmp_path / program).symlink_to(shutil.which(program) or "")
    monkeypatch.setenv("PATH", str(tmp_path))  # Without unshare, as on macOS.
    with running_local_aws(runs=True) as aws:
        account = Account(aws)
        image = account.registry.push_server("shop")
        assert account.deploy("shop", image, count=2, APP_VERSION="1", PORT="8080") == "CREATE_COMPLETE"
        assert json.loads(account.get("shop", "/environment"))["PORT"] != "8080"
        with constant_client(account.url("shop")) as client:
            assert account.deploy("shop", image, count=2, APP_VERSION="2", PORT="8080") == "UPDATE_COMPLETE"
        assert client.failures == []
        monkeypatch.undo()
        pids = tasks_of(aws.process.pid, "APP_VERSION=2")
        assert len(pids) == 2
        os.kill(aws.process.pid, signal.SIGKILL)
        wait(lambda: not any(Path(f"/proc/{pid}/environ").exists() for pid in pids), 10)


def test_nothing_outlives_a_killed_server() -> None:
    with running_local_aws(runs=True) as aws:
        account = Account(aws)
        account.deploy("shop", account.registry.push_server("shop"), APP_VERSION="killed")
        pids = tasks_of(aws.process.pid, "APP_VERSION=killed")
        assert pids
        os.kill(aws.process.pid, signal.SIGKILL)
        wait(lambda: not any(Path(f"/proc/{pid}/environ").exists() for pid in pids), 10)
