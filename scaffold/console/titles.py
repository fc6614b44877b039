"""Names of things in AWS and Git, as messages call them."""

from __future__ import annotations

from scaffold.core.results import Change

_TITLES = {
    "approval-rule-template": "approval rule template",
    "association": "association with",
    "branch": "branch",
    "change-set": "change set",
    "commit": "commit",
    "content": "content of",
    "database-protection": "deletion protection of the database",
    "deletion-protection": "deletion protection of the load balancer",
    "left-stack": "stack",
    "log-group": "log group",
    "parameter-store": "secret in Parameter Store",
    "prepared-stack": "prepared stack",
    "repository": "CodeCommit repository",
    "secrets-manager": "secret in Secrets Manager",
    "service-deployment": "ECS service deployment",
    "service-linked-role": "service-linked role",
    "stack": "stack",
    "stack-policy": "stack policy of",
    "stage": "pipeline stage",
    "stage-transitions": "stage transitions of pipeline",
    "table-protection": "deletion protection of the DynamoDB table",
    "tag": "tag",
    "task-definition": "task definition",
    "termination-protection": "termination protection of",
}
_RESOURCES = {
    "AWS::DynamoDB::Table": "DynamoDB table",
    "AWS::ECR::Repository": "ECR repository",
    "AWS::RDS::DBCluster": "database",
    "AWS::RDS::DBClusterSnapshot": "snapshot of the database",
    "AWS::KMS::Key": "KMS key",
    "AWS::S3::Bucket": "S3 bucket",
    "AWS::SQS::Queue": "SQS queue",
}
_PARTICIPLES = {"delete": "Deleted", "disable": "Disabled transition into", "turn-off": "Turned off"}
_REPAIRS = {
    "cancel-deletion": "cancel the deletion of {}",
    "cancel-update": "cancel the update of {}",
    "continue-rollback": "continue the rollback of {}",
    "create": "create {} again, empty",
    "delete": "delete {}",
    "enable": "enable {}",
    "revert-drift": "restore the configuration of {}",
    "roll-back": "roll {} back",
    "skip": "leave {} as it is",
    "turn-off": "turn off {}",
    "turn-on": "turn on {}",
}
_CONTAINERS = {"AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::ECR::Repository", "AWS::S3::Bucket"}


def title(kind: str, name: str) -> str:
    """What a thing is called in a message: its type in words, then its name.

    Args:
        kind: The type of a step or change. Other types are shown behind the name, as CloudFormation shows a resource's.
    """
    words = _TITLES.get(kind)
    return f"{words} {name}" if words else f"{name} ({kind})"


def physical_title(kind: str, identifier: str) -> str:
    """What a thing is called by its physical id."""
    words = _RESOURCES.get(kind)
    return f"{words} {identifier}" if words else title(kind, identifier)


def done(action: str) -> str:
    """An action as a participle at the beginning of a sentence."""
    return _PARTICIPLES[action]


def describe(change: Change) -> str:
    """What a step of a teardown changes: what is deleted, with its content or number, disabled or turned off."""
    words = physical_title(change.type, change.name)
    if change.action == "disable":
        return f"transition into {words}, disabled"
    if change.type in _CONTAINERS:
        return f"{words} with all its content"
    return f"{words} ({count(change.count, 'revision')})" if change.type == "task-definition" else words


def describe_repair(change: Change) -> str:
    """What a step of a repair does."""
    return _REPAIRS[change.action].format(physical_title(change.type, change.name))


def count(number: int, noun: str) -> str:
    """A number with its noun in singular or plural."""
    return f"{number} {noun}{'s' if number != 1 else ''}"
