"""The alarms of CloudWatch: where they are stored, and what their changes of state do."""

from __future__ import annotations

import asyncio
import functools
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from scaffold.engine.clock import Clock
from scaffold.engine.events import Event, EventStream
from scaffold.engine.metrics.alarms import queries_of
from scaffold.engine.metrics.expressions import NotRehearsed
from scaffold.engine.metrics.monitor import Alarm, Change
from scaffold.engine.metrics.reasons import timestamp
from scaffold.local import ministack_bridge
from scaffold.local.protocol import ACCOUNT, AwsService, Call, Document, ServiceError

_Result = TypeVar("_Result")
_ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}
# Of an alarm on one metric. ministack stores its defaults for them in alarms on metric math too.
_OF_ONE_METRIC = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit")
# What ministack does not store.
_ADDED = ("Metrics", "EvaluateLowSampleCountPercentile", "ThresholdMetricId", "EvaluationCriteria")

_TRIGGER = (
    *_OF_ONE_METRIC,
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "ComparisonOperator",
    "Threshold",
    "TreatMissingData",
    "Metrics",
)


def not_rehearsed(given: Document) -> str:
    """The first action of an alarm that does nothing here; empty for none."""
    actions = [str(action) for name in _ACTIONS.values() for action in given.get(name) or []]
    return next((f"the action {one} of an alarm" for one in actions if one.split(":")[2:3] != ["sns"]), "")


class StoredAlarms(AwsService):
    """The alarms of all regions. ministack stores them and answers for them; it does not evaluate them.

    Args:
        clock: Tells the time.
        stream: Takes the changes of states as events.
    """

    name = "cloudwatch"
    invalid_input = "ValidationError"
    _loop: asyncio.AbstractEventLoop

    def __init__(self, clock: Clock, stream: EventStream) -> None:
        self._clock = clock
        self._stream = stream
        self._regions: set[str] = set()
        # By ARN, with the record: a new alarm with the ARN of a deleted one has another one.
        self._states: dict[str, tuple[Document, Document]] = {}

    def install(self) -> None:
        """Monkeypatch ministack's CloudWatch."""
        ministack_bridge.wrap_alarm_settings(functools.partial(self._check, "PutMetricAlarm"), self._complete)
        ministack_bridge.wrap_composite_alarms(functools.partial(self._check, "PutCompositeAlarm"))
        ministack_bridge.replace_alarm_evaluation(self._tell)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read and change alarms in this loop from now on: ministack's state is used in its thread only."""
        self._loop = loop

    def all(self) -> list[Alarm]:
        """The alarms of all regions."""
        if not self._regions:
            return []
        return self._in_loop(
            lambda: [
                Alarm(region, dict(record))
                for region in sorted(self._regions)
                for record in ministack_bridge.alarm_records(region)
            ]
        )

    def apply(self, changes: Iterable[Change]) -> None:
        """Change states."""

        def change() -> None:
            for one in changes:
                now = self._clock.now()
                state = {"StateValue": one.state, "StateReason": one.reason, "StateReasonData": one.data}
                moments = dict.fromkeys(("StateUpdatedTimestamp", "StateTransitionedTimestamp"), now)
                ministack_bridge.change_alarm_state(one.region, one.name, one.settings, state | moments)

        self._in_loop(change)

    def _in_loop(self, work: Callable[[], _Result]) -> _Result:
        async def run() -> _Result:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def _check(self, operation: str, given: Document) -> None:
        self.check_input(Call(operation, given, ministack_bridge.get_region()))
        if problem := not_rehearsed(given):
            raise ServiceError(self.invalid_input, f"not rehearsed: {problem}")

    def _complete(self, given: Document, record: Document, before: Document | None) -> None:
        if state := self._state(before):
            self._states[record["AlarmArn"]] = (record, state)
        self._regions.add(ministack_bridge.get_region())
        record |= {name: given[name] for name in _ADDED if name in given}
        for name in _OF_ONE_METRIC:
            if name not in given:
                record.pop(name, None)

    def _state(self, record: Document | None) -> Document | None:
        """The state of an alarm as its event has it; None before its first change."""
        kept, state = self._states.get(record["AlarmArn"], (None, None)) if record else (None, None)
        return state if kept is record else None

    def _tell(self, record: Document, old: str) -> None:
        """Publish the event of a change, and do the alarm's actions."""
        region = ministack_bridge.get_region()
        now = {
            "value": record["StateValue"],
            "reason": record["StateReason"],
            "timestamp": timestamp(self._clock.now()),
        }
        if record.get("StateReasonData"):
            now["reasonData"] = record["StateReasonData"]
        detail = {
            "alarmName": record["AlarmName"],
            "state": now,
            "previousState": self._state(record) or {"value": old},
            "configuration": _configuration(record),
        }
        self._states[record["AlarmArn"]] = (record, now)
        kind, resources = "CloudWatch Alarm State Change", (record["AlarmArn"],)
        self._stream.publish(Event("aws.cloudwatch", kind, region, detail, resources, self._clock.now()))
        if record.get("ActionsEnabled", True):
            for action in record.get(_ACTIONS[record["StateValue"]]) or []:
                self._act(record, old, region, action)

    def _act(self, record: Document, old: str, region: str, action: str) -> None:
        """Send a message to a topic. There is nobody to report a failure to, on AWS either, but the alarm's history."""
        message = {
            "AlarmName": record["AlarmName"],
            "AlarmDescription": record.get("AlarmDescription"),
            "AWSAccountId": ACCOUNT,
            "NewStateValue": record["StateValue"],
            "NewStateReason": record["StateReason"],
            "StateChangeTime": timestamp(self._clock.now()),
            "Region": region,
            "AlarmArn": record["AlarmArn"],
            "OldStateValue": old,
            **{name: record.get(name) or [] for name in _ACTIONS.values()},
            "Trigger": {name: record[name] for name in _TRIGGER if name in record},
        }
        subject = f'{record["StateValue"]}: "{record["AlarmName"]}" in {region}'[:100]
        parameters = {"TopicArn": action, "Subject": subject, "Message": json.dumps(message)}
        try:
            ministack_bridge.call("sns", "Publish", parameters, action.split(":")[3])
        except ServiceError as error:
            print(f"{record['AlarmName']}, {action}: {error}", file=sys.stderr)  # The log of local AWS.


def _configuration(record: Document) -> Document:
    """The settings of an alarm in the form of its event."""
    described = {"description": record["AlarmDescription"]} if record.get("AlarmDescription") else {}
    if "AlarmRule" in record:  # A composite alarm.
        return {"alarmRule": record["AlarmRule"], **described}
    try:
        queries = queries_of(record)
    except NotRehearsed:
        queries = []
    return {"metrics": [_query(query) for query in queries], **described}


def _query(query: Mapping[str, object]) -> Document:
    found = {"id": query["Id"], "returnData": query.get("ReturnData", True)}
    found |= {name.lower(): query[name] for name in ("Expression", "Label") if name in query}
    stat = query.get("MetricStat")
    if isinstance(stat, dict):
        metric = stat.get("Metric") or {}
        found["metricStat"] = {
            "metric": {
                "namespace": metric.get("Namespace"),
                "name": metric.get("MetricName"),
                "dimensions": {one["Name"]: one["Value"] for one in metric.get("Dimensions") or []},
            },
            "period": stat.get("Period"),
            "stat": stat.get("Stat"),
        }
    return found
