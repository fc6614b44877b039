"""The stacks of an environment: what a source gives them, and what is deployed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from aws_calls import call
from aws_cli import Problem, Refused
from remedies import again
from source_files import ROOT, exists, text

# In the order of the environment's stages in pipeline.yaml. A stack that is added there is added here.
TEMPLATES = {
    "data": "infrastructure/data.yaml",
    "network": "infrastructure/network.yaml",
    "database": "infrastructure/database.yaml",
    "environment": "infrastructure/environment.yaml",
    "waf": "infrastructure/waf.yaml",
    "task-definition": "infrastructure/{environment}/task-definition.yaml",
    "alarms": "infrastructure/alarms.yaml",
    "domain": "infrastructure/domain.yaml",
    "service": "infrastructure/service.yaml",
}
# The parameter of an environment whose load balancer is protected from deletion.
PROTECTION = "ProtectLoadBalancer"
# Not every environment has them: an existing VPC needs no network.
OPTIONAL = ("data", "database", "domain", "network", "waf")
# What the stage reads from what runs once, when it creates a resource, and keeps.
KEPT = {"domain": ("LoadBalancerHostedZoneId", "PrimaryWeight", "AlternateWeight")}
UPDATABLE = {
    "CREATE_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
}
DIGEST_LENGTH = 16
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Source:
    """What a source gives a stack.

    Attributes:
        parameters: Without those that keep their defaults, and without what the stage finds out: the task definition's
            ARN, which is an output, and `KEPT`.
        tags: None if the source says nothing about them.
        policy: The stack policy; None if the source has none.
    """

    kind: str
    name: str
    template: str
    parameters: dict[str, str]
    tags: dict[str, str] | None
    policy: Any


@dataclass(frozen=True)
class Deployed:
    """A stack that exists.

    Attributes:
        prepared: Whether it is the placeholder of `scaffold deploy`, and no release has filled it.
        state: A digest that differs once anybody has updated the stack.
    """

    status: str
    prepared: bool
    parameters: dict[str, str]
    tags: dict[str, str]
    outputs: dict[str, str]
    state: str


def sources(
    app: str, environment: str, image: str, version: str, root: Path = ROOT, *, protect: str = ""
) -> list[Source]:
    """The stacks of an environment in the order of their deployment.

    Args:
        protect: The release's value of ProtectLoadBalancer; empty for the template's default.
        root: The folder of the source; that of this script without it.

    Raises:
        Problem: A file is missing, is a symbolic link, or cannot be read.
    """
    kinds = [
        kind for kind in TEMPLATES if kind not in OPTIONAL or exists(f"infrastructure/{environment}/{kind}.json", root)
    ]
    given = {"task-definition": {"ImageUri": image, "Version": version}}
    given |= {"environment": {PROTECTION: protect}} if protect else {}
    return [_source(f"{app}-{environment}-{kind}", kind, environment, given.get(kind, {}), root) for kind in kinds]


def _source(name: str, kind: str, environment: str, overrides: dict[str, str], root: Path) -> Source:
    configuration: dict[str, Any] = {}
    file = TEMPLATES[kind].format(environment=environment)
    try:
        template = text(file, root)
        if kind != "task-definition":
            file = f"infrastructure/{environment}/{kind}.json"
            configuration = json.loads(text(file, root))
        parameters = {key: str(value) for key, value in configuration.get("Parameters", {}).items()}
        tags = configuration.get("Tags")
        if not isinstance(tags, dict | None):
            raise ValueError("tags are a mapping")
        return Source(kind, name, template, parameters | overrides, tags, configuration.get("StackPolicy"))
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise Problem(f"{file} cannot be read; restore it") from error


def completed(source: Source, stack: Deployed, task_definition: str) -> dict[str, str]:
    """The parameters that a release without other changes gives a stack.

    Args:
        task_definition: Its ARN.
    """
    kept = {name: stack.parameters[name] for name in KEPT.get(source.kind, ()) if name in stack.parameters}
    return source.parameters | kept | ({"TaskDefinitionArn": task_definition} if source.kind == "service" else {})


def deployed(source: Source) -> Deployed:
    """The stack that this source would change.

    Raises:
        Problem: It does not exist, or CloudFormation does not describe it.
    """
    try:
        (stack,) = call("cloudformation", "describe-stacks", StackName=source.name)["Stacks"]
        parameters = {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack.get("Parameters", [])}
        tags = {one["Key"]: one["Value"] for one in stack.get("Tags", [])}
        outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
        changed = stack.get("LastUpdatedTime") or stack["CreationTime"]
        content = json.dumps([stack["StackId"], changed, parameters, tags], sort_keys=True)
        state = hashlib.sha256(content.encode()).hexdigest()[:DIGEST_LENGTH]
        return Deployed(stack["StackStatus"], "Prepared" in outputs, parameters, tags, outputs, state)
    except Refused as refused:
        if "does not exist" not in refused.message:
            raise
        raise Problem(
            f"the stack {source.name} does not exist; run `scaffold deploy`, which prepares it, then {again()}"
        ) from refused
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _incomplete(source) from error


def policy_of(source: Source) -> Any:
    """The policy of the stack that this source would change; None without one.

    Raises:
        Problem: CloudFormation does not return it.
    """
    try:
        body = call("cloudformation", "get-stack-policy", StackName=source.name).get("StackPolicyBody")
        return json.loads(body) if body else None
    except (ValueError, TypeError) as error:
        raise _incomplete(source) from error


def template_of(source: Source) -> Any:
    """The template of the stack that this source would change, as `plain` returns it.

    Raises:
        Problem: CloudFormation does not return it.
    """
    answer = call("cloudformation", "get-template", StackName=source.name, TemplateStage="Original")
    if "TemplateBody" not in answer:
        raise _incomplete(source)
    return plain(answer["TemplateBody"])


def plain(template: Any) -> Any:
    """A template as it is compared: the AWS CLI returns one in JSON as a document, and CloudFormation trims lines."""
    if not isinstance(template, str):
        return template
    try:
        return json.loads(template)
    except ValueError:
        return [line.rstrip() for line in template.strip().splitlines()]


def _incomplete(source: Source) -> Problem:
    return Problem(f"CloudFormation's description of the stack {source.name} is incomplete; {again()}")


def side_by_side(function: Callable[[Item], Result], items: list[Item]) -> list[Result]:
    """The results of a function for several items, whose calls do not wait for each other."""
    with ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(function, items))
