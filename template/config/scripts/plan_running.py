"""Whether a release can be approved while its tasks run, and what people have to know for that."""

from __future__ import annotations

from plan_changes import NEW_TASK_DEFINITION, Change, Planned
from plan_stacks import Deployed, Source, plain, template_of

TASK_DEFINITION = "AWS::ECS::TaskDefinition"
REPLACED = ("replace", "maybe replace")
HEADER = "X-Test-Release"


def can_wait_running(found: list[Planned], stacks: list[tuple[Source, Deployed]]) -> bool:
    """Whether nothing but the tasks changes before ECS waits for people.

    Only a new task definition is sure to start a deployment, and only a template of the service that has been released
    is known to let ECS wait. Everything else would be in production before anybody is asked.

    Raises:
        Problem: CloudFormation does not return the template of the service's stack.
    """
    changes = {one.source.kind: one.changes for one in found if one.changes}
    service, stack = next((source, stack) for source, stack in stacks if source.kind == "service")
    return (
        set(changes) == {"task-definition", "service"}
        and changes["service"] == (NEW_TASK_DEFINITION,)
        and _replaces_tasks(changes["task-definition"])
        and service.parameters.get("ApproveRunning") == stack.parameters.get("ApproveRunning") == "true"
        and template_of(service) == plain(service.template)
    )


def _replaces_tasks(changes: tuple[Change, ...]) -> bool:
    resources = [one for one in changes if one.resource]
    others = [one for one in changes if not one.resource and not one.action.startswith("version ")]
    replaced = [one for one in resources if one.type == TASK_DEFINITION and one.action in REPLACED]
    return bool(replaced) and replaced == resources and not others


def how_to_try(environment: str, minutes: str, stacks: list[tuple[Source, Deployed]]) -> list[str]:
    """What people are told of a release that they can try while its tasks run."""
    outputs = {source.kind: stack.outputs for source, stack in stacks}
    url = outputs.get("domain", outputs["environment"]).get("ServiceUrl")
    header = outputs["service"].get("TestHeader")
    return [
        f"Once its tasks run in {environment}, ECS waits for up to {minutes} minutes before they get traffic.",
        "Try them with this command:",
        f"  curl -H '{HEADER}: {header}' {url}",
        f"Then decide, in the service's folder: `scaffold approve {environment}` or `scaffold reject {environment}`.",
        "Without a decision the release is taken back.",
        "",
    ]
