"""Rules for the pipeline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.infrastructure.rules import every, references, repeated, rule, walk
from tests.infrastructure.stacks import Stack, Stacks, as_list

ACTION_MODES = {"CREATE_UPDATE", "REPLACE_ON_FAILURE", "DELETE_ONLY", "CHANGE_SET_REPLACE", "CHANGE_SET_EXECUTE"}
PROVIDERS = {
    "Source": {"CodeCommit"},
    "Build": {"CodeBuild"},
    "Test": {"CodeBuild"},
    "Deploy": {"CloudFormation"},
    "Approval": {"Manual"},
}
CONDITIONS = {
    "BeforeEntry": {"FAIL", "SKIP"},
    "OnSuccess": {"FAIL", "ROLLBACK"},
    "OnFailure": {"RETRY", "ROLLBACK", "FAIL", "SKIP"},
}
RULE_PROVIDERS = {"CloudWatchAlarm", "CodeBuild", "Commands", "DeploymentWindow", "LambdaInvoke", "VariableCheck"}


def _actions(stacks: Stacks) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for _, _, properties in every(stacks, "AWS::CodePipeline::Pipeline"):
        for stage in properties["Stages"]:
            for action in stage["Actions"]:
                yield properties, action


@rule("pipe-01")
def artifacts_have_one_writer(stacks: Stacks) -> Iterator[str]:
    written = (output["Name"] for _, action in _actions(stacks) for output in action.get("OutputArtifacts", []))
    yield from (f"two actions write the artifact {name}" for name in repeated(written))


@rule("pipe-02")
def namespaces_are_unique(stacks: Stacks) -> Iterator[str]:
    used = (action["Namespace"] for _, action in _actions(stacks) if "Namespace" in action)
    yield from (f"two actions share the namespace {name}" for name in repeated(used))


@rule("pipe-03")
def builds_have_an_input(stacks: Stacks) -> Iterator[str]:
    for _, action in _actions(stacks):
        if action["ActionTypeId"]["Provider"] == "CodeBuild" and not action.get("InputArtifacts"):
            yield f"{action['Name']} has no input artifact"


@rule("pipe-07")
def features_of_v2_need_type_v2(stacks: Stacks) -> Iterator[str]:
    for _, logical, properties in every(stacks, "AWS::CodePipeline::Pipeline"):
        if properties.get("PipelineType", "V1") != "V2":
            new = {"Triggers", "Variables"} & set(properties)
            if new or properties.get("ExecutionMode", "SUPERSEDED") != "SUPERSEDED":
                yield f"{logical} is of type V1"


@rule("pipe-14")
def stacks_with_roles_are_acknowledged(stacks: Stacks) -> Iterator[str]:
    with_roles = {name for name, stack in stacks.items() if any(True for _ in stack.of_type("AWS::IAM::Role"))}
    named = {
        stack.name
        for stack, _, properties in [*every(stacks, "AWS::IAM::Role"), *every(stacks, "AWS::IAM::ManagedPolicy")]
        if {"RoleName", "ManagedPolicyName"} & set(properties)
    }
    for _, action in _actions(stacks):
        configuration = action.get("Configuration", {})
        capabilities = configuration.get("Capabilities", "").split(",")
        if "TemplatePath" not in configuration:
            continue
        stack = configuration["StackName"]
        if stack in named and "CAPABILITY_NAMED_IAM" not in capabilities:
            yield f"{action['Name']} of {stack} lacks CAPABILITY_NAMED_IAM"
        elif stack in with_roles and not {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"} & set(capabilities):
            yield f"{action['Name']} of {stack} lacks CAPABILITY_IAM"


@rule("action-mode")
def action_providers_and_modes_exist(stacks: Stacks) -> Iterator[str]:
    for _, action in _actions(stacks):
        kind, configuration = action["ActionTypeId"], action.get("Configuration", {})
        if kind["Provider"] not in PROVIDERS.get(kind["Category"], set()):
            yield f"{action['Name']}: no provider {kind['Provider']} in {kind['Category']}"
        if kind["Provider"] == "CloudFormation" and configuration.get("ActionMode") not in ACTION_MODES:
            yield f"{action['Name']}: no action mode {configuration.get('ActionMode')}"


@rule("stage-condition")
def stage_conditions_exist(stacks: Stacks) -> Iterator[str]:
    for _, _, properties in every(stacks, "AWS::CodePipeline::Pipeline"):
        for stage in properties["Stages"]:
            for kind, results in CONDITIONS.items():
                declared = stage.get(kind, {})
                conditions = declared.get("Conditions", [])
                if len(conditions) > 1:
                    yield f"{stage['Name']}: more than one condition {kind}"
                for item in [declared, *conditions]:
                    if item.get("Result", next(iter(results))) not in results:
                        yield f"{stage['Name']}: {kind} has no result {item['Result']}"
                for provider in (item["RuleTypeId"]["Provider"] for item in walk(declared) if "RuleTypeId" in item):
                    if provider not in RULE_PROVIDERS:
                        yield f"{stage['Name']}: no rule {provider}"
            asks = any(action["ActionTypeId"]["Category"] == "Approval" for action in stage["Actions"])
            if asks and stage.get("OnFailure", {}).get("Result") == "ROLLBACK":
                yield f"{stage['Name']}: a rejected approval would roll back and request approval again"


def _variables(action: dict[str, Any]) -> dict[str, str]:
    """The environment variables that an action gives a build."""
    given = json.loads(action.get("Configuration", {}).get("EnvironmentVariables", "[]"))
    return {item["name"]: item["value"] for item in given}


@rule("strategy-gate")
def rolling_deployments_pass_the_strategy_gate(stacks: Stacks) -> Iterator[str]:
    """In their own stage, after its approval, before the service changes."""
    deployments = {"CREATE_UPDATE", "REPLACE_ON_FAILURE", "CHANGE_SET_EXECUTE"}
    services = {stack.name: (stack, properties) for stack, _, properties in every(stacks, "AWS::ECS::Service")}
    for _, _, pipeline in every(stacks, "AWS::CodePipeline::Pipeline"):
        for stage in pipeline["Stages"]:
            for action in stage["Actions"]:
                configuration = action.get("Configuration", {})
                if configuration.get("StackName") in services and configuration.get("ActionMode") in deployments:
                    earlier = [one for one in stage["Actions"] if one["RunOrder"] < action["RunOrder"]]
                    approved = max((one["RunOrder"] for one in earlier if one["Name"] == "Approval"), default=0)
                    gate = _gate(*services[configuration["StackName"]], stacks).items()
                    if not any(
                        gate <= _with_outputs(_variables(one), earlier, stacks).items()
                        for one in earlier
                        if one["RunOrder"] > approved
                    ):
                        yield f"{stage['Name']}: {action['Name']} does not wait for its strategy gate"


def _gate(stack: Stack, service: dict[str, Any], stacks: Stacks) -> dict[str, str]:
    """The variables of a service's strategy gate. It finds the rule of a domain by itself."""
    (balancer,) = service["LoadBalancers"]
    rule = balancer["AdvancedConfiguration"]["ProductionListenerRule"]
    domain = stacks.get(stack.name.removesuffix("service") + "domain")
    if domain and rule == domain.outputs.get("ProductionRuleArn"):
        rule = stacks[stack.name.removesuffix("service") + "environment"].outputs["ProductionRuleArn"]
    return {
        "CHECK": "strategy_gate",
        "ENVIRONMENT_NAME": stack.resolve({"Ref": "EnvironmentName"}),
        "PRODUCTION_RULE": rule,
        "TARGET_GROUP": balancer["TargetGroupArn"],
    }


def _with_outputs(variables: dict[str, str], earlier: list[dict[str, Any]], stacks: Stacks) -> dict[str, str]:
    """Variables with the outputs of stacks that earlier actions of the stage update."""
    outputs = {
        f"#{{{action['Namespace']}.{name}}}": value
        for action in earlier
        if "Namespace" in action and "StackName" in action["Configuration"]
        for name, value in stacks[action["Configuration"]["StackName"]].outputs.items()
    }
    return {name: outputs.get(value, value) for name, value in variables.items()}


@rule("overrides")
def overrides_stay_below_their_limit(stacks: Stacks) -> Iterator[str]:
    for _, action in _actions(stacks):
        configuration = action.get("Configuration", {})
        overrides = configuration.get("ParameterOverrides", "{}")
        if len(overrides) > 1000:
            yield f"{action['Name']}: overrides of {len(overrides)} characters"
        target = stacks.get(configuration.get("StackName", ""))
        for name in set(json.loads(overrides)) - set(target.template["Parameters"] if target else []):
            yield f"{action['Name']}: the template has no parameter {name}"


@rule("trigger")
def pushes_start_the_pipeline(stacks: Stacks) -> Iterator[str]:
    started = {
        target["Arn"]
        for _, _, properties in every(stacks, "AWS::Events::Rule")
        if "aws.codecommit" in properties.get("EventPattern", {}).get("source", [])
        for target in properties["Targets"]
    }
    for properties, action in _actions(stacks):
        if action["ActionTypeId"]["Provider"] == "CodeCommit":
            if action["Configuration"].get("PollForSourceChanges") != "false":
                yield f"{action['Name']} polls for changes"
            if not any(arn.endswith(f":{properties['Name']}") for arn in started):
                yield f"no rule starts {properties['Name']}"


@rule("at-rest")
def the_pipeline_comes_last_in_its_stack(stacks: Stacks) -> Iterator[str]:
    for stack, logical, _ in every(stacks, "AWS::CodePipeline::Pipeline"):
        after, todo = set(), [logical]
        while todo:
            resource = stack.template["Resources"][todo.pop()]
            names = set(as_list(resource.get("DependsOn", []))) | references(resource)
            todo += [name for name in names & set(stack.resources) if name not in after]
            after |= names & set(stack.resources)
        for missing in set(stack.resources) - after - {logical}:
            yield f"{missing} may still change while the pipeline updates its own stack"
