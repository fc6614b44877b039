"""Scans of images and SBOMs: without findings by default, or scripted."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from tests.local.conftest import Client

MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"})


@pytest.fixture
def ecr(client: Client) -> Any:
    return client("ecr")


@pytest.fixture
def image(ecr: Any, request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """An image, as parameters of ECR's API."""
    ecr.create_repository(repositoryName=request.node.name)
    put = ecr.put_image(repositoryName=request.node.name, imageManifest=MANIFEST, imageTag="v1")
    yield {
        "repositoryName": request.node.name,
        "imageId": {"imageDigest": put["image"]["imageId"]["imageDigest"]},
    }
    ecr.delete_repository(repositoryName=request.node.name, force=True)


def control(variables: dict[str, str], method: str, script: Any = None, kind: str = "image") -> Any:
    request = urllib.request.Request(
        f"{variables['AWS_ENDPOINT_URL']}/_local/{kind}-scans", json.dumps(script).encode(), method=method
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        return json.load(answer)


@pytest.fixture(autouse=True)
def no_scripts(variables: dict[str, str]) -> Iterator[None]:
    yield
    control(variables, "DELETE")
    control(variables, "DELETE", kind="sbom")


def status(ecr: Any, image: dict[str, Any]) -> str:
    found: str = ecr.describe_image_scan_findings(**image)["imageScanStatus"]["status"]
    return found


def test_a_scan_is_in_progress_first_and_has_no_findings(ecr: Any, image: dict[str, Any]) -> None:
    with pytest.raises(ecr.exceptions.ScanNotFoundException):
        status(ecr, image)
    assert ecr.start_image_scan(**image)["imageScanStatus"]["status"] == "IN_PROGRESS"
    assert status(ecr, image) == "IN_PROGRESS"
    done = ecr.describe_image_scan_findings(**image)
    assert done["imageScanStatus"]["status"] == "COMPLETE"
    assert done["imageScanFindings"]["findingSeverityCounts"] == {}
    assert done["imageScanFindings"]["findings"] == []


def test_a_second_scan_within_a_day_is_refused(ecr: Any, image: dict[str, Any]) -> None:
    ecr.start_image_scan(**image)
    with pytest.raises(ecr.exceptions.LimitExceededException):
        ecr.start_image_scan(**image)


@pytest.mark.parametrize(("hours", "allowed"), [(23.99, False), (24.01, True)])
def test_a_scan_can_be_repeated_after_a_day(ecr: Any, variables: dict[str, str], hours: float, allowed: bool) -> None:
    repository = f"repeated-{allowed}".lower()
    ecr.create_repository(repositoryName=repository)
    put = ecr.put_image(repositoryName=repository, imageManifest=MANIFEST, imageTag="v1")
    image = {"repositoryName": repository, "imageId": {"imageDigest": put["image"]["imageId"]["imageDigest"]}}
    control(variables, "PUT", {"ageHours": hours})
    assert status(ecr, image) == "COMPLETE"
    with nullcontext() if allowed else pytest.raises(ecr.exceptions.LimitExceededException):
        ecr.start_image_scan(**image)
    ecr.delete_repository(repositoryName=repository, force=True)


def test_absent_images_and_repositories_are_errors(ecr: Any, image: dict[str, Any]) -> None:
    with pytest.raises(ecr.exceptions.ImageNotFoundException):
        ecr.start_image_scan(repositoryName=image["repositoryName"], imageId={"imageTag": "absent"})
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.describe_image_scan_findings(repositoryName="absent", imageId=image["imageId"])


def test_findings_are_scripted_and_paged(ecr: Any, image: dict[str, Any], variables: dict[str, str]) -> None:
    findings = [{"name": f"CVE-2026-{n}", "severity": "HIGH" if n else "CRITICAL"} for n in range(5)]
    control(variables, "PUT", {"repositoryName": image["repositoryName"], "steps": ["COMPLETE"], "findings": findings})
    ecr.start_image_scan(**image)
    first = ecr.describe_image_scan_findings(**image, maxResults=3)
    second = ecr.describe_image_scan_findings(**image, maxResults=3, nextToken=first["nextToken"])
    assert "nextToken" not in second
    assert first["imageScanFindings"]["findingSeverityCounts"] == {"CRITICAL": 1, "HIGH": 4}
    assert first["imageScanFindings"]["findings"] + second["imageScanFindings"]["findings"] == findings


def test_enhanced_findings_and_statuses_are_scripted(
    ecr: Any, image: dict[str, Any], variables: dict[str, str]
) -> None:
    enhanced = {"severity": "CRITICAL", "fixAvailable": "YES", "title": "CVE-2026-1"}
    steps = ["ScanNotFound", "PENDING", "ACTIVE"]
    control(variables, "PUT", {"steps": steps, "enhancedFindings": [enhanced]})
    ecr.start_image_scan(**image)
    with pytest.raises(ecr.exceptions.ScanNotFoundException):
        status(ecr, image)
    assert status(ecr, image) == "PENDING"
    assert ecr.describe_image_scan_findings(**image)["imageScanFindings"]["enhancedFindings"] == [enhanced]
    assert status(ecr, image) == "ACTIVE"


def test_an_older_scan_and_a_failing_start_are_scripted(
    ecr: Any, image: dict[str, Any], variables: dict[str, str]
) -> None:
    control(variables, "PUT", {"ageHours": 30, "startError": "UnsupportedImageTypeException"})
    with pytest.raises(ecr.exceptions.UnsupportedImageTypeException):
        ecr.start_image_scan(**image)
    done = ecr.describe_image_scan_findings(**image)
    age = done["ResponseMetadata"]["HTTPHeaders"], done["imageScanFindings"]["imageScanCompletedAt"]
    assert done["imageScanStatus"]["status"] == "COMPLETE"
    assert age[1].timestamp() < time.time() - 29 * 3600


@pytest.mark.parametrize("script", [[], {"colour": 1}, {"steps": []}, {"findings": [{}]}, {"ageHours": "old"}])
def test_an_invalid_script_is_refused(variables: dict[str, str], script: Any) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400"):
        control(variables, "PUT", script)


SBOM = {"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [{"bom-ref": "comp-1", "name": "express"}]}


def test_an_sbom_has_the_findings_of_the_script_whatever_it_lists(client: Client, variables: dict[str, str]) -> None:
    def scan(**more: Any) -> dict[str, Any]:
        given = {"sbom": SBOM, "outputFormat": "CYCLONE_DX_1_5", **more}
        found: dict[str, Any] = client("inspector-scan").scan_sbom(**given)["sbom"]
        return found

    def numbers(report: dict[str, Any]) -> list[str]:
        return [one["value"] for one in report["metadata"]["properties"]]

    clean = scan()
    assert (clean["components"], clean["vulnerabilities"], numbers(clean)) == (SBOM["components"], [], ["0"] * 4)
    finding = {"id": "CVE-1", "ratings": [{"severity": "none"}, {"severity": "high"}], "affects": [{"ref": "more-1"}]}
    script = {"vulnerabilities": [finding], "components": [{"bom-ref": "more-1", "name": "openssl"}]}
    control(variables, "PUT", script, "sbom")
    report = scan()
    assert [one["name"] for one in report["components"]] == ["express", "openssl"]
    assert (report["vulnerabilities"], numbers(report)) == ([finding], ["0", "1", "0", "0"])
    errors = client("inspector-scan").exceptions
    for wrong in ({"specVersion": "1.4"}, {"components": [{}] * 5001}):
        with pytest.raises(errors.ValidationException):
            scan(sbom={**SBOM, **wrong})
    control(variables, "PUT", {"error": "AccessDeniedException"}, "sbom")
    with pytest.raises(errors.AccessDeniedException):
        scan()


@pytest.mark.parametrize("script", [[], {"findings": []}, {"vulnerabilities": {}}, {"error": []}])
def test_an_invalid_script_of_sboms_is_refused(variables: dict[str, str], script: Any) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400"):
        control(variables, "PUT", script, "sbom")
