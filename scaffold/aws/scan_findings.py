"""A file with the findings of an image scan, in ECR's format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scaffold.core.errors import UsageError

_SEVERITIES = ("INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL", "UNDEFINED", "UNTRIAGED")
_KINDS = ("findings", "enhancedFindings")
_FORMAT = "`aws ecr describe-image-scan-findings --output json` prints such a file; docs/local-aws.md describes it."


def read(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The findings of a file: `findings` of basic scanning, or `enhancedFindings` of Amazon Inspector.

    The file has one of these keys, or the object `imageScanFindings` of ECR's answer, which has it.

    Raises:
        UsageError: The file cannot be read, or has another format.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Name a file with scan findings.") from error
    except (ValueError, RecursionError) as error:
        raise _wrong(path, "it is not JSON in UTF-8") from error
    answer = document.get("imageScanFindings", document) if isinstance(document, dict) else None
    # Inspector's answers have the severities of both.
    kind = next((one for one in reversed(_KINDS) if isinstance(answer, dict) and one in answer), None)
    if not isinstance(answer, dict) or kind is None:
        raise _wrong(path, f"it has neither {' nor '.join(_KINDS)}")
    found = answer[kind]
    if not isinstance(found, list):
        raise _wrong(path, f"{kind} is not a list")
    check = _basic_problem if kind == "findings" else _enhanced_problem
    for number, finding in enumerate(found, 1):
        problem = check(finding) if isinstance(finding, dict) else "is not an object"
        if problem:
            raise _wrong(path, f"number {number} of its {kind} {problem}")
    return {kind: found}


def _basic_problem(finding: dict[str, Any]) -> str | None:
    attributes = finding.get("attributes", [])
    if not isinstance(finding.get("name"), str):
        return "has no name"
    if not isinstance(attributes, list) or not all(isinstance(one, dict) and "key" in one for one in attributes):
        return "has attributes that are not a list of keys and values"
    return _severity_problem(finding)


def _enhanced_problem(finding: dict[str, Any]) -> str | None:
    details = finding.get("packageVulnerabilityDetails")
    if not isinstance(details, dict) or not isinstance(details.get("vulnerabilityId"), str):
        return "has no packageVulnerabilityDetails with a vulnerabilityId"
    packages = details.get("vulnerablePackages", [])
    if not isinstance(packages, list) or not all(isinstance(one, dict) for one in packages):
        return "has vulnerablePackages that are not a list of objects"
    return _severity_problem(finding)


def _severity_problem(finding: dict[str, Any]) -> str | None:
    severity = finding.get("severity")
    return None if severity in _SEVERITIES else f"has a severity that is none of {', '.join(_SEVERITIES)}"


def _wrong(path: Path, why: str) -> UsageError:
    return UsageError(f"{path} has no scan findings in ECR's format: {why}.", _FORMAT)
