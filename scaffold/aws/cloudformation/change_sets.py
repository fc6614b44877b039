"""Change sets: what CloudFormation would do to a stack, asked before it does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scaffold.aws.cloudformation.stack_events import pauses
from scaffold.aws.cloudformation.templates import StackSpec
from scaffold.aws.errors import suppress_code
from scaffold.aws.session import Account
from scaffold.core.errors import ScaffoldError
from scaffold.service import names

_NOTHING = ("didn't contain changes", "No updates are to be performed", "no changes")


@dataclass(frozen=True)
class Change:
    """One resource that a change set would touch.

    Attributes:
        action: `add`, `change`, `replace` or `remove`.
        logical_id: The resource's name in the template.
        type: Its CloudFormation type.
    """

    action: str
    logical_id: str
    type: str


@dataclass(frozen=True)
class ChangeSet:
    """A change set that is ready.

    Attributes:
        id: Its ARN.
        changes: What it would touch; empty when it would change nothing at all.
    """

    id: str
    changes: tuple[Change, ...]


def create(
    account: Account, spec: StackSpec, stack_id: str, name: str, *, role: str | None, bucket: str | None
) -> ChangeSet:
    """Create a change set for an existing stack and wait until it is ready.

    Args:
        account: The account.
        spec: What the stack should be.
        stack_id: The stack's id.
        name: The change set's name; one of that name that is left from before is replaced.
        role: The role that CloudFormation works with; None for the person's own permissions.
        bucket: The bucket for a template that is too large to be sent inline.

    Raises:
        ScaffoldError: CloudFormation refuses the template or its parameters.
    """
    client = account.client("cloudformation")
    request = {
        "StackName": stack_id,
        "ChangeSetName": name,
        "ChangeSetType": "UPDATE",
        **template_argument(account, spec, bucket),
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in spec.given.items()],
        "Tags": [{"Key": key, "Value": value} for key, value in spec.tags.items()],
        "Capabilities": spec.capabilities,
        **({"RoleARN": role} if role else {}),
    }
    # One that a killed run has left goes first; deleting what is not there is no error.
    with suppress_code("ChangeSetNotFound", "ChangeSetNotFoundException"):
        client.delete_change_set(ChangeSetName=name, StackName=stack_id)
    change_set_id = client.create_change_set(**request)["Id"]
    return ChangeSet(change_set_id, _changes(client, change_set_id, spec))


def template_argument(account: Account, spec: StackSpec, bucket: str | None) -> dict[str, str]:
    """How a template reaches CloudFormation: inline, or through the artifact bucket when it is too large for that.

    Args:
        account: The account.
        spec: The stack's template.
        bucket: The artifact bucket, once there is one.

    Raises:
        ScaffoldError: The template is too large, and there is no bucket yet.
    """
    if not spec.too_large_inline:
        return {"TemplateBody": spec.body}
    if bucket is None:
        raise ScaffoldError(
            f"The template of {spec.name} is larger than the 51,200 bytes that CloudFormation takes inline.",
            "Make it smaller: the bucket that could hold it is only made by this stack.",
        )
    client, key = account.client("s3"), names.template_key(spec.name)
    client.put_object(Bucket=bucket, Key=key, Body=spec.body.encode(), ContentType="application/yaml")
    # The region's own endpoint, or the one configured: CloudFormation follows no redirect to the bucket's region.
    return {"TemplateURL": f"{client.meta.endpoint_url}/{bucket}/{key}"}


def _changes(client: Any, change_set_id: str, spec: StackSpec) -> tuple[Change, ...]:
    wait = pauses()
    while True:
        described = client.describe_change_set(ChangeSetName=change_set_id)
        if described["Status"] == "CREATE_COMPLETE":
            break
        if described["Status"] == "FAILED":
            reason = str(described.get("StatusReason", ""))
            if any(words in reason for words in _NOTHING):
                return ()
            client.delete_change_set(ChangeSetName=change_set_id)
            raise ScaffoldError(
                f"CloudFormation refuses the change of {spec.name}: {reason.rstrip('.')}.",
                "Mend the template or its parameters, commit, and run the same command again.",
            )
        wait()
    found = list(described.get("Changes", []))
    while token := described.get("NextToken"):
        described = client.describe_change_set(ChangeSetName=change_set_id, NextToken=token)
        found += described.get("Changes", [])
    # Ready, yet with no resource to touch: outputs or tags of the stack change.
    return tuple(_change(one["ResourceChange"]) for one in found if "ResourceChange" in one) or (
        Change("change", spec.name, "AWS::CloudFormation::Stack"),
    )


def _change(change: dict[str, Any]) -> Change:
    action = {"Add": "add", "Remove": "remove"}.get(change["Action"], "change")
    if change.get("Replacement") == "True":
        action = "replace"
    return Change(action, change["LogicalResourceId"], change["ResourceType"])
