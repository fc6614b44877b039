"""The stacks of a generated service as CloudFormation sees them: parsed, with all intrinsic functions resolved."""

from __future__ import annotations

import functools
import ipaddress
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from scaffold.service.stack_kinds import (
    DOMAIN,
    ENVIRONMENT,
    OPTIONAL_KINDS,
    SERVICE,
    STACK_KINDS,
    TASK_DEFINITION,
    WITH_ROOT_COMMIT,
    StackId,
    stack_ids,
)

ACCOUNT = "111122223333"
REGION = "us-east-1"
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::URLSuffix": "amazonaws.com",
}
# What CloudFormation and KMS add to names, as long as on AWS: the sizes of policies depend on it.
SUFFIX = "0123456789AB"
KEY_ID = "01234567-89ab-cdef-0123-456789abcdef"
NOTHING = object()
ROOT_COMMIT = "0123456789abcdef" * 2 + "01234567"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/app@sha256:{'0' * 64}"


class _Loader(yaml.CSafeLoader):
    """YAML with the short form of CloudFormation's intrinsic functions."""


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _function)


def parse(text: str) -> dict[str, Any]:
    """Parse a template or a part of one."""
    document: dict[str, Any] = yaml.load(text, _Loader)
    return document


@dataclass
class Stack:
    """A stack: a template with its parameters, and the exports and managed policies of other stacks.

    Attributes:
        attached: The statements of policies that name a role of another stack, by the role's name.
    """

    name: str
    template: dict[str, Any]
    parameters: dict[str, str] = field(default_factory=dict)
    configuration: dict[str, Any] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    policies: dict[str, list[Any]] = field(default_factory=dict)
    attached: dict[str, list[Any]] = field(default_factory=dict)
    imported: set[str] = field(default_factory=set)

    @property
    def kind(self) -> str:
        """The name of its kind, such as foundation."""
        return next(kind for kind in KINDS if self.name.endswith(f"-{kind}"))

    @functools.cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        """The resources that exist with these parameters, with all intrinsic functions resolved."""
        found = {}
        for logical, resource in self.template.get("Resources", {}).items():
            if "Condition" not in resource or self.holds(resource["Condition"]):
                found[logical] = {**resource, "Properties": self.resolve(resource.get("Properties", {}))}
        return found

    @functools.cached_property
    def outputs(self) -> dict[str, str]:
        """The outputs by name."""
        return {
            name: self.resolve(output["Value"])
            for name, output in self.template.get("Outputs", {}).items()
            if "Condition" not in output or self.holds(output["Condition"])
        }

    @functools.cached_property
    def exports(self) -> dict[str, str]:
        """The exports by name."""
        return {
            self.resolve(output["Export"]["Name"]): self.outputs[name]
            for name, output in self.template.get("Outputs", {}).items()
            if "Export" in output and name in self.outputs
        }

    @functools.cached_property
    def own_policies(self) -> dict[str, list[Any]]:
        """The statements of each managed policy that the stack declares, by its ARN."""
        return {
            self._identifier(logical): properties["PolicyDocument"]["Statement"]
            for logical, properties in self.of_type("AWS::IAM::ManagedPolicy")
        }

    def of_type(self, type_name: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every resource of a type, as logical ID and properties."""
        for logical, resource in self.resources.items():
            if resource["Type"] == type_name:
                yield logical, resource["Properties"]

    def holds(self, condition: Any) -> bool:
        """Whether a condition of the template is true."""
        match condition:
            case str():
                return self.holds(self.template["Conditions"][condition])
            case {"Condition": name}:
                return self.holds(name)
            case {"Fn::Equals": [left, right]}:
                return bool(self.resolve(left) == self.resolve(right))
            case {"Fn::Not": [inner]}:
                return not self.holds(inner)
            case {"Fn::And": parts}:
                return all(map(self.holds, parts))
            case {"Fn::Or": parts}:
                return any(map(self.holds, parts))
        raise ValueError(f"not a condition: {condition}")

    def resolve(self, value: Any) -> Any:
        """A value with all intrinsic functions resolved."""
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name, argument)
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not NOTHING}

    def _call(self, name: str, argument: Any) -> Any:
        match name, argument:
            case "Ref", "AWS::NoValue":
                return NOTHING
            case "Ref", "AWS::StackName":
                return self.name
            case "Ref", "AWS::StackId":
                return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{self.name}/{SUFFIX}"
            case "Ref", str() if argument in PSEUDO:
                return PSEUDO[argument]
            case "Ref", str() if argument in self.template.get("Parameters", {}):
                declared = self.template["Parameters"][argument]
                value = self.parameters.get(argument, declared.get("Default"))
                assert value is not None, f"{self.name}: the parameter {argument} has no value"
                return str(value).split(",") if declared["Type"] == "CommaDelimitedList" else str(value)
            case "Ref", str():
                return self._identifier(argument)
            case "Fn::GetAtt", [logical, attribute]:
                return self._attribute(logical, attribute)
            case "Fn::Sub", str():
                return self._sub(argument, {})
            case "Fn::Sub", [text, variables]:
                return self._sub(text, {key: self.resolve(item) for key, item in variables.items()})
            case "Fn::If", [condition, yes, no]:
                return self.resolve(yes if self.holds(condition) else no)
            case "Fn::ImportValue", _:
                export = self.resolve(argument)
                self.imported.add(export)
                assert export in self.imports, f"{self.name} imports {export}, which no stack exports"
                return self.imports[export]
            case "Fn::Split", [separator, text]:
                return self.resolve(text).split(separator)
            case "Fn::GetAZs", _:
                return [f"{REGION}{zone}" for zone in "abc"]
            case "Fn::Select", [index, items]:
                return self.resolve(items)[int(self.resolve(index))]
            case "Fn::Cidr", [block, count, bits]:
                network = ipaddress.ip_network(self.resolve(block))
                subnets = network.subnets(new_prefix=32 - int(self.resolve(bits)))
                return [str(next(subnets)) for _ in range(int(self.resolve(count)))]
        raise ValueError(f"{self.name}: {name} of {argument}")

    def _sub(self, text: str, variables: dict[str, str]) -> str:
        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in variables:
                return str(variables[name])
            if "." in name:
                return str(self._attribute(*name.split(".", 1)))
            return str(self._call("Ref", name))

        return re.sub(r"\$\{([^!}][^}]*)\}", value, text).replace("${!", "${")

    def _properties(self, logical: str) -> tuple[str, dict[str, Any]]:
        assert logical in self.template["Resources"], f"{self.name}: there is no resource {logical}"
        resource = self.template["Resources"][logical]
        assert "Condition" not in resource or self.holds(resource["Condition"]), f"{self.name}: {logical} is absent"
        return resource["Type"], resource.get("Properties", {})

    def _identifier(self, logical: str) -> str:
        kind, properties = self._properties(logical)
        if kind.startswith("AWS::ElasticLoadBalancingV2::") or kind in ("AWS::SNS::Topic", "AWS::ECS::TaskDefinition"):
            return self._arn(logical)
        if kind == "AWS::CertificateManager::Certificate":
            return f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/01234567-89ab-cdef-0123-456789abcdef"
        if kind == "AWS::IAM::ManagedPolicy":
            path = self.resolve(properties["Path"])
            name = self.resolve(properties.get("ManagedPolicyName", f"{self.name}-{logical}-{SUFFIX}"))
            return f"arn:aws:iam::{ACCOUNT}:policy{path}{name}"
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{self.resolve(properties['QueueName'])}"
        if kind == "AWS::ApplicationAutoScaling::ScalableTarget":
            return f"{self.resolve(properties['ResourceId'])}|ecs:service:DesiredCount|ecs"
        names = (
            "ClusterName",
            "RepositoryName",
            "LogGroupName",
            "DashboardName",
            "AlarmName",
            "BucketName",
            "TableName",
        )
        for key in (*names, "Name"):
            if key in properties:
                return str(self.resolve(properties[key]))
        return (
            f"{self.name}-{logical}-{SUFFIX}".lower()
            if kind == "AWS::S3::Bucket"
            else f"{self.name}-{logical}-0123456789abcdef0".lower()
        )

    def _attribute(self, logical: str, attribute: str) -> str:
        kind, properties = self._properties(logical)
        match kind, attribute:
            case _, "Arn":
                return self._arn(logical)
            case "AWS::ECR::Repository", "RepositoryUri":
                return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{self._identifier(logical)}"
            case "AWS::ElasticLoadBalancingV2::LoadBalancer", "DNSName":
                return f"{logical.lower()}.{REGION}.elb.amazonaws.com"
            case "AWS::ElasticLoadBalancingV2::LoadBalancer", "CanonicalHostedZoneID":
                return "Z35SXDOTRQ7X7K"
            case "AWS::ElasticLoadBalancingV2::LoadBalancer", "LoadBalancerFullName":
                return self._arn(logical).partition("loadbalancer/")[2]
            case "AWS::ElasticLoadBalancingV2::TargetGroup", "TargetGroupFullName":
                return self._arn(logical).rpartition(":")[2]
            case "AWS::ECS::Service", "Name":
                return str(self.resolve(properties["ServiceName"]))
            case "AWS::SQS::Queue", "QueueName":
                return str(self.resolve(properties["QueueName"]))
            case "AWS::EC2::SecurityGroup", "GroupId":
                return "sg-0123456789abcdef0"
            case "AWS::EC2::EIP", "AllocationId":
                return "eipalloc-0123456789abcdef0"
            case "AWS::RDS::DBCluster", "Endpoint.Address":
                return f"{self.name}.cluster-0123456789ab.{REGION}.rds.amazonaws.com"
            case "AWS::RDS::DBCluster", "Endpoint.Port":
                return "5432"
            case "AWS::RDS::DBCluster", "DBClusterResourceId":
                return "cluster-0123456789ABCDEFGHIJKLMNOP"
            case "AWS::RDS::DBCluster", "MasterUserSecret.SecretArn":
                name = "rds!cluster-01234567-89ab-cdef-0123-456789abcdef-aBcDeF"
                return f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}"
        raise ValueError(f"{self.name}: the attribute {attribute} of {kind} is not implemented")

    def _arn(self, logical: str) -> str:
        kind, properties = self._properties(logical)
        here = f"{REGION}:{ACCOUNT}"
        elb = f"arn:aws:elasticloadbalancing:{here}"
        match kind:
            case "AWS::IAM::Role":
                path = self.resolve(properties.get("Path", "/"))
                name = self.resolve(properties.get("RoleName", f"{self.name}-{logical}-{SUFFIX}"))
                return f"arn:aws:iam::{ACCOUNT}:role{path}{name}"
            case "AWS::KMS::Key":
                return f"arn:aws:kms:{here}:key/{KEY_ID}"
            case "AWS::S3::Bucket":
                return f"arn:aws:s3:::{self._identifier(logical)}"
            case "AWS::ECR::Repository":
                return f"arn:aws:ecr:{here}:repository/{self._identifier(logical)}"
            case "AWS::SNS::Topic":
                return f"arn:aws:sns:{here}:{self.resolve(properties['TopicName'])}"
            case "AWS::Logs::LogGroup":
                return f"arn:aws:logs:{here}:log-group:{self._identifier(logical)}:*"
            case "AWS::DynamoDB::Table":
                return f"arn:aws:dynamodb:{here}:table/{self._identifier(logical)}"
            case "AWS::SQS::Queue":
                return f"arn:aws:sqs:{here}:{self.resolve(properties['QueueName'])}"
            case "AWS::CodeBuild::Project":
                return f"arn:aws:codebuild:{here}:project/{self._identifier(logical)}"
            case "AWS::CodeBuild::ReportGroup":
                return f"arn:aws:codebuild:{here}:report-group/{self._identifier(logical)}"
            case "AWS::CloudWatch::Alarm":
                return f"arn:aws:cloudwatch:{here}:alarm:{self._identifier(logical)}"
            case "AWS::ECS::TaskDefinition":
                return f"arn:aws:ecs:{here}:task-definition/{self.resolve(properties['Family'])}:1"
            case "AWS::WAFv2::WebACL":
                return f"arn:aws:wafv2:{here}:regional/webacl/{self.resolve(properties['Name'])}/{KEY_ID}"
            case "AWS::ElasticLoadBalancingV2::LoadBalancer":
                return f"{elb}:loadbalancer/app/{self.name[:12]}-{logical}/0123456789abcdef"
            case "AWS::ElasticLoadBalancingV2::Listener":
                return f"{elb}:listener/app/{self.name[:12]}/0123456789abcdef/{logical}"
            case "AWS::ElasticLoadBalancingV2::ListenerRule":
                return f"{elb}:listener-rule/app/{self.name[:12]}/0123456789abcdef/listener/{logical}"
            case "AWS::ElasticLoadBalancingV2::TargetGroup":
                return f"{elb}:targetgroup/{self.name[:12]}-{logical}/0123456789abcdef"
        raise ValueError(f"{self.name}: the ARN of {kind} is not implemented")


KINDS = tuple(kind.name for kind in STACK_KINDS)
Stacks = dict[str, Stack]


def load(root: Path) -> Stacks:
    """Read the stacks of a generated service, in deployment order."""
    folder = root / "infrastructure"
    app = _configuration(folder / "foundation.json")["Parameters"]["AppName"]
    stacks: Stacks = {}
    exports: dict[str, str] = {}
    policies: dict[str, list[Any]] = {}
    attached: dict[str, list[Any]] = {}
    names = environments(root)
    in_existing_vpc = {name for name in names if not (folder / name / "network.json").exists()}
    optional = [kind for kind in OPTIONAL_KINDS if (folder / f"{kind.name}.yaml").exists()]
    for stack_id in stack_ids(names, in_existing_vpc, optional):
        kind, own = stack_id.kind, folder / (stack_id.environment or "")
        if kind.chosen and not (own / f"{kind.name}.json").exists():
            continue
        template = next(path for path in (own / f"{kind.name}.yaml", folder / f"{kind.name}.yaml") if path.exists())
        file = own / f"{kind.name}.json"
        configuration = _configuration(file) if file.exists() else {}
        parameters = {**configuration.get("Parameters", {}), **_overrides(stack_id, app, stacks)}
        stack = Stack(
            stack_id.name(app),
            parse(template.read_text()),
            parameters,
            configuration,
            dict(exports),
            dict(policies),
            attached,
        )
        stacks[stack.name] = stack
        exports.update(stack.exports)
        policies.update(stack.own_policies)
        for _, policy in stack.of_type("AWS::IAM::ManagedPolicy"):
            for role in policy.get("Roles", []):
                attached.setdefault(role, []).extend(policy["PolicyDocument"]["Statement"])
    return stacks


def _overrides(stack_id: StackId, app: str, stacks: Stacks) -> dict[str, str]:
    """The parameters that `scaffold deploy` sets, or the pipeline for each release."""
    if stack_id.kind in WITH_ROOT_COMMIT:
        return {"RootCommit": ROOT_COMMIT}
    if stack_id.kind is TASK_DEFINITION:
        return {"ImageUri": IMAGE, "Version": "0" * 12}
    if stack_id.kind is SERVICE:
        task = stacks[StackId(TASK_DEFINITION, stack_id.environment).name(app)]
        return {"TaskDefinitionArn": task.outputs["TaskDefinitionArn"]}
    if stack_id.kind is DOMAIN:
        zone = stacks[StackId(ENVIRONMENT, stack_id.environment).name(app)].outputs["LoadBalancerHostedZoneId"]
        return {"LoadBalancerHostedZoneId": zone, "PrimaryWeight": "100", "AlternateWeight": "0"}
    return {}


def environments(root: Path) -> list[str]:
    """The names of the environments of a generated service, sorted."""
    return sorted(path.name for path in (root / "infrastructure").iterdir() if path.is_dir())


def _configuration(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def one(stacks: Stacks, kind: str) -> Stack:
    """The only stack of a kind."""
    (found,) = [stack for stack in stacks.values() if stack.kind == kind]
    return found


def as_list(value: Any) -> list[Any]:
    """A list, or a single value as a list."""
    return value if isinstance(value, list) else [value]
