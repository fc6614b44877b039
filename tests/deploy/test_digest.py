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
from scaffold.deployment.deploy import DeployResult
from scaffold.service import names
from scaffold.service.service import read
from scaffold.service.stack_kinds import FOUNDATION, StackId
from tests.deploy.services import Wire, client, commit, make_kit_service, make_service, run, without_pages

MORE = "  More:\n    Type: AWS::SNS::Topic\n\nOutputs:\n"
ITSELF = ("build", "pipeline")


def changed(result: DeployResult) -> dict[str, str]:
    return {step.name: step.action for step in result.steps if step.action != "none"}


def deployed(stack: str) -> dict[str, Any]:
    described: dict[str, Any] = client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return described


def digest_of(stack: str) -> str:
    (found,) = [one["OutputValue"] for one in deployed(stack)["Outputs"] if one["OutputKey"] == names.TEMPLATE_DIGEST]
    return str(found)


def update_as_the_pipeline(service: Path, kind: str) -> None:
    """Update one of the pipeline's own stacks with its files, as the stage SelfUpdate does."""
    stack, folder = f"{read(service).app_name}-{kind}", service / "infrastructure"
    configuration = json.loads((folder / f"{kind}.json").read_text())
    api = client("cloudformation")
    api.update_stack(
        StackName=stack,
        TemplateBody=(folder / f"{kind}.yaml").read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": one} for key, one in configuration["Parameters"].items()],
        Tags=[{"Key": key, "Value": one} for key, one in configuration["Tags"].items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    api.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 0.1})


def add_topic(service: Path, *kinds: str) -> None:
    for kind in kinds:
        path = service / "infrastructure" / f"{kind}.yaml"
        path.write_text(path.read_text().replace("\nOutputs:\n", f"\n{MORE}", 1))
    commit(service)


def of_stages(**statuses: str) -> Callable[[dict[str, Any]], None]:
    """Let the latest executions of stages have other statuses."""

    def touch(parsed: dict[str, Any]) -> None:
        for stage in parsed["stageStates"]:
            if stage["stageName"] in statuses:
                stage["latestExecution"] = {"pipelineExecutionId": "1", "status": statuses[stage["stageName"]]}

    return touch


def test_the_pipelines_own_stacks_are_left_to_it_as_long_as_it_updates_them(tmp_path: Path, wire: Wire) -> None:
    service = make_kit_service(tmp_path / "service", environments="dev,prod")
    app = read(service).app_name
    run(service)
    known = {kind: digest_of(f"{app}-{kind}") for kind in ITSELF}
    assert names.UNKNOWN_DIGEST not in known.values()
    for kind in ITSELF:
        update_as_the_pipeline(service, kind)
        assert digest_of(f"{app}-{kind}") == names.UNKNOWN_DIGEST

    # Nothing to do, with no call more.
    wire.calls.clear()
    assert changed(run(service)) == {}
    assert len(without_pages(wire.calls)) <= 12

    # A change of theirs is what the push brings, also while the pipeline is at work on one of them.
    add_topic(service, *ITSELF)
    wire.touched["GetPipelineState"] = of_stages(Source="Succeeded", SelfUpdate="InProgress")
    wire.touched["DescribeStacks"] = busy(f"{app}-pipeline")
    for plan in (True, False):
        assert changed(run(service, plan=plan)) == {"main": "update"}
    assert changed(run(service)) == {}
    wire.touched.clear()

    # A pipeline that does not get as far is repaired.
    wire.touched["GetPipelineState"] = of_stages(Source="Succeeded", SelfUpdate="Failed")
    for plan in (True, False):
        assert changed(run(service, plan=plan)) == {f"{app}-{kind}": "update" for kind in ITSELF}
    assert {kind: digest_of(f"{app}-{kind}") for kind in ITSELF} != known
    wire.touched.clear()
    assert changed(run(service)) == {}
    # It was deployed by a person last, so a person's next change is deployed too.
    add_comment(service, "build")
    assert changed(run(service)) == {"main": "update", f"{app}-build": "update"}


def busy(stack: str) -> Callable[[dict[str, Any]], None]:
    def touch(parsed: dict[str, Any]) -> None:
        for one in parsed.get("Stacks", []):
            if one["StackName"] == stack:
                one["StackStatus"] = "UPDATE_IN_PROGRESS"

    return touch


def add_comment(service: Path, kind: str) -> None:
    path = service / "infrastructure" / f"{kind}.yaml"
    path.write_text(path.read_text() + "# a remark\n")
    commit(service)


def test_a_stack_without_a_known_digest_is_compared_by_its_template(tmp_path: Path, wire: Wire) -> None:
    service = make_kit_service(tmp_path / "service", environments="prod")
    stack = f"{read(service).app_name}-permissions"
    run(service)
    api = client("cloudformation")
    parameters = [
        {"ParameterKey": "AppName", "UsePreviousValue": True},
        {"ParameterKey": names.TEMPLATE_DIGEST, "ParameterValue": names.UNKNOWN_DIGEST},
    ]
    api.update_stack(
        StackName=stack, UsePreviousTemplate=True, Parameters=parameters, Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    api.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 0.1})
    wire.calls.clear()
    assert changed(run(service)) == {}
    assert wire.calls.count("cloudformation:GetTemplate") == 1
    add_comment(service, "permissions")
    assert changed(run(service)) == {"main": "update", stack: "update"}
    assert digest_of(stack) != names.UNKNOWN_DIGEST
    wire.calls.clear()
    assert changed(run(service)) == {}
    assert "cloudformation:GetTemplate" not in wire.calls


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
    states = [{"stageName": name} | ({"latestExecution": {"status": one}} if one else {}) for name, one in statuses]
    assert updates_itself(states) is expected
