"""`scaffold deploy` creates each environment's stacks from the placeholder, and leaves them to the pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scaffold.aws.cloudformation.stacks import as_stack
from scaffold.aws.session import signed_in
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError
from scaffold.core.git import git
from scaffold.core.target import configured_target
from scaffold.deployment.first_run import undeployed
from scaffold.deployment.inventory import live_stacks
from scaffold.deployment.stack_drift import find_drift
from scaffold.service import identity, names
from scaffold.service.service import read
from scaffold.service.stack_kinds import deployed_by_pipeline
from scaffold.views.deploy import text
from scaffold.views.drift import lines
from tests.deploy.services import (
    PLACEHOLDER,
    Deployments,
    Wire,
    all_stacks,
    client,
    commit,
    dies_after,
    environment_stack,
    lift_protection,
    make_service,
    protected_stacks,
    release_stack,
    remove,
    run,
    without_pages,
)
from tests.repair.situations import BROKEN, create, status

KINDS = ("network", "environment", "task-definition", "alarms", "service")
POLICY = {
    "Statement": [{"Effect": "Deny", "Action": "Update:*", "Principal": "*", "Resource": "LogicalResourceId/Rule"}]
}
RELEASED = "Resources: {Topic: {Type: AWS::SNS::Topic}}\n"


@pytest.fixture
def service(aws: None, tmp_path: Path) -> Path:
    """A committed service with three environments, the last two of them protected; the first has no network."""
    return three_environments(tmp_path / "service")


@pytest.fixture
def deployed(aws: None, tmp_path: Path, deployments: Deployments) -> Path:
    """That service after its first deployment."""
    return deployments.copy("prepared", lambda root: run(three_environments(root)), tmp_path / "service")


def three_environments(root: Path) -> Path:
    return with_stacks(make_service(root, environments="dev,prod,dr", production="prod"), "dev")


def with_stacks(root: Path, *in_existing_vpc: str) -> Path:
    """Add the files that declare the stacks of a service's environments."""
    app = read(root).app_name
    for environment in read(root).environments:
        folder = root / "infrastructure" / environment
        (folder / "task-definition.yaml").write_text(RELEASED)
        tags = {names.TAG_SERVICE: app, names.TAG_ENVIRONMENT: environment}
        for kind in ("network", "environment", "alarms", "service"):
            if kind != "network" or environment not in in_existing_vpc:
                policy = {"StackPolicy": POLICY} if kind == "environment" else {}
                given = {"Parameters": {"Unknown": "to the placeholder"}, "Tags": tags, **policy}
                (folder / f"{kind}.json").write_text(json.dumps(given))
    commit(root)
    return root


def stacks_of(root: Path) -> dict[str, dict[str, Any]]:
    """The stacks of the environments, as CloudFormation describes them, by the end of their names."""
    app, own = read(root).app_name, deployed_by_pipeline(read(root).environments)
    found = {one["StackName"]: one for one in all_stacks()}
    wanted = (one.name(app) for one in own)
    return {name.removeprefix(f"{app}-"): found[name] for name in wanted if name in found}


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}


def prepared(root: Path, **options: Any) -> dict[str, str]:
    """The actions of the steps of prepared stacks in a deployment or its plan."""
    app, steps = read(root).app_name, run(root, **options).steps
    return {step.name.removeprefix(f"{app}-"): step.action for step in steps if step.type == "prepared-stack"}


def delete(stack: str) -> None:
    """Delete a stack and wait for the end."""
    client("cloudformation").delete_stack(StackName=stack)
    waiter = client("cloudformation").get_waiter("stack_delete_complete")
    waiter.wait(StackName=stack, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})


def refusal(root: Path) -> ScaffoldError:
    with pytest.raises(ScaffoldError) as caught:
        run(root)
    return caught.value


def test_stacks_are_created_with_role_tags_policy_and_protection(service: Path, wire: Wire) -> None:
    app, root_commit = read(service).app_name, git("rev-list", "--max-parents=0", "HEAD", cwd=service)
    planned = prepared(service, plan=True)
    assert stacks_of(service) == {}
    assert planned == prepared(service)
    found = stacks_of(service)
    everything = {f"{environment}-{kind}" for environment in ("dev", "prod", "dr") for kind in KINDS}
    assert set(found) == set(planned) == everything - {"dev-network"}
    assert set(planned.values()) == {"create"}
    for name, stack in found.items():
        environment, _, kind = name.partition("-")
        assert (stack["StackStatus"], outputs(stack)) == (
            "CREATE_COMPLETE",
            {names.PREPARED: "true", names.ROOT_COMMIT: root_commit},
        )
        assert stack["RoleARN"].endswith(f":role{names.deploy_role(app, environment)}")
        assert stack["EnableTerminationProtection"] is (environment != "dev"), name
        tags = {one["Key"]: one["Value"] for one in stack["Tags"]}
        expected = {names.TAG_SERVICE: app, names.TAG_ENVIRONMENT: environment}
        assert tags == ({} if kind == "task-definition" else expected)
        policy = client("cloudformation").get_stack_policy(StackName=stack["StackName"]).get("StackPolicyBody")
        assert (json.loads(policy) if policy else None) == (POLICY if kind == "environment" else None)
    # Before the push and the pipeline, which start a release.
    steps = [step.type for step in run(service, plan=True).steps]
    assert max(index for index, kind in enumerate(steps) if kind == "prepared-stack") < steps.index("branch")


def test_the_creations_are_started_together(service: Path, wire: Wire) -> None:
    run(service)
    created = [index for index, call in enumerate(wire.calls) if call == "cloudformation:CreateStack"]
    # Foundation, permissions, three deploy roles and the pipeline's own stacks come before them, the pipeline after.
    ours = created[12:-1]
    assert len(ours) == 14
    assert wire.calls[ours[0] : ours[-1] + 1] == ["cloudformation:CreateStack"] * 14


@pytest.mark.slow
def test_prepared_and_released_stacks_cost_a_deployment_no_call(service: Path, tmp_path: Path, wire: Wire) -> None:
    without = make_service(tmp_path / "without", environments="dev,prod,dr", production="prod")
    run(service), run(without)
    release_stack(environment_stack(read(service).app_name, "dev", "service"), RELEASED)

    def calls(root: Path) -> list[str]:
        wire.calls.clear()
        assert not run(root).changed
        return without_pages(wire.calls)

    assert calls(service) == calls(without)


@pytest.mark.parametrize(
    "state",
    [
        pytest.param("UPDATE_IN_PROGRESS", marks=pytest.mark.slow),
        pytest.param("UPDATE_ROLLBACK_COMPLETE", marks=pytest.mark.slow),
        "UPDATE_ROLLBACK_FAILED",
    ],
)
def test_a_stack_that_exists_is_left_to_the_pipeline(
    deployed: Path, wire: Wire, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = environment_stack(read(deployed).app_name, "prod", "service")
    commit(deployed, infrastructure__placeholder_yaml=PLACEHOLDER + "  More: {Value: more}\n")

    def describe(parsed: dict[str, Any]) -> None:
        for one in parsed["Stacks"]:
            one["StackStatus"] = state if one["StackName"] == stack else one["StackStatus"]

    wire.touched["DescribeStacks"] = describe
    wire.calls.clear()
    capsys.readouterr()
    assert set(prepared(deployed).values()) == {"none"}
    assert (f"The stack {stack} is {state}, so releases fail there" in capsys.readouterr().err) is ("FAILED" in state)
    assert not {"CreateStack", "CreateChangeSet", "DeleteStack"} & {call.partition(":")[2] for call in wire.calls}


def test_a_failed_creation_is_replaced_with_its_protection(deployed: Path) -> None:
    app = read(deployed).app_name
    lift_protection(app)
    for environment in ("dev", "prod"):
        stack = environment_stack(app, environment, "alarms")
        delete(stack)
        create(stack, app, BROKEN, EnableTerminationProtection=environment == "prod")
        assert status(stack) == "ROLLBACK_COMPLETE"
    planned = prepared(deployed, plan=True)
    assert {name for name, action in planned.items() if action == "replace"} == {"dev-alarms", "prod-alarms"}
    assert prepared(deployed) == planned
    found = stacks_of(deployed)
    for environment in ("dev", "prod"):
        stack = found[f"{environment}-alarms"]
        assert (stack["StackStatus"], names.PREPARED in outputs(stack)) == ("CREATE_COMPLETE", True)
        assert stack["EnableTerminationProtection"] is (environment == "prod")


def test_protection_returns_and_is_added_to_a_new_production(deployed: Path, wire: Wire) -> None:
    app = read(deployed).app_name

    def expect(*environments: str) -> None:
        """Only the protection of these environments' stacks is missing, and a deployment adds it, changing no more."""
        planned = run(deployed, plan=True)
        assert f"enable termination protection of {environment_stack(app, environments[0], 'service')}" in text(planned)
        roles = {environment_stack(app, environment, "deploy-role") for environment in environments}
        missing = roles | {f"{app}-{name}" for name in stacks_of(deployed) if name.partition("-")[0] in environments}
        before = protected_stacks(app)
        wire.calls.clear()
        steps = [step for step in run(deployed).steps if step.type in ("prepared-stack", "stack")]
        assert {step.name for step in steps if step.action == "update"} == missing
        assert wire.calls.count("cloudformation:UpdateTerminationProtection") == len(missing)
        assert not {"CreateStack", "UpdateStack", "DeleteStack"} & {call.partition(":")[2] for call in wire.calls}
        assert protected_stacks(app) == before | missing
        assert not run(deployed).changed

    for environment in ("prod", "dr"):
        lift_protection(app, environment)  # for a `scaffold destroy` that was not run then
    release_stack(environment_stack(app, "prod", "service"), RELEASED)
    expect("prod", "dr")
    with pytest.raises(ScaffoldError, match="termination protection is on"):
        remove(deployed, lift=False)

    answers = deployed / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace('production: "prod"', 'production: "dev"'))
    commit(deployed)
    assert read(deployed).from_production_on == ("dev", "prod", "dr")
    expect("dev")


@pytest.mark.slow
def test_a_creation_in_progress_is_waited_for_and_cannot_be_planned(deployed: Path, wire: Wire) -> None:
    stack, looks = environment_stack(read(deployed).app_name, "dev", "alarms"), [1]

    def describe(parsed: dict[str, Any]) -> None:
        for one in parsed["Stacks"]:
            if one["StackName"] == stack and looks:
                one["StackStatus"] = "CREATE_IN_PROGRESS"
                looks.clear()

    wire.touched["DescribeStacks"] = describe
    with pytest.raises(ScaffoldError, match=rf"The stack {stack} is busy \(CREATE_IN_PROGRESS\)"):
        run(deployed, plan=True)
    looks.append(1)
    assert set(prepared(deployed).values()) == {"none"}
    assert looks == []


def test_a_stack_of_another_owner_is_refused_before_anything_is_created(service: Path, wire: Wire) -> None:
    app = read(service).app_name
    for kind in ("alarms", "task-definition"):
        stack = environment_stack(app, "dev", kind)
        release_stack(stack, RELEASED)
        assert f"A stack named {stack} exists that is not this service's" in refusal(service).happened
        delete(stack)
    assert "cloudformation:CreateStack" not in wire.calls


@pytest.mark.parametrize(
    "state", ["CREATE_FAILED", pytest.param("ROLLBACK_FAILED", marks=pytest.mark.slow), "DELETE_FAILED"]
)
def test_what_may_hold_resources_is_not_replaced(service: Path, wire: Wire, state: str) -> None:
    app = read(service).app_name
    stack = environment_stack(app, "dev", "alarms")
    release_stack(stack, RELEASED, Tags=[{"Key": names.TAG_SERVICE, "Value": app}])

    def describe(parsed: dict[str, Any]) -> None:
        for one in parsed["Stacks"]:
            one["StackStatus"] = state if one["StackName"] == stack else one["StackStatus"]

    wire.touched["DescribeStacks"] = describe
    error = refusal(service)
    assert f"The stack {stack} is {state}" in error.happened
    assert error.remedy.startswith("Run `scaffold repair`")
    assert "cloudformation:CreateStack" not in wire.calls


@pytest.mark.parametrize("creations", [pytest.param(number, marks=pytest.mark.slow) for number in (1, 5, 14)])
def test_a_killed_deployment_is_completed_by_the_next(service: Path, wire: Wire, creations: int) -> None:
    """Killed after that many creations were started."""
    other = with_stacks(make_service(service.parent / "other", environments="dev,prod,dr", production="prod"), "dev")
    run(other)
    created = [index for index, call in enumerate(wire.calls) if call == "cloudformation:CreateStack"]
    assert dies_after(service, created[11 + creations] + 1)
    assert set(prepared(service).values()) <= {"none", "create"}
    assert {one["StackStatus"] for one in stacks_of(service).values()} == {"CREATE_COMPLETE"}
    assert len(stacks_of(service)) == 14
    assert not run(service).changed


def test_an_added_environment_is_prepared_before_the_push(deployed: Path) -> None:
    answers = deployed / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace("dev,prod,dr", "dev,qa,prod,dr"))
    role = (deployed / "infrastructure/dev/deploy-role.json").read_text()
    (deployed / "infrastructure/qa").mkdir()
    (deployed / "infrastructure/qa/deploy-role.json").write_text(role.replace('"dev"', '"qa"'))
    with_stacks(deployed, "dev")
    result = run(deployed)
    changed = [(step.type, step.name) for step in result.steps if step.action != "none"]
    app = read(deployed).app_name
    assert changed == [
        ("stack", f"{app}-qa-deploy-role"),
        *(("prepared-stack", environment_stack(app, "qa", kind)) for kind in KINDS),
        ("branch", "main"),
    ]


def test_a_prepared_environment_is_not_a_deployed_one(deployed: Path) -> None:
    def missing() -> tuple[str, ...]:
        stacks = all_stacks()
        return undeployed(read(deployed), {one["StackName"]: as_stack(one) for one in stacks})

    assert missing() == ("dev", "prod", "dr")
    release_stack(environment_stack(read(deployed).app_name, "prod", "network"), RELEASED)
    assert missing() == ("dev", "dr")


def test_a_prepared_stack_is_neither_released_nor_changed_in_aws(deployed: Path) -> None:
    (deployed / "infrastructure/service.yaml").write_text(RELEASED)
    (deployed / "infrastructure/alarms.yaml").write_text(RELEASED)
    head = commit(deployed)
    run(deployed)
    app, released = read(deployed).app_name, environment_stack(read(deployed).app_name, "dev", "service")
    given = json.loads((deployed / "infrastructure/dev/service.json").read_text())["Tags"]
    release_stack(released, RELEASED, Tags=[{"Key": key, "Value": value} for key, value in given.items()])
    with signed_in(read(deployed), configured_target("us-east-1"), Console()) as session:
        stacks, _ = live_stacks(session, read(deployed), identity.root_commit(read(deployed)), "scaffold status")
        drift = find_drift(session, read(deployed), stacks, head, {"dev": None, "prod": head, "dr": head})
    found = {one.stack.removeprefix(f"{app}-"): one for one in drift}
    assert {name for name, one in found.items() if one.state == "prepared"} == {
        f"{environment}-{kind}"
        for environment in ("dev", "prod", "dr")
        for kind in ("task-definition", "alarms", "service")
    } - {"dev-service"}
    assert not any(one.drifted for name, one in found.items() if name != "dev-service")
    assert any(f"{app}-prod-alarms" in line and "not released yet" in line for line in lines(drift))


def test_a_prepared_environment_owns_no_task_definitions(deployed: Path) -> None:
    """Those of the same name were registered by another owner."""
    app = read(deployed).app_name
    family = names.task_family(app, "dev")
    task = client("ecs").register_task_definition(family=family, containerDefinitions=[{"name": "app", "image": "i"}])
    arn = task["taskDefinition"]["taskDefinitionArn"]
    result = remove(deployed, environment="dev")
    assert {change.type for change in result.changes} == {"stack"}
    assert client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]["status"] == "ACTIVE"


def test_protected_stacks_are_destroyed_after_the_command_that_is_shown(deployed: Path) -> None:
    app = read(deployed).app_name
    with pytest.raises(ScaffoldError) as caught:
        remove(deployed, lift=False)
    protected = protected_stacks(app)
    # Six of each environment, foundation and permissions.
    assert len(protected) == 14
    assert set(caught.value.remedy.partition("; do ")[0].split()[-14:]) == protected
    assert '--stack-name "$stack"; done`' in caught.value.remedy
    lift_protection(app)
    remove(deployed, lift=False)
    assert stacks_of(deployed) == {}
