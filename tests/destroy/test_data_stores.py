"""Buckets, queues and tables are deleted only if that is asked for, and then all of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scaffold.core.results import Change
from scaffold.service import names
from scaffold.service.service import read
from scaffold.views.destroy import text
from tests.deploy.services import client, environment_stack, listed, make_service, release_stack, remove, run
from tests.destroy.test_permissions import DATA, DESTROY, filled
from tests.infrastructure.iam import allowed
from tests.infrastructure.stacks import ACCOUNT, REGION
from tests.kits import generate

KEYS = {"buckets": "uploads", "queues": "jobs", "tables": "orders"}


def test_the_policy_for_data_reaches_that_of_the_service_only() -> None:
    for name, own in (("shop-dev--", True), ("shop-admin-dev--", False), ("shop-", False)):
        for action, resource in (
            ("s3:DeleteObjectVersion", f"arn:aws:s3:::{name}uploads-{ACCOUNT}/key"),
            ("sqs:DeleteQueue", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}jobs_dead-letters"),
            ("dynamodb:DeleteTable", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}orders-by-day"),
        ):
            assert allowed(filled(DATA, "shop"), action, resource) is own, (action, resource)
            assert not allowed(filled(DESTROY, "shop"), action, resource)


@pytest.mark.slow
def test_data_is_deleted_only_if_asked_for(aws: None, tmp_path: Path) -> None:
    service = tmp_path / "service"
    make_service(service)
    app = read(service).app_name
    kit = tmp_path / "kit"
    generate(kit, app_name=app, environments="dev,prod", **KEYS)
    stack, template = environment_stack(app, "dev", "data"), (kit / "infrastructure/data.yaml").read_text()
    run(service)
    # The foundation of these tests has no topic.
    template = re.sub(r" +AlarmActions:.*\n", "", template)
    tags = [
        {"Key": key, "Value": value}
        for key, value in json.loads((kit / "infrastructure/dev/data.json").read_text())["Tags"].items()
    ]
    given = {"AppName": app, "EnvironmentName": "dev"}
    release_stack(stack, template, given, Tags=tags)
    prefix = names.data(app, "dev")
    # Its stack has left one behind, and somebody else has one whose name begins alike.
    client("dynamodb").create_table(
        TableName=f"{prefix}earlier", BillingMode="PAY_PER_REQUEST", Tags=tags,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )  # fmt: skip
    client("sqs").create_queue(QueueName=f"{prefix}foreign")
    bucket = f"{prefix}uploads-000000000000"
    client("s3").put_object(Bucket=bucket, Key="key", Body=b"one")
    client("s3").put_object(Bucket=bucket, Key="key", Body=b"two")

    kept = remove(service, environment="dev")
    assert [(one.name, one.reason) for one in kept.kept if one.reason == "data"] == [(stack, "data")]
    assert "`--data` deletes them with the data" in text(kept)
    assert stack in {one["StackName"] for one in listed("cloudformation", "describe_stacks", "Stacks")}
    assert client("s3").get_object(Bucket=bucket, Key="key")["Body"].read() == b"two"

    found = remove(service, environment="dev", with_data=True)
    deleted = {one.name.rpartition("/")[2] for one in found.changes if one.action == "delete"}
    expected = {bucket, *(f"{prefix}{name}" for name in ("jobs", "jobs_dead-letters", "orders", "earlier")), stack}
    assert expected <= deleted
    assert [one.reason for one in found.kept if one.name.endswith("--foreign")] == ["foreign"]
    assert Change("AWS::S3::Bucket", bucket, "delete") in found.changes
    assert not [one["Name"] for one in listed("s3", "list_buckets", "Buckets") if one["Name"].startswith(prefix)]
    assert client("sqs").list_queues(QueueNamePrefix=prefix)["QueueUrls"][0].endswith("--foreign")
    assert not [name for name in listed("dynamodb", "list_tables", "TableNames") if name.startswith(prefix)]
    assert not remove(service, environment="dev", with_data=True).changes
