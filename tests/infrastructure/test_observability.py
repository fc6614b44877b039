"""What `observability` adds: metrics that the application logs, their alarm, the dashboard, the collector."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from scaffold.engine.metrics.embedded import embedded
from scaffold.engine.metrics.expressions import names_in
from scaffold.engine.metrics.store import Metric
from scaffold.engine.tasks.processes import node
from tests.infrastructure.cloudwatch import history
from tests.infrastructure.dashboards import lines, widgets
from tests.infrastructure.rules import every
from tests.infrastructure.stacks import REGION, Stacks
from tests.kits import ROOT

OPERATIONS = ROOT / "template/app/src/{% if observability != 'off' %}operations.js{% endif %}"
# The lines of a task: a minute in which one of four greetings fails.
PLAY = """
import { createOperations } from '%s';
const base = { service: 'hello-service', environment: 'live', version: '0a1b2c' };
const info = (line) => console.log(JSON.stringify({ ...base, ...line }));
const operations = createOperations({ logger: { bindings: () => base, child: () => ({ info }) }, seconds: 60 });
for (let i = 0; i < 40; i += 1)
  await operations.run('greeting', () => { if (i %% 4 === 0) throw new Error('no'); }).catch(() => {});
operations.log();
"""
# Documented, and not published by local AWS.
DOCUMENTED = {
    ("AWS/ApplicationELB", "ConsumedLCUs"): {"LoadBalancer"},
    ("AWS/ECS", "CPUUtilization"): {"ClusterName", "ServiceName"},
    ("AWS/ECS", "MemoryUtilization"): {"ClusterName", "ServiceName"},
    ("AWS/Logs", "IncomingBytes"): {"LogGroupName"},
}
BALANCED = {
    "HealthyHostCount": [{"LoadBalancer", "TargetGroup"}],
    "RequestCount": [{"LoadBalancer"}, {"LoadBalancer", "TargetGroup"}],
    "HTTPCode_Target_5XX_Count": [{"LoadBalancer"}, {"LoadBalancer", "TargetGroup"}],
    "HTTPCode_ELB_5XX_Count": [{"LoadBalancer"}],
    "TargetResponseTime": [{"LoadBalancer"}, {"LoadBalancer", "TargetGroup"}],
}
SEARCH = re.compile(r"SEARCH\('\{\"([^\"]+)\",(\w+),(\w+)\} MetricName=\"(\w+)\" (\w+)=\"(\w+)\"', '(\w+)', 60\)")


@pytest.fixture(scope="module")
def service(stacks_of: Callable[..., Stacks]) -> Stacks:
    return stacks_of(environments="dev,live", customize=True, observability="full")


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> dict[Metric, float]:
    """The metrics that the application logs, with the highest value of each."""
    module = tmp_path_factory.mktemp("app") / "operations.mjs"
    module.write_text(OPERATIONS.read_text())
    command = [node() or "node", "--input-type=module", "--eval", PLAY % module]
    (line,) = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return {metric: samples.maximum for metric, samples, _, _ in embedded(line, REGION)}


def test_the_dashboard_shows_metrics_that_exist(service: Stacks, logged: dict[Metric, float]) -> None:
    shown = widgets(service)["hello-service-live"]
    for widget in shown:
        found = list(lines(widget))
        ids = {line.options["id"] for line in found if "id" in line.options}
        for line in found:
            if search := SEARCH.fullmatch(line.expression):
                namespace, *dimensions, name, key, value, stat = search.groups()
                matching = [
                    metric
                    for metric in logged
                    if (metric.namespace, metric.name) == (namespace, name)
                    and {one for one, _ in metric.dimensions} == set(dimensions)
                    and (key, value) in metric.dimensions
                ]
                assert (len(matching), stat) == (1, "Sum")
            elif line.expression:
                assert names_in(line.expression) <= ids
            elif line.namespace == "AWS/ApplicationELB" and line.name in BALANCED:
                assert {name for name, _ in line.dimensions} in BALANCED[line.name]
            elif line.namespace.startswith("AWS/"):
                assert {name for name, _ in line.dimensions} == DOCUMENTED[line.namespace, line.name]
            else:
                assert Metric(REGION, line.namespace, line.name, tuple(sorted(line.dimensions))) in logged
    # Nothing covers anything else, and nothing is outside of the 24 columns.
    cells = [
        (x, y)
        for widget in shown
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    # Every alarm of the environment is shown.
    names = {alarm["AlarmName"] for _, _, alarm in every(service, "AWS::CloudWatch::Alarm")}
    (alarms,) = [widget["properties"]["alarms"] for widget in shown if widget["type"] == "alarm"]
    assert {arn.rpartition(":")[2] for arn in alarms} == {name for name in names if "-live-" in name}


def test_the_alarm_reads_what_the_application_logs(service: Stacks, logged: dict[Metric, float]) -> None:
    (alarm,) = [
        alarm
        for _, _, alarm in every(service, "AWS::CloudWatch::Alarm")
        if alarm["AlarmName"] == "hello-service-live-operations"
    ]
    (query,) = alarm["Metrics"]
    given = query["MetricStat"]["Metric"]
    dimensions = {one["Name"]: one["Value"] for one in given["Dimensions"]}
    assert logged[Metric.of(REGION, given["Namespace"], given["MetricName"], dimensions)] == 25

    def states(values: dict[int, float]) -> list[str]:
        return history(alarm, lambda _: values, range(30), 1)

    assert "ALARM" not in states({})  # A night without operations.
    assert "ALARM" not in states(dict.fromkeys(range(30), 4.0))
    assert "ALARM" not in states({20: 100.0})
    assert "ALARM" in states(dict.fromkeys(range(20, 24), 25.0))
    # The worst of the tasks: a canary among others.
    assert query["MetricStat"]["Stat"] == "Maximum"


def test_the_collector_cannot_harm_the_application(service: Stacks) -> None:
    found = every(service, "AWS::ECS::TaskDefinition")
    for _, _, definition in found:
        app, collector = definition["ContainerDefinitions"]
        assert (app["Name"], collector["Name"], collector["Essential"]) == ("app", "collector", False)
        assert app["Cpu"] + collector["Cpu"] == int(definition["Cpu"])
        assert collector["Memory"] * 2 <= int(definition["Memory"])
        assert re.fullmatch(r"public\.ecr\.aws/aws-observability/aws-otel-collector:v\d+\.\d+\.\d+", collector["Image"])
        given = {one["Name"]: one["Value"] for one in app["Environment"]}
        configuration = yaml.safe_load(collector["Environment"][0]["Value"])
        (receiver,) = configuration["receivers"]["otlp"]["protocols"].values()
        assert given["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"http://{receiver['endpoint']}"
        assert configuration["processors"]["memory_limiter"]["limit_mib"] < collector["Memory"]
        for pipeline in configuration["service"]["pipelines"].values():
            for kind in ("receivers", "processors", "exporters"):
                assert set(pipeline[kind]) <= set(configuration[kind])
        assert (
            app["LogConfiguration"]["Options"]["awslogs-group"]
            == collector["LogConfiguration"]["Options"]["awslogs-group"]
        )


def test_container_insights_are_on_in_production_with_full(stacks_of: Callable[..., Stacks]) -> None:
    def insights(**answers: Any) -> dict[str, str]:
        return {
            properties["ClusterName"].rpartition("-")[2]: properties["ClusterSettings"][0]["Value"]
            for _, _, properties in every(stacks_of(**answers), "AWS::ECS::Cluster")
        }

    given = {"environments": "dev,live", "customize": True}
    assert insights(**given, observability="full") == {"dev": "disabled", "live": "enhanced"}
    assert insights(**given, observability="standard") == {"dev": "disabled", "live": "disabled"}
    chosen = {"dev": {"container_insights": True}, "live": {"container_insights": False}}
    assert insights(**given, observability="full", environment_overrides=chosen) == {
        "dev": "enhanced",
        "live": "disabled",
    }


def test_tasks_may_send_traces_and_nothing_else(service: Stacks) -> None:
    policies = [policy for _, _, policy in every(service, "AWS::IAM::Policy")]
    assert len(policies) == 2
    for policy in policies:
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert (statement["Action"], statement["Resource"]) == ("xray:PutTraceSegments", "*")
    boundaries = [
        policy["PolicyDocument"]["Statement"]
        for stack, logical, policy in every(service, "AWS::IAM::ManagedPolicy")
        if (stack.kind, logical) == ("deploy-role", "Boundary")
    ]
    assert len(boundaries) == 2
    for statements in boundaries:
        assert [one["Action"] for one in statements if one["Sid"] == "Traces"] == ["xray:PutTraceSegments"]


def test_without_it_nothing_of_it_is_generated(stacks_of: Callable[..., Stacks]) -> None:
    text = json.dumps([stack.template for stack in stacks_of().values()])
    for word in ("xray", "OTEL_", "collector", "FailedPercent", "operations"):
        assert word not in text
