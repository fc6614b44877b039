"""ministack's load balancers, with their listeners, rules and target groups."""

from __future__ import annotations

from ministack.services import alb
from ministack.services.cloudformation import provisioners

from scaffold.local.ministack_bridge.resource_types import Created, function_of
from scaffold.local.protocol import Document
from scaffold.local.wire import parameter


def load_balancer_records() -> dict[str, Document]:
    """The load balancers of the current request's region by their ARNs: ministack's own dictionaries, not copies."""
    return dict(alb._lbs.items())


def is_protected(arn: str) -> bool:
    """Whether a load balancer is protected from deletion."""
    return {"Key": "deletion_protection.enabled", "Value": "true"} in alb._lb_attrs.get(arn, [])


def listener_records() -> list[Document]:
    """The listeners of the current request's region."""
    return list(alb._listeners.values())


def rule_records() -> list[Document]:
    """The rules of all listeners of the current request's region."""
    return list(alb._rules.values())


def target_group_records() -> list[tuple[Document, list[Document], list[Document]]]:
    """The target groups of the current request's region, with their attributes and targets."""
    return [(one, alb._tg_attrs.get(arn, []), alb._targets.get(arn, [])) for arn, one in alb._tgs.items()]


def correct_target_group_names() -> None:
    """Give target groups the full name that metrics have as their dimension. ministack's lacks its first part."""
    alb._target_group_full_name_from_arn = lambda arn: arn.rpartition(":")[2]


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


def tag_listener_rules() -> None:
    """Let ministack's CloudFormation set the tags of listener rules, those of the stack included, as for other types.

    A change of nothing but tags leaves the weights as ECS has set them.
    """
    name = "AWS::ElasticLoadBalancingV2::ListenerRule"
    functions, create = function_of(name, "create")
    _, update = function_of(name, "update")

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
