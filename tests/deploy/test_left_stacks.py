"""A stack whose answer was turned off is deleted, unless something keeps it, and the result says what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scaffold.aws import codepipeline
from scaffold.service import names
from scaffold.service.service import read
from scaffold.service.stack_kinds import OPTIONAL_KINDS, Deployer
from scaffold.views.deploy import text
from tests.deploy.services import BUILD, Wire, all_stacks, client, commit, run

LOGS = "  Logs: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Sub '/${AppName}/pipeline/scan'}}\n"
TABLE = """\
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: Id, AttributeType: S}]
      KeySchema: [{AttributeName: Id, KeyType: HASH}]
"""


def turned_off(service: Path, resources: str = LOGS, kind: str = "scans") -> str:
    """Deploy with the optional stack, then commit its removal; return its name."""
    app = read(service).app_name
    configuration = {"Parameters": {"AppName": app}, "Tags": {names.TAG_SERVICE: app}}
    template, settings = (service / "infrastructure" / f"{kind}.{ending}" for ending in ("yaml", "json"))
    template.write_text(BUILD.replace("Builds", "Others") + resources)
    settings.write_text(json.dumps(configuration))
    commit(service)
    run(service)
    template.unlink(), settings.unlink()
    commit(service)
    return f"{app}-{kind}"


def exists(stack: str) -> bool:
    return stack in {one["StackName"] for one in all_stacks()}


def test_a_stack_whose_answer_was_turned_off_is_deleted_with_its_logs(deployed: Path) -> None:
    stack = turned_off(deployed)
    plan = run(deployed, plan=True)
    assert f"  delete  stack {stack}\n" in text(plan)
    (step,) = [one for one in plan.steps if one.name == stack]
    assert (step.action, [one.type for one in step.changes]) == (
        "delete",
        ["AWS::CloudFormation::Stack", "AWS::Logs::LogGroup"],
    )
    assert exists(stack)
    assert "scans" not in text(run(deployed))
    assert not exists(stack)
    assert not run(deployed).changed


def test_who_may_not_delete_it_gets_the_command(deployed: Path, wire: Wire) -> None:
    stack = turned_off(deployed)
    wire.refuse("DeleteStack", "AccessDenied", "User is not authorized to perform: cloudformation:DeleteStack")
    result = run(deployed)
    assert [(one.name, one.reason) for one in result.left_stacks] == [(stack, "denied")]
    command = f"delete-stack --region {result.region} --stack-name {stack}`"
    assert f"{command} does, with the policy for destroying" in text(result)
    assert {one.action for one in result.steps if one.name == stack} == {"none"}
    assert exists(stack)


@pytest.mark.parametrize("kept", ["data", "protected", "pipeline"])
def test_a_stack_stays_and_is_named_with_the_remedy(deployed: Path, monkeypatch: pytest.MonkeyPatch, kept: str) -> None:
    stack = turned_off(deployed, TABLE if kept == "data" else LOGS)
    if kept == "protected":
        client("cloudformation").update_termination_protection(StackName=stack, EnableTerminationProtection=True)
    if kept == "pipeline":
        # The small service has no pipeline: a release of an earlier commit would create the stack again.
        stages = [{"stageName": "SelfUpdate", "actionStates": [{"actionName": "Scans"}]}]
        monkeypatch.setattr(codepipeline, "stage_states", lambda *_: stages)
    for options in ({"plan": True}, {}, {}):
        result = run(deployed, **options)
        (left,) = result.left_stacks
        assert (left.name, left.reason) == (stack, kept)
        assert f"The stack {stack} is left over from an answer" in text(result)
        assert f"--stack-name {stack}` deletes it" in text(result) or kept == "pipeline"
    assert exists(stack)


def test_a_stack_of_another_owner_stays_and_is_not_named(deployed: Path) -> None:
    stack = f"{read(deployed).app_name}-scans"
    body = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    client("cloudformation").create_stack(StackName=stack, TemplateBody=body)
    result = run(deployed)
    assert (result.left_stacks, stack in text(result)) == ((), False)
    assert exists(stack)


def test_the_actions_of_optional_stacks_have_these_names() -> None:
    assert {kind.action for kind in OPTIONAL_KINDS if kind.deployer is Deployer.ITSELF} == {"Scans", "Updates"}


def test_a_stack_that_a_person_deploys_stays_with_the_command_that_deletes_it(deployed: Path) -> None:
    """Others may import from it until the next release."""
    stack = turned_off(deployed, kind="build-vpc")
    for options in ({"plan": True}, {}):
        result = run(deployed, **options)
        assert [(one.name, one.reason) for one in result.left_stacks] == [(stack, "person")]
        assert f"--stack-name {stack}` deletes it once no stack imports from it" in text(result)
    assert exists(stack)
