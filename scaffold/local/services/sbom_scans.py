"""Emulates the one call of Amazon Inspector's Scan API, with scripted findings.

Nothing is scanned. Without a script nothing is found. Scripts are added by a PUT request to `/_local/sbom-scans`, see
docs/local-aws.md.
"""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Any

from scaffold.local.protocol import AwsService, Call, Document, Response, ServiceError

_PROPERTY = "amazon:inspector:sbom_scanner"
_SEVERITIES = ("critical", "high", "medium", "low")
_MOST_COMPONENTS = 5000


class SbomScans(AwsService):
    """ScanSbom, which answers in CycloneDX: with the components of the request, and those and the findings of the
    script.
    """

    name = "inspector-scan"

    def __init__(self) -> None:
        self._script: Document = {}

    def control(self, method: str, document: Any) -> Response:
        """Read (GET), replace (PUT) or delete (DELETE) the script."""
        if method == "DELETE":
            self._script = {}
        elif method == "PUT":
            problem = _script_problem(document)
            if problem:
                return Response({"message": problem}, 400)
            self._script = document
        return Response({"script": self._script}, 200 if method in ("GET", "PUT", "DELETE") else 405)

    def scan_sbom(self, call: Call) -> Document:
        """Find what the script says."""
        if "error" in self._script:
            raise ServiceError(self._script["error"], "A script of local AWS asks for this error")
        if call.parameters.get("outputFormat") != "CYCLONE_DX_1_5":
            raise ServiceError("LocalAwsNotImplemented", "Local AWS knows the output format CYCLONE_DX_1_5 only.")
        sbom = call.parameters["sbom"]
        if sbom.get("bomFormat") != "CycloneDX" or sbom.get("specVersion") != "1.5":
            raise ServiceError("ValidationException", "The SBOM is not in the format CycloneDX 1.5.")
        components = sbom.get("components") or []
        if len(components) > _MOST_COMPONENTS:
            raise ServiceError("ValidationException", f"The SBOM has more than {_MOST_COMPONENTS} components.")
        found = self._script.get("vulnerabilities", [])
        counts = Counter(_severity(one) for one in found)
        numbers = [{"name": f"{_PROPERTY}:{one}_vulnerabilities", "value": str(counts[one])} for one in _SEVERITIES]
        return {
            "sbom": {
                "bomFormat": "CycloneDX",
                "specVersion": "1.5",
                "serialNumber": f"urn:uuid:{uuid.uuid4()}",
                "metadata": {"properties": numbers},
                "components": [*components, *self._script.get("components", [])],
                "vulnerabilities": found,
            }
        }


def _severity(vulnerability: Document) -> str:
    """The severity of the first rating that has one."""
    ratings = vulnerability.get("ratings") or []
    return next((str(one["severity"]) for one in ratings if one.get("severity") in _SEVERITIES), "")


def _script_problem(document: Any) -> str | None:
    """The reason why a script is invalid, or None."""
    if not isinstance(document, dict):
        return "A script is a JSON object"
    for key, value in document.items():
        if key not in ("vulnerabilities", "components", "error"):
            return f"{key!r} is not one of vulnerabilities, components, error"
        if not isinstance(value, str if key == "error" else list):
            return f"{key!r} has the wrong type"
    return None
