"""Stacks: their updates, policies, change sets, exports and templates."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from ..registry import probe
from ..sandbox import Sandbox
from ..stacks import HANDLE, Stack, Template, failing, refused, template
from ..verdicts import Unavailable, Undecided, Verdict, decided, proved, refuted, undecided

_TOPIC: Template = {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "before"}}}
_CHANGED: Template = {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "after"}}}
_NO_EXPORT, _IN_USE = "No export named", "in use"
# As in the environment's stack of a service, with another type.
_PROTECTED = json.dumps(
    {
        "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"},
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "Update:*",
                "Resource": "*",
                "Condition": {"StringEquals": {"ResourceType": ["AWS::SNS::Topic"]}},
            },
        ]
    }
)


@probe("rollback-to-placeholder")
def rollback_to_placeholder(sandbox: Sandbox) -> Verdict:
    """An update that creates what the stack policy protects, and fails."""
    stack = Stack.create(sandbox, "protected", template(), StackPolicyBody=_PROTECTED)
    status = stack.update(template({**HANDLE, **_TOPIC, **failing("Topic")}))
    created = [one["ResourceStatus"] for one in stack.events() if one["LogicalResourceId"] == "Topic"]
    if not {"CREATE_COMPLETE", "UPDATE_COMPLETE"} & set(created):
        return undecided(f"the update did not get as far as creating the topic: {status}, {stack.reason()}")
    evidence = f"the stack is in {status}, the events of the protected resource are {', '.join(created)}"
    return decided(status == "UPDATE_ROLLBACK_COMPLETE" and created[-1] == "DELETE_COMPLETE", evidence)


@probe("update-keeps-tags-and-policy")
def update_keeps_tags_and_policy(sandbox: Sandbox) -> Verdict:
    """An update with neither."""
    stack = Stack.create(sandbox, "tagged", template(_TOPIC), StackPolicyBody=_PROTECTED)
    before = stack.tags
    stack.update(template({**HANDLE, **_TOPIC}))
    answer = sandbox.client("cloudformation").get_stack_policy(StackName=stack.id)
    kept = json.loads(answer.get("StackPolicyBody") or "{}") == json.loads(_PROTECTED)
    evidence = f"after the update, the tags are {stack.tags} and the policy is {'the same' if kept else 'another one'}"
    return decided(kept and stack.tags == before, evidence)


@probe("missing-export")
def missing_export(sandbox: Sandbox) -> Verdict:
    """A change set that imports what nothing exports."""
    stack = Stack.create(sandbox, "importing", template())
    imported = {"Missing": {"Value": {"Fn::ImportValue": sandbox.name("missing")}}}
    text = template(Outputs=imported)
    created: list[dict[str, str]] = []
    if message := refused(lambda: created.append(stack.change_set("importing", text)), _NO_EXPORT):
        return proved(message)
    found = f"{created[0]['Status']}: {created[0].get('StatusReason', '')}"
    if created[0]["Status"] != "CREATE_COMPLETE" and _NO_EXPORT not in found:
        raise Undecided(f"the change set was not created for another reason: {found}")
    return decided(_NO_EXPORT in found, found)


@probe("last-updated-time")
def last_updated_time(sandbox: Sandbox) -> Verdict:
    """A change set that is only created, then an update."""
    stack = Stack.create(sandbox, "dated", template(_TOPIC))
    stack.update(template({**HANDLE, **_TOPIC}))
    before = stack.describe()["LastUpdatedTime"]
    # Local AWS has whole seconds.
    sandbox.settle(2)
    stack.change_set("dated", template(_CHANGED))
    planned = stack.describe()["LastUpdatedTime"]
    stack.update(template(_CHANGED))
    updated = stack.describe()["LastUpdatedTime"]
    evidence = f"updated at {before}; with a change set that was only created {planned}; updated again at {updated}"
    return decided(before == planned < updated, evidence)


@probe("template-text")
def template_text(sandbox: Sandbox) -> Verdict:
    """A template with a character outside ASCII."""
    text = "# Grüße\n" + template()
    stack = Stack.create(sandbox, "text", text)
    got = str(
        sandbox.client("cloudformation").get_template(StackName=stack.id, TemplateStage="Original")["TemplateBody"]
    )
    return decided(got == text.replace("ü", "?").replace("ß", "?"), f"the template begins with {got[:9]!r}")


@probe("import-in-unselected-branch")
def import_in_unselected_branch(sandbox: Sandbox) -> Verdict:
    """An Fn::If whose other branch imports what nothing exports."""
    imported = {"Fn::ImportValue": sandbox.name("missing")}
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Fn::If": ["Never", imported, "given"]}}}
    never = {"Never": {"Fn::Equals": [{"Ref": "AWS::Region"}, ""]}}
    text = template({"Topic": topic}, Conditions=never)
    try:
        stack = Stack.create(sandbox, "branches", text)
    except (ClientError, Unavailable) as error:
        if _NO_EXPORT not in str(error):
            raise
        return refuted(str(error))
    return proved(f"the stack is in {stack.describe()['StackStatus']}")


@probe("import-in-output")
def import_in_output(sandbox: Sandbox) -> Verdict:
    """The deletion of a stack whose export only an output imports."""
    name = sandbox.name("exported")
    exporting = Stack.create(sandbox, "exports", template(Outputs={"A": {"Value": "a", "Export": {"Name": name}}}))
    Stack.create(sandbox, "imports", template(Outputs={"A": {"Value": {"Fn::ImportValue": name}}}))
    if message := refused(lambda: sandbox.client("cloudformation").delete_stack(StackName=exporting.id), _IN_USE):
        return proved(message)

    def ended() -> dict[str, Any]:
        stack = exporting.describe()
        # Only a deletion gives the stack a reason.
        done = stack["StackStatus"] == "DELETE_COMPLETE" or stack.get("StackStatusReason")
        return stack if done and not stack["StackStatus"].endswith("IN_PROGRESS") else {}

    last = sandbox.wait(ended, "the end of the deletion")
    evidence = f"{last['StackStatus']}: {last.get('StackStatusReason', '')}"
    if last["StackStatus"] != "DELETE_COMPLETE" and _IN_USE not in evidence:
        raise Undecided(f"the stack was not deleted for another reason: {evidence}")
    return decided(last["StackStatus"] != "DELETE_COMPLETE", evidence)


@probe("outputs-of-deleted-stack")
def outputs_of_deleted_stack(sandbox: Sandbox) -> Verdict:
    """A stack with an output, described by its ARN after its deletion."""
    stack = Stack.create(sandbox, "deleted", template(Outputs={"Root": {"Value": "commit"}}))
    status = stack.delete()
    return decided(stack.outputs == {"Root": "commit"}, f"{status}, with the outputs {stack.outputs}")
