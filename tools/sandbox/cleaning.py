"""Deletes what a run has created: what has the run's tag or was recorded with its ARN, never what only has its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.core.errors import ScaffoldError

from . import stack_cleaning
from .account import Account, code, said
from .kit import destroy
from .state import TAG, Resource, State

_GONE = {
    "ClusterNotFoundException",
    "NoSuchBucket",
    "PipelineNotFoundException",
    "RepositoryDoesNotExistException",
    "ResourceNotFoundException",
}


class Kept(Exception):
    """A resource is left as it is; the message says why."""


def clean_up(account: Account, state: State, tell: Callable[[str], None]) -> list[str]:
    """Delete everything of a run: a sentence for each thing that is left.

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
            except (Kept, ScaffoldError, stack_cleaning.Kept) as kept:
                left.append(f"The {kind} {resource.name} is left: {kept}")
            except (ClientError, BotoCoreError) as error:
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


def _bucket(account: Account, state: State, resource: Resource) -> None:
    s3 = account.client("s3")
    _check(_listed(s3.get_bucket_tagging(Bucket=resource.name)["TagSet"], "Key", "Value"), state)
    stack_cleaning.empty(account, resource.name)
    s3.delete_bucket(Bucket=resource.name)


def _task_definition(account: Account, state: State, resource: Resource) -> None:
    ecs = account.client("ecs")
    answer = ecs.describe_task_definition(taskDefinition=resource.name, include=["TAGS"])
    _check(_listed(answer.get("tags", []), "key", "value"), state)
    ecs.deregister_task_definition(taskDefinition=resource.name)


def _registry_scanning(account: Account, _: State, resource: Resource) -> None:
    account.client("ecr").put_registry_scanning_configuration(**resource.details)


def _inspector(account: Account, _state: State, _resource: Resource) -> None:
    inspector = account.client("inspector2")
    (status,) = inspector.batch_get_account_status(accountIds=[account.id])["accounts"]
    if status["resourceState"]["ecr"]["status"] != "DISABLED":
        inspector.disable(resourceTypes=["ECR"])


def _listed(tags: list[dict[str, str]], key: str, value: str) -> dict[str, str]:
    return {one[key]: one[value] for one in tags}


#: What deletes a kind of resource, or restores a setting of the account.
CLEANERS: dict[str, Callable[[Account, State, Resource], Any]] = {
    "scanning configuration of the registry": _registry_scanning,
    "activation of Inspector": _inspector,
    "service": _service,
    "pipeline": _pipeline,
    "task definition": _task_definition,
    "repository": _repository,
    "bucket": _bucket,
}
# Stacks come last: pipelines and stacks with a role need the roles in others.
_ORDER = tuple(CLEANERS)
