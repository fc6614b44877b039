"""ministack's metrics and alarms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from botocore.model import Shape
from ministack.core.responses import request_scope
from ministack.services import cloudwatch

from scaffold.local.protocol import ACCOUNT, Document, ServiceError, service_model
from scaffold.local.wire import Response, error_of, input_of, xml_of

#: The functions of CloudWatch's operations that have another answer.
_CLOUDWATCH: dict[str, Callable[..., Response]] = {
    "GetMetricData": cloudwatch._get_metric_data,
    "GetMetricStatistics": cloudwatch._get_metric_statistics,
    "ListMetrics": cloudwatch._list_metrics,
    "PutCompositeAlarm": cloudwatch._put_composite_alarm,
    "PutMetricAlarm": cloudwatch._put_metric_alarm,
    "PutMetricData": cloudwatch._put_metric_data,
}


def answer_cloudwatch(operation: str, answer: Callable[[Document], Document]) -> None:
    """Answer an operation of `_CLOUDWATCH` in place of ministack, in each protocol.

    Args:
        answer: Takes the input and returns the output, whose moments are seconds since the epoch.
    """

    def handle(form: Document, document: Document, is_cbor: bool, is_json: bool = False) -> Response:
        try:
            output = answer(_cloudwatch_input(operation, form, document, is_cbor or is_json))
        except ServiceError as error:
            refused = cloudwatch._error(error.code, error.message, 400, use_json=is_json, use_cbor=is_cbor)
            return cast(Response, refused)
        if is_cbor:
            return cast(Response, cloudwatch._cbor_ok(_with_cbor_moments(output)))
        if is_json:
            return cast(Response, cloudwatch._json_ok(output))
        content = f"<{operation}Result>{xml_of(output)}</{operation}Result>"
        return cast(Response, cloudwatch._xml(200, f"{operation}Response", content))

    setattr(cloudwatch, _CLOUDWATCH[operation].__name__, handle)


def wrap_alarm_settings(
    check: Callable[[Document], None], complete: Callable[[Document, Document, Document | None], None]
) -> None:
    """Let functions check the input of PutMetricAlarm, and complete what ministack stores of it.

    Args:
        check: Takes the input, and raises ServiceError to refuse it.
        complete: Takes the input, ministack's own record, and its record of the alarm before, if there was one.
    """

    def put(given: Document) -> Document:
        check(given)
        before = cloudwatch._alarms.get(given["AlarmName"])
        _store_alarm("PutMetricAlarm", given)
        complete(given, cloudwatch._alarms[given["AlarmName"]], before)
        return {}

    answer_cloudwatch("PutMetricAlarm", put)


def wrap_composite_alarms(check: Callable[[Document], None]) -> None:
    """Let a function check the input of PutCompositeAlarm.

    Args:
        check: Raises ServiceError to refuse it.
    """

    def put(given: Document) -> Document:
        check(given)
        _store_alarm("PutCompositeAlarm", given)
        return {}

    answer_cloudwatch("PutCompositeAlarm", put)


def _store_alarm(operation: str, given: Document) -> None:
    status, _, body = _CLOUDWATCH[operation]({}, given, False, True)
    if status >= 400:
        raise ServiceError(*error_of(body.decode()))


def replace_alarm_evaluation(notify: Callable[[Document, str], None]) -> None:
    """Let ministack evaluate no alarm on a metric. A function tells of all changes of states, in place of ministack.

    Args:
        notify: Takes ministack's own record of the alarm, which has the new state already, and the old state.
    """
    cloudwatch._evaluate_alarm = lambda _alarm: None
    cloudwatch._evaluate_all_alarms = lambda: None
    cloudwatch._dispatch_alarm_actions = lambda alarm, old, _new, _reason: notify(alarm, old)


def replace_recorded_metrics(record: Callable[[str, str, float, str, dict[str, str]], None]) -> None:
    """Let a function store the metrics that ministack's own services publish.

    Args:
        record: Takes the namespace, the name, the value, the unit and the dimensions.
    """

    def record_metric(
        namespace: str, name: str, value: float, unit: str = "None", dimensions: dict[str, str] | None = None
    ) -> None:
        record(namespace, name, value, unit, dimensions or {})

    cloudwatch.record_metric = record_metric


def alarm_records(region: str) -> list[Document]:
    """The alarms on metrics of a region: ministack's own dictionaries, not copies."""
    with request_scope(ACCOUNT, region):
        return list(cloudwatch._alarms.values())


def change_alarm_state(region: str, name: str, evaluated: Mapping[str, Any], changes: Document) -> None:
    """Change the state of an alarm as its evaluation does, and tell of the change.

    Args:
        evaluated: The record when it was evaluated. Nothing changes if it is another one by now.
    """
    with request_scope(ACCOUNT, region):
        record = cloudwatch._alarms.get(name)
        if record != evaluated:
            return
        old = record["StateValue"]
        record |= changes
        if old != record["StateValue"]:
            cloudwatch._record_history(name, old, record["StateValue"], record["StateReason"])
            cloudwatch._dispatch_alarm_actions(record, old, record["StateValue"], record["StateReason"])
            cloudwatch._evaluate_parent_alarms(record)


def _cloudwatch_input(operation: str, form: Document, document: Document, has_document: bool) -> Document:
    if has_document:
        return document
    shape = service_model("cloudwatch").operation_model(operation).input_shape
    return cast(Document, input_of(form, cast(Shape, shape)))


def _with_cbor_moments(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _with_cbor_moments(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_cbor_moments(inner, name) for inner in value]
    return cloudwatch._cbor_timestamp(value) if name.removesuffix("s").endswith("Timestamp") else value
