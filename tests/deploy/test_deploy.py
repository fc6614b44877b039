"""`scaffold deploy` against local AWS: what it creates, what it does not change, and what a plan reports."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from scaffold.aws import git_remote
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.core.git import git
from scaffold.core.target import Target, configured_target
from scaffold.deployment.deploy import _result
from scaffold.deployment.deploy_result import StepResult
from scaffold.service import names
from scaffold.service.service import read
from scaffold.views.deploy import text
from tests.deploy.services import (
    FOUNDATION,
    MORE,
    PIPELINE,
    RULE,
    Wire,
    client,
    clone,
    commit,
    deployed_stacks,
    make_kit_service,
    make_service,
    pipeline_stack,
    remove,
    run,
    run_with_profile,
    state,
    without_pages,
)

# The only writing calls of `--plan`: change sets, which it deletes again.
PLAN_WRITES = {"cloudformation:CreateChangeSet", "cloudformation:DeleteChangeSet"}
READS = ("Get", "List", "Describe", "Head")


def name_of(service: Path) -> str:
    return read(service).app_name


def test_first_deployment_creates_everything_in_order(service: Path, wire: Wire) -> None:
    result = run(service)
    name = name_of(service)

    assert result.exit_code == 0
    stacks = [step for step in result.steps if step.type == "stack"]
    assert [(step.name, step.action) for step in stacks] == [(stack, "create") for stack in deployed_stacks(name)]
    writes = [call for call in wire.calls if not call.split(":")[1].startswith(READS)]
    assert writes[-5 - len(stacks) :] == [
        "codecommit:CreateRepository",
        *["codecommit:CreateApprovalRuleTemplate", "codecommit:AssociateApprovalRuleTemplateWithRepository"] * 2,
        *["cloudformation:CreateStack"] * len(stacks),
    ]
    made = state(service, name)
    assert made["tags"] == {names.TAG_SERVICE: name}
    assert json.loads(made["rules"]["review"]) == RULE
    (checks,) = json.loads(made["rules"]["checks"])["Statements"]
    # The pool of the file, in this account.
    assert checks["ApprovalPoolMembers"] == ["arn:aws:sts::000000000000:assumed-role/verdict/verdict"]
    assert set(made["applied"]) == {f"{name}-review", f"{name}-checks"}
    assert made["main"] == made["tracking"] == git("rev-parse", "HEAD", cwd=service)
    assert "local AWS" in text(result)
    assert result.pipeline_url is None
    assert f"stacks      {', '.join(deployed_stacks(name))}" in text(result)
    assert "console.aws" not in text(result)
    assert "git push" not in text(result)


@pytest.mark.parametrize(
    ("region", "partition", "domain"),
    [
        ("eu-central-1", "aws", "console.aws.amazon.com"),
        ("us-gov-west-1", "aws-us-gov", "console.amazonaws-us-gov.com"),
    ],
)
def test_an_account_shows_where_the_pipeline_is_and_what_to_push(
    service: Path, monkeypatch: pytest.MonkeyPatch, region: str, partition: str, domain: str
) -> None:
    monkeypatch.delenv("SCAFFOLD_LOCAL")
    caller = f"arn:{partition}:iam::123456789012:user/ann"
    session = Session("123456789012", caller, configured_target(region), boto=None)
    result = _result(
        session,
        read(service),
        "0" * 40,
        [StepResult("stack", "orders", "create")],
        (),
        "origin",
        ("qa",),
        notifies=False,
    )
    shown = text(result)
    assert "The environment qa is no longer in the answers" in shown
    assert "notification_email=ADDRESS" in shown
    unheard = "Approvals, failures and alarms are sent to no e-mail address"
    assert unheard not in text(replace(result, notifies=True))
    assert unheard in text(replace(result, steps=[]))
    assert unheard in text(replace(result, planned=True))
    # Those of builds and of the other environments are the service's.
    own = replace(result, own_alarms=("dev", "prod"))
    assert "Approvals, failures and alarms, but for those of dev and prod, are sent to no e-mail address" in text(own)
    assert "dev and prod" not in text(replace(own, notifies=True))
    assert f"https://{region}.{domain}/codesuite/codepipeline/pipelines/{name_of(service)}/view" in shown
    assert "git push origin main" in shown
    assert "local AWS" not in shown


def test_environments_that_left_the_answers_are_named_while_they_have_stacks(deployed: Path) -> None:
    """Stacks of another owner with such a name are not the service's."""
    answers = deployed / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace("dev,prod", "prod"))
    commit(deployed)
    foreign = f"{name_of(deployed)}-qa-service"
    client("cloudformation").create_stack(
        StackName=foreign, TemplateBody=json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    )
    for options in ({"plan": True}, {}, {}):
        result = run(deployed, **options)
        assert result.left_environments == ("dev",)
        assert "destroy --environment dev` deletes them" in text(result)
    client("cloudformation").delete_stack(StackName=foreign)
    remove(deployed, environment="dev")
    assert run(deployed).left_environments == ()


def test_service_linked_roles_exist_after_it(deployed: Path) -> None:
    roles = client("iam").list_roles(PathPrefix="/aws-service-role/")["Roles"]
    assert set(names.SERVICE_LINKED_ROLES.values()) <= {role["RoleName"] for role in roles}


# What a deployment without changes may need with the kit's own templates, whatever the number of environments.
CALLS = 13


def test_only_the_pipelines_own_stacks_have_a_deploy_role(deployed: Path) -> None:
    stacks = state(deployed, name_of(deployed))["stacks"]
    assert [name for name, stack in stacks.items() if stack["role"]] == [
        f"{name_of(deployed)}-{kind}"
        for kind in ("build", "checks", "pull-requests", "plans", "releases", "tests", "events", "pipeline")
    ]


def test_repetition_with_nothing_to_do_takes_few_calls(deployed: Path, wire: Wire) -> None:
    wire.calls.clear()

    result = run(deployed)

    assert not result.changed
    # Without a digest, each template is read, and the one stack policy.
    assert len(without_pages(wire.calls)) <= CALLS + len(deployed_stacks(name_of(deployed))) + 1
    assert all(call.split(":")[1].startswith(READS) for call in wire.calls)
    assert "nothing to do" in text(result)


@pytest.mark.slow
@pytest.mark.parametrize(
    "environments",
    ["dev,staging,prod", "dev,test,qa,load,staging,prod,dr,spare"],
)
def test_repetition_with_the_kits_own_templates_takes_the_same_calls_for_all_environments(
    tmp_path: Path, wire: Wire, environments: str
) -> None:
    service = make_kit_service(tmp_path / "service", environments=environments)
    first = run(service)
    assert {step.action for step in first.steps if step.type == "stack"} == {"create"}
    wire.calls.clear()

    assert not run(service).changed
    assert len(without_pages(wire.calls)) <= CALLS
    assert {"GetTemplate", "GetStackPolicy"} & {call.split(":")[1] for call in wire.calls} == set()


def test_changed_template_updates_its_stack_only(deployed: Path) -> None:
    commit(deployed, infrastructure__pipeline_yaml=PIPELINE + MORE)

    result = run(deployed)

    done = {step.name: step.action for step in result.steps if step.type == "stack"}
    assert {name for name, action in done.items() if action != "none"} == {pipeline_stack(name_of(deployed))}
    assert "More" in state(deployed, name_of(deployed))["stacks"][pipeline_stack(name_of(deployed))]["resources"]


@pytest.mark.slow
def test_changed_comment_never_updates_the_stack(deployed: Path, wire: Wire) -> None:
    """CloudFormation sees no change in a comment, so the deployed template keeps differing."""
    commit(deployed, infrastructure__pipeline_yaml=PIPELINE + "# a remark\n")
    run(deployed)
    result = run(deployed)
    assert {step.action for step in result.steps if step.type == "stack"} == {"none"}
    assert state(deployed, name_of(deployed))["stacks"][pipeline_stack(name_of(deployed))]["change sets"] == []


@pytest.mark.slow
def test_changed_tags_parameters_and_stack_policy_update_the_stack(deployed: Path) -> None:
    name = name_of(deployed)
    deny = {"Statement": [{"Effect": "Deny", "Action": "Update:Delete", "Principal": "*", "Resource": "*"}]}
    configuration = {
        "Parameters": {"AppName": name, "Unused": "something"},
        "Tags": {names.TAG_SERVICE: name, "team": "blue"},
        "StackPolicy": deny,
    }
    commit(deployed, infrastructure__pipeline_json=json.dumps(configuration))

    run(deployed)

    stack = state(deployed, name)["stacks"][pipeline_stack(name)]
    assert {"Key": "team", "Value": "blue"} in stack["tags"]
    assert {"ParameterKey": "Unused", "ParameterValue": "something"} in stack["parameters"]
    assert json.loads(stack["policy"]) == deny
    assert not run(deployed).changed


@pytest.mark.slow
def test_template_too_large_to_be_sent_inline_is_uploaded_to_the_artifact_bucket(service: Path, wire: Wire) -> None:
    long = "".join(f"# {number:090}\n" for number in range(600))
    assert len(long) > 51_200
    commit(service, infrastructure__pipeline_yaml=PIPELINE + long)

    run(service)

    assert "s3:PutObject" in wire.calls
    assert not run(service).changed


@pytest.mark.slow
def test_approval_rule_follows_its_file(deployed: Path) -> None:
    name = name_of(deployed)
    two = RULE | {"Statements": [{"Type": "Approvers", "NumberOfApprovalsNeeded": 2}]}
    commit(deployed, **{"config__policies__approval-rule-review_json": json.dumps(two)})
    run(deployed)
    assert json.loads(state(deployed, name)["rules"]["review"]) == two

    (deployed / "config/policies/approval-rule-review.json").unlink()
    commit(deployed)
    result = run(deployed)
    rules = {step.name: step.action for step in result.steps if step.type == "approval-rule-template"}
    assert rules == {f"{name}-review": "delete", f"{name}-checks": "none"}
    listed = client("codecommit").list_approval_rule_templates()["approvalRuleTemplateNames"]
    assert names.approval_rule_template(name, names.REVIEW_RULE) not in listed
    assert not run(deployed).changed


def test_the_users_own_origin_is_unchanged(service: Path) -> None:
    git("remote", "add", "origin", "https://git.example.com/mirror.git", cwd=service)
    result = run(service)
    assert result.remote == "codecommit"
    assert git("remote", "get-url", "origin", cwd=service) == "https://git.example.com/mirror.git"
    assert run(service).remote == "codecommit"


@pytest.mark.parametrize(
    ("url", "remote"),
    [
        ("codecommit::us-east-1://team@NAME", "origin"),
        ("codecommit::us-east-1://team@NAME-api", "codecommit"),
        ("codecommit::eu-west-1://NAME", "codecommit"),
        ("git@NAME.example.com:mirror.git", "codecommit"),
    ],
)
def test_only_an_origin_with_the_repositorys_url_is_reused(tmp_path: Path, url: str, remote: str) -> None:
    service = read(make_service(tmp_path / "service"))
    url = url.replace("NAME", service.app_name)
    git("remote", "add", "origin", url, cwd=service.root)
    session = Session("1", "arn:aws:iam::1:root", Target("us-east-1"), boto=None)
    head = git("rev-parse", "HEAD", cwd=service.root)
    assert git_remote.configure_remote(session, service, head) == remote
    expected = url if remote == "codecommit" else names.remote_url(service.app_name, "us-east-1")
    assert git("remote", "get-url", "origin", cwd=service.root) == expected


@pytest.mark.slow
def test_remote_url_contains_the_named_profile_so_that_git_push_uses_it(service: Path, tmp_path: Path) -> None:
    result = run_with_profile(service, "default")
    assert result.remote == "origin"
    assert git("remote", "get-url", "origin", cwd=service) == f"codecommit::us-east-1://default@{name_of(service)}"
    assert run(service).remote == "origin"


@pytest.mark.slow
def test_clone_of_a_colleague_deploys_and_finds_nothing_to_do(deployed: Path, tmp_path: Path) -> None:
    other = clone(tmp_path / "clone", name_of(deployed))
    assert not run(other).changed


def test_empty_repository_of_that_name_is_used(service: Path) -> None:
    client("codecommit").create_repository(repositoryName=name_of(service))
    result = run(service)
    assert result.exit_code == 0
    assert state(service, name_of(service))["tags"] == {names.TAG_SERVICE: name_of(service)}


def test_plan_of_a_first_deployment_lists_all_and_changes_nothing(service: Path, wire: Wire) -> None:
    result = run(service, plan=True)

    assert result.exit_code == 10
    assert all(call.split(":")[1].startswith(READS) for call in wire.calls)
    shown = text(result)
    for expected in ("create  CodeCommit repository", "ArtifactBucket (AWS::S3::Bucket)", "Topic (AWS::SNS::Topic)"):
        assert expected in shown
    assert not git("remote", cwd=service)
    assert names.repository(name_of(service)) not in str(client("codecommit").list_repositories())


@pytest.fixture
def git_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """The Git commands since the last call, without those that Git starts itself."""
    folder = tmp_path / "trace"
    folder.mkdir()
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(folder))

    def read_new() -> list[str]:
        files = list(folder.iterdir())
        events = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        for file in files:
            file.unlink()
        return [" ".join(one["argv"]) for one in events if one["event"] == "start" and "/" not in one["sid"]]

    return read_new


def test_plan_of_a_change_uses_change_sets_and_deletes_them(
    deployed: Path, wire: Wire, git_commands: Callable[[], list[str]]
) -> None:
    before = state(deployed, name_of(deployed))
    commit(deployed, infrastructure__pipeline_yaml=PIPELINE + MORE, infrastructure__foundation_yaml=FOUNDATION)
    wire.calls.clear()
    git_commands()

    result = run(deployed, plan=True)

    asked = git_commands()
    assert len(set(asked)) == len(asked) <= 11, asked
    assert result.exit_code == 10
    assert "create More (AWS::SNS::Topic)" in text(result)
    assert "1 commit" in text(result)
    writes = {call for call in wire.calls if not call.split(":")[1].startswith(READS)}
    assert writes == PLAN_WRITES
    assert state(deployed, name_of(deployed)) == before


def test_plan_with_nothing_to_do_exits_zero(deployed: Path, git_commands: Callable[[], list[str]]) -> None:
    git_commands()
    assert run(deployed, plan=True).exit_code == 0
    asked = git_commands()
    assert len(set(asked)) == len(asked) <= 7, asked


@pytest.mark.slow
def test_plan_replaces_a_change_set_that_a_killed_plan_left(deployed: Path) -> None:
    name = name_of(deployed)
    commit(deployed, infrastructure__pipeline_yaml=PIPELINE + MORE)
    client("cloudformation").create_change_set(
        StackName=pipeline_stack(name),
        ChangeSetName=names.PLAN_CHANGE_SET,
        TemplateBody=PIPELINE + MORE,
        Parameters=[{"ParameterKey": "AppName", "ParameterValue": name}],
    )
    assert run(deployed, plan=True).exit_code == 10
    assert state(deployed, name)["stacks"][pipeline_stack(name)]["change sets"] == []


def test_result_as_json(service: Path) -> None:
    document = run(service, plan=True).document()
    assert list(document) == [
        "schema_version",
        "command",
        "service",
        "account",
        "region",
        "local",
        "commit",
        "planned",
        "steps",
        "quotas",
        "clone_url",
        "pipeline_url",
        "remote",
        "push_profile",
        "left_environments",
        "left_stacks",
        "waiting_stacks",
        "notifies",
        "own_alarms",
        "networks",
        "release",
        "runs",
        "background",
    ]
    assert json.dumps(document, default=str)


def test_service_is_found_from_a_directory_inside_it(tmp_path: Path) -> None:
    service = make_service(tmp_path / "service")
    assert read(service / "infrastructure").root == service.resolve()
    with pytest.raises(ScaffoldError, match="There is no folder"):
        read(service / "infrastrucutre")
