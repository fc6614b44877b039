"""Deletes what a run has created: what has the run's tag or was recorded with its ARN, never what only has its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from . import scanning, stack_cleaning
from .account import Account, code, said
from .kit import destroy
from .stack_cleaning import Kept
from .state import TAG, Resource, State

_GONE = {
    "ApprovalRuleTemplateDoesNotExistException",
    "ClusterNotFoundException",
    "NoSuchBucket",
    "PipelineNotFoundException",
    "RepositoryDoesNotExistException",
    "ResourceNotFoundException",
}


def clean_up(account: Account, state: State, tell: Callable[[str], None]) -> list[str]:
    """Delete everything of a run: a sentence for each thing that is left. A failure stops no other deletion.

    Args:
        tell: Shows a line of progress.
    """
    left = []
    for kind in _ORDER:
        found = [one for one in reversed(state.resources) if one.kind == kind]
        for resource in found:
            tell(f"Cleaning up: {resource.kind} {resource.name}")
            try:
                CLEANERS[kind](account, state, resource)
                state.forget(resource)
            except Exception as error:
                if isinstance(error, ClientError) and code(error) in _GONE:
                    state.forget(resource)
                else:
                    left.append(f"The {kind} {resource.name} is left: {said(error)}")
    left += stack_cleaning.delete_all(account, state, tell)
    if not state.resources:
        state.end()
    return left


def _check(tags: dict[str, str], state: State) -> None:
    """Refuse what is not of this run."""
    if tags.get(TAG) != state.run:
        raise Kept(f"it does not have the tag {TAG} of this run, so that something else has created it.")


def _service(account: Account, state: State, _: Resource) -> None:
    destroy(account, state)


def _pipeline(account: Account, state: State, resource: Resource) -> None:
    codepipeline = account.client("codepipeline")
    arn = codepipeline.get_pipeline(name=resource.name)["metadata"]["pipelineArn"]
    _check(_listed(codepipeline.list_tags_for_resource(resourceArn=arn)["tags"], "key", "value"), state)
    codepipeline.delete_pipeline(name=resource.name)


def _repository(account: Account, state: State, resource: Resource) -> None:
    codecommit = account.client("codecommit")
    arn = codecommit.get_repository(repositoryName=resource.name)["repositoryMetadata"]["Arn"]
    _check(codecommit.list_tags_for_resource(resourceArn=arn)["tags"], state)
    codecommit.delete_repository(repositoryName=resource.name)


def _approval_rule_template(account: Account, state: State, resource: Resource) -> None:
    """It can have no tags: its description has that of the run."""
    codecommit, chosen = account.client("codecommit"), {"approvalRuleTemplateName": resource.name}
    found = codecommit.get_approval_rule_template(**chosen)["approvalRuleTemplate"]
    key, _, value = found.get("approvalRuleTemplateDescription", "").partition(" ")
    _check({key: value}, state)
    try:
        codecommit.disassociate_approval_rule_template_from_repository(**chosen, **resource.details)
    except ClientError as error:
        if code(error) != "RepositoryDoesNotExistException":
            raise
    codecommit.delete_approval_rule_template(**chosen)


def _bucket(account: Account, state: State, resource: Resource) -> None:
    s3 = account.client("s3")
    _check(_listed(s3.get_bucket_tagging(Bucket=resource.name)["TagSet"], "Key", "Value"), state)
    stack_cleaning.empty(account, resource.name)
    s3.delete_bucket(Bucket=resource.name)


def _task_definition(account: Account, state: State, resource: Resource) -> None:
    ecs = account.client("ecs")
    pages = ecs.get_paginator("list_task_definitions").paginate(familyPrefix=resource.name, status="ACTIVE")
    for arn in [arn for page in pages for arn in page["taskDefinitionArns"]]:
        answer = ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
        _check(_listed(answer.get("tags", []), "key", "value"), state)
        ecs.deregister_task_definition(taskDefinition=arn)


def _registry_scanning(account: Account, state: State, resource: Resource) -> None:
    scanning.restore(account, state.run, resource.details)


def _inspector(account: Account, state: State, _: Resource) -> None:
    scanning.disable_inspector(account, state.run)


def _listed(tags: list[dict[str, str]], key: str, value: str) -> dict[str, str]:
    return {one[key]: one[value] for one in tags}


#: What deletes a kind of resource, or restores a setting of the account.
CLEANERS: dict[str, Callable[[Account, State, Resource], Any]] = {
    scanning.CONFIGURATION: _registry_scanning,
    scanning.INSPECTOR: _inspector,
    "service": _service,
    "pipeline": _pipeline,
    "task definition": _task_definition,
    "approval rule template": _approval_rule_template,
    "repository": _repository,
    "bucket": _bucket,
}
# Stacks come last: pipelines and stacks with a role need the roles in others.
_ORDER = tuple(CLEANERS)
