"""A plan and the deployment after it have the same steps, and a new kind of stack is one row and one template."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from botocore.stub import Stubber

from scaffold.aws import codepipeline
from scaffold.service import names, stack_kinds
from scaffold.service.service import read
from scaffold.service.stack_kinds import Deployer, StackKind
from tests.deploy.services import (
    IMPOSSIBLE,
    MORE,
    PIPELINE,
    RULE,
    client,
    commit,
    deployed_stacks,
    foundation_stack,
    make_service,
    pipeline_stack,
    remove,
    run,
)

TWO_APPROVALS = RULE | {"Statements": [{"Type": "Approvers", "NumberOfApprovalsNeeded": 2}]}


def planned_and_done(service: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The documents of a plan and of the deployment after it."""
    return run(service, plan=True).document(), run(service).document()


def changed_template(service: Path) -> None:
    commit(service, infrastructure__pipeline_yaml=PIPELINE + MORE)


def changed_policy(service: Path) -> None:
    name = read(service).app_name
    policy = {"Statement": [{"Effect": "Deny", "Action": "Update:Delete", "Principal": "*", "Resource": "*"}]}
    configuration = {"Parameters": {"AppName": name}, "Tags": {names.TAG_SERVICE: name}, "StackPolicy": policy}
    commit(service, infrastructure__pipeline_json=json.dumps(configuration))


def changed_rule(service: Path) -> None:
    commit(service, **{"config__policies__approval-rule-review_json": json.dumps(TWO_APPROVALS)})


def removed_rule(service: Path) -> None:
    (service / "config/policies/approval-rule-review.json").unlink()
    commit(service)


def lost_association(service: Path) -> None:
    app = read(service).app_name
    client("codecommit").disassociate_approval_rule_template_from_repository(
        approvalRuleTemplateName=names.approval_rule_template(app, names.REVIEW_RULE),
        repositoryName=names.repository(app),
    )


def lost_role(service: Path) -> None:
    for role in client("iam").list_roles(PathPrefix="/aws-service-role/")["Roles"]:
        client("iam").delete_service_linked_role(RoleName=role["RoleName"])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (changed_template, {"branch", "stack"}),
        pytest.param(changed_policy, {"branch", "stack"}, marks=pytest.mark.slow),
        pytest.param(changed_rule, {"branch", "approval-rule-template"}, marks=pytest.mark.slow),
        pytest.param(removed_rule, {"branch", "approval-rule-template"}, marks=pytest.mark.slow),
        (lost_association, {"approval-rule-template"}),
        pytest.param(lost_role, {"service-linked-role"}, marks=pytest.mark.slow),
        pytest.param(commit, {"branch"}, marks=pytest.mark.slow),
    ],
)
def test_plan_and_deployment_agree_step_by_step(deployed: Path, change: Any, expected: set[str]) -> None:
    change(deployed)
    planned, done = planned_and_done(deployed)
    assert {step["type"] for step in planned["steps"] if step["action"] != "none"} == expected
    assert planned["steps"] == done["steps"]
    assert {step["action"] for step in run(deployed, plan=True).document()["steps"]} == {"none"}


def test_plan_and_first_deployment_agree_step_by_step(service: Path) -> None:
    lost_role(service)
    planned, done = planned_and_done(service)
    assert planned["steps"] == done["steps"]
    assert [(step["type"], step["action"]) for step in done["steps"]] == [
        *[("service-linked-role", "create")] * 3,
        ("repository", "create"),
        *[("approval-rule-template", "create")] * 2,
        *[("stack", "create")] * 11,
        ("branch", "create"),
        ("stack", "create"),
        ("stage-transitions", "none"),
    ]


@pytest.mark.slow
def test_plan_and_replacement_of_a_failed_stack_agree(service: Path) -> None:
    commit(service, infrastructure__pipeline_yaml=PIPELINE + IMPOSSIBLE)
    with pytest.raises(Exception, match="Queue"):
        run(service)
    commit(service, infrastructure__pipeline_yaml=PIPELINE)
    planned, done = planned_and_done(service)
    assert planned["steps"] == done["steps"]
    assert [step["action"] for step in done["steps"] if step["name"] == pipeline_stack(read(service).app_name)] == [
        "replace"
    ]


def test_a_result_holds_no_prose(service: Path) -> None:
    document = json.loads(json.dumps(run(service).document(), default=str))

    def texts(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [text for one in value.values() for text in texts(one)]
        if isinstance(value, list):
            return [text for one in value for text in texts(one)]
        return [value] if isinstance(value, str) else []

    assert [text for text in texts(document) if " " in text] == []


@pytest.fixture
def another_kind(monkeypatch: pytest.MonkeyPatch) -> StackKind:
    """A stack that a person deploys, between foundation and pipeline."""
    kind = StackKind("data", Deployer.PERSON)
    foundation, *rest = stack_kinds.STACK_KINDS
    monkeypatch.setattr(stack_kinds, "STACK_KINDS", (foundation, kind, *rest))
    return kind


def test_a_new_kind_of_stack_is_one_row_and_one_template(tmp_path: Path, aws: None, another_kind: StackKind) -> None:
    service = make_service(tmp_path / "service")
    app = read(service).app_name
    configuration = json.loads((service / "infrastructure/pipeline.json").read_text())
    commit(
        service,
        infrastructure__data_yaml=PIPELINE.replace("pipeline", "data"),
        infrastructure__data_json=json.dumps(configuration),
    )
    planned, done = planned_and_done(service)
    expected = deployed_stacks(app)
    assert expected[:2] == [foundation_stack(app), f"{app}-data"]
    assert [step["name"] for step in planned["steps"] if step["type"] == "stack"] == expected
    assert planned["steps"] == done["steps"]
    described = client("cloudformation").describe_stacks(StackName=f"{app}-data")["Stacks"][0]
    assert "RoleARN" not in described

    deleted = [change.name for change in remove(service).changes if change.type == "stack"]
    assert set(deleted) == set(expected)
    assert deleted[-2:] == [f"{app}-data", foundation_stack(app)]


@pytest.mark.slow
def test_a_new_kind_of_environment_stack_is_found_and_deleted(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = StackKind("tables", Deployer.PIPELINE, per_environment=True)
    monkeypatch.setattr(stack_kinds, "STACK_KINDS", (*stack_kinds.STACK_KINDS, kind))
    run(service)
    app = read(service).app_name
    client("cloudformation").create_stack(
        StackName=f"{app}-dev-tables",
        TemplateBody=json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}),
        Tags=[{"Key": names.TAG_SERVICE, "Value": app}],
    )
    deleted = [change.name for change in remove(service).changes if change.type == "stack"]
    assert deleted[:2] == [f"{app}-dev-tables", pipeline_stack(app)]
    assert deleted[-1] == foundation_stack(app)


def test_a_stage_that_the_pipeline_has_removed_meanwhile_is_passed_over() -> None:
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    api = boto3.session.Session().client("codepipeline", region_name="us-east-1", **keys)
    session = cast(Any, SimpleNamespace(client=lambda _: api))
    with Stubber(api) as stubber:
        stubber.add_client_error("enable_stage_transition", "StageNotFoundException")
        stubber.add_response("enable_stage_transition", {})
        codepipeline.enable_transitions(session, "orders", ["Staging", "Prod"])
        stubber.assert_no_pending_responses()
