"""The audit trail: what it records, who may write to its bucket, and that nothing of it is left without the answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.iam import allowed
from tests.infrastructure.stacks import ACCOUNT, REGION, Stack, Stacks, one

TRAIL = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/hello-service-audit"
TLS = {"aws:SecureTransport": "true"}


@pytest.fixture(scope="module")
def audit(stacks_of: Callable[..., Stacks]) -> Stack:
    return one(stacks_of(customize=True, audit="trail"), "audit")


def selected(trail: dict[str, Any], **event: str) -> bool:
    """Whether a selector of the trail matches an event."""

    def matches(selector: dict[str, Any]) -> bool:
        value = event.get(selector["Field"].replace(".", "_"), "")
        return value in selector.get("Equals", []) or any(map(value.startswith, selector.get("StartsWith", [])))

    return any(all(map(matches, one_["FieldSelectors"])) for one_ in trail["AdvancedEventSelectors"])


def test_it_records_changes_and_what_happens_to_artifacts(stacks_of: Callable[..., Stacks], audit: Stack) -> None:
    ((_, trail),) = audit.of_type("AWS::CloudTrail::Trail")
    assert (trail["IsLogging"], trail["EnableLogFileValidation"], trail["IsMultiRegionTrail"]) == (True, True, True)
    assert selected(trail, eventCategory="Management", readOnly="false")
    assert not selected(trail, eventCategory="Management", readOnly="true")
    bucket = one(stacks_of(), "foundation").outputs["ArtifactBucketArn"]
    for key, found in ((f"{bucket}/releases/a", True), (f"{bucket}-other/a", False), ("arn:aws:s3:::any/a", False)):
        given = {"eventCategory": "Data", "resources_type": "AWS::S3::Object", "resources_ARN": key}
        for read_only in ("true", "false"):
            assert selected(trail, readOnly=read_only, **given) is found, key


def test_only_this_trail_writes_and_only_what_belongs_to_the_account(audit: Stack) -> None:
    ((_, policy),) = audit.of_type("AWS::S3::BucketPolicy")
    statements = policy["PolicyDocument"]["Statement"]
    for statement in statements:
        assert statement["Principal"] in ("*", {"Service": "cloudtrail.amazonaws.com"})
        assert statement["Effect"] == "Deny" or statement["Principal"] != "*"
    bucket = f"arn:aws:s3:::{policy['Bucket']}"
    own = {**TLS, "aws:SourceArn": TRAIL, "s3:x-amz-acl": "bucket-owner-full-control"}
    files = f"{bucket}/AWSLogs/{ACCOUNT}/CloudTrail/a.json.gz"
    assert allowed(statements, "s3:GetBucketAcl", bucket, own)
    assert allowed(statements, "s3:PutObject", files, own)
    assert not allowed(statements, "s3:PutObject", f"{bucket}/AWSLogs/999999999999/a", own)
    for action, resource in (("s3:GetBucketAcl", bucket), ("s3:PutObject", files)):
        assert not allowed(statements, action, resource, own | {"aws:SourceArn": TRAIL.replace("hello", "other")})
        assert not allowed(statements, action, resource, own | {"aws:SecureTransport": "false"})
    assert not allowed(statements, "s3:DeleteObject", files, own)


def test_its_files_outlive_the_service_and_are_private(audit: Stack) -> None:
    resource = audit.template["Resources"]["AuditBucket"]
    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
    assert "Disposable" not in resource["Metadata"]
    assert set(resource["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    days = [rule.get("ExpirationInDays") for rule in resource["Properties"]["LifecycleConfiguration"]["Rules"]]
    assert days == [365, None]


def test_nothing_is_left_of_it_without_the_answer(generated: Callable[..., Path]) -> None:
    infrastructure = generated() / "infrastructure"
    assert not list(infrastructure.glob("audit.*"))
    for path in (*infrastructure.rglob("*"), *(generated() / "config").rglob("*.toml"), generated() / "README.md"):
        assert path.is_dir() or "CloudTrail::" not in path.read_text(), path
