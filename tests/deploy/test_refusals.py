"""Every error of a deployment says what happened and what to do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as failures

from scaffold.aws.cloudformation.stack_events import Watch, explain
from scaffold.core.errors import Interrupted, ScaffoldError
from scaffold.core.git import git
from scaffold.service import names
from scaffold.service.service import read
from tests.deploy.services import (
    FOUNDATION,
    IMPOSSIBLE,
    MORE,
    PIPELINE,
    Wire,
    client,
    clone,
    commit,
    foundation_stack,
    make_service,
    pipeline_stack,
    protected_stacks,
    run,
    run_with_profile,
    state,
)
from tests.pauses import skip_pauses


def refusal(service: Path, **options: Any) -> ScaffoldError:
    """The error of a deployment."""
    with pytest.raises(ScaffoldError) as caught:
        run(service, **options)
    assert caught.value.remedy
    assert "\n" not in caught.value.happened.strip()
    return caught.value


# ---- the work tree ----


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service without local AWS: these errors come before any call."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    return make_service(tmp_path / "service")


def test_no_generated_service(tmp_path: Path) -> None:
    error = refusal(tmp_path)
    assert "no generated service" in error.happened
    assert "scaffold new" in error.remedy


@pytest.mark.parametrize("text", ["", "[1, 2]", "a: [", "app_name: 7\naws_region: us-east-1\n", "app_name: Bad Name\n"])
def test_damaged_answers(offline: Path, text: str) -> None:
    (offline / ".copier-answers.yml").write_text(text)
    assert "damaged" in refusal(offline).happened


@pytest.mark.parametrize("production", ["qa", "", "null", "[prod]", "Prod"])
def test_production_that_is_no_environment(offline: Path, production: str) -> None:
    with (offline / ".copier-answers.yml").open("a") as answers:
        answers.write(f"production: {production}\n")
    assert "damaged: production is" in refusal(offline).happened


def test_uncommitted_and_untracked_files(offline: Path) -> None:
    (offline / "new.txt").write_text("new")
    (offline / "infrastructure/pipeline.yaml").write_text("changed")
    error = refusal(offline)
    assert "uncommitted changes" in error.happened
    assert "and 1 more" in error.happened
    assert "git stash" in error.remedy


def test_paths_are_shown_verbatim_and_quoted_in_commands(tmp_path: Path) -> None:
    service = make_service(tmp_path / "my sérvice")
    (service / "ünsaved.txt").write_text("new")
    assert "uncommitted changes: ünsaved.txt." in refusal(service).happened
    (service / ".git").rename(tmp_path / "aside")
    assert f"cd '{service}' && git init" in refusal(service).remedy


def test_detached_head(offline: Path) -> None:
    git("checkout", "-q", "--detach", cwd=offline)
    error = refusal(offline)
    assert "detached" in error.happened
    assert "git switch main" in error.remedy


def test_another_branch(offline: Path) -> None:
    git("checkout", "-q", "-b", "feature", cwd=offline)
    error = refusal(offline)
    assert "feature" in error.happened
    assert "git switch main" in error.remedy


def test_no_repository_no_commit_and_inside_another_one(tmp_path: Path) -> None:
    outer = make_service(tmp_path / "outer")
    inner = make_service(outer / "inner")
    (inner / ".git").rename(tmp_path / "aside")
    assert "inside another Git repository" in refusal(inner).happened
    (outer / ".git").rename(tmp_path / "aside2")
    assert "not a Git repository" in refusal(outer).happened
    git("init", "-q", "-b", "main", cwd=outer)
    assert "no commit" in refusal(outer).happened


def test_the_service_in_the_current_folder_is_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = make_service(tmp_path / "service")
    (service / ".git").rename(tmp_path / "aside")
    monkeypatch.chdir(service)
    for directory in (Path(), service):
        assert "is not a Git repository" in refusal(directory).happened


def test_a_repository_of_another_user(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    error = refusal(offline)
    assert "belongs to another user" in error.happened
    assert f"safe.directory {offline}" in error.remedy


def test_missing_template(offline: Path) -> None:
    (offline / "infrastructure/foundation.yaml").unlink()
    commit(offline)
    assert "foundation.yaml" in refusal(offline).happened


# ---- credentials, account, region, network ----


def test_no_credentials(service: Path, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    error = refusal(service)
    assert "No AWS credentials" in error.happened
    assert "--profile" in error.remedy


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("ExpiredToken", "expired"),
        ("ExpiredTokenException", "expired"),
        ("RequestExpired", "expired"),
        ("InvalidClientTokenId", "does not accept"),
        ("SignatureDoesNotMatch", "does not accept"),
    ],
)
def test_credentials_that_aws_refuses(service: Path, wire: Wire, code: str, said: str) -> None:
    wire.refuse("GetCallerIdentity", code, "The security token included in the request is no good")
    assert said in refusal(service).happened


@pytest.mark.parametrize(
    "error",
    [
        failures.UnauthorizedSSOTokenError(),
        failures.SSOTokenLoadError(error_msg="gone"),
        failures.TokenRetrievalError(provider="sso", error_msg="Token has expired and refresh failed"),
    ],
)
def test_expired_sign_in(service: Path, wire: Wire, error: Exception) -> None:
    wire.throw("GetCallerIdentity", error)
    assert "aws sso login" in refusal(service).remedy


def test_unknown_profile(service: Path) -> None:
    with pytest.raises(ScaffoldError, match="missing-profile"):
        run_with_profile(service, "missing-profile")


def test_unreachable_endpoint(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    skip_pauses(monkeypatch)
    error = refusal(offline)
    assert "cannot be reached" in error.happened
    assert "network" in error.remedy


def test_unreachable_git_endpoint(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODE_COMMIT_ENDPOINT", "127.0.0.1:1")
    skip_pauses(monkeypatch)
    assert "cannot be reached over the network" in refusal(service).happened


@pytest.mark.parametrize(
    "variable",
    ["AWS_REGION", *(pytest.param(one, marks=pytest.mark.slow) for one in ("AWS_DEFAULT_REGION", "profile"))],
)
def test_another_region_in_the_configuration_is_ignored(
    service: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    """A service is deployed to the region of its answers, whatever region the user works in otherwise."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    if variable == "profile":
        (tmp_path / "config").write_text("[default]\nregion = eu-west-1\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", os.fspath(tmp_path / "config"))
    else:
        monkeypatch.setenv(variable, "eu-west-1")
    assert run(service).region == "us-east-1"
    assert client("codecommit").get_repository(repositoryName=read(service).app_name)
    assert run(service).changed is False


def test_another_account(tmp_path: Path, aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCAFFOLD_LOCAL")
    service = make_service(tmp_path / "service", aws_account_id="123456789012")
    error = refusal(service)
    assert "123456789012" in error.happened
    assert "--profile" in error.remedy


def test_local_aws_stands_in_for_the_account_of_the_service(tmp_path: Path, aws: None) -> None:
    result = run(make_service(tmp_path / "service", aws_account_id="123456789012"), plan=True)
    assert (result.local, result.account) == (True, "000000000000")


# ---- permissions, new customers, quotas ----


@pytest.mark.parametrize(
    ("operation", "message", "action"),
    [
        (
            "CreateRepository",
            "User: arn:aws:iam::1:user/u is not authorized to perform: codecommit:CreateRepository on resource: "
            "arn:aws:codecommit:us-east-1:1:x because no identity-based policy allows it",
            "codecommit:CreateRepository",
        ),
        ("GetRepository", "User: u is not authorized to perform: iam:PassRole on resource: arn:r", "iam:PassRole"),
        ("ListRoles", "Access Denied", "ListRoles"),
    ],
)
def test_denied_permission_names_the_action(
    service: Path, wire: Wire, operation: str, message: str, action: str
) -> None:
    wire.refuse(operation, "AccessDenied", message)
    error = refusal(service)
    assert f"AWS denied {action}" in error.happened
    assert "docs/permissions.md" in error.remedy


def test_codecommit_refuses_a_new_customer(service: Path, wire: Wire) -> None:
    message = "CreateRepository request is not allowed because there is no existing repository in this AWS account"
    wire.refuse("CreateRepository", "OperationNotAllowedException", message)
    error = refusal(service)
    assert "new customer" in error.happened
    assert "AWS Support" in error.remedy


def test_account_that_is_not_activated(service: Path, wire: Wire) -> None:
    message = "The AWS Access Key Id needs a subscription for the service"
    wire.refuse("ListRoles", "OptInRequired", message)
    assert "payment method" in refusal(service).remedy


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("Cannot have more than 0 builds in queue for the account (AccountLimitExceededException)", "CodeBuild"),
        ("You've reached the limit on the number of vCPUs you can run concurrently", "Fargate"),
        ("This AWS account currently does not support creating load balancers.", "Load Balancers"),
        ("The maximum number of VPCs has been reached. (VpcLimitExceeded)", "VPCs"),
        ("The maximum number of addresses has been reached. (AddressLimitExceeded)", "Elastic IPs"),
        ("User: x is not authorized to perform: kms:CreateKey on resource: *", "kms:CreateKey"),
        ("my-repository already exists in stack arn:other", "Delete or rename"),
        ("Properties validation failed", "scaffold deploy"),
    ],
)
def test_root_cause_of_a_failed_stack(reason: str, remedy: str) -> None:
    def event(logical_id: str, status: str, reason: str = "", physical_id: str = "x") -> dict[str, Any]:
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        return {
            "EventId": f"{logical_id}{status}",
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": physical_id,
            "ResourceType": "AWS::X::Y",
            "ResourceStatus": status,
            "ResourceStatusReason": reason,
            "Timestamp": moment,
        }

    session: Any = None
    watch = Watch(session, "stack-id", "shop-foundation")
    watch.events = [
        event("shop-foundation", "CREATE_IN_PROGRESS", "User Initiated", "stack-id"),
        event("Echo", "CREATE_FAILED", "Resource creation cancelled"),
        event("Cause", "CREATE_FAILED", reason),
        event("shop-foundation", "ROLLBACK_IN_PROGRESS", "The following resource(s) failed", "stack-id"),
    ]
    error = explain(watch, "created", "scaffold deploy")
    assert "Cause" in error.happened
    assert reason.rstrip(".") in error.happened
    assert remedy in error.remedy


# ---- the repository ----


def other_history(tmp_path: Path, service: Path) -> Path:
    """Another service of the same name, deployed before this one."""
    other = make_service(tmp_path / "other", read(service).app_name, description="another one")
    run(other)
    return other


def test_repository_of_another_service(service: Path, tmp_path: Path) -> None:
    other = other_history(tmp_path, service)
    before = state(other, read(service).app_name)
    for plan in (True, False):
        error = refusal(service, plan=plan)
        assert "not this service's" in error.happened
        assert "another name" in error.remedy
    assert state(other, read(service).app_name) == before


@pytest.mark.slow
def test_diverged_and_outdated_clone(deployed: Path, tmp_path: Path) -> None:
    colleague = clone(tmp_path / "clone", read(deployed).app_name)
    commit(colleague)
    git("push", "-q", "origin", "main", cwd=colleague)
    behind = refusal(deployed)
    assert "behind" in behind.happened
    assert "git pull --ff-only" in behind.remedy
    # Not the colleague's commit, which has the same content and perhaps the same second.
    commit(deployed, "Another", version_txt="v2\n")
    diverged = refusal(deployed)
    assert "diverged" in diverged.happened
    assert "git pull --rebase" in diverged.remedy


def test_push_that_codecommit_refuses(deployed: Path) -> None:
    commit(deployed)
    repositories = Path(os.environ["GIT_SSL_CAINFO"]).parent / "repositories"
    (bare,) = [path for path in repositories.rglob("HEAD") if path.parent.name.startswith(read(deployed).app_name)]
    hook = bare.parent / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'User is not authorized to perform codecommit:GitPush' >&2\nexit 1\n")
    hook.chmod(0o755)
    error = refusal(deployed)
    assert "refused the push: ! [remote rejected]" in error.happened
    assert "pull request" in error.remedy


def test_a_local_hook_that_refuses_the_push_is_quoted(service: Path) -> None:
    hook = service / ".git/hooks/pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'the tests of shop fail' >&2\nexit 1\n")
    hook.chmod(0o755)
    assert "the tests of shop fail" in refusal(service).happened


# ---- stacks ----


def test_stack_whose_creation_was_rolled_back_is_created_again(service: Path) -> None:
    commit(service, infrastructure__foundation_yaml=FOUNDATION.replace("Outputs:", IMPOSSIBLE + "Outputs:"))
    error = refusal(service)
    assert "Queue" in error.happened
    assert "scaffold deploy" in error.remedy
    stack = foundation_stack(read(service).app_name)
    assert client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE"
    assert protected_stacks(read(service).app_name) == {stack}
    commit(service, infrastructure__foundation_yaml=FOUNDATION)
    assert "replace" in {step.action for step in run(service, plan=True).steps}

    run(service)

    assert state(service, read(service).app_name)["stacks"][stack]["status"] == "COMPLETE"
    assert stack in protected_stacks(read(service).app_name)


@pytest.mark.slow
def test_failed_update_is_rolled_back_explained_and_can_be_fixed(deployed: Path) -> None:
    commit(deployed, infrastructure__pipeline_yaml=PIPELINE + IMPOSSIBLE)
    assert "Queue" in refusal(deployed).happened
    commit(deployed, infrastructure__pipeline_yaml=PIPELINE)
    run(deployed)
    assert not run(deployed).changed


@pytest.mark.slow
def test_stack_in_review_is_created_again(service: Path) -> None:
    stack = foundation_stack(read(service).app_name)
    client("cloudformation").create_change_set(
        StackName=stack, ChangeSetName="manual", ChangeSetType="CREATE", TemplateBody=PIPELINE,
        Parameters=[{"ParameterKey": "AppName", "ParameterValue": "x"}],
    )  # fmt: skip
    run(service)
    assert state(service, read(service).app_name)["stacks"][stack]["status"] == "COMPLETE"


def in_status(status: str, times: int = 10**6) -> Callable[[dict[str, Any]], None]:
    """Let DescribeStacks return another status, each stack a number of times."""
    left: dict[str, int] = {}

    def touch(parsed: dict[str, Any]) -> None:
        for stack in parsed.get("Stacks", []):
            left[stack["StackId"]] = left.get(stack["StackId"], times) - 1
            if left[stack["StackId"]] >= 0:
                stack["StackStatus"] = status

    return touch


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        ("UPDATE_ROLLBACK_FAILED", "`scaffold repair`"),
        # The foundation's: only `scaffold destroy` deletes what it retains.
        pytest.param("DELETE_FAILED", "`scaffold destroy`", marks=pytest.mark.slow),
    ],
)
def test_stuck_stack(deployed: Path, wire: Wire, status: str, remedy: str) -> None:
    wire.touched["DescribeStacks"] = in_status(status)
    for plan in (False, True):
        error = refusal(deployed, plan=plan)
        assert status in error.happened
        assert remedy in error.remedy


@pytest.mark.slow
def test_busy_stack_is_waited_for_by_a_deployment_and_reported_by_a_plan(deployed: Path, wire: Wire) -> None:
    wire.touched["DescribeStacks"] = in_status("UPDATE_IN_PROGRESS", times=1)
    assert not run(deployed).changed
    wire.touched["DescribeStacks"] = in_status("UPDATE_IN_PROGRESS", times=1)
    error = refusal(deployed, plan=True)
    assert "busy (UPDATE_IN_PROGRESS)" in error.happened


def test_stack_of_another_owner(service: Path) -> None:
    stack = foundation_stack(read(service).app_name)
    client("cloudformation").create_stack(
        StackName=stack,
        TemplateBody=json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}),
        Tags=[{"Key": names.TAG_SERVICE, "Value": "another"}],
    )
    error = refusal(service)
    assert "belongs to another" in error.happened


def test_every_stack_is_asked_for_before_the_first_change(service: Path, wire: Wire) -> None:
    stack = pipeline_stack(read(service).app_name)
    client("cloudformation").create_stack(
        StackName=stack, TemplateBody=json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    )
    for plan in (True, False):
        assert f"A stack named {stack} exists that is not this service's" in refusal(service, plan=plan).happened
    assert [call for call in wire.calls if not call.split(":")[1].startswith(("Get", "List", "Describe"))] == []


@pytest.mark.parametrize("operation", ["CREATE", "UPDATE"])
def test_a_stack_that_a_colleague_deletes_is_no_success(service: Path, wire: Wire, operation: str) -> None:
    def deleted(parsed: dict[str, Any]) -> None:
        for event in parsed["StackEvents"]:
            if event["ResourceStatus"] == f"{operation}_COMPLETE" and event["PhysicalResourceId"] == event["StackId"]:
                event["ResourceStatus"] = "DELETE_COMPLETE"

    if operation == "UPDATE":
        run(service)
        commit(service, infrastructure__pipeline_yaml=PIPELINE + MORE)
    wire.touched["DescribeStackEvents"] = deleted
    assert f"could not be {operation.lower()}d: it is DELETE_COMPLETE" in refusal(service).happened


@pytest.mark.parametrize("status", ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"])
def test_a_stack_that_is_deleted_right_after_its_creation_is_no_success(service: Path, wire: Wire, status: str) -> None:
    def deleted(parsed: dict[str, Any]) -> None:
        if "cloudformation:CreateStack" in wire.calls:
            in_status(status)(parsed)

    wire.touched["DescribeStacks"] = deleted
    assert "was deleted during this deployment" in refusal(service).happened


def test_interruption_says_that_aws_goes_on_and_a_repetition_finishes(service: Path, wire: Wire) -> None:
    wire.throw("DescribeStackEvents", KeyboardInterrupt())
    with pytest.raises(Interrupted) as caught:
        run(service)
    assert caught.value.exit_code == 130
    assert "continue there" in caught.value.happened
    assert "scaffold deploy" in caught.value.remedy
    wire.faults.clear()
    run(service)
    assert not run(service).changed
