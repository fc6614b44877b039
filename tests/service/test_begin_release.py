"""A release is named by the time of its build in UTC and by its version, and its record begins with what is known."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.kits import ROOT
from tests.service.conftest import function_of

SCRIPT = ROOT / "template/config/scripts/begin_release.py"
VERSION = "0123456789abcdef"
DIGEST = "sha256:" + "d" * 64
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
CONFIGURATION = "sha256:" + "c" * 64
FINDINGS = {
    "threshold": "high",
    "findings": [{"id": f"CVE-{number}", "severity": one} for number, one in enumerate(("LOW", "LOW", "MEDIUM"))],
}
GIVEN = {
    "COMMIT": "c" * 40,
    "EXECUTION": "execution-1",
    "IMAGE_URI": f"registry/shop@{DIGEST}",
    "IMAGE_TAG": VERSION,
    "IMAGE_DIGEST": DIGEST,
}


@pytest.fixture(scope="module")
def s3(local: dict[str, str]) -> Any:
    session = boto3.Session(local["AWS_ACCESS_KEY_ID"], local["AWS_SECRET_ACCESS_KEY"])
    return session.client("s3", local["AWS_REGION"], endpoint_url=local["AWS_ENDPOINT_URL"])


@pytest.fixture
def given(s3: Any, local: dict[str, str], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    """The variables of the pipeline, with a bucket of its own."""
    for name, value in local.items():
        monkeypatch.setenv(name, value)
    bucket = request.node.name.replace("_", "-")[:60].strip("-")
    s3.create_bucket(Bucket=bucket)
    return GIVEN | {"ARTIFACT_BUCKET": bucket}


@pytest.fixture
def stored(s3: Any, given: dict[str, str]) -> Callable[[], dict[str, Any]]:
    """The documents in the bucket, by their keys."""

    def read() -> dict[str, Any]:
        listed = s3.list_objects_v2(Bucket=given["ARTIFACT_BUCKET"]).get("Contents", [])
        bodies = {one["Key"]: s3.get_object(Bucket=given["ARTIFACT_BUCKET"], Key=one["Key"]) for one in listed}
        return {key: json.loads(body["Body"].read()) for key, body in bodies.items()}

    return read


def run(
    folder: Path, variables: dict[str, str], *words: str
) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    """Run the script; return also what it exports."""
    output = folder / "release.env"
    done = subprocess.run(
        [sys.executable, SCRIPT, *words, output],
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    text = output.read_text() if output.exists() else ""
    return done, dict(line.removeprefix("export ").split("=", 1) for line in text.splitlines())


@pytest.mark.parametrize("hours", [-11, 0, 5.5, 14])
def test_the_time_is_in_utc(hours: float) -> None:
    moment = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC).astimezone(timezone(timedelta(hours=hours)))
    assert function_of("begin_release.py", "name_of")(VERSION, moment) == "20261231-2359-0123456789ab"


def test_the_record_has_what_the_build_knows(
    given: dict[str, str], local: dict[str, str], stored: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "findings.json").write_text(json.dumps(FINDINGS))
    done, exported = run(tmp_path, local | given, "--findings", str(tmp_path / "findings.json"))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    name = exported["RELEASE_NAME"]
    documents = stored()
    record = documents[f"releases/{name}/release.json"]
    started = datetime.strptime(record.pop("started"), "%Y-%m-%dT%H:%M:%SZ")
    assert name == f"{started:%Y%m%d-%H%M}-0123456789ab"
    assert record == {
        "name": name,
        "commit": "c" * 40,
        "version": VERSION,
        "image": f"registry/shop@{DIGEST}",
        "digest": DIGEST,
        "configuration": function_of("begin_release.py", "configuration_digest")(ROOT / "template"),
        "execution": "execution-1",
        "findings": {"file": "findings.json", "threshold": "high", "counts": {"LOW": 2, "MEDIUM": 1}},
        "provenance": None,
        "sbom": None,
    }
    assert documents == {f"releases/{name}/release.json": documents[f"releases/{name}/release.json"],
                         f"releases/{name}/findings.json": FINDINGS}  # fmt: skip


def test_an_image_has_one_provenance_and_one_sbom_whatever_is_released(
    given: dict[str, str], local: dict[str, str], stored: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    """The SBOM of its first release, and the provenance of the build that has built it."""
    build = "arn:aws:codebuild:us-east-1:000000000000:build/shop-build:"
    more = {
        "APP_NAME": "shop",
        "ARCHITECTURE": "arm64",
        "REPOSITORY_URI": "registry/shop",
        "IMAGE_BASES": f"node:24@{DIGEST}",
    }
    folder = f"releases/images/{'d' * 64}"
    # The first one finds an image whose build has ended right after its push.
    for number, built in enumerate(("no", "yes", "yes", "no")):
        variables = local | given | more | {"IMAGE_BUILT": built, "CODEBUILD_BUILD_ARN": f"{build}{number}"}
        command = [sys.executable, SCRIPT.with_name("provenance.py")]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120, check=False)
        warning = "" if number else "Warning: that build has kept none, and the record of the release says so.\n"
        assert (done.returncode, done.stderr) == (0, warning)
    for serial in (1, 2):
        (tmp_path / "sbom.json").write_text(json.dumps({"bomFormat": "CycloneDX", "version": serial}))
        done, exported = run(tmp_path, local | given, "--sbom", str(tmp_path / "sbom.json"))
        assert done.returncode == 0, done.stderr
        record = stored()[f"releases/{exported['RELEASE_NAME']}/release.json"]
        assert (record["provenance"], record["sbom"]) == (f"{folder}/provenance.json", f"{folder}/sbom.json")
    assert stored()[f"{folder}/sbom.json"] == {"bomFormat": "CycloneDX", "version": 1}
    statement = stored()[f"{folder}/provenance.json"]
    assert statement["subject"] == [{"name": "registry/shop", "digest": {"sha256": "d" * 64}}]
    predicate = statement["predicate"]
    assert predicate["runDetails"]["metadata"]["invocationId"] == f"{build}1"
    assert predicate["runDetails"]["builder"]["id"] == "arn:aws:codebuild:us-east-1:000000000000:project/shop-build"
    source, base = predicate["buildDefinition"]["resolvedDependencies"]
    assert source["digest"] == {"gitCommit": "c" * 40}
    assert base == {"uri": "docker://node:24", "digest": {"sha256": "d" * 64}}


def test_two_builds_within_a_minute_share_no_name(given: dict[str, str], stored: Callable[[], dict[str, Any]]) -> None:
    begin = function_of("begin_release.py", "begin")
    begun = [begin(given | {"COMMIT": commit * 40}, None, None, NOON, CONFIGURATION) for commit in "ab"]
    names = [name for name, _ in begun]
    assert begun == [("20260131-1200-0123456789ab", "a" * 40), ("20260131-1201-0123456789ab", "b" * 40)]
    documents = stored()
    assert [documents[f"releases/{name}/release.json"]["commit"] for name in names] == ["a" * 40, "b" * 40]
    assert {document["findings"] for document in documents.values()} == {None}


def test_what_changes_neither_image_nor_configuration_is_the_release_in_production(
    given: dict[str, str], s3: Any, stored: Callable[[], dict[str, Any]]
) -> None:
    begin = function_of("begin_release.py", "begin")
    first = begin(given, None, None, NOON, CONFIGURATION)
    pointer = json.dumps({"name": first[0]}).encode()
    s3.put_object(Bucket=given["ARTIFACT_BUCKET"], Key="releases/production.json", Body=pointer)
    before, later, given = stored(), NOON + timedelta(minutes=5), given | {"COMMIT": "d" * 40}
    assert (begin(given, None, None, later, CONFIGURATION), stored()) == (first, before)
    others = [
        begin(given | {"IMAGE_TAG": "f" * 16}, None, None, later, CONFIGURATION),
        begin(given | {"IMAGE_DIGEST": "sha256:" + "e" * 64}, None, None, later, CONFIGURATION),
        begin(given, None, None, later, "sha256:" + "9" * 64),
    ]
    assert len({first[0], *(name for name, _ in others)}) == 4
    assert {commit for _, commit in others} == {"d" * 40}


def test_the_digest_of_the_configuration_covers_names_contents_and_links(tmp_path: Path) -> None:
    digest = function_of("begin_release.py", "configuration_digest")
    for name in ("config/scripts/a.py", "infrastructure/prod/service.json", "README.md", "app/main.mjs"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    seen = [digest(tmp_path)]
    (tmp_path / "README.md").write_text("other")
    (tmp_path / "config/scripts/__pycache__").mkdir()
    (tmp_path / "config/scripts/__pycache__/a.pyc").write_text("compiled")
    (tmp_path / "config/tools/node_modules/eslint").mkdir(parents=True)
    (tmp_path / "config/tools/node_modules/eslint/index.js").write_text("installed")
    assert digest(tmp_path) == seen[0]
    service = tmp_path / "infrastructure/prod/service.json"
    changes: list[Callable[[], object]] = [
        lambda: service.write_text("other"),
        lambda: service.rename(service.with_name("alarms.json")),
        lambda: service.symlink_to("alarms.json"),
        lambda: service.unlink() or service.symlink_to("../../README.md"),
        lambda: (tmp_path / "config/é.txt").write_text(""),
    ]
    for change in changes:
        change()
        seen.append(digest(tmp_path))
    assert len(set(seen)) == len(seen)


def test_a_record_that_cannot_be_stored_stops_the_release(
    given: dict[str, str], local: dict[str, str], tmp_path: Path
) -> None:
    done, exported = run(tmp_path, local | given | {"ARTIFACT_BUCKET": "there-is-none"})
    assert (done.returncode, exported) == (1, {})
    assert done.stderr.startswith("Release not recorded: An error occurred (NoSuchBucket)")
    assert done.stderr.endswith("; fix this, then retry the stage.\n")


@pytest.mark.parametrize("missing", GIVEN)
def test_without_a_variable_nothing_is_named(missing: str, tmp_path: Path) -> None:
    variables = {name: value for name, value in GIVEN.items() if name != missing} | {"ARTIFACT_BUCKET": "b"}
    done, exported = run(tmp_path, variables)
    assert (done.returncode, done.stderr, exported) == (2, f"Set {missing}.\n", {})
