"""A teardown loses no data: checks come first, data is deleted last, and nothing of another owner is deleted."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from scaffold.aws import git_remote
from scaffold.aws.data import holds_data
from scaffold.core.errors import Interrupted, ScaffoldError
from scaffold.core.git import git
from scaffold.core.results import Change
from scaffold.service import names
from scaffold.service.service import read
from scaffold.views.destroy import text
from tests.deploy.services import (
    FOUNDATION,
    Deployments,
    Wire,
    client,
    commit,
    environment_stack,
    foundation_stack,
    lift_protection,
    listed,
    make_service,
    protected_stacks,
    remove,
    run,
    wait_for_next_second,
)
from tests.destroy.test_destroy import READS, fill, make_environment, traces

TRUST = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}]}'


def name_of(service: Path) -> str:
    return read(service).app_name


@pytest.fixture
def deployed(aws: None, tmp_path: Path, deployments: Deployments) -> Path:
    """A service with data that was released to dev."""

    def deploy(root: Path) -> None:
        run(make_service(root))
        make_environment(root, "dev")
        fill(root)

    return deployments.copy("with data", deploy, tmp_path / "service")


def create_stack(name: str, resources: dict[str, Any], app: str | None = None) -> None:
    """Create a stack, with or without a service's tag."""
    client("cloudformation").create_stack(
        StackName=name,
        TemplateBody=json.dumps({"Resources": resources}),
        Tags=[{"Key": names.TAG_SERVICE, "Value": app}] if app else [],
    )
    client("cloudformation").get_waiter("stack_create_complete").wait(
        StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600}
    )


def buckets() -> list[str]:
    return [bucket["Name"] for bucket in listed("s3", "list_buckets", "Buckets")]


def refused(service: Path, wire: Wire, **options: Any) -> ScaffoldError:
    """The error of a plan; a teardown fails with the same error before it changes anything."""
    wire.calls.clear()
    messages = []
    for plan in (True, False):
        with pytest.raises(ScaffoldError) as caught:
            remove(service, plan=plan, **options)
        messages.append(caught.value)
    assert messages[0].happened == messages[1].happened
    assert [call for call in wire.calls if not call.split(":")[1].startswith(READS)] == []
    return messages[1]


def test_retained_resources_of_the_owner_are_kept_with_their_content(deployed: Path) -> None:
    """Only the foundation declares data disposable, and no template of an environment."""
    app = name_of(deployed)
    bucket, exports = f"{app}-customer-uploads", f"{app}-exports"
    retained = {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"}
    resources = {
        "Uploads": {**retained, "Properties": {"BucketName": bucket}},
        "Exports": {**retained, "Metadata": {"Disposable": True}, "Properties": {"BucketName": exports}},
    }
    create_stack(environment_stack(app, "prod", "environment"), resources, app)
    client("s3").put_object(Bucket=bucket, Key="order", Body=b"x")
    for planned in (True, False):
        result = remove(deployed, plan=planned)
        kept = {("AWS::S3::Bucket", bucket), ("AWS::S3::Bucket", exports)}
        assert {(one.type, one.name) for one in result.kept if one.reason == "retained"} == kept
        assert f"S3 bucket {bucket}: its template retains it" in text(result)
        assert not {Change("AWS::S3::Bucket", name, "delete") for name in (bucket, exports)} & set(result.changes)
    assert client("s3").get_object(Bucket=bucket, Key="order")["Body"].read() == b"x"
    assert set(traces(app)) == {bucket, exports}


@pytest.mark.parametrize(
    ("resource_type", "holds"),
    [
        ("AWS::DSQL::Cluster", True),
        ("AWS::S3Tables::TableBucket", True),
        ("AWS::MSK::Cluster", True),
        ("AWS::EC2::Instance", True),
        ("AWS::Logs::LogGroup", True),
        ("AWS::NewService::Store", True),
        ("Custom::Store", True),
        ("Custom::StoreAttachment", True),
        ("AWS::CloudFormation::CustomResource", True),
        ("AWS::SQS::QueuePolicy", False),
        ("AWS::RDS::DBSubnetGroup", False),
        ("AWS::EC2::VPC", False),
        ("AWS::ECS::Service", False),
    ],
)
def test_a_type_holds_data_unless_it_is_known_to_hold_none(resource_type: str, holds: bool) -> None:
    assert holds_data(resource_type) is holds


def test_data_in_a_nested_stack_is_named(deployed: Path, wire: Wire) -> None:
    """Local AWS has no nested stacks: another stack is shown as one."""
    bucket, inner = f"{name_of(deployed)}-reports", f"{name_of(deployed)}-nested"
    create_stack(inner, {"Reports": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": bucket}}})
    create_stack(
        environment_stack(name_of(deployed), "prod", "environment"),
        {"Nested": {"Type": "AWS::SNS::Topic"}},
        name_of(deployed),
    )

    def nest(parsed: dict[str, Any]) -> None:
        for one in parsed["StackResourceSummaries"]:
            if one["LogicalResourceId"] == "Nested":
                one |= {"ResourceType": "AWS::CloudFormation::Stack", "PhysicalResourceId": inner}

    wire.touched["ListStackResources"] = nest
    assert Change("AWS::S3::Bucket", bucket, "delete") in remove(deployed, plan=True).changes


def test_every_resource_that_holds_data_is_listed(deployed: Path) -> None:
    table, queue = f"{name_of(deployed)}-orders", f"{name_of(deployed)}-jobs"
    key = [{"AttributeName": "id", "KeyType": "HASH"}]
    create_stack(
        environment_stack(name_of(deployed), "prod", "environment"),
        {
            "Orders": {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {
                    "TableName": table,
                    "KeySchema": key,
                    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                    "BillingMode": "PAY_PER_REQUEST",
                },
            },
            "Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": queue}},
        },
        name_of(deployed),
    )
    shown = text(remove(deployed, plan=True))
    assert f"DynamoDB table {table}" in shown
    (line,) = [line for line in shown.splitlines() if queue in line]
    assert "queue" in line


def test_what_stops_a_teardown_is_checked_first(deployed: Path, wire: Wire) -> None:
    """Termination protection, a bucket of the owner that is not empty, and a policy that is attached to people."""
    app = name_of(deployed)
    before = traces(app)
    error = refused(deployed, wire, lift=False)
    protected = [f"{app}-prod-deploy-role", f"{app}-permissions", foundation_stack(app)]
    assert error.happened == f"Nothing was deleted: termination protection is on for {', '.join(protected)}."
    lift = "aws cloudformation update-termination-protection --no-enable-termination-protection --region us-east-1"
    loop = f'for stack in {" ".join(protected)}; do {lift} --stack-name "$stack"; done'
    assert error.remedy == f"To lift it, run `{loop}`, then `scaffold destroy` again."
    assert traces(app) == before
    assert protected_stacks(app) == set(protected)

    bucket = f"{app}-cache"
    cache = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": bucket}}
    create_stack(environment_stack(app, "prod", "environment"), {"Cache": cache}, app)
    client("s3").put_object(Bucket=bucket, Key="x", Body=b"x")
    assert f"S3 bucket {bucket} of the stack" in refused(deployed, wire).happened
    client("s3").delete_object(Bucket=bucket, Key="x")

    # IAM does not delete such a policy, and its stack is the last one.
    policy = f"""\
  Approver:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: {app}-approver
      Path: /{app}/
      PolicyDocument: {{Version: '2012-10-17', Statement: [{{Effect: Deny, Action: 'iam:*', Resource: '*'}}]}}
Outputs:
  ApproverArn: {{Value: !Ref Approver}}
"""
    commit(deployed, infrastructure__foundation_yaml=FOUNDATION.replace("Outputs:\n", policy))
    run(deployed)
    arn, role = f"arn:aws:iam::000000000000:policy/{app}/{app}-approver", f"{app}-lead"
    client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
    client("iam").attach_role_policy(RoleName=role, PolicyArn=arn)
    error = refused(deployed, wire)
    assert f"the policy {app}-approver is attached to the role {role}." in error.happened
    assert f"detach-role-policy --role-name {role} --policy-arn {arn}`" in error.remedy
    assert remove(deployed, environment="dev", plan=True).changes
    client("iam").detach_role_policy(RoleName=role, PolicyArn=arn)
    client("iam").delete_role(RoleName=role)

    remove(deployed)
    assert traces(app) == []


def test_imports_by_other_stacks_are_checked_first(deployed: Path, wire: Wire) -> None:
    app = name_of(deployed)
    export = {"Fn::ImportValue": f"{environment_stack(app, 'dev', 'environment')}-Cluster"}
    create_stack(f"dashboard-of-{app}", {"T": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": export}}})
    for options in ({}, {"environment": "dev"}):
        error = refused(deployed, wire, **options)
        assert f"an export of the stack {app}-dev-environment is imported by dashboard-of-{app}." in error.happened
    client("cloudformation").delete_stack(StackName=f"dashboard-of-{app}")
    assert remove(deployed, environment="dev").changes


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param("DeleteObjects", marks=pytest.mark.slow),
        "DeleteBucket",
        pytest.param("ScheduleKeyDeletion", marks=pytest.mark.slow),
        pytest.param("ListTaskDefinitions", marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_teardown_is_continued(deployed: Path, wire: Wire, operation: str) -> None:
    """Also for an environment that the answers no longer name, and after its stacks are deleted."""
    answers = deployed / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace("dev,prod", "prod"))
    keys = {key["KeyId"] for key in listed("kms", "list_keys", "Keys")}
    calls = [0]

    def interrupt() -> None:
        # `look` lists task definitions too; the interruption has to come during their deletion.
        calls[0] += 1
        if operation != "ListTaskDefinitions" or calls[0] > 2:
            raise KeyboardInterrupt

    wire.faults[operation] = interrupt
    with pytest.raises(Interrupted):
        remove(deployed)
    assert traces(name_of(deployed))
    wire.faults.clear()
    remove(deployed)
    assert traces(name_of(deployed)) == []
    states = {client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] for key in keys}
    assert "PendingDeletion" in states
    assert not remove(deployed, plan=True).changes


@pytest.mark.slow
def test_events_of_one_moment_come_in_any_order(deployed: Path, wire: Wire) -> None:
    """What an interrupted teardown has retained is found wherever the event of the stack itself stands."""

    def reorder(parsed: dict[str, Any]) -> None:
        parsed["StackEvents"].sort(key=lambda event: event["PhysicalResourceId"] != event["StackId"])

    wire.throw("DeleteBucket", KeyboardInterrupt())
    with pytest.raises(Interrupted):
        remove(deployed)
    wire.faults.clear()
    wire.touched["DescribeStackEvents"] = reorder
    remove(deployed)
    assert traces(name_of(deployed)) == []


@pytest.mark.slow
def test_a_service_destroyed_half_way_can_be_deployed_again(deployed: Path, wire: Wire) -> None:
    """While the foundation's stack exists, so do its resources: no deployment relies on a missing bucket."""
    wire.throw("DeleteStack", KeyboardInterrupt())
    with pytest.raises(Interrupted):
        remove(deployed)
    wire.faults.clear()
    foundation = client("cloudformation").describe_stacks(StackName=foundation_stack(name_of(deployed)))["Stacks"][0]
    bucket = next(one["OutputValue"] for one in foundation["Outputs"] if one["OutputKey"] == "ArtifactBucketName")
    assert client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    run(deployed)
    assert not run(deployed).changed


@pytest.mark.slow
def test_the_latest_template_says_what_is_disposable(deployed: Path) -> None:
    """An earlier stack called the image repository disposable; the same name is retained now."""
    app = name_of(deployed)
    remove(deployed)
    kept = FOUNDATION.replace("AWS::ECR::Repository\n    Metadata: {Disposable: true}\n", "AWS::ECR::Repository\n")
    assert kept != FOUNDATION
    commit(deployed, infrastructure__foundation_yaml=kept)
    run(deployed)
    fill(deployed)
    for planned in (True, False):
        result = remove(deployed, plan=planned)
        assert ("AWS::ECR::Repository", app, "retained") in {(one.type, one.name, one.reason) for one in result.kept}
        assert Change("AWS::ECR::Repository", app, "delete") not in result.changes
    assert client("ecr").list_images(repositoryName=app)["imageIds"]
    client("ecr").delete_repository(repositoryName=app, force=True)


@pytest.fixture
def destroyed(aws: None, tmp_path: Path, deployments: Deployments) -> Path:
    """The clone of a service with data that was destroyed."""

    def deploy(root: Path) -> None:
        run(make_service(root))
        make_environment(root, "dev")
        fill(root)
        remove(root)

    return deployments.copy("destroyed", deploy, tmp_path / "service")


def test_names_that_are_in_use_again_are_not_the_services(destroyed: Path) -> None:
    """CloudFormation remembers the deleted stacks; what has been created under their names since is somebody else's."""
    app = name_of(destroyed)
    insights = names.container_insights_log_group(app, "dev")
    client("ecr").create_repository(repositoryName=app)
    client("logs").create_log_group(logGroupName=insights)
    client("ecs").register_task_definition(
        family=names.task_family(app, "dev"), containerDefinitions=[{"name": "app", "image": "image"}]
    )
    assert remove(destroyed, plan=True).changes == ()
    assert remove(destroyed).changes == ()
    client("ecr").delete_repository(repositoryName=app)
    client("logs").delete_log_group(logGroupName=insights)


def test_a_key_whose_deletion_was_cancelled_is_kept(destroyed: Path) -> None:
    keys = {key["KeyId"] for key in listed("kms", "list_keys", "Keys")}
    describe = client("kms").describe_key
    scheduled = {key for key in keys if describe(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"}
    assert scheduled
    for key in scheduled:
        client("kms").cancel_key_deletion(KeyId=key)
    assert remove(destroyed).changes == ()
    for key in scheduled:
        client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=7)


@pytest.mark.slow
def test_a_retained_log_group_is_kept(service: Path) -> None:
    app = name_of(service)
    run(service)
    group = names.log_group(app, "dev")
    logs = {"Type": "AWS::Logs::LogGroup", "DeletionPolicy": "Retain", "Properties": {"LogGroupName": group}}
    create_stack(environment_stack(app, "dev", "environment"), {"Logs": logs}, app)
    result = remove(service)
    assert ("log-group", group, "retained") in {(one.type, one.name, one.reason) for one in result.kept}
    assert client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    client("logs").delete_log_group(logGroupName=group)


@pytest.mark.parametrize("option", ["--depth=1", pytest.param("--filter=blob:none", marks=pytest.mark.slow)])
def test_an_incomplete_clone_is_refused(deployed: Path, tmp_path: Path, wire: Wire, option: str) -> None:
    """It may hold the newest commit, and not the history or the files that the repository would be deleted with."""
    app = name_of(deployed)
    for number in range(3):
        commit(deployed, f"change {number}")
    run(deployed)
    incomplete = tmp_path / "incomplete"
    git("clone", "-q", option, names.remote_url(app, "us-east-1"), str(incomplete), cwd=tmp_path)
    assert "lacks" in refused(incomplete, wire).happened
    assert app in str(client("codecommit").list_repositories()["repositories"])


@pytest.mark.slow
def test_a_remedy_for_one_environment_names_it(deployed: Path, wire: Wire) -> None:
    asked = []
    with pytest.raises(ScaffoldError) as declined:
        remove(deployed, environment="dev", confirm=lambda name: bool(asked.append(name)))
    assert asked == [f"{name_of(deployed)}/dev"]
    assert f"type {name_of(deployed)}/dev" in declined.value.remedy
    wire.throw("DeleteStack", KeyboardInterrupt())
    with pytest.raises(Interrupted) as interrupted:
        remove(deployed, environment="dev")
    assert "scaffold destroy --environment dev`" in interrupted.value.remedy
    stack = environment_stack(name_of(deployed), "dev", "environment")
    wire.faults.clear()
    client("cloudformation").update_termination_protection(StackName=stack, EnableTerminationProtection=True)
    error = refused(deployed, wire, environment="dev", lift=False)
    assert f"--no-enable-termination-protection --region us-east-1 --stack-name {stack}`" in error.remedy
    assert "`scaffold destroy --environment dev` again" in error.remedy
    client("cloudformation").update_termination_protection(StackName=stack, EnableTerminationProtection=False)


def test_two_teardowns_at_once_both_end(deployed: Path) -> None:
    lift_protection(name_of(deployed))
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(remove, deployed, lift=False) for _ in range(2)]
        outcomes = [one.exception(timeout=120) for one in running]
    assert None in outcomes
    assert all(outcome is None or isinstance(outcome, ScaffoldError) for outcome in outcomes), outcomes
    remove(deployed)
    assert traces(name_of(deployed)) == []


def test_log_groups_and_task_definitions_of_others_are_kept(service: Path) -> None:
    """Neither a name that begins like the service's nor an environment's name alone makes them the service's."""
    app = name_of(service)
    foreign = [
        f"/{app}/legacy-billing",
        f"/{app}/prod",
        f"/{app}x/dev",
        names.container_insights_log_group(app, "prod"),
    ]
    for group in foreign:
        client("logs").create_log_group(logGroupName=group)
    run(service)
    make_environment(service, "dev")
    # In prod this service has nothing, and another owner has a stack.
    create_stack(environment_stack(app, "prod", "service"), {"Topic": {"Type": "AWS::SNS::Topic"}})
    client("ecs").register_task_definition(
        family=names.task_family(app, "prod"), containerDefinitions=[{"name": "app", "image": "image"}]
    )
    wait_for_next_second()
    result = remove(service)
    groups = [group["logGroupName"] for group in listed("logs", "describe_log_groups", "logGroups")]
    assert set(foreign) <= set(groups)
    assert client("ecs").list_task_definitions(familyPrefix=names.task_family(app, "prod"))["taskDefinitionArns"]
    assert [one.name for one in result.kept if one.reason == "foreign"] == [environment_stack(app, "prod", "service")]


@pytest.mark.slow
def test_commits_that_only_a_tag_contains_are_kept(deployed: Path, tmp_path: Path) -> None:
    app = name_of(deployed)
    colleague = tmp_path / "clone"
    git("clone", "-q", names.remote_url(app, "us-east-1"), str(colleague), cwd=tmp_path)
    commit(colleague, "only there")
    git("-c", "user.name=a", "-c", "user.email=a@b", "tag", "-a", "-m", "release", "v1", cwd=colleague)
    git("push", "-q", "origin", "refs/tags/v1", cwd=colleague)

    assert ("repository", app, 1) in {(one.type, one.name, one.commits) for one in remove(deployed, plan=True).kept}
    remove(deployed)
    assert app in str(client("codecommit").list_repositories()["repositories"])


def test_a_listing_without_main_is_rejected(deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that answers with an empty page must not turn into “no branches”."""
    original = git_remote._git
    monkeypatch.setattr(
        git_remote, "_git", lambda *arguments: "" if arguments[2] == "ls-remote" else original(*arguments)
    )
    with pytest.raises(ScaffoldError, match="disagree about main"):
        remove(deployed)
    assert name_of(deployed) in str(client("codecommit").list_repositories()["repositories"])


@pytest.mark.slow
def test_disabling_a_stage_is_planned_and_confirmed(tmp_path: Path, aws: None) -> None:
    kits = pytest.importorskip("tests.kits")
    name = make_service(tmp_path / "name").name[:4] + "p1"
    service = kits.generate(tmp_path / "service", app_name=name, environments="dev,prod,dr", production="prod")
    git("init", "-q", "-b", "main", cwd=service)
    commit(service)
    run(service)
    planned = remove(service, environment="prod", plan=True)
    assert planned.exit_code == 10
    kinds = ("service", "alarms", "task-definition", "environment", "network", "deploy-role")
    deletions = [Change("stack", f"{name}-prod-{kind}", "delete") for kind in kinds]
    stages = [Change("stage", name, "disable") for name in ("Plan-Prod", "Approve-Prod", "Prod")]
    assert planned.changes == (*stages, *deletions)
    with pytest.raises(ScaffoldError, match="not confirmed"):
        remove(service, environment="prod", confirm=lambda _: False)
    shown = text(remove(service, environment="prod"))
    assert "prod is still production in the answers" in shown
    assert "scaffold env remove prod --keep-stacks --commit --production <name>" in shown
    remove(service)
