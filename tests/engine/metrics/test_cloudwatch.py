"""CloudWatch of a local AWS that runs: its metrics and alarms, with a stock client. A minute takes a second there."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import boto3
import pytest
from botocore.exceptions import ClientError

from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY
from scaffold.local.environment import running_local_aws
from tests.engine.conftest import REGION, Client, eventually, name_of

OPEN = build_opener(ProxyHandler({})).open


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running_local_aws(REGION, runs=True, speed=60) as aws:
        yield aws.variables["AWS_ENDPOINT_URL"]


@pytest.fixture(scope="module")
def client(endpoint: str) -> Client:
    session = boto3.session.Session(ACCESS_KEY, SECRET_KEY)

    @functools.cache
    def make(service: str) -> Any:
        return session.client(service, REGION, endpoint_url=endpoint)

    return make


@pytest.fixture
def cloudwatch(client: Client) -> Any:
    return client("cloudwatch")


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> str:
    """Each test has metrics of its own."""
    return name_of(request)


def at(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


def query(namespace: str, name: str = "orders", stat: str = "Sum", **more: Any) -> dict[str, Any]:
    metric = {"Namespace": namespace, "MetricName": name}
    return {"Id": name, "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}, **more}


def state(cloudwatch: Any, name: str) -> dict[str, Any]:
    (found,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return dict(found)


def test_metrics_are_published_and_read(cloudwatch: Any, namespace: str) -> None:
    """All moments are real; a period of 60 seconds lasts one."""
    start = int(time.time()) - 30
    shop = [{"Name": "Shop", "Value": "one"}]
    cloudwatch.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {"MetricName": "orders", "Dimensions": shop, "Timestamp": at(start + 0.5), "Value": 3, "Unit": "Count"},
            {
                "MetricName": "orders",
                "Dimensions": shop,
                "Timestamp": at(start + 0.9),
                "Values": [1, 2],
                "Counts": [4, 1],
                "Unit": "Count",
            },
            {"MetricName": "orders", "Dimensions": shop, "Timestamp": at(start + 1.5), "Value": 10, "Unit": "Count"},
            {"MetricName": "orders", "Timestamp": at(start), "Value": 100},
        ],
    )
    asked = {"Namespace": namespace, "MetricName": "orders", "Dimensions": shop, "Period": 60}
    asked |= {"StartTime": at(start), "EndTime": at(start + 2)}
    found = cloudwatch.get_metric_statistics(**asked, Statistics=["Sum", "Maximum"], ExtendedStatistics=["p50"])
    first, second = sorted(found["Datapoints"], key=lambda point: point["Timestamp"])
    assert [first["Timestamp"].timestamp(), second["Timestamp"].timestamp()] == [start, start + 1]
    assert (first["Sum"], first["Maximum"], first["ExtendedStatistics"], first["Unit"]) == (9, 3, {"p50": 1}, "Count")
    assert cloudwatch.get_metric_statistics(**asked, Statistics=["Sum"], Unit="Seconds")["Datapoints"] == []
    listed = cloudwatch.list_metrics(Namespace=namespace, Dimensions=[{"Name": "Shop"}])["Metrics"]
    assert listed == [{"Namespace": namespace, "MetricName": "orders", "Dimensions": shop}]
    assert len(cloudwatch.list_metrics(Namespace=namespace)["Metrics"]) == 2


def test_expressions_are_computed(cloudwatch: Any, namespace: str) -> None:
    start = int(time.time()) - 30
    data = [{"MetricName": "orders", "Timestamp": at(start + second), "Value": second} for second in (0, 1, 3)]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
    queries = [query(namespace, ReturnData=False), {"Id": "twice", "Expression": "2 * FILL(orders, 5)"}]
    between = {"StartTime": at(start), "EndTime": at(start + 4)}
    (found,) = cloudwatch.get_metric_data(MetricDataQueries=queries, **between)["MetricDataResults"]
    assert found["Values"] == [6, 10, 2, 0]
    assert [moment.timestamp() - start for moment in found["Timestamps"]] == [3, 2, 1, 0]
    (found,) = cloudwatch.get_metric_data(MetricDataQueries=queries, ScanBy="TimestampAscending", **between)[
        "MetricDataResults"
    ]
    assert found["Values"] == [0, 2, 10, 6]
    with pytest.raises(ClientError, match="not rehearsed: the function RATE"):
        cloudwatch.get_metric_data(
            MetricDataQueries=[query(namespace), {"Id": "e", "Expression": "RATE(orders)"}], **between
        )


def test_namespaces_of_aws_are_refused(cloudwatch: Any) -> None:
    with pytest.raises(ClientError, match="AWS/ApplicationELB for parameter Namespace is invalid"):
        cloudwatch.put_metric_data(Namespace="AWS/ApplicationELB", MetricData=[{"MetricName": "x", "Value": 1}])


def test_clients_of_the_older_protocol_are_answered(endpoint: str, cloudwatch: Any, namespace: str) -> None:
    """Forms and XML, which older clients send and read."""

    def call(action: str, **parameters: str) -> str:
        form = urlencode({"Action": action, "Version": "2010-08-01", **parameters}).encode()
        signed = f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/{REGION}/monitoring/aws4_request, Signature=0"
        kind = "application/x-www-form-urlencoded"
        with OPEN(Request(endpoint, form, {"Content-Type": kind, "Authorization": signed}), timeout=30) as answer:
            return str(answer.read().decode())

    call(
        "PutMetricData",
        **{
            "Namespace": namespace,
            "MetricData.member.1.MetricName": "orders",
            "MetricData.member.1.Value": "7",
            "MetricData.member.1.Timestamp": "2026-01-01T00:00:00Z",
            "MetricData.member.1.Dimensions.member.1.Name": "Shop",
            "MetricData.member.1.Dimensions.member.1.Value": "one",
        },
    )
    stat = "MetricDataQueries.member.1.MetricStat"
    answer = call(
        "GetMetricData",
        **{
            "StartTime": "2026-01-01T00:00:00Z",
            "EndTime": "2026-01-01T00:01:00Z",
            "MetricDataQueries.member.1.Id": "m",
            f"{stat}.Metric.Namespace": namespace,
            f"{stat}.Metric.MetricName": "orders",
            f"{stat}.Metric.Dimensions.member.1.Name": "Shop",
            f"{stat}.Metric.Dimensions.member.1.Value": "one",
            f"{stat}.Period": "60",
            f"{stat}.Stat": "Sum",
        },
    )
    assert "<Values><member>7.0</member></Values>" in answer
    assert "<Timestamps><member>2026-01-01T00:00:00+00:00</member></Timestamps>" in answer
    call(
        "PutMetricAlarm",
        **{
            "AlarmName": namespace,
            "ComparisonOperator": "GreaterThanThreshold",
            "EvaluationPeriods": "1",
            "Threshold": "0.5",
            "Metrics.member.1.Id": "m",
            "Metrics.member.1.Expression": "RATE(n)",
            "Metrics.member.1.ReturnData": "false",
        },
    )
    found = state(cloudwatch, namespace)
    assert found["Metrics"] == [{"Id": "m", "Expression": "RATE(n)", "ReturnData": False}]
    assert found["Threshold"] == 0.5


@pytest.mark.slow
def test_an_alarm_changes_its_state_and_tells_of_it(client: Client, cloudwatch: Any, namespace: str) -> None:
    topic = client("sns").create_topic(Name=namespace)["TopicArn"]
    queues = {}
    for kind in ("messages", "events"):
        url = client("sqs").create_queue(QueueName=f"{namespace[:60]}-{kind}")["QueueUrl"]
        queues[kind] = (url, f"arn:aws:sqs:{REGION}:000000000000:{url.rpartition('/')[2]}")
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queues["messages"][1])
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": [namespace]}}
    client("events").put_rule(Name=namespace, EventPattern=json.dumps(pattern))
    client("events").put_targets(Rule=namespace, Targets=[{"Id": "1", "Arn": queues["events"][1]}])
    cloudwatch.put_metric_alarm(
        AlarmName=namespace,
        AlarmDescription="Too many orders",
        ComparisonOperator="GreaterThanThreshold",
        Threshold=5,
        EvaluationPeriods=3,
        DatapointsToAlarm=2,
        TreatMissingData="notBreaching",
        AlarmActions=[topic],
        OKActions=[topic],
        Metrics=[{"Id": "rate", "Expression": "10 * orders"}, query(namespace, ReturnData=False)],
    )
    assert eventually(lambda: state(cloudwatch, namespace)["StateValue"] == "OK")

    def publish() -> dict[str, Any] | None:
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "orders", "Value": 1}])
        found = state(cloudwatch, namespace)
        return found if found["StateValue"] == "ALARM" else None

    found = eventually(publish)
    assert "greater than the threshold (5.0) (minimum 2 datapoints for OK -> ALARM transition)" in found["StateReason"]
    assert json.loads(found["StateReasonData"])["threshold"] == 5
    assert eventually(lambda: state(cloudwatch, namespace)["StateValue"] == "OK")

    def received(kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []

        def receive() -> bool:
            answer = client("sqs").receive_message(QueueUrl=queues[kind][0], MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                found.append(json.loads(message["Body"]))
                client("sqs").delete_message(QueueUrl=queues[kind][0], ReceiptHandle=message["ReceiptHandle"])
            return len(found) >= 3

        assert eventually(receive)
        return found

    messages = [json.loads(one["Message"]) for one in received("messages")]
    assert {(one["OldStateValue"], one["NewStateValue"]) for one in messages} == {
        ("ALARM", "OK"),
        ("INSUFFICIENT_DATA", "OK"),
        ("OK", "ALARM"),
    }
    assert {one["AlarmName"] for one in messages} == {namespace}
    events = {one["detail"]["state"]["value"]: one for one in received("events")}
    alarm = events["ALARM"]
    assert (alarm["detail-type"], alarm["resources"]) == ("CloudWatch Alarm State Change", [found["AlarmArn"]])
    assert alarm["detail"]["previousState"]["value"] == "OK"
    assert alarm["detail"]["configuration"]["description"] == "Too many orders"
    assert alarm["detail"]["configuration"]["metrics"][0]["expression"] == "10 * orders"
    history = cloudwatch.describe_alarm_history(AlarmName=namespace, HistoryItemType="StateUpdate")
    assert "Alarm updated from OK to ALARM" in [item["HistorySummary"] for item in history["AlarmHistoryItems"]]


def test_a_new_alarm_has_nothing_of_a_deleted_one(client: Client, cloudwatch: Any, namespace: str) -> None:
    url = client("sqs").create_queue(QueueName=namespace[:60])["QueueUrl"]
    queue = f"arn:aws:sqs:{REGION}:000000000000:{url.rpartition('/')[2]}"
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": [namespace]}}
    client("events").put_rule(Name=namespace, EventPattern=json.dumps(pattern))
    client("events").put_targets(Rule=namespace, Targets=[{"Id": "1", "Arn": queue}])

    def previous_states(description: str) -> list[Any]:
        """Those of the events of an alarm's first two changes, which are set: it has no data for a day."""
        given: dict[str, Any] = {"Namespace": namespace, "MetricName": "orders", "Statistic": "Sum", "Period": 86400}
        cloudwatch.put_metric_alarm(
            AlarmName=namespace,
            AlarmDescription=description,
            ComparisonOperator="LessThanThreshold",
            Threshold=1,
            EvaluationPeriods=1,
            TreatMissingData="ignore",
            **given,
        )
        assert state(cloudwatch, namespace)["StateReason"] == "Unchecked: Initial alarm creation"
        cloudwatch.set_alarm_state(AlarmName=namespace, StateValue="OK", StateReason=description)
        cloudwatch.put_metric_alarm(**{**settings(cloudwatch, namespace), "AlarmDescription": f"{description}, edited"})
        cloudwatch.set_alarm_state(AlarmName=namespace, StateValue="ALARM", StateReason=description)
        found: list[Any] = []

        def receive() -> bool:
            for message in client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                found.append(json.loads(message["Body"])["detail"]["previousState"])
                client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return len(found) >= 2

        assert eventually(receive)
        return sorted(((one["value"], one.get("reason")) for one in found), key=str)

    assert previous_states("first") == [("INSUFFICIENT_DATA", None), ("OK", "first")]
    cloudwatch.delete_alarms(AlarmNames=[namespace])
    assert previous_states("second") == [("INSUFFICIENT_DATA", None), ("OK", "second")]


def settings(cloudwatch: Any, name: str) -> dict[str, Any]:
    """What an alarm was created with."""
    known = cloudwatch.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
    return {key: value for key, value in state(cloudwatch, name).items() if key in known and value is not None}


def test_alarms_have_topics_as_actions_only(cloudwatch: Any, namespace: str) -> None:
    actions = {"AlarmName": namespace, "AlarmActions": ["arn:aws:ssm:us-east-1:000000000000:opsitem:1"]}
    given = {"Namespace": namespace, "MetricName": "orders", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1}
    with pytest.raises(ClientError, match="not rehearsed: the action arn:aws:ssm:"):
        cloudwatch.put_metric_alarm(ComparisonOperator="LessThanThreshold", Threshold=1, **given, **actions)
    with pytest.raises(ClientError, match="not rehearsed: the action arn:aws:ssm:"):
        cloudwatch.put_composite_alarm(AlarmRule="TRUE", **actions)
    assert cloudwatch.describe_alarms(AlarmNames=[namespace], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"] == []


def test_a_state_that_was_set_lasts_until_the_next_evaluation(cloudwatch: Any, namespace: str) -> None:
    given: dict[str, Any] = {"Namespace": namespace, "MetricName": "orders", "Statistic": "Sum", "Period": 60}
    cloudwatch.put_metric_alarm(
        AlarmName=namespace,
        ComparisonOperator="LessThanThreshold",
        Threshold=1,
        EvaluationPeriods=1,
        TreatMissingData="notBreaching",
        **given,
    )
    cloudwatch.put_composite_alarm(AlarmName=f"{namespace}-any", AlarmRule=f'ALARM("{namespace}")')
    stored = state(cloudwatch, namespace)
    assert {name: stored[name] for name in given} == given
    assert eventually(lambda: state(cloudwatch, namespace)["StateValue"] == "OK")
    cloudwatch.set_alarm_state(AlarmName=namespace, StateValue="ALARM", StateReason="A drill")
    summaries = {"Alarm updated from OK to ALARM", "Alarm updated from ALARM to OK"}

    def told(name: str) -> bool:
        given = {"AlarmName": name, "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
        items = cloudwatch.describe_alarm_history(**given)["AlarmHistoryItems"]
        return summaries <= {item["HistorySummary"] for item in items}

    assert eventually(lambda: told(namespace))
    assert state(cloudwatch, namespace)["StateValue"] == "OK"
    # A composite alarm follows it.
    assert eventually(lambda: told(f"{namespace}-any"))
