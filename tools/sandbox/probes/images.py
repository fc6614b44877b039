"""Images: the base image in the public gallery, and scans of the released one."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from .. import scanning
from ..account import code, said
from ..kit import Service
from ..registry import probe
from ..sandbox import Sandbox
from ..verdicts import Unavailable, Undecided, Verdict, decided, proved, refuted

_RELEASES = "https://nodejs.org/dist/index.json"
_GALLERY = "https://public.ecr.aws"
_SECONDS = 30


@probe("node-image")
def node_image(sandbox: Sandbox) -> Verdict:
    """The image of the newest release of Node in the gallery."""
    if sandbox.account.local:
        raise Undecided("the gallery is not part of local AWS")
    newest = max(_read(_RELEASES), key=lambda one: (one["date"], _numbers(one["version"])))
    version, age = (
        newest["version"].removeprefix("v"),
        (datetime.now(UTC).date() - date.fromisoformat(newest["date"])).days,
    )
    token = _read(f"{_GALLERY}/token/")["token"]
    request = urllib.request.Request(  # noqa: S310
        f"{_GALLERY}/v2/docker/library/node/manifests/{version}-trixie-slim",
        headers={"Authorization": f"Bearer {token}", "Accept": "application/vnd.oci.image.index.v1+json"},
        method="HEAD",
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310
            mirrored = True
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        mirrored = False
    evidence = (
        f"Node {version} was released {age} days ago, and its image is {'' if mirrored else 'not '}in the gallery"
    )
    if mirrored and age > 1:
        raise Undecided(f"{evidence}; only a run on the day of a release tells whether it was there on that day")
    return decided(mirrored, evidence)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _read(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310
        return json.load(answer)


def _image(sandbox: Sandbox, service: Service) -> dict[str, Any]:
    """The newest image of the service, as the calls about scans take it."""
    images = sandbox.client("ecr").describe_images(repositoryName=service.name)["imageDetails"]
    newest = max(images, key=lambda one: one["imagePushedAt"])
    return {"repositoryName": service.name, "imageId": {"imageDigest": newest["imageDigest"]}}


@probe("scanned-distribution", scenario="service")
def scanned_distribution(sandbox: Sandbox) -> Verdict:
    """A basic scan of the released image."""
    image, ecr = _image(sandbox, sandbox.after("service", "first release")), sandbox.client("ecr")
    with sandbox.alone("registry"):
        try:
            ecr.start_image_scan(**image)
        except ClientError as error:
            if code(error) == "ValidationException":
                raise Undecided(f"the account does not use basic scanning: {said(error)}") from error
            # An image is scanned once a day; another probe may have started that scan.
            if code(error) != "LimitExceededException":
                raise

        def look() -> dict[str, Any]:
            try:
                answer = ecr.describe_image_scan_findings(**image)
            except ecr.exceptions.ScanNotFoundException:
                return {}
            status = answer["imageScanStatus"]
            return {} if status["status"] in ("IN_PROGRESS", "PENDING") else answer

        answer = sandbox.wait(look, "the end of the scan", 600)
    status = answer["imageScanStatus"]
    counts = answer.get("imageScanFindings", {}).get("findingSeverityCounts", {})
    return decided(status["status"] == "COMPLETE", f"{status['status']}: {status.get('description', '')} {counts}")


@probe("enhanced-scan", scenario="service")
def enhanced_scan(sandbox: Sandbox) -> Verdict:
    """A scan that is started while the registry uses enhanced scanning, for at most a few minutes."""
    image, ecr = _image(sandbox, sandbox.after("service", "first release")), sandbox.client("ecr")
    with sandbox.alone("registry"):
        try:
            before = ecr.get_registry_scanning_configuration()["scanningConfiguration"]
        except ClientError as error:
            if code(error) == "InvalidAction":
                raise Undecided("the registry has no scanning configuration here") from error
            raise
        try:
            if before["scanType"] != "ENHANCED":
                _enhance(sandbox, before)
            return _refusal_of_scan(sandbox, image)
        finally:
            scanning.undo(sandbox.account, sandbox.state)


def _refusal_of_scan(sandbox: Sandbox, image: dict[str, Any]) -> Verdict:
    ecr = sandbox.client("ecr")

    def refusal() -> str:
        try:
            ecr.start_image_scan(**image)
        except ClientError as error:
            if code(error) == "ValidationException":
                return said(error)
            # The basic scanner answers so: it scans an image once a day.
            if code(error) != "LimitExceededException":
                raise
        return ""

    try:
        # Not all servers know the change at once.
        return proved(sandbox.wait(refusal, "the refusal of StartImageScan", 120))
    except Unavailable:
        return refuted("StartImageScan was accepted while the registry used enhanced scanning")


def _enhance(sandbox: Sandbox, before: dict[str, Any]) -> None:
    """Let the registry scan the run's repository with Inspector."""
    account, state = sandbox.account, sandbox.state
    if not scanning.inspects(account):
        state.record(scanning.INSPECTOR, account.id)
    state.record(scanning.CONFIGURATION, account.id, **before)
    ecr = sandbox.client("ecr")
    ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=scanning.rules(sandbox.run))

    def enhanced() -> bool:
        return bool(ecr.get_registry_scanning_configuration()["scanningConfiguration"]["scanType"] == "ENHANCED")

    sandbox.wait(enhanced, "the change to enhanced scanning", 120)


@probe("scan-sbom")
def scan_sbom(sandbox: Sandbox) -> Verdict:
    """An SBOM with a package of npm that has been vulnerable for years, and one with a package that does not exist."""
    if sandbox.account.local:
        raise Undecided("local AWS finds nothing by itself")
    reports = {name: _report(sandbox, name) for name in ("lodash", f"{sandbox.run}-no-such-package")}
    bad, good = ([*report.get("vulnerabilities", [])] for report in reports.values())
    rated = [one for one in bad if one.get("id") and one.get("ratings") and one.get("affects") == [{"ref": "comp-1"}]]
    counted = [
        one["name"]
        for report in reports.values()
        for one in report["metadata"].get("properties", [])
        if one.get("value")
    ]
    fixes = [one["name"] for each in bad for one in each.get("properties", []) if "fixed_version:comp-1" in one["name"]]
    evidence = f"{len(bad)} and {len(good)} findings, {len(rated)} as expected, {len(fixes)} fixes, counts {counted}"
    return decided(bool(bad) and len(rated) == len(bad) and not good and bool(fixes and counted), evidence)


def _report(sandbox: Sandbox, package: str) -> dict[str, Any]:
    component = {"bom-ref": "comp-1", "type": "library", "name": package, "purl": f"pkg:npm/{package}@4.17.4"}
    sbom = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": [component]}
    answer = sandbox.client("inspector-scan").scan_sbom(sbom=sbom, outputFormat="CYCLONE_DX_1_5")
    report: dict[str, Any] = answer["sbom"]
    return report


@probe("sbom-by-digest", scenario="service")
def sbom_by_digest(sandbox: Sandbox) -> Verdict:
    """The SBOM of the released image, by Amazon's program, where this machine has it."""
    program = shutil.which("inspector-sbomgen")
    if sandbox.account.local or not program:
        raise Undecided("inspector-sbomgen is not installed, or this is local AWS")
    ecr = sandbox.client("ecr")
    image = _image(sandbox, sandbox.after("service", "first release"))
    (repository,) = ecr.describe_repositories(repositoryNames=[image["repositoryName"]])["repositories"]
    token = base64.b64decode(ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]).decode()
    variables = {"INSPECTOR_SBOMGEN_USERNAME": "AWS", "INSPECTOR_SBOMGEN_PASSWORD": token.partition(":")[2]}
    name = f"{repository['repositoryUri']}@{image['imageId']['imageDigest']}"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "sbom.json")
        done = subprocess.run(
            [program, "container", "--image", name, "--outfile", str(file), "--disable-progress-bar"],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode:
            return refuted(f"exit code {done.returncode}: {(done.stderr or done.stdout)[-300:]}")
        components = json.loads(file.read_text("utf-8"))["components"]
    kinds = {str(one.get("purl", "")).partition("/")[0] for one in components}
    return decided({"pkg:npm", "pkg:deb"} <= kinds, f"{len(components)} components of {sorted(kinds)}")
