"""Rules for the network, the load balancer, ECS, alarms and dashboards."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from scaffold.service.names import TAG_ENVIRONMENT, TAG_SERVICE
from tests.infrastructure.cloudwatch import history
from tests.infrastructure.rules import every, rule, walk
from tests.infrastructure.stacks import Stack, Stacks, as_list
from tests.infrastructure.traffic import FAULTS, Group, Minute, published
from tests.infrastructure.variants import PRIVATE_SUBNETS, PUBLIC_SUBNETS

# Subnets of the existing VPC in the variants.
GIVEN_SUBNETS = {subnet.strip() for subnet in f"{PUBLIC_SUBNETS},{PRIVATE_SUBNETS}".split(",")}
# Of the keys of a resource.
ORDER = ["Type", "Condition", "DependsOn", "Metadata", "DeletionPolicy", "UpdateReplacePolicy", "Properties"]
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@rule("net-01")
def load_balancer_spans_zones(stacks: Stacks) -> Iterator[str]:
    """Subnets of an existing VPC count as zones of their own: `scaffold deploy` looks where they are."""
    zones = {stack._identifier(name): one["AvailabilityZone"] for stack, name, one in every(stacks, "AWS::EC2::Subnet")}
    for _, logical, properties in every(stacks, "AWS::ElasticLoadBalancingV2::LoadBalancer"):
        if len({zones.get(subnet, subnet) for subnet in properties["Subnets"]}) < 2:
            yield f"{logical} is in one Availability Zone only"


@rule("net-03")
def default_route_waits_for_the_attachment(stacks: Stacks) -> Iterator[str]:
    for stack, logical, properties in every(stacks, "AWS::EC2::Route"):
        if "GatewayId" in properties:
            waits = as_list(stack.resources[logical].get("DependsOn", []))
            if not any(stack.template["Resources"][name]["Type"] == "AWS::EC2::VPCGatewayAttachment" for name in waits):
                yield f"{logical} may be created before the gateway is attached"


def _default_route(stack: Stack, subnet: str) -> str | None:
    """The kind of target of a subnet's default route: GatewayId, NatGatewayId, or None without a default route."""
    resources = stack.template["Resources"]
    tables = [
        resources[logical]["Properties"]["RouteTableId"]["Ref"]
        for logical, _ in stack.of_type("AWS::EC2::SubnetRouteTableAssociation")
        if resources[logical]["Properties"]["SubnetId"] == {"Ref": subnet}
    ]
    for logical, properties in stack.of_type("AWS::EC2::Route"):
        own = resources[logical]["Properties"]["RouteTableId"]["Ref"] in tables
        if own and properties.get("DestinationCidrBlock") == "0.0.0.0/0":
            return "GatewayId" if "GatewayId" in properties else "NatGatewayId"
    return None


@rule("net-07")
def tasks_reach_the_registry(stacks: Stacks) -> Iterator[str]:
    subnets = {stack._identifier(logical): (stack, logical) for stack, logical, _ in every(stacks, "AWS::EC2::Subnet")}
    for stack, logical, properties in every(stacks, "AWS::ECS::Service"):
        network = properties["NetworkConfiguration"]["AwsvpcConfiguration"]
        wanted = "GatewayId" if network.get("AssignPublicIp") == "ENABLED" else "NatGatewayId"
        for subnet in network["Subnets"]:
            # The routes of an existing VPC are its owner's.
            if subnet in GIVEN_SUBNETS:
                continue
            where = subnets.get(subnet)
            if where is None or _default_route(*where) != wanted:
                yield f"{stack.name} {logical}: {subnet} has no route to ECR through {wanted}"


@rule("name-05")
def replaceable_resources_have_no_name(stacks: Stacks) -> Iterator[str]:
    for kind in ("TargetGroup", "LoadBalancer"):
        for _, logical, properties in every(stacks, f"AWS::ElasticLoadBalancingV2::{kind}"):
            if "Name" in properties:
                yield f"{logical} has a name, so it cannot be replaced"


@rule("database-port")
def databases_listen_where_tasks_are_let_in(stacks: Stacks) -> Iterator[str]:
    """Without a port, CloudFormation asks RDS for 3306, whatever the engine is."""
    opened = {str(rule["FromPort"]) for _, _, rule in every(stacks, "AWS::EC2::SecurityGroupIngress")}
    for stack, logical, properties in every(stacks, "AWS::RDS::DBCluster"):
        if str(properties.get("Port", 3306)) not in opened:
            yield f"{stack.name} {logical}: no security group lets tasks reach its port"


@rule("ecs-02")
def target_groups_are_of_type_ip(stacks: Stacks) -> Iterator[str]:
    for _, logical, properties in every(stacks, "AWS::ElasticLoadBalancingV2::TargetGroup"):
        if properties.get("TargetType") != "ip":
            yield f"{logical} is of type {properties.get('TargetType', 'instance')}, but Fargate tasks need ip"


def _containers(stacks: Stacks) -> Iterator[tuple[str, dict[str, Any]]]:
    for stack, _, properties in every(stacks, "AWS::ECS::TaskDefinition"):
        for container in properties["ContainerDefinitions"]:
            yield stack.name, container


@rule("ecs-05")
def load_balancers_name_a_container_and_its_port(stacks: Stacks) -> Iterator[str]:
    known = {
        (container["Name"], mapping["ContainerPort"])
        for _, container in _containers(stacks)
        for mapping in container.get("PortMappings", [])
    }
    for stack, _, properties in every(stacks, "AWS::ECS::Service"):
        for balancer in properties.get("LoadBalancers", []):
            if (balancer["ContainerName"], balancer["ContainerPort"]) not in known:
                yield f"{stack.name}: no container {balancer['ContainerName']} has port {balancer['ContainerPort']}"


@rule("ecs-08")
def log_groups_exist(stacks: Stacks) -> Iterator[str]:
    declared = {properties.get("LogGroupName") for _, _, properties in every(stacks, "AWS::Logs::LogGroup")}
    for name, container in _containers(stacks):
        group = container.get("LogConfiguration", {}).get("Options", {}).get("awslogs-group")
        if group not in declared:
            yield f"{name}: no stack declares the log group {group}"


@rule("ecs-10")
def variables_and_secrets_differ(stacks: Stacks) -> Iterator[str]:
    for name, container in _containers(stacks):
        variables = [item["Name"] for item in container.get("Environment", []) + container.get("Secrets", [])]
        for variable in {item for item in variables if variables.count(item) > 1}:
            yield f"{name}: {variable} is defined twice"


@rule("ecs-12")
def grace_period_needs_a_load_balancer(stacks: Stacks) -> Iterator[str]:
    for stack, logical, _ in every(stacks, "AWS::ECS::Service"):
        # Unresolved, since a condition would add both to an existing service in one update.
        properties = stack.template["Resources"][logical]["Properties"]
        balancers = properties.get("LoadBalancers")
        if "HealthCheckGracePeriodSeconds" in properties and not isinstance(balancers, list):
            yield f"{stack.name} {logical}: the grace period needs a load balancer under every condition"


@rule("ecs-13")
def rebalancing_needs_more_than_100_percent(stacks: Stacks) -> Iterator[str]:
    for stack, logical, properties in every(stacks, "AWS::ECS::Service"):
        most = int(properties.get("DeploymentConfiguration", {}).get("MaximumPercent", 200))
        if properties.get("AvailabilityZoneRebalancing", "ENABLED") == "ENABLED" and most <= 100:
            yield f"{stack.name} {logical}: rebalancing needs more than {most} percent"


@rule("ecs-18")
def builds_and_tasks_have_one_architecture(stacks: Stacks) -> Iterator[str]:
    built = {
        "ARM64" if properties["Environment"]["Type"].startswith("ARM") else "X86_64"
        for _, _, properties in every(stacks, "AWS::CodeBuild::Project")
    }
    for stack, _, properties in every(stacks, "AWS::ECS::TaskDefinition"):
        runs = properties.get("RuntimePlatform", {}).get("CpuArchitecture", "X86_64")
        if built - {runs}:
            yield f"{stack.name} runs {runs}, builds are for {', '.join(sorted(built))}"


SHIFTING = {"AlternateTargetGroupArn", "ProductionListenerRule", "RoleArn"}


@rule("strategy")
def strategies_have_their_own_configuration(stacks: Stacks) -> Iterator[str]:
    own = {"CanaryConfiguration": "CANARY", "LinearConfiguration": "LINEAR"}
    for stack, _, properties in every(stacks, "AWS::ECS::Service"):
        deployment = properties["DeploymentConfiguration"]
        strategy = deployment.get("Strategy", "ROLLING")
        for key, only in own.items():
            if (key in deployment) != (strategy == only):
                yield f"{stack.name}: {key} belongs to {only}, and the strategy is {strategy}"
        for balancer in properties["LoadBalancers"]:
            # With ROLLING too: dropping it while the alternate target group is live sends all traffic to an empty one.
            if set(balancer.get("AdvancedConfiguration", {})) < SHIFTING:
                yield f"{stack.name}: {strategy} lacks the configuration to shift traffic"


@rule("rollback")
def failed_deployments_are_rolled_back(stacks: Stacks) -> Iterator[str]:
    for stack, _, properties in every(stacks, "AWS::ECS::Service"):
        deployment = properties["DeploymentConfiguration"]
        for key in ("DeploymentCircuitBreaker", "Alarms"):
            if not (deployment.get(key, {}).get("Enable") and deployment[key].get("Rollback")):
                yield f"{stack.name}: {key} rolls no deployment back"
        if int(deployment.get("BakeTimeInMinutes", 0)) < 1:
            yield f"{stack.name}: there is no bake time in which the alarms are watched"


@rule("alarms")
def deployment_alarms_exist_before_the_service(stacks: Stacks) -> Iterator[str]:
    order = list(stacks)
    declared = {alarm["AlarmName"]: (stack, name) for stack, name, alarm in every(stacks, "AWS::CloudWatch::Alarm")}
    for stack, logical, properties in every(stacks, "AWS::ECS::Service"):
        waits = as_list(stack.resources[logical].get("DependsOn", []))
        for alarm in properties["DeploymentConfiguration"].get("Alarms", {}).get("AlarmNames", []):
            where, name = declared[alarm]
            if not (order.index(where.name) < order.index(stack.name) or (where is stack and name in waits)):
                yield f"{stack.name}: {logical} may be created before the alarm {alarm}"


@rule("diluted-alarm", "filled-alarm")
def deployment_alarms_see_faults(stacks: Stacks) -> Iterator[str]:
    """Only three of the faults, since each is computed for each environment; test_alarms.py has them all."""
    told = ("a canary of 3 % that fails a fifth of its requests", "a slow canary", "an unhealthy target")
    for stack, _, properties in every(stacks, "AWS::ECS::Service"):
        watched = properties["DeploymentConfiguration"]["Alarms"]["AlarmNames"]
        alarms = [alarm for _, _, alarm in every(stacks, "AWS::CloudWatch::Alarm") if alarm["AlarmName"] in watched]
        for name in told:
            fault, _ = FAULTS[name]
            for minute in (fault, fault.swapped):
                metrics = published(properties, [Minute(Group(requests=1000))] * 5 + [minute] * 10)
                if not any("ALARM" in history(alarm, metrics, range(5, 15)) for alarm in alarms):
                    yield f"{stack.name}: {name} rolls nothing back"


@rule("desired-count")
def services_with_auto_scaling_have_no_desired_count(stacks: Stacks) -> Iterator[str]:
    if any(True for _ in every(stacks, "AWS::ApplicationAutoScaling::ScalableTarget")):
        for stack, logical, properties in every(stacks, "AWS::ECS::Service"):
            if "DesiredCount" in properties:
                yield f"{stack.name} {logical}: each release resets the number of tasks"


@rule("scaling-metric")
def scaling_does_not_follow_one_target_group(stacks: Stacks) -> Iterator[str]:
    for stack, logical, properties in every(stacks, "AWS::ApplicationAutoScaling::ScalingPolicy"):
        if any(item.get("PredefinedMetricType") == "ALBRequestCountPerTarget" for item in walk(properties)):
            yield f"{stack.name} {logical}: the metric is of one target group, but releases switch between two"


@rule("production-rule")
def production_rule_only_forwards(stacks: Stacks) -> Iterator[str]:
    rules = {
        stack._identifier(logical): (stack.name, properties)
        for stack, logical, properties in every(stacks, "AWS::ElasticLoadBalancingV2::ListenerRule")
    }
    for stack, _, properties in every(stacks, "AWS::ECS::Service"):
        for balancer in properties["LoadBalancers"]:
            shifting = balancer["AdvancedConfiguration"]
            _, found = rules[shifting["ProductionListenerRule"]]
            groups = {
                group["TargetGroupArn"]
                for action in found["Actions"]
                for group in action.get("ForwardConfig", {}).get("TargetGroups", [])
            }
            if [action["Type"] for action in found["Actions"]] != ["forward"]:
                yield f"{stack.name}: the production rule does more than forward"
            elif groups != {balancer["TargetGroupArn"], shifting["AlternateTargetGroupArn"]}:
                yield f"{stack.name}: the production rule does not contain both target groups"


@rule("key-order")
def resources_have_one_order_of_keys(stacks: Stacks) -> Iterator[str]:
    for stack in stacks.values():
        for logical, resource in stack.template.get("Resources", {}).items():
            if list(resource) != sorted(resource, key=ORDER.index):
                yield f"{stack.name} {logical} has its keys in the order {', '.join(resource)}"


@rule("own-tags")
def listeners_and_rules_have_tags_of_their_own(stacks: Stacks) -> Iterator[str]:
    """The deploy role may change them by these tags, and tags of stacks have not always reached them."""
    expected = {TAG_SERVICE: "AppName", TAG_ENVIRONMENT: "EnvironmentName"}
    for kind in ("Listener", "ListenerRule"):
        for stack, logical, _ in every(stacks, f"AWS::ElasticLoadBalancingV2::{kind}"):
            tags = stack.template["Resources"][logical]["Properties"].get("Tags", [])
            if {tag["Key"]: tag["Value"] for tag in tags} != {key: {"Ref": name} for key, name in expected.items()}:
                yield f"{stack.name} {logical} does not have the tags of service and environment"


@rule("task-definition")
def old_task_definitions_stay_registered(stacks: Stacks) -> Iterator[str]:
    for stack, logical, _ in every(stacks, "AWS::ECS::TaskDefinition"):
        if stack.resources[logical].get("UpdateReplacePolicy") != "Retain":
            yield f"{stack.name} {logical}: a release deregisters the revision that the service still runs"


@rule("kms-09")
def dashboards_are_complete(stacks: Stacks) -> Iterator[str]:
    for stack, logical, properties in every(stacks, "AWS::CloudWatch::Dashboard"):
        for widget in json.loads(properties["DashboardBody"])["widgets"]:
            shown = widget["properties"]
            if widget["type"] == "metric" and not (shown.get("metrics") and shown.get("region")):
                yield f"{stack.name} {logical}: the widget {shown.get('title')} has no metrics or no region"
            for item in walk(shown):
                if "color" in item and not COLOUR.fullmatch(item["color"]):
                    yield f"{stack.name} {logical}: {item['color']} is not a colour"
