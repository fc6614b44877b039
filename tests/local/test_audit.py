"""A trail of CloudTrail is created where its bucket lets it write, as on AWS."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import WaiterError

from scaffold.local.protocol import ACCOUNT
from tests.local.conftest import Client, Stack
from tests.local.test_resource_types import resource

ARN = f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/local-audit"


def template(trail: str = ARN, **more: Any) -> dict[str, Any]:
    writer: dict[str, Any] = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}}
    writer["Condition"] = {"StringEquals": {"aws:SourceArn": trail}}
    statements = [
        {**writer, "Action": "s3:GetBucketAcl", "Resource": {"Fn::GetAtt": ["Bucket", "Arn"]}},
        {**writer, "Action": "s3:PutObject", "Resource": {"Fn::Sub": "${Bucket.Arn}/AWSLogs/*"}},
    ]
    policy = resource("S3::BucketPolicy", Bucket={"Ref": "Bucket"}, PolicyDocument={"Statement": statements})
    made = resource(
        "CloudTrail::Trail", TrailName="local-audit", S3BucketName={"Ref": "Bucket"}, IsLogging=True, **more
    )
    return {"Bucket": resource("S3::Bucket"), "Policy": policy, "Trail": made | {"DependsOn": "Policy"}}


@pytest.mark.slow
def test_a_trail_is_created_changed_and_deleted(stack: Stack, client: Client) -> None:
    api = client("cloudtrail")
    made = stack.create(template(), Outputs={"Arn": {"Fn::GetAtt": ["Trail", "Arn"]}})
    assert made["Outputs"] == {"Arn": ARN}
    assert api.get_trail_status(Name="local-audit")["IsLogging"]
    selector = {"Name": "n", "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}
    stack.update(template(AdvancedEventSelectors=[selector], EnableLogFileValidation=True))
    assert api.get_event_selectors(TrailName="local-audit")["AdvancedEventSelectors"] == [selector]
    (trail,) = api.describe_trails(trailNameList=["local-audit"])["trailList"]
    assert trail["LogFileValidationEnabled"]
    stack.delete()
    assert not api.describe_trails(trailNameList=["local-audit"])["trailList"]


def test_a_bucket_that_lets_another_trail_write_is_refused(stack: Stack) -> None:
    with pytest.raises(WaiterError):
        stack.create(template(ARN.replace("local", "other")))
    assert "InsufficientS3BucketPolicyException" in " ".join(stack.failures())
