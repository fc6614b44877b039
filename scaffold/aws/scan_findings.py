"""A file with the findings of an image scan, in the format of ECR or Amazon Inspector."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scaffold.core.errors import UsageError

_SEVERITIES = ("INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL", "UNDEFINED", "UNTRIAGED")
_KINDS = ("findings", "enhancedFindings")
_FORMAT = "`aws ecr describe-image-scan-findings --output json` prints such a file; docs/local-aws.md describes it."
_REPORT_FORMAT = "`aws inspector-scan scan-sbom --output-format CYCLONE_DX_1_5` prints such a file."
_REPORT = ("vulnerabilities", "components")


def read(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The findings of a file: `findings` of basic scanning, or `enhancedFindings` of Amazon Inspector.

    The file has one of these keys, or the object `imageScanFindings` of ECR's answer, which has it.

    Raises:
        UsageError: The file cannot be read, or has another format.
    """
    document = _load(path, _FORMAT)
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


def read_report(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The vulnerabilities of a file, and the components that they affect, as Amazon Inspector reports them.

    The file is a report in CycloneDX, or the answer of ScanSbom, whose `sbom` is one.

    Raises:
        UsageError: The file cannot be read, or has another format.
    """
    document = _load(path, _REPORT_FORMAT)
    report = document.get("sbom", document) if isinstance(document, dict) else None
    if not isinstance(report, dict) or not isinstance(report.get("vulnerabilities"), list):
        raise _wrong(path, "it has no list of vulnerabilities", _REPORT_FORMAT)
    found = {key: report.get(key, []) for key in _REPORT}
    for key, listed in found.items():
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise _wrong(path, f"{key} is not a list of objects", _REPORT_FORMAT)
    for number, one in enumerate(found["vulnerabilities"], 1):
        ratings = one.get("ratings", [])
        if not isinstance(one.get("id"), str):
            raise _wrong(path, f"number {number} of its vulnerabilities has no id", _REPORT_FORMAT)
        if not isinstance(ratings, list) or not all(isinstance(rating, dict) for rating in ratings):
            raise _wrong(path, f"number {number} of its vulnerabilities has ratings that are no list", _REPORT_FORMAT)
    return found


def _load(path: Path, remedy: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Name a file with scan findings.") from error
    except (ValueError, RecursionError) as error:
        raise _wrong(path, "it is not JSON in UTF-8", remedy) from error


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


def _wrong(path: Path, why: str, remedy: str = _FORMAT) -> UsageError:
    kind = "ECR's" if remedy == _FORMAT else "Amazon Inspector's"
    return UsageError(f"{path} has no scan findings in {kind} format: {why}.", remedy)
