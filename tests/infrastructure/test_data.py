"""Buckets, queues and tables: who may use and delete them, and that turning them off and on again keeps them."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cfnlint.decode.decode import decode_str
from cfnlint.template import Template

from scaffold.local.environment import running_local_aws
from scaffold.service import names
from tests.infrastructure.iam import allowed, boundary_of, statements_of
from tests.infrastructure.stacks import ACCOUNT, REGION, Stacks, one
from tests.infrastructure.test_local_aws import Account
from tests.infrastructure.variants import DATA
from tests.kits import ROOT
from tools import replacements

OWN = {"aws:ResourceAccount": ACCOUNT}
DELETIONS = (
    "dynamodb:DeleteTable",
    "dynamodb:DeleteItem",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "sqs:DeleteQueue",
)


def arns(app: str, environment: str) -> dict[str, str]:
    """What an environment has, by one action on it."""
    here, name = f"{REGION}:{ACCOUNT}", names.data(app, environment)
    return {
        "s3:PutObject": f"arn:aws:s3:::{name}uploads-{ACCOUNT}/key",
        "sqs:SendMessage": f"arn:aws:sqs:{here}:{name}jobs",
        "dynamodb:PutItem": f"arn:aws:dynamodb:{here}:table/{name}orders",
    }


def test_tasks_use_the_data_of_their_environment_and_no_other(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of(app_name="shop", **DATA)
    for environment in ("dev", "prod"):
        task = stacks[f"shop-{environment}-task-definition"]
        ((_, policy),) = task.of_type("AWS::IAM::Policy")
        role = stacks[f"shop-{environment}-environment"].outputs["TaskRoleArn"]
        assert policy["Roles"] == [role.rpartition("/")[2]]
        own = policy["PolicyDocument"]["Statement"]
        limit = list(boundary_of(stacks[f"shop-{environment}-deploy-role"]))
        for app, other in (("shop", "dev"), ("shop", "prod"), ("shop-dev", "prod"), ("shop", "d")):
            mine = (app, other) == ("shop", environment)
            for action, arn in arns(app, other).items():
                assert allowed(own, action, arn, OWN) is mine, (action, arn)
                assert allowed(limit, action, arn, OWN) is mine, (action, arn)
        # Somebody else may have a bucket of that name.
        assert not allowed(own, "s3:PutObject", arns("shop", environment)["s3:PutObject"], {"aws:ResourceAccount": "1"})
        given = {one["Name"]: one["Value"] for one in _container(task)["Environment"]}
        assert given["UPLOADS_BUCKET"] == arns("shop", environment)["s3:PutObject"].split(":")[-1].removesuffix("/key")
        assert given["MAIL_OUT_QUEUE_URL"].endswith(f"/{ACCOUNT}/shop-{environment}--mail-out")
        assert given["ORDERS_TABLE"] == f"shop-{environment}--orders"


def _container(task: Any) -> dict[str, Any]:
    ((_, definition),) = task.of_type("AWS::ECS::TaskDefinition")
    container: dict[str, Any] = definition["ContainerDefinitions"][0]
    return container


def test_no_role_of_the_pipeline_deletes_data(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of(app_name="shop", **DATA)
    data = list(statements_of(stacks["shop-dev-data-role"], "DataRole"))
    deploy = list(statements_of(stacks["shop-dev-deploy-role"], "DeployRole"))
    owners = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    for action in DELETIONS:
        for arn in arns("shop", "dev").values():
            assert not allowed([*data, owners], action, arn, OWN), action
            assert not allowed(deploy, action, arn, OWN), action
    table = arns("shop", "dev")["dynamodb:PutItem"]
    assert allowed(data, "dynamodb:UpdateTable", table)
    assert not allowed(deploy, "dynamodb:UpdateTable", table)
    for app, environment in (("shop", "prod"), ("shop-dev", "prod")):
        assert not allowed(data, "dynamodb:UpdateTable", arns(app, environment)["dynamodb:PutItem"])
    assert not allowed([*data, owners], "iam:CreateRole", "*")


def test_data_outlives_its_stack_and_is_never_replaced(stacks_of: Callable[..., Stacks]) -> None:
    for stack in (stack for stack in stacks_of(**DATA).values() if stack.kind == "data"):
        for logical, resource in stack.resources.items():
            if resource["Type"] != "AWS::CloudWatch::Alarm":
                assert resource["DeletionPolicy"] in ("Retain", "RetainExceptOnCreate"), logical
                assert resource["UpdateReplacePolicy"] == "Retain", logical
        denied = [one for one in stack.configuration["StackPolicy"]["Statement"] if one["Effect"] == "Deny"]
        assert [(one["Action"], one["Resource"]) for one in denied] == [("Update:Replace", "*")]


#: A text of data.yaml, and what takes its place.
EXPIRES = {
    "a lifecycle": ("Status: Enabled, Expired", "Status: Enabled, ExpirationInDays: 1, Expired"),
    "a day in a condition": (
        "{Id: unfinished, Status: Enabled,",
        "{Fn::If: [Some, {Id: all, Status: Enabled, ExpirationDate: '2027-01-01T00:00:00Z'}, {Ref: AWS::NoValue}]}\n"
        "          - {Id: unfinished, Status: Enabled,",
    ),
    "versions of a day": ("NoncurrentDays: 30", "NoncurrentDays: 1"),
    "a parameter": ("NoncurrentDays: 30", "NoncurrentDays: {Ref: Days}"),
    "a time to live": (
        "BillingMode: PAY",
        "TimeToLiveSpecification: {AttributeName: id, Enabled: true}\n      BillingMode: PAY",
    ),
    "a short retention": (
        "SqsManagedSseEnabled: true",
        "SqsManagedSseEnabled: true\n      MessageRetentionPeriod: '60'",
    ),
    "no backups": ("PointInTimeRecoveryEnabled: true", "PointInTimeRecoveryEnabled: false"),
    "backups gone": ("      PointInTimeRecoverySpecification:", "      Other:"),
    "backups of a day": ("Enabled: true}\n\n", "Enabled: true, RecoveryPeriodInDays: 1}\n\n"),
    "a macro": ("\nResources:\n", "\nTransform: AWS::LanguageExtensions\nResources:\n"),
    "an include": ("      BillingMode:", "      Fn::Transform: {Name: AWS::Include}\n      BillingMode:"),
}
LASTS = {
    "what was generated": ("", ""),
    "another lifecycle": ("NoncurrentDays: 30", "NoncurrentDays: '90'"),
    "a long retention": (
        "SqsManagedSseEnabled: true",
        "SqsManagedSseEnabled: true\n      MessageRetentionPeriod: 400000",
    ),
    "no time to live": ("BillingMode: PAY", "TimeToLiveSpecification: {Enabled: false}\n      BillingMode: PAY"),
}


@pytest.fixture(scope="module")
def expiring(generated: Callable[..., Path]) -> Callable[..., list[str]]:
    """What the rule of the service finds in a template of a name, with exceptions."""
    found = runpy.run_path(str(generated(**DATA) / "config/rules/data_rules.py"))
    rule = found["DataDoesNotExpire"]()

    def expire(text: str, name: str = "data.yaml", exceptions: tuple[str, ...] = ()) -> list[str]:
        rule.match.__globals__["EXCEPTIONS"] = frozenset(exceptions)
        template, unreadable = decode_str(text)
        assert not unreadable
        return [one.message for one in rule.match(Template(f"/source/infrastructure/{name}", template))]

    return expire


@pytest.mark.parametrize("what", [*EXPIRES, *LASTS])
def test_no_merge_lets_data_expire(
    expiring: Callable[..., list[str]], generated: Callable[..., Path], what: str
) -> None:
    text = (generated(**DATA) / "infrastructure/data.yaml").read_text()
    old, new = (EXPIRES | LASTS)[what]
    assert old in text
    assert bool(expiring(text.replace(old, new, 1))) is (what in EXPIRES)


def test_data_expires_where_an_exception_says_so(
    expiring: Callable[..., list[str]], generated: Callable[..., Path]
) -> None:
    text = (generated(**DATA) / "infrastructure/data.yaml").read_text().replace(*EXPIRES["a time to live"], 1)
    (message,) = expiring(text)
    assert "list OrdersTable.TimeToLiveSpecification in config/rules/data_rules.py" in message
    assert expiring(text, exceptions=("OrdersTable.TimeToLiveSpecification",)) == []
    assert expiring(text, exceptions=("Orders2Table.TimeToLiveSpecification",)) == [message]
    # The buckets of artifacts and logs may.
    assert expiring(text, "foundation.yaml") == []


@pytest.mark.slow
def test_the_checks_of_a_service_know_the_rule(generated: Callable[..., Path], tmp_path: Path) -> None:
    root = generated(**DATA)
    text = (root / "infrastructure/data.yaml").read_text().replace(*EXPIRES["a lifecycle"], 1)
    # Errors cannot be ignored.
    text = text.replace("Metadata:\n", "Metadata:\n      cfn-lint: {config: {ignore_checks: [E9005]}}\n")
    (tmp_path / "data.yaml").write_text(text)
    command = [Path(sys.executable).parent / "cfn-lint", "--append-rules", root / "config/rules"]
    done = subprocess.run(
        [*command, "--mandatory-checks", "E", "--", tmp_path / "data.yaml"], capture_output=True, text=True, check=False
    )
    assert done.stdout.count("E9005") == 1, done.stdout + done.stderr


def test_the_stage_of_data_is_its_own_and_not_rolled_back(stacks_of: Callable[..., Stacks]) -> None:
    ((_, pipeline),) = one(stacks_of(**DATA), "pipeline").of_type("AWS::CodePipeline::Pipeline")
    stages = {stage["Name"]: stage for stage in pipeline["Stages"]}
    for environment in ("Dev", "Staging", "Prod"):
        stage = stages[f"Data-{environment}"]
        assert "OnFailure" not in stage
        (action,) = [action for action in stage["Actions"] if action["ActionTypeId"]["Provider"] == "CloudFormation"]
        role = names.data_role("hello-service", environment.lower())
        assert action["Configuration"]["RoleArn"] == f"arn:aws:iam::{ACCOUNT}:role{role}"
        assert list(stages).index(f"Data-{environment}") == list(stages).index(environment) - 1


def test_the_table_of_replacements_has_each_setting_of_an_environment() -> None:
    rules = (ROOT / "includes/overrides.jinja").read_text()
    settings = set(re.findall(r"'(\w+)'", rules.partition("{% set keys = [")[2].partition("]")[0]))
    given = {key for own in replacements.OVERRIDES.values() for key in own}
    assert settings - given == {"domain_name", "hosted_zone_id", "certificate_arn"}


@pytest.mark.slow
def test_no_answer_replaces_or_deletes_what_holds_data() -> None:
    """And the table in docs/ says what one does: `python -m tools.replacements` writes it."""
    found = replacements.table()
    assert replacements.lost_data(found) == []
    assert replacements.PAGE.read_text("utf-8") == replacements.page(found)


def test_a_replaced_table_would_be_noticed(stacks_of: Callable[..., Stacks]) -> None:
    before, after = stacks_of(app_name="shop", **DATA), stacks_of(app_name="shop", **DATA | {"tables": ""})
    found = {one for one in replacements.losses(before, after) if one.type == "AWS::DynamoDB::Table"}
    assert {(one.logical_id, one.replaced, one.kept) for one in found} == {("OrdersTable", False, True)}
    assert replacements.lost_data({"tables": [one._replace(kept=False) for one in found]})
    assert {"KeySchema", "TableName"} <= replacements.create_only("AWS::DynamoDB::Table")


def test_a_replaced_database_and_a_lost_master_secret_would_be_noticed() -> None:
    cluster = "AWS::RDS::DBCluster"
    assert {"DBClusterIdentifier", "ManageMasterUserPassword"} <= replacements.create_only(cluster)
    for replaced in (False, True):
        loss = replacements.Loss("database", "Cluster", cluster, replaced=replaced, kept=False)
        assert replacements.lost_data({"any": [loss]}) == ["any: database Cluster"]
        assert not replacements.lost_data({"any": [loss._replace(type="AWS::RDS::DBInstance")]})


@pytest.fixture(scope="module")
def enforcing() -> Iterator[Callable[[Path], Account]]:
    with running_local_aws(runs=True) as aws:
        yield lambda root: Account(aws.variables, root)


@pytest.mark.slow
def test_data_stays_while_it_is_turned_off_and_on(
    enforcing: Callable[[Path], Account], generated: Callable[..., Path]
) -> None:
    """With the roles of the pipeline, whose calls local AWS checks; the tasks' own role reaches its data only."""
    answers = {"app_name": "keeper", "environments": "dev,live"}
    on, off = (enforcing(generated(**answers, **more)) for more in (DATA, {}))
    role = "arn:aws:iam::000000000000:role/keeper/deploy/keeper-{}-deploy"
    for kind in ("foundation", "permissions"):
        on.apply(kind, f"{kind}.yaml", f"{kind}.json")
    for name in ("dev", "live"):
        for kind in ("deploy-role", "data-role"):
            on.apply(f"{name}-{kind}", f"{kind}.yaml", f"{name}/{kind}.json")
        on.apply(f"{name}-data", "placeholder.yaml", AppName="keeper", role=f"{role.format(name)}-data")
        on.apply(f"{name}-data", "data.yaml", f"{name}/data.json", f"{role.format(name)}-data")
        for kind in ("network", "environment"):
            on.apply(f"{name}-{kind}", f"{kind}.yaml", f"{name}/{kind}.json", role.format(name))
    given = {"ImageUri": f"registry/keeper@sha256:{'1' * 64}", "Version": "1" * 12}
    on.apply("dev-task-definition", "dev/task-definition.yaml", role=role.format("dev"), **given)
    task = on.apply("dev-environment", "environment.yaml", "dev/environment.json", role.format("dev"))["TaskRoleArn"]
    table = as_role(on, task, "dynamodb")
    table.put_item(TableName="keeper-dev--orders", Item={"id": {"S": "1"}})
    queue = as_role(on, task, "sqs")
    url = queue.get_queue_url(QueueName="keeper-dev--jobs")["QueueUrl"]
    queue.send_message(QueueUrl=url, MessageBody="one")
    bucket = as_role(on, task, "s3")
    bucket.put_object(Bucket="keeper-dev--uploads-000000000000", Key="key", Body=b"one")
    with pytest.raises(ClientError, match="AccessDenied"):
        table.put_item(TableName="keeper-live--orders", Item={"id": {"S": "1"}})
    with pytest.raises(ClientError, match="AccessDenied"):
        bucket.put_object(Bucket="keeper-live--uploads-000000000000", Key="key", Body=b"one")

    # Off: the release drops variables and statements, and the stack of the data stays.
    off.apply("dev-task-definition", "dev/task-definition.yaml", role=role.format("dev"), **given)
    with pytest.raises(ClientError, match="AccessDenied"):
        as_role(on, task, "dynamodb").get_item(TableName="keeper-dev--orders", Key={"id": {"S": "1"}})
    # On again.
    on.apply("dev-data", "data.yaml", "dev/data.json", f"{role.format('dev')}-data")
    on.apply("dev-task-definition", "dev/task-definition.yaml", role=role.format("dev"), **given)
    found = as_role(on, task, "dynamodb").get_item(TableName="keeper-dev--orders", Key={"id": {"S": "1"}})
    assert found["Item"]["id"] == {"S": "1"}


def as_role(account: Account, role: str, service: str) -> Any:
    """A client with the credentials of a role."""
    given = account.client("sts").assume_role(RoleArn=role, RoleSessionName="task")["Credentials"]
    return account.client(
        service,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
