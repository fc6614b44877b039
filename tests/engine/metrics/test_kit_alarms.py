"""The alarms of the generated service, on local AWS: real tasks, real traffic, and each fault seeded."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest

from scaffold.local.environment import running_local_aws
from tests.engine.conftest import eventually
from tests.engine.tasks.test_running import Account, resource, template
from tests.infrastructure.stacks import parse
from tests.kits import generate

GET = build_opener(ProxyHandler({})).open
SERVICE = "shop-live"
ALARMS = {"5xx", "load-balancer-5xx", "unhealthy", "latency", "no-healthy-task", "memory"}
CLIENTS = 4


class Service(Account):
    """The service, with the alarms of the templates."""

    def __init__(self, aws: Any, templates: Path) -> None:
        super().__init__(aws)
        self.cloudwatch = self.client("cloudwatch")
        self.create(SERVICE, with_exports(template(SERVICE, self.registry.push_server("shop"), count=1)))
        self.create("alarms", alarms_of_service(templates))
        self.create("shop-live-alarms", (templates / "alarms.yaml").read_text())

    def create(self, name: str, document: dict[str, Any] | str) -> None:
        body = document if isinstance(document, str) else json.dumps(document)
        given = {"AppName": "shop", "EnvironmentName": "live"}
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
        self.stacks.create_stack(StackName=name, TemplateBody=body, Parameters=parameters)
        assert self.settled(name) == "CREATE_COMPLETE", self.failure(name)

    def states(self) -> dict[str, str]:
        """The state of each alarm, by the last part of its name."""
        alarms = self.cloudwatch.describe_alarms()["MetricAlarms"]
        return {alarm["AlarmName"].removeprefix(f"{SERVICE}-"): alarm["StateValue"] for alarm in alarms}

    def in_alarm(self) -> set[str]:
        return {name for name, state in self.states().items() if state == "ALARM"}

    def judged(self) -> set[str]:
        """The alarms that have had data in the last minutes."""
        now = datetime.now(UTC)
        found = set()
        for alarm in self.cloudwatch.describe_alarms()["MetricAlarms"]:
            between = {"StartTime": now - timedelta(seconds=20), "EndTime": now}
            results = self.cloudwatch.get_metric_data(MetricDataQueries=alarm["Metrics"], **between)
            if any(result["Values"] for result in results["MetricDataResults"]):
                found.add(alarm["AlarmName"].removeprefix(f"{SERVICE}-"))
        return found

    @contextmanager
    def traffic(self, path: str) -> Iterator[None]:
        """Clients that send requests all the time."""
        ended, url = threading.Event(), self.url(SERVICE) + path

        def send() -> None:
            while not ended.wait(0.02):
                try:
                    GET(url, timeout=30).close()
                except (OSError, HTTPException):  # An answer that is an error is one too.
                    continue

        threads = [threading.Thread(target=send, daemon=True) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join()


def with_exports(document: dict[str, Any]) -> dict[str, Any]:
    """A template with the exports that the alarms need."""
    names = {
        "foundation-NotificationTopicArn": {"Ref": "Topic"},
        "foundation-RootCommit": "none",
        "live-environment-AlternateTargetGroupFullName": {"Fn::GetAtt": ["Other", "TargetGroupFullName"]},
        "live-environment-ClusterName": {"Ref": "Cluster"},
        "live-environment-LoadBalancerFullName": {"Fn::GetAtt": ["Balancer", "LoadBalancerFullName"]},
        "live-environment-LogGroupName": "/shop",
        "live-environment-TargetGroupFullName": {"Fn::GetAtt": ["Group", "TargetGroupFullName"]},
    }
    exports = {
        f"Export{number}": {"Value": value, "Export": {"Name": f"shop-{name}"}}
        for number, (name, value) in enumerate(names.items())
    }
    topic = {"Topic": resource("AWS::SNS::Topic", TopicName="notifications")}
    parameters = {name: {"Type": "String"} for name in ("AppName", "EnvironmentName")}
    return {
        "Parameters": parameters,
        "Resources": document["Resources"] | topic,
        "Outputs": document["Outputs"] | exports,
    }


def alarms_of_service(templates: Path) -> dict[str, Any]:
    """The alarms of service.yaml, without the service."""
    document = parse((templates / "service.yaml").read_text())
    kept = {}
    for name in ("NoHealthyTaskAlarm", "MemoryAlarm"):
        text = json.dumps({key: value for key, value in document["Resources"][name].items() if key != "DependsOn"})
        kept[name] = json.loads(text.replace('{"Fn::GetAtt": ["Service", "Name"]}', json.dumps(SERVICE)))
    parameters = {name: {"Type": "String"} for name in ("AppName", "EnvironmentName")}
    return {"Parameters": parameters, "Resources": kept}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A minute takes a second."""
    root = generate(tmp_path_factory.mktemp("generated") / "service", app_name="shop", environments="live")
    with running_local_aws(runs=True, speed=60) as aws:
        yield Service(aws, root / "infrastructure")


def reach(service: Service, check: Callable[[], bool]) -> None:
    assert eventually(check, 90), (service.states(), service.cloudwatch.describe_alarms()["MetricAlarms"])


@pytest.mark.slow
def test_the_alarms_see_what_happens(service: Service) -> None:
    assert set(service.states()) == ALARMS
    # No traffic, a healthy task.
    reach(service, lambda: set(service.states().values()) == {"OK"})
    reach(service, lambda: service.judged() == ALARMS - {"latency", "memory"})
    # Traffic without a fault.
    with service.traffic("/"):
        reach(service, lambda: service.judged() == ALARMS - {"memory"})
        assert "5xx" not in service.in_alarm()
    # Tasks answer 500.
    with service.traffic("/error"):
        reach(service, lambda: "5xx" in service.in_alarm())
        assert service.in_alarm() <= {"5xx", "latency"}
    reach(service, lambda: service.in_alarm() == set())
    # They are slow.
    with service.traffic("/slow"):
        reach(service, lambda: "latency" in service.in_alarm())
        assert not service.in_alarm() & {"5xx", "load-balancer-5xx"}
    reach(service, lambda: service.in_alarm() == set())
    # They fail their health checks.
    elb = service.client("elbv2")
    arns = [one["TargetGroupArn"] for one in elb.describe_target_groups()["TargetGroups"]]
    for arn in arns:
        elb.modify_target_group(TargetGroupArn=arn, HealthCheckPath="/error")
    reach(service, lambda: service.in_alarm() == {"unhealthy", "no-healthy-task"})
    for arn in arns:
        elb.modify_target_group(TargetGroupArn=arn, HealthCheckPath="/health")
    reach(service, lambda: service.in_alarm() == set())
    # There is none.
    service.ecs.update_service(cluster=SERVICE, service=SERVICE, desiredCount=0)
    reach(service, lambda: service.in_alarm() == {"no-healthy-task"})
    with service.traffic("/"):
        reach(service, lambda: service.in_alarm() == {"no-healthy-task", "load-balancer-5xx"})
    service.ecs.update_service(cluster=SERVICE, service=SERVICE, desiredCount=1)
    reach(service, lambda: service.in_alarm() == set())
