"""The audit trail of a service is deployed by a person, and its files outlive the service."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaffold.service.service import read
from tests.deploy.services import client, make_kit_service, remove, run


@pytest.mark.slow
def test_the_audit_of_a_service_begins_ends_and_leaves_its_bucket(tmp_path: Path, aws: None) -> None:
    service = make_kit_service(tmp_path / "service", environments="dev", customize=True, audit="trail")
    run(service)
    app = read(service).app_name
    trails = client("cloudtrail")
    (trail,) = trails.describe_trails(trailNameList=[f"{app}-audit"])["trailList"]
    assert trail["IsMultiRegionTrail"]
    assert run(service, plan=True).changed is False
    kept = [one.name for one in remove(service).kept]
    assert trail["S3BucketName"] in kept
    assert client("s3").head_bucket(Bucket=trail["S3BucketName"])
    assert not trails.describe_trails(trailNameList=[f"{app}-audit"])["trailList"]
