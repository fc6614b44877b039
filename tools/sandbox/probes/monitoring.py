"""CloudWatch: dashboards, metric math, and metrics in logs."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from ..registry import probe
from ..sandbox import Sandbox
from ..stacks import Stack, template
from ..verdicts import Verdict, decided


@probe("dashboard-before-alarms")
def dashboard_before_alarms(sandbox: Sandbox) -> Verdict:
    """A dashboard whose widget shows an alarm that does not exist."""
    arn = sandbox.arn("cloudwatch", f"alarm:{sandbox.name('missing')}")
    widget = {"type": "alarm", "width": 6, "height": 6, "properties": {"title": "Alarms", "alarms": [arn]}}
    body = {"DashboardName": sandbox.name("dashboard"), "DashboardBody": json.dumps({"widgets": [widget]})}
    resources = {"Dashboard": {"Type": "AWS::CloudWatch::Dashboard", "Properties": body}}
    stack = Stack.create(sandbox, "dashboard", template())
    status = stack.update(template(resources))
    return decided(
        status == "UPDATE_COMPLETE", f"the stack with the dashboard is in {status}. {stack.reason()}".strip()
    )


@probe("minute-without-data")
def minute_without_data(sandbox: Sandbox) -> Verdict:
    """An expression of the kit's alarms over a minute that has requests and no errors, and one that has both."""
    namespace, now = f"sandbox/{sandbox.run}", datetime.now(UTC).replace(second=0, microsecond=0)
    with_errors, without = now - timedelta(minutes=3), now - timedelta(minutes=2)
    values = [("errors", with_errors, 5), ("requests", with_errors, 10), ("requests", without, 10)]
    data = [{"MetricName": name, "Timestamp": moment, "Value": value} for name, moment, value in values]
    cloudwatch = sandbox.client("cloudwatch")
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)

    def metric(name: str) -> dict[str, Any]:
        stat = {"Metric": {"Namespace": namespace, "MetricName": name}, "Period": 60, "Stat": "Sum"}
        return {"Id": name, "MetricStat": stat, "ReturnData": True}

    expression = {"Id": "rate", "Expression": "IF(errors >= 3, 100 * errors / requests, 0)"}
    queries = [metric("errors"), metric("requests"), expression]

    def look() -> dict[str, dict[datetime, float]]:
        answer = cloudwatch.get_metric_data(
            MetricDataQueries=queries, StartTime=now - timedelta(minutes=10), EndTime=now + timedelta(minutes=1)
        )
        found = {
            one["Id"]: dict(zip(one["Timestamps"], one["Values"], strict=True)) for one in answer["MetricDataResults"]
        }
        return found if len(found["requests"]) == 2 and found["errors"] and found["rate"] else {}

    rates = sandbox.wait(look, "the arrival of the metrics", 600)["rate"]
    shown = ", ".join(f"{value:g}" for value in rates.values())
    return decided(
        list(rates.values()) == [50], f"of two minutes, the second one without errors, the expression has {shown}"
    )


@probe("embedded-metrics")
def embedded_metrics(sandbox: Sandbox) -> Verdict:
    """A line as the application logs it, one that is no document, and a metric that is published as the control."""
    namespace, group = f"sandbox/{sandbox.run}/embedded", sandbox.name("metrics")
    properties = {"LogGroupName": group, "RetentionInDays": 1}
    Stack.create(sandbox, "metrics", template({"Group": {"Type": "AWS::Logs::LogGroup", "Properties": properties}}))
    now = int(time.time() * 1000)

    def line(name: str, directives: str) -> dict[str, Any]:
        directive = {"Namespace": namespace, "Dimensions": [["environment"]], "Metrics": [{"Name": name}]}
        document: dict[str, Any] = {"level": "info", "environment": "live", "msg": "operations", name: [1, 2]}
        document["_aws"] = {"Timestamp": now, directives: [directive]}
        return {"timestamp": now, "message": json.dumps(document)}

    logs, cloudwatch = sandbox.client("logs"), sandbox.client("cloudwatch")
    logs.create_log_stream(logGroupName=group, logStreamName="task")
    events = [line("Ignored", "Other"), line("Embedded", "CloudWatchMetrics")]
    logs.put_log_events(logGroupName=group, logStreamName="task", logEvents=events)
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "Published", "Value": 1}])
    end = time.monotonic() + 900

    def look() -> set[str]:
        names = {one["MetricName"] for one in cloudwatch.list_metrics(Namespace=namespace)["Metrics"]}
        return names if "Published" in names and ("Embedded" in names or time.monotonic() > end) else set()

    found = sandbox.wait(look, "the arrival of a metric that was published", 1200)
    return decided(
        found == {"Embedded", "Published"}, f"of Embedded, Ignored and Published, {sorted(found)} became metrics"
    )
