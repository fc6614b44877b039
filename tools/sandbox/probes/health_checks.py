"""Route 53: health checks, and their metrics in us-east-1."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ..registry import probe
from ..sandbox import Sandbox
from ..stacks import Stack, template
from ..verdicts import Undecided, Verdict, decided

# An endpoint of AWS that answers whoever asks.
_ENDPOINT = "checkip.amazonaws.com"
_METRICS = "us-east-1"
_VALUES = 3


@probe("new-health-check")
def new_health_check(sandbox: Sandbox) -> Verdict:
    """A health check as the kit has it, with the tags of its stack, and the first values of its metric."""
    configuration = {
        "Type": "HTTPS",
        "FullyQualifiedDomainName": _ENDPOINT,
        "Port": 443,
        "ResourcePath": "/",
        "EnableSNI": True,
        "RequestInterval": 30,
        "FailureThreshold": 3,
    }
    properties = {"HealthCheckConfig": configuration, "HealthCheckTags": sandbox.tags}
    made = {"Type": "AWS::Route53::HealthCheck", "Properties": properties}
    stack = Stack.create(sandbox, "health-check", template({"Check": made}))
    identifier = stack.resource("Check")
    if sandbox.account.local:
        raise Undecided("local AWS asks no endpoint, and has no values")
    now, cloudwatch = datetime.now(UTC), sandbox.client("cloudwatch", _METRICS)

    def look() -> list[float]:
        found = cloudwatch.get_metric_statistics(
            Namespace="AWS/Route53",
            MetricName="HealthCheckStatus",
            Dimensions=[{"Name": "HealthCheckId", "Value": identifier}],
            StartTime=now - timedelta(minutes=5),
            EndTime=datetime.now(UTC) + timedelta(minutes=1),
            Period=60,
            Statistics=["Minimum"],
        )["Datapoints"]
        values = [one["Minimum"] for one in sorted(found, key=lambda one: one["Timestamp"])]
        return values if len(values) >= _VALUES else []

    values = sandbox.wait(look, "the arrival of the first values", 900)
    shown = ", ".join(f"{value:g}" for value in values)
    return decided(set(values) == {1.0}, f"the stack was created; the first values of its health check are {shown}")
