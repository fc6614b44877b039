"""What a deployment knows of a stack's template without reading it, and which stacks it leaves to the pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scaffold.aws.cloudformation import templates
from scaffold.aws.cloudformation.templates import StackSpec
from scaffold.aws.codepipeline import updates_itself
from scaffold.deployment.deploy_result import DeployResult
from scaffold.service import names
from scaffold.service.service import read
from scaffold.service.stack_kinds import FOUNDATION, StackId
from tests.deploy.services import (
    BUILD,
    CHECKS,
    EVENTS,
    MORE,
    PERMISSIONS,
    PIPELINE,
    PLANS,
    PULL_REQUESTS,
    RELEASES,
    TESTS,
    Wire,
    client,
    commit,
    make_service,
    run,
)

ITSELF = ("build", "pipeline")


def with_digest(template: str) -> str:
    """A small template with the parameter and the output of the kit's."""
    declared = template.replace("Parameters:\n", "Parameters:\n  TemplateDigest: {Type: String, Default: unknown}\n", 1)
    return declared.replace("Outputs:\n", "Outputs:\n  TemplateDigest: {Value: !Ref TemplateDigest}\n", 1)


@pytest.fixture
def service(service: Path) -> Path:
    """A service whose templates have digests, and whose pipeline exists."""
    app = read(service).app_name
    templates = {
        "permissions": PERMISSIONS,
        "build": BUILD,
        "checks": CHECKS,
        "pull-requests": PULL_REQUESTS,
        "plans": PLANS,
        "releases": RELEASES,
        "tests": TESTS,
        "events": EVENTS,
        "pipeline": PIPELINE,
    }
    for kind, template in templates.items():
        commit(service, **{f"infrastructure__{kind}_yaml": with_digest(template)})
    for kind in ITSELF:
        path = service / "infrastructure" / f"{kind}.json"
        configuration = json.loads(path.read_text())
        configuration["Parameters"][names.TEMPLATE_DIGEST] = names.UNKNOWN_DIGEST
        path.write_text(json.dumps(configuration))
    commit(service)
    source = {"category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"}
    deploy = {"category": "Deploy", "owner": "AWS", "provider": "CloudFormation", "version": "1"}
    branch = {"RepositoryName": app, "BranchName": "main"}
    stack = {"ActionMode": "CREATE_UPDATE", "StackName": f"{app}-build", "TemplatePath": "Source::build.yaml"}
    actions = {
        "Source": {"actionTypeId": source, "configuration": branch, "outputArtifacts": [{"name": "Source"}]},
        names.SELF_UPDATE_STAGE: {
            "actionTypeId": deploy,
            "configuration": stack,
            "inputArtifacts": [{"name": "Source"}],
        },
    }
    client("codepipeline").create_pipeline(
        pipeline={
            "name": names.pipeline(app),
            "roleArn": "arn:aws:iam::000000000000:role/pipeline",
            "pipelineType": "V2",
            "artifactStore": {"type": "S3", "location": "artifacts"},
            "stages": [{"name": stage, "actions": [{"name": stage, **one}]} for stage, one in actions.items()],
        }
    )
    return service


def changed(result: DeployResult) -> dict[str, str]:
    return {step.name: step.action for step in result.steps if step.action != "none"}


def digest_of(stack: str) -> str:
    described = client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    (found,) = [one["OutputValue"] for one in described["Outputs"] if one["OutputKey"] == names.TEMPLATE_DIGEST]
    return str(found)


def update(stack: str, **arguments: Any) -> None:
    api = client("cloudformation")
    api.update_stack(StackName=stack, Capabilities=["CAPABILITY_NAMED_IAM"], **arguments)
    api.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})


def update_as_the_pipeline(service: Path) -> None:
    """Update the pipeline's own stacks with their files, as the stage SelfUpdate does."""
    for kind in ITSELF:
        folder = service / "infrastructure"
        configuration = json.loads((folder / f"{kind}.json").read_text())
        update(
            f"{read(service).app_name}-{kind}",
            TemplateBody=(folder / f"{kind}.yaml").read_text(),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": one} for key, one in configuration["Parameters"].items()
            ],
            Tags=[{"Key": key, "Value": one} for key, one in configuration["Tags"].items()],
        )


def change_both(service: Path) -> None:
    commit(
        service,
        infrastructure__build_yaml=with_digest(BUILD) + MORE,
        infrastructure__pipeline_yaml=with_digest(PIPELINE) + MORE,
    )


def of_stages(**statuses: str) -> Callable[[dict[str, Any]], None]:
    """Let the latest executions of stages have other statuses."""

    def touch(parsed: dict[str, Any]) -> None:
        for stage in parsed["stageStates"]:
            if stage["stageName"] in statuses:
                stage["latestExecution"] = {"pipelineExecutionId": "1", "status": statuses[stage["stageName"]]}

    return touch


def busy(stack: str) -> Callable[[dict[str, Any]], None]:
    def touch(parsed: dict[str, Any]) -> None:
        for one in parsed.get("Stacks", []):
            if one["StackName"] == stack:
                one["StackStatus"] = "UPDATE_IN_PROGRESS"

    return touch


def test_the_pipelines_own_stacks_are_left_to_it_as_long_as_it_updates_them(service: Path, wire: Wire) -> None:
    app = read(service).app_name
    run(service)
    assert names.UNKNOWN_DIGEST not in {digest_of(f"{app}-{kind}") for kind in ITSELF}
    update_as_the_pipeline(service)
    assert {digest_of(f"{app}-{kind}") for kind in ITSELF} == {names.UNKNOWN_DIGEST}

    # A change of theirs is what the push brings, also while the pipeline is at work on one of them.
    change_both(service)
    wire.touched["GetPipelineState"] = of_stages(Source="Succeeded", SelfUpdate="InProgress")
    wire.touched["DescribeStacks"] = busy(f"{app}-pipeline")
    for plan in (True, False):
        assert changed(run(service, plan=plan)) == {"main": "update"}
    wire.calls.clear()
    assert changed(run(service)) == {}
    # The stacks of foundation and deploy roles have no digest here.
    assert wire.calls.count("cloudformation:GetTemplate") == 3
    assert wire.calls.count("codepipeline:GetPipelineState") == 1


@pytest.mark.slow
def test_a_pipeline_that_cannot_update_itself_is_updated(service: Path, wire: Wire) -> None:
    app = read(service).app_name
    run(service)
    update_as_the_pipeline(service)
    change_both(service)
    wire.touched["GetPipelineState"] = of_stages(Source="Succeeded", SelfUpdate="Failed")
    for plan in (True, False):
        assert changed(run(service, plan=plan)) == {
            "main": "update",
            **{f"{app}-{kind}": "update" for kind in ITSELF},
        }
    assert names.UNKNOWN_DIGEST not in {digest_of(f"{app}-{kind}") for kind in ITSELF}
    assert changed(run(service)) == {}


@pytest.mark.slow
def test_a_stack_without_a_known_digest_is_compared_by_its_template(service: Path) -> None:
    stack = f"{read(service).app_name}-permissions"
    run(service)
    deployed = digest_of(stack)
    parameters = [
        {"ParameterKey": "AppName", "UsePreviousValue": True},
        {"ParameterKey": names.TEMPLATE_DIGEST, "ParameterValue": names.UNKNOWN_DIGEST},
    ]
    update(stack, UsePreviousTemplate=True, Parameters=parameters)
    assert changed(run(service)) == {}
    assert digest_of(stack) == names.UNKNOWN_DIGEST
    # A comment changes the digest, and nothing else.
    commit(service, infrastructure__permissions_yaml=with_digest(PERMISSIONS) + "# a remark\n")
    assert changed(run(service)) == {"main": "update", stack: "update"}
    assert digest_of(stack) not in (names.UNKNOWN_DIGEST, deployed)
    # So does a stack policy.
    path = service / "infrastructure" / "permissions.json"
    policy = {"Statement": [{"Effect": "Deny", "Action": "Update:Delete", "Principal": "*", "Resource": "*"}]}
    commit(service, infrastructure__permissions_json=json.dumps(json.loads(path.read_text()) | {"StackPolicy": policy}))
    assert changed(run(service)) == {"main": "update", stack: "update"}
    set_policy = client("cloudformation").get_stack_policy(StackName=stack)["StackPolicyBody"]
    assert json.loads(set_policy) == policy
    assert changed(run(service)) == {}


@pytest.fixture
def spec(tmp_path: Path) -> StackSpec:
    return templates.load(read(make_service(tmp_path / "service")), StackId(FOUNDATION))


def test_the_digest_differs_with_template_and_stack_policy(spec: StackSpec) -> None:
    policy = {"Statement": [{"Effect": "Allow", "Action": "Update:*"}]}
    others = [
        replace(spec, body=spec.body + "\n"),
        replace(spec, policy=policy),
        replace(spec, policy={"Statement": []}),
    ]
    digests = {one.digest for one in (spec, *others)}
    assert len(digests) == 4
    assert all(len(digest) == 64 for digest in digests)


def test_the_digest_is_the_same_for_the_same_content(spec: StackSpec) -> None:
    one, other = ({"Effect": "Allow", "Action": "Update:*"}, {"Action": "Update:*", "Effect": "Allow"})
    assert replace(spec, policy={"Statement": [one]}).digest == replace(spec, policy={"Statement": [other]}).digest
    assert replace(spec, given={"AppName": "x"}, tags={}).digest == spec.digest


def test_a_template_without_the_parameter_is_given_none(spec: StackSpec) -> None:
    assert names.TEMPLATE_DIGEST not in spec.given


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], False),
        ([("Source", "Succeeded"), ("Build", "Succeeded")], False),
        ([("Source", None), ("SelfUpdate", None), ("Build", None)], True),
        ([("Source", "Succeeded"), ("SelfUpdate", "Succeeded"), ("Build", "Failed")], True),
        ([("Source", "InProgress"), ("SelfUpdate", "Succeeded")], True),
        ([("Source", "Failed"), ("SelfUpdate", "Succeeded")], False),
        ([("Source", "Succeeded"), ("SelfUpdate", "Failed"), ("Build", "Succeeded")], False),
        ([("Source", "Succeeded"), ("SelfUpdate", "Stopped")], True),
    ],
)
def test_a_pipeline_updates_itself_unless_it_failed_to(statuses: list[tuple[str, str | None]], expected: bool) -> None:
    assert updates_itself([{"stageName": name, **latest(status)} for name, status in statuses]) is expected


@pytest.mark.parametrize(
    ("compare", "preflight", "approval", "earlier", "expected"),
    [
        ("Succeeded", "Succeeded", None, "Succeeded", True),
        ("Succeeded", "Succeeded", "Failed", "Succeeded", True),  # rejected
        ("Succeeded", "Failed", None, "Succeeded", True),  # stopped until the permissions are deployed
        ("Failed", "Succeeded", None, "Succeeded", False),  # broken
        # An earlier commit has broken the pipeline.
        ("Succeeded", "Succeeded", "Failed", "Failed", True),
        ("Succeeded", "Succeeded", "InProgress", "Failed", True),
        ("Succeeded", "Succeeded", "Stopped", "Failed", True),
        ("InProgress", "Succeeded", None, "Failed", True),
        ("Succeeded", "Succeeded", "Succeeded", "Failed", False),
        ("Succeeded", "Succeeded", "Skipped", "Failed", False),
    ],
)
def test_what_the_merge_gate_stops_is_not_shipped_by_a_deployment(
    compare: str, preflight: str, approval: str | None, earlier: str, expected: bool
) -> None:
    actions = [{"actionName": "Compare", **latest(compare)}, {"actionName": "Preflight", **latest(preflight)}]
    gate = next((status for status in ("Failed", "InProgress") if status in (compare, preflight)), "Succeeded")
    states = [
        {"stageName": "Source", **latest("Succeeded")},
        {"stageName": "Gate", **latest(gate), "actionStates": actions},
        {"stageName": "Approve-Gate", **latest(approval)},
        {"stageName": "SelfUpdate", **latest(earlier, "1")},
    ]
    assert updates_itself(states) is expected


def latest(status: str | None, execution: str = "2") -> dict[str, Any]:
    return {"latestExecution": {"pipelineExecutionId": execution, "status": status}} if status else {}
