"""Emulates ECR's image scans with scripted findings.

Nothing is scanned. Without a script every scan completes with no findings. Scripts are added by a PUT request to
`/_local/image-scans`, see docs/local-aws.md.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from scaffold.local import ministack_bridge
from scaffold.local.protocol import ACCOUNT, AwsService, Call, Document, Response, ServiceError

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
    """The scan of one image, and how often it was described: each description is one step of the script."""

    started: float = field(default_factory=time.time)
    described: int = 0


class ImageScans(AwsService):
    """StartImageScan, DescribeImageScanFindings, and what DescribeImages says about scans."""

    name = "ecr"
    invalid_input = "InvalidParameterException"

    def __init__(self) -> None:
        self._scans: dict[tuple[str, str, str], Scan] = {}
        self._scripts: list[Document] = []

    def control(self, method: str, document: Any) -> Response:
        """List (GET), add (PUT) or delete (DELETE) scripts."""
        if method == "DELETE":
            self._scripts.clear()
        elif method == "PUT":
            problem = _script_problem(document)
            if problem:
                return Response({"message": problem}, 400)
            self._scripts.insert(0, document)
        return Response({"scripts": self._scripts}, 200 if method in ("GET", "PUT", "DELETE") else 405)

    def start_image_scan(self, call: Call) -> Document:
        """Start a scan, at most one a day for an image."""
        image, key = self._image(call)
        script = self._script(call)
        if "startError" in script:
            raise ServiceError(script["startError"], "A script of local AWS asks for this error")
        scan = self._scans.get(key)
        if scan and time.time() - scan.started < _DAY_SECONDS:
            raise ServiceError(
                "LimitExceededException", "The scan quota per image has been exceeded. Wait and try again."
            )
        self._scans[key] = Scan()
        return self._identify(call, image) | {"imageScanStatus": {"status": "IN_PROGRESS"}}

    def describe_image_scan_findings(self, call: Call) -> Document:
        """Describe a scan, in the next step of its script. Calls for further pages stay in the same step."""
        image, key = self._image(call)
        script, scan = self._script(call), self._scans.get(key)
        if scan is None and "ageHours" in script:
            scan = self._scans[key] = Scan(started=time.time() - script["ageHours"] * 3600, described=1_000_000)
        if scan is None:
            raise ServiceError("ScanNotFoundException", _no_scan_message(call))
        steps = script.get("steps", _DEFAULT_STEPS)
        status = steps[min(scan.described, len(steps) - 1)]
        if "nextToken" not in call.parameters:
            scan.described += 1
        if status == "ScanNotFound":
            raise ServiceError("ScanNotFoundException", _no_scan_message(call))
        described = {"status": status, "description": _status_description(status)}
        response = self._identify(call, image) | {"imageScanStatus": described}
        return response | _findings(call, script, scan) if status in _DONE else response

    def describe_images(self, call: Call) -> Document:
        """Describe images, with the status of their scans and the numbers of findings."""
        described = ministack_bridge.call("ecr", "DescribeImages", call.parameters, call.region)
        for image in described["imageDetails"]:
            if scan := self._scans.get((call.region, image["repositoryName"], image["imageDigest"])):
                found = _findings(call, self._script(call), scan)["imageScanFindings"]
                image["imageScanStatus"] = {"status": "COMPLETE", "description": _status_description("COMPLETE")}
                image["imageScanFindingsSummary"] = {
                    key: value for key, value in found.items() if key not in ("findings", "enhancedFindings")
                }
        return described

    def _image(self, call: Call) -> tuple[Document, tuple[str, str, str]]:
        repository = call.parameters["repositoryName"]
        image = _find_image(call.region, repository, call.parameters["imageId"])
        return image, (call.region, repository, image["imageDigest"])

    def _script(self, call: Call) -> Document:
        name = call.parameters["repositoryName"]
        return next((s for s in self._scripts if s.get("repositoryName", name) == name), {})

    @staticmethod
    def _identify(call: Call, image: Document) -> Document:
        identifier = {"imageDigest": image["imageDigest"], **call.parameters["imageId"]}
        return {"registryId": ACCOUNT, "repositoryName": call.parameters["repositoryName"], "imageId": identifier}


def _find_image(region: str, repository: str, image: Document) -> Document:
    given = {"repositoryName": repository, "imageIds": [image]}
    found: list[Document] = ministack_bridge.call("ecr", "DescribeImages", given, region)["imageDetails"]
    if not found:
        raise ServiceError("ImageNotFoundException", f"The image {image} does not exist in the repository {repository}")
    return found[0]


def _findings(call: Call, script: Document, scan: Scan) -> Document:
    """One page of findings, with the counts of all of them."""
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


def _status_description(status: str) -> str:
    if status == "COMPLETE":
        return "The scan was completed successfully."
    return f"A script of local AWS asks for {status}." if status != "IN_PROGRESS" else "The scan is in progress."


def _no_scan_message(call: Call) -> str:
    image = ", ".join(f"{key}:'{value}'" for key, value in sorted(call.parameters["imageId"].items()))
    return (
        f"Image scan does not exist for the image with '{{{image}}}' in the repository with name "
        f"'{call.parameters['repositoryName']}' in the registry with id '{ACCOUNT}'"
    )


def _script_problem(document: Any) -> str | None:
    """The reason why a script is invalid, or None."""
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
