"""A stand-in for ECR's image scans, whose findings a test can script.

Nothing is scanned: without a script every scan completes with no findings. A script is
put to `/_local/image-scans` of the endpoint, see docs/local-aws.md.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from scaffold.local.protocol import ACCOUNT, Answer, Call, Document, Service, ServiceError

_SCRIPT_KEYS = {
    "repositoryName": str,
    "steps": list,
    "findings": list,
    "enhancedFindings": list,
    "ageHours": (int, float),
    "startError": str,
}
_DEFAULT_STEPS = ("IN_PROGRESS", "COMPLETE")
_DONE = ("COMPLETE", "ACTIVE", "FINDINGS_UNAVAILABLE")
_PAGE = 100
_DAY_SECONDS = 24 * 3600


@dataclass
class Scan:
    """The scan of one image: where it stands in its steps."""

    started: float = field(default_factory=time.time)
    described: int = 0


class ImageScans(Service):
    """StartImageScan and DescribeImageScanFindings.

    Args:
        find_image: Finds an image by region, repository and id, as ECR's DescribeImages shows it;
            raises the error that ECR gives when there is none.
    """

    name = "ecr"
    invalid_input = "InvalidParameterException"

    def __init__(self, find_image: Callable[[str, str, Document], Document]) -> None:
        self._find_image = find_image
        self._scans: dict[tuple[str, str, str], Scan] = {}
        self._scripts: list[Document] = []

    def control(self, method: str, document: Any) -> Answer:
        """Read (GET), add (PUT) or drop (DELETE) scripts.

        Args:
            method: The HTTP method.
            document: The script to add.
        """
        if method == "DELETE":
            self._scripts.clear()
        elif method == "PUT":
            problem = _script_problem(document)
            if problem:
                return Answer({"message": problem}, 400)
            self._scripts.insert(0, document)
        return Answer({"scripts": self._scripts}, 200 if method in ("GET", "PUT", "DELETE") else 405)

    def start_image_scan(self, call: Call) -> Document:
        """Start a scan, at most one a day for an image."""
        image, key = self._image(call)
        script = self._script(call)
        if "startError" in script:
            raise ServiceError(script["startError"], "The script of this local AWS asks for this error")
        scan = self._scans.get(key)
        if scan and time.time() - scan.started < _DAY_SECONDS:
            raise ServiceError(
                "LimitExceededException", "The scan quota per image has been exceeded. Wait and try again."
            )
        self._scans[key] = Scan()
        return self._answer(call, image) | {"imageScanStatus": {"status": "IN_PROGRESS"}}

    def describe_image_scan_findings(self, call: Call) -> Document:
        """Tell how far a scan is and what it found. Every call but those for further pages is one step on."""
        image, key = self._image(call)
        script, scan = self._script(call), self._scans.get(key)
        if scan is None and "ageHours" in script:
            scan = self._scans[key] = Scan(started=time.time() - script["ageHours"] * 3600, described=1_000_000)
        if scan is None:
            raise ServiceError("ScanNotFoundException", _no_scan(call))
        steps = script.get("steps", _DEFAULT_STEPS)
        status = steps[min(scan.described, len(steps) - 1)]
        if "nextToken" not in call.parameters:
            scan.described += 1
        if status == "ScanNotFound":
            raise ServiceError("ScanNotFoundException", _no_scan(call))
        answer = self._answer(call, image) | {"imageScanStatus": {"status": status, "description": _said(status)}}
        return answer | _findings(call, script, scan) if status in _DONE else answer

    def _image(self, call: Call) -> tuple[Document, tuple[str, str, str]]:
        repository = call.parameters["repositoryName"]
        image = self._find_image(call.region, repository, call.parameters["imageId"])
        return image, (call.region, repository, image["imageDigest"])

    def _script(self, call: Call) -> Document:
        name = call.parameters["repositoryName"]
        return next((s for s in self._scripts if s.get("repositoryName", name) == name), {})

    @staticmethod
    def _answer(call: Call, image: Document) -> Document:
        identifier = {"imageDigest": image["imageDigest"], **call.parameters["imageId"]}
        return {"registryId": ACCOUNT, "repositoryName": call.parameters["repositoryName"], "imageId": identifier}


def _findings(call: Call, script: Document, scan: Scan) -> Document:
    """One page of findings, with the counts of all of them, as ECR gives them."""
    kind = "enhancedFindings" if "enhancedFindings" in script else "findings"
    found = script.get(kind, [])
    first = int(call.parameters.get("nextToken", 0))
    last = first + call.parameters.get("maxResults", _PAGE)
    described = {
        "imageScanCompletedAt": scan.started,
        "vulnerabilitySourceUpdatedAt": scan.started,
        "findingSeverityCounts": dict(Counter(finding["severity"] for finding in found)),
        kind: found[first:last],
    }
    return {"imageScanFindings": described} | ({"nextToken": str(last)} if last < len(found) else {})


def _said(status: str) -> str:
    if status == "COMPLETE":
        return "The scan was completed successfully."
    return f"The script of this local AWS asks for {status}." if status != "IN_PROGRESS" else "The scan is in progress."


def _no_scan(call: Call) -> str:
    image = ", ".join(f"{key}:'{value}'" for key, value in sorted(call.parameters["imageId"].items()))
    return (
        f"Image scan does not exist for the image with '{{{image}}}' in the repository with name "
        f"'{call.parameters['repositoryName']}' in the registry with id '{ACCOUNT}'"
    )


def _script_problem(document: Any) -> str | None:
    """Why a script cannot be used, or None."""
    if not isinstance(document, dict):
        return "A script is a JSON object"
    for key, value in document.items():
        if key not in _SCRIPT_KEYS:
            return f"{key!r} is not one of {', '.join(_SCRIPT_KEYS)}"
        if not isinstance(value, _SCRIPT_KEYS[key]):  # type: ignore[arg-type]
            return f"{key!r} has the wrong type"
    if "steps" in document and not document["steps"]:
        return "'steps' needs at least one status"
    for finding in [*document.get("findings", []), *document.get("enhancedFindings", [])]:
        if not isinstance(finding, dict) or "severity" not in finding:
            return "Each finding needs a 'severity'"
    return None
