"""A foundation whose key, bucket or image repository is gone is noticed by `deploy` and restored by `repair`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scaffold.core.errors import ScaffoldError
from scaffold.core.git import git
from scaffold.core.results import Change
from scaffold.service import names
from scaffold.views.repair import text
from tests.deploy.services import Wire, client, commit, foundation_stack, remove, run
from tests.destroy.test_destroy import READS
from tests.repair.situations import app_of, foundation_output, key_of, key_state, repair

BUCKET, IMAGES, KEY = "AWS::S3::Bucket", "AWS::ECR::Repository", "AWS::KMS::Key"


def refused(service: Path, wire: Wire) -> ScaffoldError:
    """The error of a deployment, which its plan has too, before anything is changed."""
    wire.calls.clear()
    messages = set()
    for plan in (True, False):
        with pytest.raises(ScaffoldError) as caught:
            run(service, plan=plan)
        messages.add((caught.value.happened, caught.value.remedy))
    assert len(messages) == 1
    assert [call for call in wire.calls if not call.split(":")[1].startswith(READS)] == []
    return caught.value


def lose_key(service: Path) -> str:
    key = key_of(app_of(service))
    client("kms").tag_resource(KeyId=key, Tags=[{"TagKey": names.TAG_DELETION_SCHEDULED, "TagValue": "true"}])
    client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    return key


def lose_bucket(service: Path) -> str:
    bucket = foundation_output(app_of(service), "ArtifactBucketName")
    listed = client("s3").list_object_versions(Bucket=bucket)
    for one in (*listed.get("Versions", []), *listed.get("DeleteMarkers", [])):
        client("s3").delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
    client("s3").delete_bucket(Bucket=bucket)
    return bucket


def lose_images(service: Path) -> str:
    client("ecr").delete_repository(repositoryName=app_of(service), force=True)
    return app_of(service)


@pytest.mark.parametrize("state", ["pending-deletion", pytest.param("disabled", marks=pytest.mark.slow)])
def test_a_key_that_cannot_be_used(deployed: Path, wire: Wire, state: str) -> None:
    if state == "disabled":
        key = key_of(app_of(deployed))
        client("kms").disable_key(KeyId=key)
    else:
        key = lose_key(deployed)
    error = refused(deployed, wire)
    assert f"KMS key {key} is {state.replace('-', ' ')}" in error.happened
    assert "`scaffold repair`" in error.remedy

    planned = repair(deployed, plan=True)
    assert (planned.exit_code, planned.problems[0].state) == (10, state)
    # Nothing is lost by it, so nothing is asked.
    repair(deployed, confirm=lambda name: pytest.fail("asked"))
    assert key_state(key) == "Enabled"
    tags = client("kms").list_resource_tags(KeyId=key)["Tags"]
    assert names.TAG_DELETION_SCHEDULED not in {tag["TagKey"] for tag in tags}
    assert not run(deployed).changed
    assert repair(deployed).problems == ()


@pytest.mark.slow
def test_a_key_of_a_deleted_foundation_stays_pending(deployed: Path) -> None:
    key = key_of(app_of(deployed))
    remove(deployed)
    assert repair(deployed).problems == ()
    assert key_state(key) == "PendingDeletion"
    run(deployed)
    assert repair(deployed).problems == ()
    assert key_state(key) == "PendingDeletion"


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param((BUCKET,), marks=pytest.mark.slow, id="bucket"),
        pytest.param((IMAGES,), marks=pytest.mark.slow, id="images"),
        pytest.param((BUCKET, IMAGES, KEY), id="all"),
    ],
)
def test_what_is_missing_is_created_again_with_its_name_and_configuration(
    deployed: Path, wire: Wire, lost: tuple[str, ...]
) -> None:
    app = app_of(deployed)
    lose = {BUCKET: lose_bucket, IMAGES: lose_images, KEY: lose_key}
    gone = {kind: lose[kind](deployed) for kind in lost}
    error = refused(deployed, wire)
    assert all(name in error.happened for name in gone.values())
    assert "`scaffold repair`" in error.remedy

    wire.calls.clear()
    planned = repair(deployed, plan=True)
    assert [call for call in wire.calls if not call.split(":")[1].startswith(READS)] == []
    created = [Change(kind, name, "create") for kind, name in gone.items() if kind != KEY]
    changes = [change for problem in planned.problems for change in problem.changes]
    assert set(created) <= set(changes)
    assert changes[-1] == Change("stack", foundation_stack(app), "revert-drift")
    with pytest.raises(ScaffoldError, match="not confirmed"):
        repair(deployed, confirm=lambda name: False)

    result = repair(deployed)
    assert result.problems == planned.problems
    assert ("no new task can start" in text(result)) is (IMAGES in lost)
    bucket = foundation_output(app, "ArtifactBucketName")
    assert client("s3").get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert gone.get(BUCKET, bucket) == bucket
    arn = client("ecr").describe_repositories(repositoryNames=[app])["repositories"][0]["repositoryArn"]
    tags = client("ecr").list_tags_for_resource(resourceArn=arn)["tags"]
    assert {"Key": names.TAG_SERVICE, "Value": app} in tags
    assert key_state(key_of(app)) == "Enabled"
    assert not run(deployed).changed
    assert repair(deployed, plan=True).exit_code == 0


def test_an_interrupted_repair_is_continued(deployed: Path, wire: Wire) -> None:
    """Without its configuration the bucket exists, so the repetition must not take it for whole."""
    bucket = lose_bucket(deployed)
    wire.throw("CreateChangeSet", KeyboardInterrupt())
    with pytest.raises(ScaffoldError, match="continue there"):
        repair(deployed)
    wire.faults.clear()
    assert f"S3 bucket {bucket} lacks the tag" in refused(deployed, wire).happened
    assert [problem.state for problem in repair(deployed).problems] == ["drifted"]
    assert client("s3").get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


@pytest.mark.slow
def test_a_key_that_is_gone_needs_a_new_foundation(deployed: Path, wire: Wire) -> None:
    """KMS deletes a key only after days, so its absence is made up; destroying and deploying works in spite of it."""
    wire.refuse("DescribeKey", "NotFoundException", "Key does not exist")
    error = refused(deployed, wire)
    assert "`scaffold destroy`, then `scaffold deploy`" in error.remedy
    with pytest.raises(ScaffoldError) as caught:
        repair(deployed)
    assert caught.value.remedy == error.remedy
    remove(deployed)
    wire.faults.clear()
    run(deployed)
    assert not run(deployed).changed


@pytest.mark.slow
def test_another_owner_s_bucket_of_that_name_is_not_taken(deployed: Path, wire: Wire) -> None:
    lose_bucket(deployed)
    wire.refuse("CreateBucket", "BucketAlreadyExists", "The requested bucket name is not available.")
    with pytest.raises(ScaffoldError, match="BucketAlreadyExists"):
        repair(deployed)
    assert "cloudformation:CreateChangeSet" not in wire.calls


@pytest.mark.slow
def test_the_kit_s_foundation_gets_its_configuration_back(tmp_path: Path, aws: None) -> None:
    """What local AWS configures of it, while the pipeline imports its names."""
    kits = pytest.importorskip("tests.kits")
    service = kits.generate(tmp_path / "service", app_name="repaired")
    git("init", "-q", "-b", "main", cwd=service)
    commit(service)
    run(service)
    s3, ecr = client("s3"), client("ecr")
    bucket = foundation_output("repaired", "ArtifactBucketName")

    def configuration() -> list[object]:
        return [
            s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
            json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]),
            ecr.get_lifecycle_policy(repositoryName="repaired")["lifecyclePolicyText"],
            ecr.describe_repositories(repositoryNames=["repaired"])["repositories"][0]["imageTagMutability"],
        ]

    before = configuration()
    lose_bucket(service)
    lose_images(service)
    repair(service)
    assert configuration() == before
    assert not run(service).changed
    remove(service)
