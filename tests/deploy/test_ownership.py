"""Services of the same name are told apart by their root commits: by deploy, destroy and repair, before any change."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scaffold.core.errors import ScaffoldError
from scaffold.core.git import git
from scaffold.service import identity, names
from scaffold.service.service import read
from tests.deploy.services import (
    BUILD,
    CHECKS,
    EVENTS,
    FOUNDATION,
    IDENTIFIED,
    IDENTITY,
    IMPOSSIBLE,
    PERMISSIONS,
    PIPELINE,
    PLANS,
    PULL_REQUESTS,
    RELEASES,
    TESTS,
    Wire,
    client,
    clone,
    commit,
    deployed_stacks,
    environment_stack,
    foundation_stack,
    lift_protection,
    make_service,
    remove,
    run,
    state,
    wait_for_next_second,
)
from tests.repair.situations import create, repair, status, wait_for

READS = ("Get", "List", "Describe", "Head")
COMMANDS: dict[str, Callable[..., Any]] = {"deploy": run, "destroy": remove, "repair": repair}


def app_of(service: Path) -> str:
    return read(service).app_name


def root_of(service: Path) -> str:
    return identity.root_commit(read(service))


def generated_again(service: Path, place: Path) -> Path:
    """A service of the same name with a history of its own."""
    return make_service(place, app_of(service), description="generated again")


def delete_repository(service: Path) -> None:
    client("codecommit").delete_repository(repositoryName=names.repository(app_of(service)))


def check_refused(service: Path, wire: Wire, what: str, *, other: str, **remedies: str) -> None:
    """Every command, planned or not, refuses with the same sentence and changes nothing."""
    wire.calls.clear()
    for name, command in COMMANDS.items():
        for plan in (True, False):
            with pytest.raises(ScaffoldError) as refused:
                command(service, plan=plan)
            expected = f"{what} is not this service's: the root commit of its main is {other[:12]}, and that of this "
            assert refused.value.happened == f"{expected}clone's main is {root_of(service)[:12]}."
            default = "another name" if name == "deploy" else f"Run `scaffold {name}` in a clone of that service."
            assert remedies.get("remedy", default) in refused.value.remedy
    assert [call for call in wire.calls if not call.split(":")[1].startswith(READS)] == []


def test_a_service_that_was_generated_again_is_another_one(deployed: Path, tmp_path: Path, wire: Wire) -> None:
    again = generated_again(deployed, tmp_path / "again")
    before = state(deployed, app_of(deployed))
    repository = f"The CodeCommit repository {app_of(deployed)} in us-east-1"
    foundation = f"The stack {foundation_stack(app_of(deployed))}"
    for name, command in COMMANDS.items():
        with pytest.raises(ScaffoldError, match="is not this service's") as refused:
            command(again)
        assert refused.value.happened.startswith(foundation if name == "deploy" else repository)
    delete_repository(deployed)
    check_refused(again, wire, foundation, other=root_of(deployed))
    # Its own clone goes on, and creates the repository again.
    run(deployed)
    assert state(deployed, app_of(deployed)) == before
    assert not run(clone(tmp_path / "clone", app_of(deployed))).changed


@pytest.mark.slow
def test_a_repository_that_was_pushed_again_from_another_history_is_another_ones(
    deployed: Path, tmp_path: Path, wire: Wire
) -> None:
    other = generated_again(deployed, tmp_path / "other")
    delete_repository(deployed)
    client("codecommit").create_repository(repositoryName=app_of(deployed))
    git("push", "-q", names.remote_url(app_of(deployed), "us-east-1"), "main", cwd=other)
    repository = f"The CodeCommit repository {app_of(deployed)} in us-east-1"
    check_refused(deployed, wire, repository, other=root_of(other))
    check_refused(other, wire, f"The stack {foundation_stack(app_of(deployed))}", other=root_of(deployed))


@pytest.mark.slow
def test_without_main_any_branch_of_the_repository_may_be_the_services(service: Path, tmp_path: Path) -> None:
    url = names.remote_url(app_of(service), "us-east-1")
    client("codecommit").create_repository(repositoryName=app_of(service))
    other = generated_again(service, tmp_path / "other")
    git("push", "-q", url, "main:pages", cwd=other)
    with pytest.raises(ScaffoldError, match=f"root commit of its main is {root_of(other)[:12]}"):
        run(service)
    git("push", "-q", url, "main:develop", cwd=service)
    run(service)
    assert not run(service).changed


def test_a_service_whose_repository_is_gone_is_destroyed_from_its_clone(deployed: Path, tmp_path: Path) -> None:
    copy = clone(tmp_path / "clone", app_of(deployed))
    git("checkout", "-q", "-b", "develop", cwd=copy)
    git("branch", "-q", "-D", "main", cwd=copy)
    delete_repository(deployed)
    assert repair(copy).problems == ()
    deleted = [change.name for change in remove(copy).changes if change.type == "stack"]
    assert set(deleted) == set(deployed_stacks(app_of(deployed)))


def test_a_rewritten_history_is_refused_with_the_way_back(deployed: Path, wire: Wire) -> None:
    first = root_of(deployed)
    (deployed / "README.md").write_text("rewritten")
    git("add", "-A", cwd=deployed)
    git("-c", "commit.gpgsign=false", "commit", "-q", "--amend", "-m", "rewritten", cwd=deployed, env=IDENTITY)
    delete_repository(deployed)
    back = f"git switch main && git reset --soft {first[:12]}"
    check_refused(deployed, wire, f"The stack {foundation_stack(app_of(deployed))}", other=first, remedy=back)
    git("reset", "-q", "--soft", first[:12], cwd=deployed)
    commit(deployed)
    assert "README.md" in git("ls-tree", "--name-only", "HEAD", cwd=deployed)
    run(deployed)
    assert not run(deployed).changed


@pytest.mark.slow
def test_a_failed_foundation_of_another_service_is_not_replaced(service: Path, tmp_path: Path, wire: Wire) -> None:
    commit(service, infrastructure__foundation_yaml=FOUNDATION.replace("Outputs:", IMPOSSIBLE + "Outputs:"))
    with pytest.raises(ScaffoldError, match="Queue"):
        run(service)
    delete_repository(service)
    other = generated_again(service, tmp_path / "other")
    check_refused(other, wire, f"The stack {foundation_stack(app_of(service))}", other=root_of(service))
    assert status(foundation_stack(app_of(service))) == "ROLLBACK_COMPLETE"


def test_one_stack_of_another_service_is_enough(deployed: Path, wire: Wire) -> None:
    stack, other = environment_stack(app_of(deployed), "qa", "service"), "b" * 40
    client("cloudformation").create_stack(
        StackName=stack,
        TemplateBody=f"Resources: {{Topic: {{Type: AWS::SNS::Topic}}}}\nOutputs: {{RootCommit: {{Value: {other}}}}}",
        Tags=[{"Key": names.TAG_SERVICE, "Value": app_of(deployed)}],
    )
    wait_for(stack, "CREATE_COMPLETE")
    check_refused(deployed, wire, f"The stack {stack}", other=other)
    client("cloudformation").delete_stack(StackName=stack)


def test_what_a_deleted_service_has_left_is_not_the_next_ones(deployed: Path, tmp_path: Path) -> None:
    wait_for_next_second()
    lift_protection(app_of(deployed))
    for stack in reversed(deployed_stacks(app_of(deployed))):
        client("cloudformation").delete_stack(StackName=stack)
        wait_until_gone(stack)
    delete_repository(deployed)
    other = generated_again(deployed, tmp_path / "other")
    data = {"AWS::S3::Bucket", "AWS::ECR::Repository", "AWS::KMS::Key"}
    assert data & {change.type for change in remove(other, plan=True).changes} == set()
    assert data <= {change.type for change in remove(deployed, plan=True).changes}


def wait_until_gone(stack: str) -> None:
    client("cloudformation").get_waiter("stack_delete_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600}
    )


@pytest.mark.slow
def test_stacks_without_a_root_commit_are_told_apart_by_their_tag_alone(service: Path) -> None:
    """As by a template of the service's own, or where a creation has not finished."""
    plain = {
        "infrastructure__foundation_yaml": FOUNDATION.replace("  RootCommit: {Type: String}\n", "").replace(
            "  RootCommit: {Value: !Ref RootCommit, Export: {Name: !Sub '${AWS::StackName}-RootCommit'}}\n", ""
        ),
        "infrastructure__permissions_yaml": PERMISSIONS.replace(IDENTIFIED, ""),
        "infrastructure__deploy-role_yaml": PERMISSIONS.replace(IDENTIFIED, ""),
        "infrastructure__build_yaml": BUILD.replace(IDENTIFIED, ""),
        "infrastructure__checks_yaml": CHECKS.replace(IDENTIFIED, ""),
        "infrastructure__pull-requests_yaml": PULL_REQUESTS.replace(IDENTIFIED, ""),
        "infrastructure__plans_yaml": PLANS.replace(IDENTIFIED, ""),
        "infrastructure__releases_yaml": RELEASES.replace(IDENTIFIED, ""),
        "infrastructure__tests_yaml": TESTS.replace(IDENTIFIED, ""),
        "infrastructure__events_yaml": EVENTS.replace(IDENTIFIED, ""),
        "infrastructure__pipeline_yaml": PIPELINE.replace(IDENTIFIED, ""),
    }
    assert "RootCommit" not in "".join(plain.values())
    given = {path: (service / path.replace("__", "/").replace("_yaml", ".yaml")).read_text() for path in plain}
    commit(service, **plain)
    run(service)
    assert not run(service).changed
    assert repair(service).problems == ()
    stack = environment_stack(app_of(service), "dev", "environment")
    create(stack, app_of(service), {"Topic": {"Type": "AWS::SNS::Topic"}})
    # The parameter comes with an update.
    commit(service, **given)
    run(service)
    described = client("cloudformation").describe_stacks(StackName=foundation_stack(app_of(service)))["Stacks"][0]
    assert {"ParameterKey": names.ROOT_COMMIT, "ParameterValue": root_of(service)} in described["Parameters"]
    assert stack in {change.name for change in remove(service).changes}


def test_a_shallow_clone_is_refused_by_every_command(service: Path, tmp_path: Path, wire: Wire) -> None:
    commit(service)
    git("clone", "-q", "--depth=1", f"file://{service}", os.fspath(tmp_path / "shallow"), cwd=tmp_path)
    for command in COMMANDS.values():
        with pytest.raises(ScaffoldError, match="This clone is shallow") as refused:
            command(tmp_path / "shallow")
        assert refused.value.remedy == "Run `git fetch --unshallow`, then the same command again."
    assert wire.calls == []
