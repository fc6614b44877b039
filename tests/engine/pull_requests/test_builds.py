"""Builds that rules of EventBridge start, and the roles that builds assume."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.conftest import REGION, Client, Repository, eventually
from tests.engine.pull_requests.conftest import ACCOUNT, Person
from tests.engine.roles import create_role, policy

ROLE = f"arn:aws:iam::{ACCOUNT}:role/builds"
BUILDSPEC = 'version: 0.2\nphases: {build: {commands: ["echo $NUMBER by $CODEBUILD_INITIATOR; cat b"]}}\n'


def create_project(client: Client, name: str, **more: Any) -> str:
    given = {"source": {"type": "NO_SOURCE", "buildspec": BUILDSPEC}, **more}
    made = client("codebuild").create_project(
        name=name,
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "a", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=ROLE,
        **given,
    )
    return str(made["project"]["arn"])


def target(client: Client, rule: str, project: str, role: str, pattern: dict[str, Any], **given: Any) -> None:
    client("events").put_rule(Name=rule, EventPattern=json.dumps(pattern))
    client("events").put_targets(Rule=rule, Targets=[{"Id": "build", "Arn": project, "RoleArn": role, **given}])


def builds(client: Client, project: str) -> list[dict[str, Any]]:
    names = client("codebuild").list_builds_for_project(projectName=project)["ids"]
    found: list[dict[str, Any]] = client("codebuild").batch_get_builds(ids=names)["builds"] if names else []
    return found


def ended(client: Client, project: str) -> dict[str, Any]:
    """The build of a project, once it has ended."""
    found = eventually(lambda: [one for one in builds(client, project) if one["buildComplete"]])
    assert len(found) == 1, builds(client, project)
    return dict(found[0])


@pytest.mark.slow
def test_a_rule_starts_a_build_with_the_input_of_its_target(
    client: Client, name: str, repository: Repository, request_of: Callable[..., dict[str, Any]]
) -> None:
    """Of the pull request's commit, and with the role of the target; then another build, whose rule is told of it."""
    source = {"type": "CODECOMMIT", "location": f"https://git/v1/repos/{name}", "buildspec": BUILDSPEC}
    denied = create_role(client("iam"), f"{name[:50]}-denied", {"Effect": "Deny", "Action": "*", "Resource": "*"})
    pattern = {
        "source": ["aws.codecommit"],
        "detail-type": ["CodeCommit Pull Request State Change"],
        "resources": [f"arn:aws:codecommit:{REGION}:{ACCOUNT}:{name}"],
        "detail": {"event": ["pullRequestCreated"], "destinationReference": ["refs/heads/main"]},
    }
    transformer = {
        "InputPathsMap": {"commit": "$.detail.sourceCommit", "number": "$.detail.pullRequestId"},
        "InputTemplate": (
            '{"sourceVersion": <commit>, "environmentVariablesOverride": '
            '[{"name": "NUMBER", "type": "PLAINTEXT", "value": <number>}]}'
        ),
    }
    targets = {"denied": denied, "wrong": ROLE, "plain": ROLE, "tests": ROLE}
    for project, role in targets.items():  # Rules are looked at in this order.
        arn = create_project(client, f"{name}-{project}", source=source)
        inputs = {"wrong": {"Input": '{"colour": "red"}'}, "plain": {}}
        target(
            client, f"{name}-{project}", arn, role, pattern, **inputs.get(project, {"InputTransformer": transformer})
        )
    state = {"source": ["aws.codebuild"], "detail": {"project-name": [f"{name}-tests"], "build-status": ["SUCCEEDED"]}}
    passed_on = {
        "InputPathsMap": {"variables": "$.detail.additional-information.environment.environment-variables"},
        "InputTemplate": '{"environmentVariablesOverride": <variables>}',
    }
    verdict = create_project(client, f"{name}-verdict", source={"type": "NO_SOURCE", "buildspec": BUILDSPEC})
    target(client, f"{name}-verdict", verdict, ROLE, state, InputTransformer=passed_on)

    made = request_of()
    tested = ended(client, f"{name}-tests")
    assert tested["buildStatus"] == "SUCCEEDED"
    assert tested["initiator"] == f"rule/{name}-tests"
    assert tested["resolvedSourceVersion"] == made["pullRequestTargets"][0]["sourceCommit"]
    variables = [{"name": "NUMBER", "type": "PLAINTEXT", "value": made["pullRequestId"]}]
    assert tested["environment"]["environmentVariables"] == variables
    assert ended(client, f"{name}-plain")["environment"]["environmentVariables"] == []
    assert builds(client, f"{name}-denied") == []
    assert builds(client, f"{name}-wrong") == []
    assert ended(client, f"{name}-verdict")["environment"]["environmentVariables"] == variables


def test_a_target_in_codebuild_needs_a_role(client: Client, name: str) -> None:
    arn = create_project(client, name)
    client("events").put_rule(Name=name, EventPattern='{"source": ["aws.codecommit"]}')
    with pytest.raises(ClientError, match="RoleArn is required for target"):
        client("events").put_targets(Rule=name, Targets=[{"Id": "build", "Arn": arn}])
    with pytest.raises(ClientError, match="not rehearsed: the InputPath of a rule's target in codebuild"):
        client("events").put_targets(Rule=name, Targets=[{"Id": "build", "Arn": arn, "InputPath": "$.detail"}])


def test_a_stack_with_such_a_target_is_rolled_back(client: Client, name: str) -> None:
    stacks = client("cloudformation")
    targets = [{"Id": "build", "Arn": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{name}"}]
    rule = {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": {"source": ["a"]}, "Targets": targets}}
    stacks.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {"Rule": rule}}))

    def settled() -> bool:
        return bool(stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE")

    assert eventually(settled)
    reasons = [
        one.get("ResourceStatusReason", "") for one in stacks.describe_stack_events(StackName=name)["StackEvents"]
    ]
    assert any("RoleArn is required for target" in reason for reason in reasons), reasons


def test_a_build_assumes_a_role_that_trusts_it(client: Client, name: str, person: Person) -> None:
    """Under a name of its choice, if its own policies permit it too."""
    iam, caller = client("iam"), f"arn:aws:iam::{ACCOUNT}:role/{name[:40]}-build"
    verdict = create_role(iam, f"{name[:40]}-verdict", {"Effect": "Allow", "Action": "*", "Resource": "*"})

    def assume(session: str = "verdict", statement: Any = None) -> str:
        may = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": verdict}
        sts = person("build", "a-build", "sts", statement or may)
        return str(sts.assume_role(RoleArn=verdict, RoleSessionName=session)["AssumedRoleUser"]["Arn"])

    def trust(principal: str, **condition: Any) -> None:
        statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", **condition}
        iam.update_assume_role_policy(RoleName=f"{name[:40]}-verdict", PolicyDocument=policy(statement))

    with pytest.raises(ClientError, match="not authorized to perform: sts:AssumeRole"):
        assume()  # The role trusts CodeBuild only.
    trust(f"arn:aws:iam::{ACCOUNT}:role/another")
    with pytest.raises(ClientError, match="not authorized to perform: sts:AssumeRole"):
        assume()
    trust(caller, Condition={"StringEquals": {"sts:RoleSessionName": "verdict"}})
    assert assume() == f"arn:aws:sts::{ACCOUNT}:assumed-role/{name[:40]}-verdict/verdict"
    with pytest.raises(ClientError, match="not authorized to perform: sts:AssumeRole"):
        assume("another")
    for allowed in ("sts:GetCallerIdentity", "iam:*"):
        nothing = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
        iam.put_role_policy(RoleName=f"{name[:40]}-build", PolicyName="given", PolicyDocument=policy(nothing))
        with pytest.raises(ClientError, match="no identity-based policy allows the sts:AssumeRole action"):
            assume()


def test_a_role_that_does_not_exist_is_not_assumed(client: Client) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        client("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/nothing", RoleSessionName="mary")


def test_a_session_has_no_policies_and_tags_of_its_own(client: Client, name: str) -> None:
    role = create_role(client("iam"), f"{name[:50]}-role", {"Effect": "Deny", "Action": "*", "Resource": "*"})
    for more in ({"Policy": "{}"}, {"PolicyArns": [{"arn": role}]}, {"Tags": [{"Key": "a", "Value": "b"}]}):
        with pytest.raises(ClientError, match="not rehearsed"):
            client("sts").assume_role(RoleArn=role, RoleSessionName="mary", **more)
