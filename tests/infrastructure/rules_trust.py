"""Rules for IAM roles, KMS keys, names and retained data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from scaffold.service.stack_kinds import STACK_KINDS, Deployer
from tests.infrastructure.iam import allowed, statements_of
from tests.infrastructure.rules import every, references, repeated, rule, walk
from tests.infrastructure.stacks import Stacks, as_list

# AWS checks the permissions of their role when they are created.
DEPLOYED_BY_A_PERSON = {kind.name for kind in STACK_KINDS if kind.deployer is Deployer.PERSON}
FROM_THIS_ACCOUNT = {"aws:SourceAccount", "aws:SourceArn"}
# AWS documents neither key for CloudFormation when it assumes the role of a stack, nor for ECS and its infrastructure
# role, and with a key that a service does not set, it could not assume the role. A role is passed in its account only.
WITHOUT_SOURCE = {"cloudformation.amazonaws.com", "ecs.amazonaws.com"}
# An approval rule names the role, and only a change of its path would replace it.
NAMED = {"VerdictRole"}
CHECKED_AT_ONCE = {"AWS::CodeBuild::Project", "AWS::CodePipeline::Pipeline"}


@rule("iam-02")
def every_role_of_a_task_may_be_passed(stacks: Stacks) -> Iterator[str]:
    deployers = [
        (stack, logical)
        for stack, logical, properties in every(stacks, "AWS::IAM::Role")
        if "cloudformation.amazonaws.com" in _trusted(properties)
    ]
    for stack, _, properties in every(stacks, "AWS::ECS::TaskDefinition"):
        for key in {"TaskRoleArn", "ExecutionRoleArn"} & set(properties):
            context = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
            if not any(allowed(statements_of(*role), "iam:PassRole", properties[key], context) for role in deployers):
                yield f"{stack.name}: no deploy role may pass its {key}"


@rule("iam-04")
def builds_may_write_their_log(stacks: Stacks) -> Iterator[str]:
    for stack, logical, properties in every(stacks, "AWS::CodeBuild::Project"):
        group = properties.get("LogsConfig", {}).get("CloudWatchLogs", {}).get("GroupName")
        role = stack.template["Resources"][logical]["Properties"]["ServiceRole"]["Fn::GetAtt"][0]
        declared = {item.get("LogGroupName") for _, item in stack.of_type("AWS::Logs::LogGroup")}
        arn = f"arn:aws:logs:us-east-1:111122223333:log-group:{group}:log-stream:any"
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            if group not in declared or not allowed(statements_of(stack, role), action, arn):
                yield f"{logical} may not write to {group}"


@rule("iam-05")
def permissions_come_with_the_role(stacks: Stacks) -> Iterator[str]:
    for stack, policy, _ in [*every(stacks, "AWS::IAM::Policy"), *every(stacks, "AWS::IAM::ManagedPolicy")]:
        # A role of another stack, whose policies belong to what the application does.
        given = stack.template["Resources"][policy]["Properties"].get("Roles", [])
        roles = [item["Ref"] for item in given if "Ref" in item]
        for logical, resource in stack.template["Resources"].items():
            uses = resource["Type"] in CHECKED_AT_ONCE and references(resource) & set(roles)
            if uses and policy not in as_list(resource.get("DependsOn", [])):
                yield f"{logical} may be created before {policy}, which its role needs"


@rule("iam-07")
def subnets_in_conditions_are_arns(stacks: Stacks) -> Iterator[str]:
    for stack in stacks.values():
        for item in walk(stack.resources):
            for subnet in as_list(item.get("ec2:Subnet", [])):
                if not str(subnet).startswith("arn:"):
                    yield f"{stack.name}: the condition on ec2:Subnet names {subnet}, which is not an ARN"


def _trusted(role: dict[str, Any]) -> list[str]:
    return [
        service
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
        for service in as_list(statement["Principal"].get("Service", []))
    ]


@rule("iam-08")
def roles_trust_the_service_that_assumes_them(stacks: Stacks) -> Iterator[str]:
    trusted = {stack._arn(logical): _trusted(role) for stack, logical, role in every(stacks, "AWS::IAM::Role")}

    def trusts(where: str, arn: str, service: str) -> Iterator[str]:
        if trusted.get(arn) != [service]:
            yield f"{where} uses {arn}, which trusts {trusted.get(arn)} and not {service}"

    for stack, _, properties in every(stacks, "AWS::ECS::TaskDefinition"):
        for key in ("TaskRoleArn", "ExecutionRoleArn"):
            yield from trusts(f"{stack.name} {key}", properties[key], "ecs-tasks.amazonaws.com")
    for stack, _, properties in every(stacks, "AWS::ECS::Service"):
        for item in walk(properties.get("LoadBalancers", [])):
            if "RoleArn" in item:
                yield from trusts(stack.name, item["RoleArn"], "ecs.amazonaws.com")
    for _, logical, properties in every(stacks, "AWS::CodeBuild::Project"):
        yield from trusts(logical, properties["ServiceRole"], "codebuild.amazonaws.com")
    for _, logical, properties in every(stacks, "AWS::CodePipeline::Pipeline"):
        yield from trusts(logical, properties["RoleArn"], "codepipeline.amazonaws.com")
    for _, logical, properties in every(stacks, "AWS::Events::Rule"):
        for target in properties["Targets"]:
            if "RoleArn" in target:
                yield from trusts(logical, target["RoleArn"], "events.amazonaws.com")
            elif not target["Arn"].startswith("arn:aws:sns:"):
                yield f"{logical} has no role for {target['Arn']}"


@rule("confused-deputy")
def services_act_for_this_account_only(stacks: Stacks) -> Iterator[str]:
    for stack, logical, role in every(stacks, "AWS::IAM::Role"):
        for statement in role["AssumeRolePolicyDocument"]["Statement"]:
            limited = {key for keys in statement.get("Condition", {}).values() for key in keys} & FROM_THIS_ACCOUNT
            for service in as_list(statement["Principal"].get("Service", [])):
                if bool(limited) is (service in WITHOUT_SOURCE):
                    yield f"{stack.name} {logical}: {service} sets {sorted(limited) or 'no key that is a condition'}"


@rule("boundary")
def roles_that_the_pipeline_creates_have_a_boundary(stacks: Stacks) -> Iterator[str]:
    boundaries = {stack.outputs["BoundaryArn"] for stack in stacks.values() if "BoundaryArn" in stack.outputs}
    for stack, logical, properties in every(stacks, "AWS::IAM::Role"):
        if stack.kind not in DEPLOYED_BY_A_PERSON:
            if properties.get("PermissionsBoundary") not in boundaries:
                yield f"{stack.name} {logical} has no boundary"
            if "RoleName" in properties and logical not in NAMED:
                yield f"{stack.name} {logical} has a RoleName, so it cannot be replaced"
        if not properties.get("Path", "/").strip("/"):
            yield f"{stack.name} {logical} has no path to match it by"


@rule("full-access")
def no_policy_grants_everything(stacks: Stacks) -> Iterator[str]:
    own = {stack._identifier(policy) for stack, policy, _ in every(stacks, "AWS::IAM::ManagedPolicy")}
    for stack, logical, properties in every(stacks, "AWS::IAM::Role"):
        for arn in set(properties.get("ManagedPolicyArns", [])) - own:
            yield f"{stack.name} {logical} has the managed policy {arn}"
        for statement in statements_of(stack, logical):
            for action in as_list(statement["Action"]):
                service, _, call = action.partition(":")
                if statement["Effect"] == "Allow" and (action == "*" or call == "*" or not call):
                    yield f"{stack.name} {logical} is allowed all actions of {service}"
            if "NotAction" in statement or "NotResource" in statement:
                yield f"{stack.name} {logical} uses NotAction or NotResource"


@rule("kms-02")
def publishers_may_use_the_key_of_the_topic(stacks: Stacks) -> Iterator[str]:
    for _, logical, properties in every(stacks, "AWS::SNS::Topic"):
        if "KmsMasterKeyId" not in properties:
            continue
        granted = _granted_to_services(stacks, properties["KmsMasterKeyId"])
        for service in ("cloudwatch.amazonaws.com", "events.amazonaws.com"):
            if not {"kms:Decrypt", "kms:GenerateDataKey*"} <= granted.get(service, set()):
                yield f"{service} may not use the key of {logical}"


def _granted_to_services(stacks: Stacks, arn: str) -> dict[str, set[str]]:
    granted: dict[str, set[str]] = {}
    for stack, logical, key in every(stacks, "AWS::KMS::Key"):
        for statement in key["KeyPolicy"]["Statement"] if stack._arn(logical) == arn else []:
            for service in as_list(statement["Principal"].get("Service", [])):
                granted.setdefault(service, set()).update(as_list(statement["Action"]))
    return granted


@rule("kms-05")
def keys_have_an_administrator(stacks: Stacks) -> Iterator[str]:
    for _, logical, properties in every(stacks, "AWS::KMS::Key"):
        administrators = [
            statement
            for statement in properties["KeyPolicy"]["Statement"]
            if str(statement["Principal"].get("AWS", "")).endswith(":root") and "kms:*" in as_list(statement["Action"])
        ]
        if not administrators:
            yield f"the key policy of {logical} could never be changed"


@rule("name-06")
def exports_do_not_change_their_value(stacks: Stacks) -> Iterator[str]:
    for stack in stacks.values():
        for name, output in stack.template.get("Outputs", {}).items():
            if "Export" in output and any("Fn::If" in item for item in walk(output["Value"])):
                yield f"{stack.name}: the export {name} changes with a parameter while other stacks import it"


@rule("name-07")
def log_groups_are_declared_once(stacks: Stacks) -> Iterator[str]:
    names = (properties["LogGroupName"] for _, _, properties in every(stacks, "AWS::Logs::LogGroup"))
    yield from (f"two resources declare the log group {name}" for name in repeated(names))


@rule("sh-01", "lifecycle")
def released_images_never_expire(stacks: Stacks) -> Iterator[str]:
    for _, logical, properties in every(stacks, "AWS::ECR::Repository"):
        for item in json.loads(properties["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]:
            selection = item["selection"]
            if ("countUnit" in selection) != (selection["countType"] == "sinceImagePushed"):
                yield f"{logical}: countUnit needs sinceImagePushed, not {selection['countType']}"
            if selection["tagStatus"] != "untagged":
                yield f"{logical}: a rule expires images that may be running"


@rule("retain")
def data_is_retained_when_its_stack_is_deleted(stacks: Stacks) -> Iterator[str]:
    for kind in ("AWS::KMS::Key", "AWS::S3::Bucket", "AWS::ECR::Repository"):
        for stack, logical, _ in every(stacks, kind):
            resource = stack.resources[logical]
            policies = (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
            # With Retain, a failed creation would leave the resource, and its name would fail the next creation.
            if policies != ("RetainExceptOnCreate", "Retain"):
                yield f"{stack.name} {logical} is deleted with its stack, or retained after a failed creation"


@rule("scanning")
def scanning_of_the_registry_is_not_configured(stacks: Stacks) -> Iterator[str]:
    for stack, logical, _ in every(stacks, "AWS::ECR::RegistryScanningConfiguration"):
        yield f"{stack.name} {logical} changes how every repository of the account is scanned"
