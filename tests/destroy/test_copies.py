"""What most tests of deployments and teardowns start from: a copy of a service that was deployed once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.deploy.services import Deployments, client, listed, make_service, remove, run, state
from tests.destroy.test_destroy import fill, make_environment, traces


def everything(root: Path, app: str) -> tuple[Any, ...]:
    (bucket,) = (one["Name"] for one in listed("s3", "list_buckets", "Buckets"))
    versions = client("s3").list_object_versions(Bucket=bucket)
    objects = [(one["Key"], one["VersionId"]) for one in versions["Versions"] + versions["DeleteMarkers"]]
    images = client("ecr").list_images(repositoryName=app)["imageIds"]
    keys = [client("kms").describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in listed("kms", "list_keys", "Keys")]
    return traces(app), state(root, app), objects, images, [(key["KeyId"], key["KeyState"]) for key in keys]


def test_a_copy_is_like_the_deployed_service_whatever_happened_to_another_one(
    aws: None, tmp_path: Path, deployments: Deployments
) -> None:
    def deploy(root: Path) -> None:
        run(make_service(root, "copied"))
        make_environment(root, "dev")
        fill(root)
        expected.append(everything(root, "copied"))

    expected: list[tuple[Any, ...]] = []
    first = deployments.copy("copied", deploy, tmp_path / "first")
    client("sns").create_topic(Name="copied-later")
    assert remove(first).changes
    assert traces("copied") == ["arn:aws:sns:us-east-1:000000000000:copied-later"]
    second = deployments.copy("copied", deploy, tmp_path / "second")
    assert [everything(second, "copied")] == expected
    assert not run(second).changed
    assert remove(second).changes
    assert traces("copied") == []
