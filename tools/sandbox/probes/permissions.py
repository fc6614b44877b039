"""Permissions that calls of CloudFormation, IAM, S3 and CodePipeline need: each is made with a role that lacks some."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.simulation import Question, judge, parameters
from scaffold.doctor.permissions import questions
from scaffold.iam.operator_policies import DEPLOY, statements
from scaffold.service.service import Service

from ..account import check_reason, code, denied, said
from ..registry import probe
from ..roles import Caller, allow, policy, role, trust
from ..sandbox import Sandbox
from ..stacks import CANNOT_ASSUME, HANDLE, Stack, Template, template, with_new_role
from ..verdicts import Unavailable, Undecided, Verdict, decided, proved, refuted

_IAM: dict[str, Any] = {"Capabilities": ["CAPABILITY_IAM"]}
_POLICY = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"}]}


def _arn_of(resource: str) -> Template:
    return {"Arn": {"Value": {"Fn::GetAtt": [resource, "Arn"]}}}


@probe("protected-creation")
def protected_creation(sandbox: Sandbox) -> Verdict:
    """Creations by a caller that may create and tag stacks, and nothing else."""
    actions = ("cloudformation:CreateStack", "cloudformation:TagResource")
    caller = Caller.with_permissions(sandbox, "protected", allow(*actions))

    def create(subject: str, **options: Any) -> None:
        name = sandbox.name(subject)
        sandbox.state.record("stack", name)
        cloudformation = caller.client("cloudformation")
        cloudformation.create_stack(StackName=name, TemplateBody=template(), Tags=sandbox.tags, **options)

    caller.must(lambda: create("plain"))
    protection = denied(lambda: create("protection", EnableTerminationProtection=True), "UpdateTerminationProtection")
    policy = denied(lambda: create("policy", StackPolicyBody=json.dumps(_POLICY)), "SetStackPolicy")
    evidence = f"with protection: {protection or 'created'}; with a policy: {policy or 'created'}"
    return decided(bool(protection and policy), evidence)


@probe("change-set-without-pass-role")
def change_set_without_pass_role(sandbox: Sandbox) -> Verdict:
    """A change set of a stack with a role, by a caller that may pass none."""
    text = template(
        {"Role": role(trust(service="cloudformation.amazonaws.com"), allow("sns:*"))}, Outputs=_arn_of("Role")
    )
    arn = Stack.create(sandbox, "stack-role", text, **_IAM).outputs["Arn"]
    stack = Stack.create(sandbox, "with-role", template(), RoleARN=arn)
    actions = [f"cloudformation:{verb}ChangeSet" for verb in ("Create", "Describe", "Delete")]
    caller = Caller.with_permissions(sandbox, "planning", allow(*actions))
    cloudformation = caller.client("cloudformation")
    topic = {**HANDLE, "Topic": {"Type": "AWS::SNS::Topic"}}
    created: list[dict[str, Any]] = []

    def create() -> None:
        created.append(stack.change_set("planned", template(topic), cloudformation))

    if message := caller.may(create, "iam:PassRole"):
        return refuted(message)
    found = f"{created[0]['Status']}: {created[0].get('StatusReason', '')}"
    if created[0]["Status"] == "CREATE_COMPLETE":
        return proved("the change set was created without iam:PassRole")
    if "iam:PassRole" in found:
        return refuted(found)
    raise Undecided(f"the change set was not created for another reason: {found}")


@probe("change-set-name")
def change_set_name(sandbox: Sandbox) -> Verdict:
    """Change sets by a caller that may use those whose names begin with plan-."""
    stack = Stack.create(sandbox, "planned", template())
    actions = [f"cloudformation:{verb}ChangeSet" for verb in ("Create", "Describe", "Delete")]
    named = allow(*actions, StringLike={"cloudformation:ChangeSetName": "plan-*"})
    caller = Caller.with_permissions(sandbox, "named", named)
    cloudformation = caller.client("cloudformation")
    text = template({**HANDLE, "Topic": {"Type": "AWS::SNS::Topic"}})
    own = caller.may(lambda: stack.change_set("plan-probe", text, cloudformation), "ChangeSet")
    deleted = own or denied(
        lambda: cloudformation.delete_change_set(StackName=stack.name, ChangeSetName="plan-probe"), "DeleteChangeSet"
    )
    other = denied(lambda: stack.change_set("other-probe", text, cloudformation), "CreateChangeSet")
    evidence = f"plan-probe: {deleted or 'created, described and deleted'}; other-probe: {other or 'created'}"
    return decided(not deleted and bool(other), evidence)


@probe("subnet-of-interface")
def subnet_of_interface(sandbox: Sandbox) -> Verdict:
    """Deletions of a network interface that are tried only, by callers that may delete those of one subnet."""
    if sandbox.account.local:
        raise Undecided("local AWS has no network interfaces")
    subnet = {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.99.0.0/28"}}
    text = template(
        {
            "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.99.0.0/24"}},
            "Subnet": subnet,
            "Interface": {"Type": "AWS::EC2::NetworkInterface", "Properties": {"SubnetId": {"Ref": "Subnet"}}},
        },
        Outputs={name: {"Value": {"Ref": name}} for name in ("Subnet", "Interface")},
    )
    outputs = Stack.create(sandbox, "interface", text).outputs
    own, other = (sandbox.arn("ec2", f"subnet/{one}") for one in (outputs["Subnet"], "subnet-00000000000000000"))

    def attempt(subject: str, operator: str, arn: str) -> str:
        statement = allow("ec2:DeleteNetworkInterface", **{operator: {"ec2:Subnet": arn}})
        ec2 = Caller.with_permissions(sandbox, subject, statement)

        def delete() -> None:
            try:
                ec2.client("ec2").delete_network_interface(NetworkInterfaceId=outputs["Interface"], DryRun=True)
            except ClientError as error:
                if code(error) != "DryRunOperation":
                    raise

        return ec2.may(delete, "ec2:DeleteNetworkInterface")

    # Without the key in the request, the first is denied, and the last allowed.
    within = attempt("within", "StringLike", own)
    elsewhere = attempt("elsewhere", "StringLikeIfExists", other)
    evidence = f"in the subnet: {within or 'allowed'}; in another one: {elsewhere or 'allowed'}"
    return decided(not within and bool(elsewhere), evidence)


@probe("source-account")
def source_account(sandbox: Sandbox) -> Verdict:
    """Stacks with a role that trusts CloudFormation for requests that name this account only."""
    document = trust(service="cloudformation.amazonaws.com")
    bound = trust(service="cloudformation.amazonaws.com")
    bound["Statement"][0]["Condition"] = {"StringEquals": {"aws:SourceAccount": sandbox.account.id}}
    trusted = {"Any": document, "Bound": bound, "None": trust(service="ec2.amazonaws.com")}
    roles = {name: role(one, allow("sns:*"), Tags=sandbox.tags) for name, one in trusted.items()}
    outputs = {name: {"Value": {"Fn::GetAtt": [name, "Arn"]}} for name in roles}
    arns = Stack.create(sandbox, "trusting", template(roles, Outputs=outputs), **_IAM).outputs

    def refusal(kind: str) -> str:
        """With which message CloudFormation cannot assume a role; empty if it can."""
        topic = template({"Topic": {"Type": "AWS::SNS::Topic"}})
        try:
            Stack.create(sandbox, f"trusted-{kind.lower()}", topic, RoleARN=arns[kind])
        except (ClientError, Unavailable) as error:
            message = said(error)
            if CANNOT_ASSUME not in message and "AssumeRole" not in message:
                raise
            return message
        return ""

    # ECS assumes LoadBalancerRole, for which no call tells so much.
    if message := refusal("Any"):
        raise Unavailable(f"CloudFormation cannot assume a role without a condition: {message}")
    if not refusal("None"):
        raise Undecided("trust policies are not checked for the roles of stacks here")
    message = refusal("Bound")
    return decided(bool(message), message or "a stack is created with a role that requires aws:SourceAccount")


@probe("tags-of-missing-stack")
def tags_of_missing_stack(sandbox: Sandbox) -> Verdict:
    """DescribeStacks of a missing stack, by a caller that may describe a stack if its tags are the right ones."""
    kinds = ("own", "foreign")
    own, foreign = (Stack.create(sandbox, f"tag-{kind}", template(), tags={"kind": kind}) for kind in kinds)
    statement = allow("cloudformation:DescribeStacks", StringEqualsIfExists={"aws:ResourceTag/kind": "own"})
    caller = Caller.with_permissions(sandbox, "describing", statement)
    cloudformation = caller.client("cloudformation")
    caller.must(lambda: cloudformation.describe_stacks(StackName=own.name))
    if not denied(lambda: cloudformation.describe_stacks(StackName=foreign.name), "DescribeStacks"):
        raise Undecided("the condition allows describing a stack that has another tag, so it tells nothing")
    missing = sandbox.name("tag-missing")
    try:
        message = denied(lambda: cloudformation.describe_stacks(StackName=missing), "DescribeStacks")
    except ClientError as error:
        if "does not exist" not in said(error):
            raise
        return proved(said(error))
    return refuted(message)


@probe("boundary-of-role")
def boundary_of_role(sandbox: Sandbox) -> Verdict:
    """Changes of roles by a caller that may change those with a certain permissions boundary only."""
    boundary = {"PolicyDocument": {"Version": "2012-10-17", "Statement": [allow("sns:Publish")]}}
    trusted = trust(service="ec2.amazonaws.com")
    resources = {
        "Boundary": {"Type": "AWS::IAM::ManagedPolicy", "Properties": boundary},
        "With": role(trusted, PermissionsBoundary={"Ref": "Boundary"}, Tags=sandbox.tags),
        "Without": role(trusted, Tags=sandbox.tags),
    }
    outputs = {name: {"Value": {"Ref": name}} for name in resources}
    found = Stack.create(sandbox, "bounded", template(resources, Outputs=outputs), **_IAM).outputs
    actions = ("iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:DeleteRole")
    condition = {"iam:PermissionsBoundary": found["Boundary"]}
    caller = Caller.with_permissions(sandbox, "bounding", allow(*actions, StringEquals=condition))
    iam, document = caller.client("iam"), json.dumps(trusted)
    changes: dict[str, Callable[[str], Any]] = {
        "UpdateAssumeRolePolicy": lambda name: iam.update_assume_role_policy(RoleName=name, PolicyDocument=document),
        "UpdateRole": lambda name: iam.update_role(RoleName=name, Description="Changed by a probe"),
        "DeleteRole": lambda name: iam.delete_role(RoleName=name),
    }
    evidence, holds = [], True
    for action, change in changes.items():
        own = caller.may(partial(change, found["With"]), f"iam:{action}")
        other = denied(partial(change, found["Without"]), f"iam:{action}")
        evidence.append(f"{action} with the boundary: {own or 'allowed'}, without: {'denied' if other else 'allowed'}")
        holds = holds and not own and bool(other)
    return decided(holds, "; ".join(evidence))


@probe("bucket-with-tags")
def bucket_with_tags(sandbox: Sandbox) -> Verdict:
    """CreateBucket with tags by a caller that may create buckets, and then by one that may tag them too."""
    region = sandbox.account.region
    place = {} if region == "us-east-1" else {"LocationConstraint": region}
    configuration = {**place, "Tags": sandbox.tags}

    def create(subject: str, *actions: str) -> str:
        caller = Caller.with_permissions(sandbox, subject, allow(*actions))
        s3, name = caller.client("s3"), f"{sandbox.name(subject)}-{sandbox.account.id}"
        sandbox.state.record("bucket", name)
        return caller.may(
            lambda: s3.create_bucket(Bucket=name, CreateBucketConfiguration=configuration), "s3:TagResource"
        )

    with_it = create("tagging", "s3:CreateBucket", "s3:TagResource")
    without = create("creating", "s3:CreateBucket")
    evidence = f"without s3:TagResource: {without or 'created'}; with it: {with_it or 'created'}"
    return decided(bool(without) and not with_it, evidence)


@probe("large-template")
def large_template(sandbox: Sandbox) -> Verdict:
    """A template of more than 51,200 bytes, read where the caller may read it, and where the stack's role may."""
    text = template(
        {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"Tags": sandbox.tags}}},
        Outputs={"Name": {"Value": {"Ref": "Bucket"}}},
    )
    bucket = Stack.create(sandbox, "templates", text).outputs["Name"]
    body = template(Metadata={"Filling": "x" * 52_000})
    sandbox.client("s3").put_object(Bucket=bucket, Key="large.json", Body=body.encode())
    url = f"https://{bucket}.s3.{sandbox.account.region}.amazonaws.com/large.json"
    if sandbox.account.local:
        url = f"{sandbox.client('s3').meta.endpoint_url}/{bucket}/large.json"
    read = allow("s3:GetObject", resource=f"arn:{sandbox.account.partition}:s3:::{bucket}/*")
    answers = {
        "the caller": _create_from(sandbox, url, "caller", [read], []),
        "the stack's role": _create_from(sandbox, url, "role", [], [read]),
    }
    readers = [who for who, message in answers.items() if not message]
    if readers:
        return proved(f"the template is read where {' and also where '.join(readers)} may read it")
    return refuted("; ".join(f"where {who} may read it: {message}" for who, message in answers.items()))


def _create_from(sandbox: Sandbox, url: str, subject: str, callers: list[Template], roles: list[Template]) -> str:
    """Create a stack from a URL: why that was refused, or nothing."""
    trusted = trust(service="cloudformation.amazonaws.com")
    text = template({"Role": role(trusted, allow("sns:*"), *roles)}, Outputs=_arn_of("Role"))
    arn = Stack.create(sandbox, f"reading-{subject}-role", text, **_IAM).outputs["Arn"]
    actions = allow("cloudformation:CreateStack", "cloudformation:TagResource", "iam:PassRole")
    caller = Caller.with_permissions(sandbox, f"reading-{subject}", actions, *callers).client("cloudformation")
    name = sandbox.name(f"large-{subject}")
    sandbox.state.record("stack", name)
    # A new role can be passed once all servers know it.
    sandbox.settle(15)
    try:
        made = with_new_role(
            sandbox, lambda: caller.create_stack(StackName=name, TemplateURL=url, RoleARN=arn, Tags=sandbox.tags)
        )
    except ClientError as error:
        message = said(error)
    else:
        stack = Stack(sandbox, name, made["StackId"])
        message = "" if stack.settled() == "CREATE_COMPLETE" else stack.reason() or "it failed without a reason"
    # S3's own words, or those of IAM.
    if message and "Access Denied" not in message:
        check_reason(message, "s3:GetObject")
    return message


@probe("pass-role-to-pipeline")
def pass_role_to_pipeline(sandbox: Sandbox) -> Verdict:
    """A pipeline whose action has a role, created by a caller that may pass that role to CodePipeline only."""
    resources = {
        "Pipeline": role(trust(service="codepipeline.amazonaws.com")),
        "Action": role(trust(service="cloudformation.amazonaws.com")),
    }
    outputs = {name: {"Value": {"Fn::GetAtt": [name, "Arn"]}} for name in resources}
    bucket = {"Bucket": {"Type": "AWS::S3::Bucket"}}
    text = template(resources | bucket, Outputs={**outputs, "Bucket": {"Value": {"Ref": "Bucket"}}})
    arns = Stack.create(sandbox, "passed", text, **_IAM).outputs
    answers = {}
    for subject, passed in (("both", [arns["Pipeline"], arns["Action"]]), ("one", [arns["Pipeline"]])):
        own = allow("iam:PassRole", resource=passed, StringEquals={"iam:PassedToService": "codepipeline.amazonaws.com"})
        create = allow("codepipeline:CreatePipeline", "codepipeline:TagResource")
        caller = Caller.with_permissions(sandbox, f"passing-{subject}", create, own)
        name = sandbox.name(f"passing-{subject}")
        sandbox.state.record("pipeline", name)
        tags = [{"key": one["Key"], "value": one["Value"]} for one in sandbox.tags]
        pipeline = _with_action(name, arns)
        create_it = partial(caller.client("codepipeline").create_pipeline, pipeline=pipeline, tags=tags)
        answers[subject] = caller.may(create_it, "iam:PassRole")
    checked = f"without it: {answers['one'] or 'created, so it is not checked'}"
    return decided(
        not answers["both"], f"with the permission for CodePipeline: {answers['both'] or 'created'}; {checked}"
    )


@probe("simulated-deployment")
def simulated_deployment(sandbox: Sandbox) -> Verdict:
    """The simulation of the policies in docs/, on what they are for, and of one of their statements alone."""
    account = sandbox.account
    service = Service(Path(), sandbox.name("simulated"), account.region, ("dev", "prod"), "prod")
    named = {"app": service.app_name, "region": account.region, "account": account.id, "partition": account.partition}
    attached = [policy(*statements(name, **named)) for name in DEPLOY]
    pages = sandbox.client("iam").get_paginator("simulate_custom_policy")

    def simulated(asked: list[Question], *policies: Template) -> dict[str, bool]:
        documents = [json.dumps(one) for one in policies]
        results = [
            result
            for one in asked
            for page in pages.paginate(PolicyInputList=documents, **parameters(one))
            for result in page["EvaluationResults"]
        ]
        return {decision.action: decision.allowed for decision in judge(results)}

    condition = {"iam:PassedToService": "cloudformation.amazonaws.com"}
    passing = Question(["iam:PassRole"], ["*"], condition)
    if not simulated([passing], policy(allow("iam:PassRole", StringEquals=condition)))["iam:PassRole"]:
        raise Undecided("the simulation does not use the values of condition keys that it is given")
    asked = list(questions(service, account.id, account.partition))
    alone = simulated(asked, policy(allow("iam:ListRoles")))
    if wrong := [action for action, allowed in alone.items() if allowed != (action == "iam:ListRoles")]:
        return refuted(f"with iam:ListRoles alone, it is wrong about {', '.join(wrong)}")
    found = simulated(asked, *attached)
    denied_actions = [action for action, allowed in found.items() if not allowed]
    return decided(not denied_actions, f"of {len(found)} actions, denied are: {', '.join(denied_actions) or 'none'}")


def _with_action(name: str, made: dict[str, str]) -> dict[str, Any]:
    def stage(
        label: str, category: str, provider: str, configuration: dict[str, str], **artifacts: Any
    ) -> dict[str, Any]:
        kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
        return {
            "name": label,
            "actions": [{"name": label, "actionTypeId": kind, "configuration": configuration, **artifacts}],
        }

    source = {"RepositoryName": name, "BranchName": "main", "PollForSourceChanges": "false"}
    deploy = {
        "ActionMode": "CREATE_UPDATE",
        "StackName": name,
        "TemplatePath": "Source::template.json",
        "RoleArn": made["Action"],
    }
    return {
        "name": name,
        "roleArn": made["Pipeline"],
        "pipelineType": "V2",
        "artifactStore": {"type": "S3", "location": made["Bucket"]},
        "stages": [
            stage("Source", "Source", "CodeCommit", source, outputArtifacts=[{"name": "Source"}]),
            stage("Deploy", "Deploy", "CloudFormation", deploy, inputArtifacts=[{"name": "Source"}]),
        ],
    }
