"""Monkeypatches ministack and calls its functions from inside its process.

No other module uses ministack's names. Most of them are private, so any release may change them: this is why
`ministack_names` lists each of them, and local AWS does not start with a ministack that lacks one. The functions
that wrap raise MinistackChanged where there is nothing to wrap.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import urlencode
from xml.sax.saxutils import escape

import yaml
from botocore.model import Shape
from ministack.app import app as app  # type: ignore[import-untyped]
from ministack.core.responses import get_region as get_region  # type: ignore[import-untyped]
from ministack.core.responses import request_scope
from ministack.services import (  # type: ignore[import-untyped]
    alb,
    cloudformation,
    cloudwatch,
    cloudwatch_logs,
    ec2,
    ecr,
    ecs,
    eventbridge,
    iam,
    s3,
    secretsmanager,
    sns,
)
from ministack.services.cloudformation import engine, handlers, helpers, provisioners, stacks  # type: ignore[import-untyped]

from scaffold.local.ministack_names import MinistackChanged
from scaffold.local.protocol import ACCOUNT, Document, ServiceError, service_model
from scaffold.local.wire import Response, error_of, input_of, output_of, parameter, xml_of

Handler = Callable[[Document], Response]
Delete = Callable[[str, Document], None]
Created = tuple[str, Document]
#: Exports by their names, each with its StackId and Value.
Exports = Mapping[str, Document]


@dataclass(frozen=True)
class Provisioning:
    """A resource of a stack that is created, updated or deleted.

    Attributes:
        stack: The stack's name.
        identifier: The physical id; empty before the resource exists.
        old: The properties before; None for a creation, which a replacement is, too.
        new: The properties after; None for a deletion.
    """

    stack: str
    logical_id: str
    type: str
    identifier: str = ""
    old: Document | None = None
    new: Document | None = None


_ACTIONS: dict[str, dict[str, Handler]] = {
    "cloudformation": handlers._ACTION_HANDLERS,
    "ecs": ecs._ACTION_MAP,
    "elbv2": alb._ACTION_MAP,
    "iam": iam._IAM_HANDLERS,
}
#: The functions of CloudWatch's operations that have another answer.
_CLOUDWATCH: dict[str, Callable[..., Response]] = {
    "GetMetricData": cloudwatch._get_metric_data,
    "GetMetricStatistics": cloudwatch._get_metric_statistics,
    "ListMetrics": cloudwatch._list_metrics,
    "PutMetricAlarm": cloudwatch._put_metric_alarm,
    "PutMetricData": cloudwatch._put_metric_data,
}
_TARGETS = {
    "cloudwatch": "GraniteServiceVersion20100801",
    "ecr": "AmazonEC2ContainerRegistry_V20150921",
    "events": "AWSEvents",
    "logs": "Logs_20140328",
    "secretsmanager": "secretsmanager",
}
_MODULES = {
    "cloudwatch": cloudwatch,
    "ec2": ec2,
    "ecr": ecr,
    "elbv2": alb,
    "events": eventbridge,
    "iam": iam,
    "logs": cloudwatch_logs,
    "secretsmanager": secretsmanager,
    "sns": sns,
}


def register(
    name: str,
    functions: Mapping[str, Any],
    create_only: tuple[str, ...],
    tags: tuple[str, str] | None,
    custom_name: str | None,
) -> None:
    """Register a resource type with ministack's CloudFormation.

    A type of the same name is replaced, also one that a newer ministack has: only ours creates the resources through
    the service's API, and only ours is tested with the kit's templates.

    Args:
        functions: What creates, updates and deletes resources, by the keys that ministack reads.
        create_only: The properties whose change replaces a resource.
        tags: The property that receives the stack's tags, and whether it is a `list` or a `map`.
        custom_name: The property that names a resource.
    """
    provisioners._RESOURCE_HANDLERS[name] = functions
    provisioners._REPLACING_PROPERTIES[name] = create_only
    for table, entry in (
        (provisioners._STACK_TAG_PROPERTY, tags),
        (provisioners._CUSTOM_NAME_REPLACEMENT, {"name": custom_name} if custom_name else None),
    ):
        table.pop(name, None)
        if entry:
            table[name] = entry


def updatable(type_name: str) -> bool:
    """Whether ministack's CloudFormation can update resources of a type in place."""
    return "update" in provisioners._RESOURCE_HANDLERS.get(type_name, {})


def tag_property(type_name: str) -> tuple[str, str] | None:
    """The property of a type that receives the stack's tags, and whether it is a `list` or a `map`."""
    entry: tuple[str, str] | None = provisioners._STACK_TAG_PROPERTY.get(type_name)
    return entry


def generated_name(stack: str, logical_id: str, longest: int) -> str:
    """The name that CloudFormation gives a resource whose template gives none."""
    return str(provisioners._physical_name(stack, logical_id, max_len=longest))


def handler_of(service: str, action: str) -> Handler:
    """ministack's function for an API action of a service in `_ACTIONS`. Except for ECS, parameters are lists."""
    if action not in _ACTIONS[service]:
        raise MinistackChanged(f"handler of the {service} action {action}")
    return _ACTIONS[service][action]


def wrap_action(service: str, action: str, wrapper: Callable[[Document, Handler], Response]) -> None:
    """Monkeypatch ministack's function for an API action of a service in `_ACTIONS`.

    Args:
        wrapper: Takes the parameters and the original function, and returns the response.
    """
    original = handler_of(service, action)
    _ACTIONS[service][action] = lambda parameters: wrapper(parameters, original)


def answer_action(service: str, action: str, handler: Handler) -> None:
    """Answer an API action of a service in `_ACTIONS` in place of ministack, which need not have it."""
    _ACTIONS[service][action] = handler


def after_changes(service: str, changed: Callable[[], None]) -> None:
    """Call a function after each API action of a service in `_ACTIONS` that may have changed something."""

    def respond(parameters: Document, original: Handler) -> Response:
        try:
            return original(parameters)
        finally:
            changed()

    for action in list(_ACTIONS[service]):
        if not action.startswith(("Get", "List")):
            wrap_action(service, action, respond)


def wrap_create(type_name: str, wrapper: Callable[[Document, Callable[[], Created]], Created]) -> None:
    """Monkeypatch how a type's resources are created. The wrapper takes the properties and the original creation."""
    functions, original = _function_of(type_name, "create")

    def create(logical_id: str, properties: Document, stack: str) -> Created:
        return wrapper(properties, lambda: original(logical_id, properties, stack))

    functions["create"] = create


def wrap_delete(type_name: str, wrapper: Callable[[str, Document, Delete], None]) -> None:
    """Monkeypatch how ministack's CloudFormation deletes the resources of a type.

    Args:
        wrapper: Takes the physical id, the properties and the original function.
    """
    functions, original = _function_of(type_name, "delete")
    functions["delete"] = lambda identifier, properties: wrapper(identifier, properties, original)


def wrap_provisioning(wrapper: Callable[[Provisioning, Callable[[], Any]], Any]) -> None:
    """Monkeypatch how the resources of all stacks are created, updated and deleted.

    Args:
        wrapper: Takes what happens, and the original call.
    """
    create, update, delete = stacks._provision_resource, stacks._update_resource, stacks._delete_resource

    def provision(kind: str, logical_id: str, properties: Document, stack: str) -> Any:
        happens = Provisioning(stack, logical_id, kind, new=properties)
        return wrapper(happens, lambda: create(kind, logical_id, properties, stack))

    def change(kind: str, identifier: str, old: Document, new: Document, stack: str, *more: Any) -> Any:
        happens = Provisioning(stack, (more[0] if more else "") or identifier, kind, identifier, old, new)
        if provisioners._replacing_change(kind, old, new):
            happens = replace(happens, identifier="", old=None)
        return wrapper(happens, lambda: update(kind, identifier, old, new, stack, *more))

    def remove(kind: str, identifier: str, properties: Document, stack: str, logical_id: str) -> Any:
        happens = Provisioning(stack, logical_id, kind, identifier, properties)
        return wrapper(happens, lambda: delete(kind, identifier, properties, stack, logical_id))

    stacks._provision_resource, stacks._update_resource, stacks._delete_resource = provision, change, remove


def tag_buckets() -> None:
    """Let ministack's CloudFormation set the tags of buckets, those of the stack included, as for other types."""
    functions, create = _function_of("AWS::S3::Bucket", "create")
    _, update = _function_of("AWS::S3::Bucket", "update")

    def tagged(made: tuple[str, Document], properties: Document) -> tuple[str, Document]:
        s3._bucket_tags[made[0]] = {tag["Key"]: str(tag["Value"]) for tag in properties.get("Tags", [])}
        return made

    functions["create"] = lambda logical_id, new, stack: tagged(create(logical_id, new, stack), new)
    functions["update"] = lambda identifier, old, new, stack: tagged(update(identifier, old, new, stack), new)
    provisioners._STACK_TAG_PROPERTY["AWS::S3::Bucket"] = ("Tags", "list")


def tag_listener_rules() -> None:
    """Let ministack's CloudFormation set the tags of listener rules, those of the stack included, as for other types.

    A change of nothing but tags leaves the weights as ECS has set them.
    """
    name = "AWS::ElasticLoadBalancingV2::ListenerRule"
    functions, create = _function_of(name, "create")
    _, update = _function_of(name, "update")

    def tagged(made: Created, properties: Document) -> Created:
        alb._tags[made[0]] = [dict(tag) for tag in properties.get("Tags") or []]
        return made

    def update_rule(
        identifier: str, old: Document, new: Document, stack: str, logical_id: str | None = None
    ) -> Created:
        if {**old, "Tags": None} == {**new, "Tags": None}:
            return tagged((identifier, {"RuleArn": identifier}), new)
        return tagged(update(identifier, old, new, stack, logical_id), new)

    functions["create"] = lambda logical_id, new, stack: tagged(create(logical_id, new, stack), new)
    functions["update"] = update_rule
    provisioners._STACK_TAG_PROPERTY[name] = ("Tags", "list")


def parse_templates_with_libyaml() -> None:
    """Let ministack's CloudFormation parse templates ten times as fast, where PyYAML was built with libyaml."""
    if yaml.__with_libyaml__:
        tables = ("yaml_constructors", "yaml_multi_constructors", "yaml_implicit_resolvers")
        kept = {table: getattr(engine.CfnLoader, table) for table in tables}
        engine.CfnLoader = type("CfnLoader", (yaml.CSafeLoader,), kept)


def _function_of(type_name: str, key: str) -> tuple[Document, Callable[..., Any]]:
    functions: Document = provisioners._RESOURCE_HANDLERS.get(type_name, {})
    if key not in functions:
        raise MinistackChanged(f"{key} function of {type_name}")
    return functions, functions[key]


def wrap_outputs(check: Callable[[str, Exports], None]) -> None:
    """Let a function judge the exports with which an operation on a stack ends.

    Args:
        check: Takes the stack's id and its new exports, and raises ValueError for the operation to be rolled back.
    """
    original = stacks._resolve_stack_outputs

    def resolve_outputs(*arguments: Any) -> tuple[list[Document], Exports]:
        outputs, new = original(*arguments)
        check(arguments[-1], new)
        return outputs, new

    stacks._resolve_stack_outputs = resolve_outputs


def wrap_rollback(reason_for: Callable[[list[Document]], str]) -> None:
    """Let a function give the reason of rollbacks.

    Args:
        reason_for: Takes the stack's events, ministack's own list, and returns the reason, or an empty text.
    """
    original = stacks._roll_back_operation

    async def roll_back(name: str, stack_id: str, stack: Document, operation: Document, reason: str = "") -> None:
        await original(name, stack_id, stack, operation, reason or reason_for(cloudformation._stack_events[stack_id]))

    stacks._roll_back_operation = roll_back


def delete_export(name: str) -> None:
    """Delete an export of the current request's region."""
    del cloudformation._exports[name]


def exports() -> dict[str, Document]:
    """The exports of the current request's region."""
    return dict(cloudformation._exports.items())


def imports(stack: Document) -> set[str]:
    """The names of the exports that a stack imports."""
    return set(handlers._imported_export_names(stack, stack["StackName"]))


def conditions_of(change_set: Document) -> dict[str, bool]:
    """The conditions of a change set's template, by name."""
    return dict(engine._evaluate_conditions(change_set["_template"], change_set["_resolved_params"]))


def resolve(value: Any, change_set: Document) -> Any:
    """Resolve a value of a change set's template that refers to no resource."""
    mappings = change_set["_template"].get("Mappings", {})
    names = change_set["StackName"], change_set["StackId"]
    return engine._resolve_refs(value, {}, change_set["_resolved_params"], conditions_of(change_set), mappings, *names)


def add_stack_event(stack: Document, status: str, reason: str) -> None:
    """Add an event of the stack itself."""
    identifier, name = stack["StackId"], stack["StackName"]
    stacks._add_event(identifier, name, name, "AWS::CloudFormation::Stack", status, reason, identifier)


def stack_records() -> list[Document]:
    """The stacks of the current request's region: ministack's own dictionaries, not copies."""
    return list(cloudformation._stacks.values())


def stack_tags(arn: str) -> dict[str, str]:
    """The tags of a stack, by an ARN that need not have the stack's id; none if it does not exist."""
    _, _, _, region, _, resource = arn.split(":", 5)
    with request_scope(ACCOUNT, region):
        stack = cloudformation._stacks.get(resource.split("/")[1]) or {}
    return {tag["Key"]: tag["Value"] for tag in stack.get("Tags") or []}


def secret_arn(name: str, region: str) -> str:
    """The ARN of a secret, which has a random suffix; without it if the secret does not exist."""
    try:
        return str(call("secretsmanager", "DescribeSecret", {"SecretId": name}, region)["ARN"])
    except ServiceError:
        return f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:{name}"


def keep_deleted_stack(name: str) -> None:
    """Keep a deleted stack by its id, before another one of its name takes its place in ministack's dictionary."""
    stack = cloudformation._stacks.get(name)
    if stack is not None and stack["StackStatus"] == "DELETE_COMPLETE":
        cloudformation._stacks[stack["StackId"]] = cloudformation._stacks.pop(name)


def change_set_records() -> list[Document]:
    """The change sets of the current request's region: ministack's own dictionaries, not copies."""
    return list(cloudformation._change_sets.values())


def stack_error(message: str, code: str = "ValidationError") -> Response:
    """An error response of CloudFormation's API."""
    return cast(Response, helpers._error(code, message))


def stack_response(action: str) -> Response:
    """An empty response of CloudFormation's API."""
    return cast(Response, helpers._xml(200, f"{action}Response", ""))


def iam_error(code: str, message: str, status: int = 400) -> Response:
    """An error response of IAM's API."""
    return cast(Response, iam._error(status, code, escape(message)))


def publish_event(entry: Document, region: str) -> None:
    """Publish an event of an AWS service, which PutEvents refuses, to the rules of a region. Runs in the event loop."""
    with request_scope(ACCOUNT, region):
        eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def wrap_rule_targets(service: str, invoke: Callable[[Document, Document], None]) -> None:
    """Let a function invoke the targets of EventBridge rules of one service.

    Args:
        service: The service in the targets' ARNs.
        invoke: Takes the target and the rule.
    """
    original = eventbridge._invoke_target

    def invoke_target(target: Document, event: Document, rule: Document, view: Any = None) -> None:
        if target.get("Arn", "").split(":")[2:3] == [service]:
            invoke(target, rule)
        else:
            original(target, event, rule, view)

    eventbridge._invoke_target = invoke_target


def refine_creation_times() -> None:
    """Give image repositories creation times with milliseconds, as ECR does. ministack's have whole seconds."""
    original = ecr._create_repository

    def create_repository(data: Document) -> Response:
        status, headers, body = original(data)
        if status == 200:
            answer = json.loads(body)
            answer["repository"]["createdAt"] = round(time.time(), 3)
            ecr._repositories[data["repositoryName"]]["createdAt"] = answer["repository"]["createdAt"]
            body = json.dumps(answer).encode()
        return status, headers, body

    ecr._create_repository = create_repository


def correct_target_group_names() -> None:
    """Give target groups the full name that metrics have as their dimension. ministack's lacks its first part."""
    alb._target_group_full_name_from_arn = lambda arn: arn.rpartition(":")[2]


def wait_for(type_name: str) -> None:
    """Let CloudFormation wait for a type's resources in a thread, and send a failed update back as AWS does."""
    in_thread, sent_back = stacks._runs_on_worker_thread, stacks._sends_back_failed_update
    stacks._runs_on_worker_thread = lambda other: other == type_name or in_thread(other)
    stacks._sends_back_failed_update = lambda other: other == type_name or sent_back(other)


def keep_weights() -> None:
    """Keep the target groups and weights of forward actions, of which ministack keeps the first group only."""
    parse, write, convert = alb._parse_actions, alb._action_xml, provisioners._elbv2_listener_actions

    def parse_actions(parameters: Document, prefix: str = "DefaultActions") -> list[Document]:
        actions: list[Document] = parse(parameters, prefix)
        for number, action in enumerate(actions, 1):
            _add_forward(action, _forward_parameters(parameters, f"{prefix}.member.{number}.ForwardConfig"))
        return actions

    def write_action(action: Document) -> str:
        groups = (action.get("ForwardConfig") or {}).get("TargetGroups", [])
        members = "".join(
            f"<member><TargetGroupArn>{one['TargetGroupArn']}</TargetGroupArn><Weight>{one['Weight']}</Weight></member>"
            for one in groups
        )
        forward = f"<ForwardConfig><TargetGroups>{members}</TargetGroups></ForwardConfig>" if groups else ""
        return f"{str(write(action)).removesuffix('</member>')}{forward}</member>"

    def convert_actions(properties: Document, load_balancer: str, prop: str = "DefaultActions") -> list[Document]:
        actions: list[Document] = convert(properties, load_balancer, prop)
        for action, given in zip(actions, properties.get(prop) or [], strict=True):
            _add_forward(action, (given.get("ForwardConfig") or {}).get("TargetGroups") or [])
        return actions

    alb._parse_actions, alb._action_xml = parse_actions, write_action
    provisioners._elbv2_listener_actions = convert_actions


def _forward_parameters(parameters: Document, prefix: str) -> list[Document]:
    groups: list[Document] = []
    while arn := parameter(parameters, f"{prefix}.TargetGroups.member.{len(groups) + 1}.TargetGroupArn"):
        weight = parameter(parameters, f"{prefix}.TargetGroups.member.{len(groups) + 1}.Weight")
        groups.append({"TargetGroupArn": arn, "Weight": weight or 1})
    return groups


def _add_forward(action: Document, groups: list[Document]) -> None:
    if groups:
        given = [(one["TargetGroupArn"], int(one.get("Weight", 1))) for one in groups]
        action["ForwardConfig"] = {"TargetGroups": [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in given]}
        if len(groups) == 1:
            action["TargetGroupArn"] = given[0][0]


def load_balancer_records() -> dict[str, Document]:
    """The load balancers of the current request's region by their ARNs: ministack's own dictionaries, not copies."""
    return dict(alb._lbs.items())


def listener_records() -> list[Document]:
    """The listeners of the current request's region."""
    return list(alb._listeners.values())


def rule_records() -> list[Document]:
    """The rules of all listeners of the current request's region."""
    return list(alb._rules.values())


def target_group_records() -> list[tuple[Document, list[Document], list[Document]]]:
    """The target groups of the current request's region, with their attributes and targets."""
    return [(one, alb._tg_attrs.get(arn, []), alb._targets.get(arn, [])) for arn, one in alb._tgs.items()]


def elb_response(action: str, content: str) -> Response:
    """A response of ELB's API with XML content."""
    return cast(Response, alb._xml(200, action, content))


def elb_error(code: str, message: str) -> Response:
    """An error response of ELB's API."""
    return cast(Response, alb._error(code, message))


def wrap_changes(type_name: str, wrapper: Callable[[Callable[[], Any]], Any]) -> None:
    """Monkeypatch how resources of a type are created, updated and deleted. The wrapper takes the original call."""
    for key in ("create", "update", "delete"):
        functions, original = _function_of(type_name, key)
        functions[key] = lambda *given, original=original: wrapper(lambda: original(*given))


def ecs_tags() -> dict[str, list[Document]]:
    """The tags of ECS's resources by their ARNs: ministack's own dictionary, not a copy."""
    return cast(dict[str, list[Document]], ecs._tags)


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


def wrap_alarm_settings(check: Callable[[Document], None], complete: Callable[[Document, Document], None]) -> None:
    """Let functions check the input of PutMetricAlarm, and complete what ministack stores of it.

    Args:
        check: Takes the input, and raises ServiceError to refuse it.
        complete: Takes the input and ministack's own record.
    """
    original = _CLOUDWATCH["PutMetricAlarm"]

    def put(given: Document) -> Document:
        check(given)
        status, _, body = original({}, given, False, True)
        if status >= 400:
            raise ServiceError(*error_of(body.decode()))
        complete(given, cloudwatch._alarms[given["AlarmName"]])
        return {}

    answer_cloudwatch("PutMetricAlarm", put)


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


def change_alarm_state(region: str, name: str, changes: Document) -> None:
    """Change the state of an alarm as its evaluation does, unless it was deleted. Tells of the change."""
    with request_scope(ACCOUNT, region):
        record = cloudwatch._alarms.get(name)
        if record is None:
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


def delete_bucket(name: str) -> None:
    """Delete a bucket by S3's API, which raises ServiceError unless the bucket is empty."""
    status, _, body = s3._delete_bucket(name)
    if status >= 400:
        raise ServiceError(*error_of(body.decode()))


def call(service: str, operation: str, parameters: Document, region: str = "") -> Document:
    """Call an API of ministack without HTTP, in the region of the current request or in another one.

    Args:
        service: The service's name in botocore.
        parameters: The input: nested for the JSON services, flat as on the wire for the others.

    Returns:
        The output: the JSON document, or the XML's elements by name.

    Raises:
        ServiceError: The API answers with an error.
    """
    with request_scope(ACCOUNT, region or get_region()):
        status, _, body = _answer(service, operation, parameters)
    text = body.decode() if isinstance(body, bytes) else str(body or "")
    if status >= 400:
        raise ServiceError(*error_of(text))
    return output_of(text)


def _answer(service: str, operation: str, parameters: Document) -> Response:
    if service == "ecs":  # Its handle_request runs this function in a thread.
        return cast(Response, ecs._dispatch_action(operation, parameters))
    if service in _TARGETS:
        headers = {"x-amz-target": f"{_TARGETS[service]}.{operation}", "content-type": "application/x-amz-json-1.1"}
        return _request(service, headers, json.dumps(parameters).encode())
    form = {"content-type": "application/x-www-form-urlencoded"}
    return _request(service, form, urlencode({"Action": operation, **parameters}).encode())


def _request(service: str, headers: dict[str, str], body: bytes) -> Response:
    """Run a coroutine that awaits nothing. The event loop is running already, so it cannot be used for this."""
    coroutine = _MODULES[service].handle_request("POST", "/", headers, body, {})
    try:
        coroutine.send(None)
    except StopIteration as done:
        return cast(Response, done.value)
    coroutine.close()
    raise RuntimeError("handle_request of a ministack service awaits something, which it did not in ministack 1.5")
