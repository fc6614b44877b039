"""Stacks: their updates, policies, change sets, exports and templates."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from ..registry import probe
from ..roles import allow, role, trust
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


@probe("undeletable-at-rollback")
def undeletable_at_rollback(sandbox: Sandbox) -> Verdict:
    """An update that creates a queue and fails, by a role that may not delete it."""
    if sandbox.account.local:
        raise Undecided("local AWS deletes what a rollback has created with its own permissions")
    creating = [
        f"sqs:{one}" for one in ("CreateQueue", "GetQueueAttributes", "GetQueueUrl", "ListQueueTags", "TagQueue")
    ]
    trusted = role(trust(service="cloudformation.amazonaws.com"), allow(*creating), Tags=sandbox.tags)
    outputs = {"Arn": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}}
    text = template({"Role": trusted}, Outputs=outputs)
    arn = Stack.create(sandbox, "creating", text, Capabilities=["CAPABILITY_IAM"]).outputs["Arn"]
    stack = Stack.create(sandbox, "kept-queue", template(), RoleARN=arn)
    queue: Template = {"Queue": {"Type": "AWS::SQS::Queue", "DeletionPolicy": "RetainExceptOnCreate"}}
    status = stack.update(template({**HANDLE, **queue, **failing("Queue")}))
    again = stack.update(template({**HANDLE, "Other": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}))
    events = [one["ResourceStatus"] for one in stack.events() if one["LogicalResourceId"] == "Queue"]
    evidence = f"the stack is in {status}, the queue's events are {', '.join(events)}; the next update is {again}"
    return decided((status, again) == ("UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE"), evidence)


@probe("new-rule-first")
def new_rule_first(sandbox: Sandbox) -> Verdict:
    """The events of a rule of a security group whose port changes."""
    if sandbox.account.local:
        raise Undecided("local AWS has no events of the deletion of what an update replaces")

    def rule(port: int) -> str:
        opened = {"GroupId": {"Fn::GetAtt": ["Group", "GroupId"]}, "IpProtocol": "tcp", "CidrIp": "10.97.0.0/16"}
        group = {"GroupDescription": "Probe", "VpcId": {"Ref": "Vpc"}}
        resources: Template = {
            "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.97.0.0/16"}},
            "Group": {"Type": "AWS::EC2::SecurityGroup", "Properties": group},
            "Rule": {
                "Type": "AWS::EC2::SecurityGroupIngress",
                "Properties": {**opened, "FromPort": port, "ToPort": port},
            },
        }
        return template(resources)

    stack = Stack.create(sandbox, "changed-port", rule(8080))
    status = stack.update(rule(8081))
    events = [one["ResourceStatus"] for one in stack.events() if one["LogicalResourceId"] == "Rule"]
    evidence = f"the update is {status}, the rule's events are {', '.join(events)}"
    ordered = {"UPDATE_COMPLETE", "DELETE_IN_PROGRESS"} <= set(events)
    first = ordered and events.index("UPDATE_COMPLETE") < events.index("DELETE_IN_PROGRESS")
    return decided(status == "UPDATE_COMPLETE" and first, evidence)


@probe("omitted-parameter")
def omitted_parameter(sandbox: Sandbox) -> Verdict:
    """An update without the parameter that the creation gave."""
    named = {"Title": {"Type": "String", "Default": "default"}}
    topic = {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "Title"}}}}
    given = [{"ParameterKey": "Title", "ParameterValue": "given"}]
    stack = Stack.create(sandbox, "omitted", template(topic, Parameters=named), Parameters=given)
    stack.update(template({**HANDLE, **topic}, Parameters=named))
    (value,) = [one["ParameterValue"] for one in stack.describe()["Parameters"]]
    return decided(value == "default", f"after the update, the parameter is {value!r}")


@probe("unprotected-load-balancer")
def unprotected_load_balancer(sandbox: Sandbox) -> Verdict:
    """A stack with a protected load balancer is deleted, then again right after the protection was turned off."""
    zones = {"Fn::GetAZs": ""}
    subnets = {
        f"Subnet{number}": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {
                "VpcId": {"Ref": "Vpc"},
                "CidrBlock": f"10.99.{number}.0/24",
                "AvailabilityZone": {"Fn::Select": [number, zones]},
            },
        }
        for number in (0, 1)
    }
    attribute = {"Key": "deletion_protection.enabled", "Value": "true"}
    balancer = {
        "Scheme": "internal",
        "Subnets": [{"Ref": name} for name in subnets],
        "LoadBalancerAttributes": [attribute],
    }
    resources: Template = {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.99.0.0/16"}},
        **subnets,
        "Balancer": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": balancer},
    }
    stack = Stack.create(sandbox, "protected-balancer", template(resources))
    arn = stack.resource("Balancer")
    try:
        refused_first = stack.delete()
    finally:
        # Otherwise the clean-up could not delete it either.
        sandbox.client("elbv2").modify_load_balancer_attributes(
            LoadBalancerArn=arn, Attributes=[attribute | {"Value": "false"}]
        )
    deleted = stack.delete()
    evidence = f"with the protection, the deletion ends in {refused_first}; right after it was turned off, in {deleted}"
    return decided((refused_first, deleted) == ("DELETE_FAILED", "DELETE_COMPLETE"), evidence)


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
