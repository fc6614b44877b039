"""The policy: the severity that stops a release, and the exceptions with their expiry dates."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from closed import GateClosed
from finding import SEVERITIES, UNSCORED, Finding

THRESHOLDS = ("low", "medium", "high", "critical")

# In minutes: the build ends after 45, of which tests and image need some.
LONGEST_SCAN = 30


@dataclass(frozen=True)
class Exemption:
    """An allowed finding, with the reason and the last day of the exception."""

    id: str
    reason: str
    expires: date


@dataclass(frozen=True)
class Policy:
    """The content of scan-policy.toml."""

    threshold: str
    unscored_counts_as: str
    timeout_minutes: float
    only_fixed: bool
    exceptions: dict[str, Exemption]

    def considers(self, finding: Finding) -> bool:
        """Whether a finding stops a release unless an exception allows it.

        Raises:
            GateClosed: Its severity is not documented, or it is not known whether it can be fixed.
        """
        if not self.reaches_threshold(finding.severity):
            return False
        if self.only_fixed and finding.fixable is None:
            raise GateClosed(f"The policy has only_fixed, and the scan does not say whether {finding.id} can be fixed.")
        return not self.only_fixed or finding.fixable is True

    def reaches_threshold(self, severity: str) -> bool:
        """Whether findings of this severity stop a release.

        Raises:
            GateClosed: Neither ECR nor Amazon Inspector documents this severity.
        """
        if severity in UNSCORED:
            severity = self.unscored_counts_as.upper()
        if severity not in SEVERITIES:
            raise GateClosed(f"The scan returns the unknown severity {severity!r}.")
        return SEVERITIES.index(severity) >= SEVERITIES.index(self.threshold.upper())


def read_policy(path: Path) -> Policy:
    """Read and validate a policy.

    Raises:
        GateClosed: The file cannot be read, or has an unknown setting or value.
    """
    # A commit that changes what a link leads to could pass the merge gate.
    if path.resolve() != Path.cwd().resolve() / os.path.normpath(path):
        raise GateClosed(f"The policy {path} is a symbolic link, or in a folder that is one.")
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GateClosed(f"The policy {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GateClosed(f"The policy {path} is not valid TOML: {error}.") from error

    def refuse(problem: str) -> GateClosed:
        return GateClosed(f"In the policy {path}, {problem}.")

    expected = {"threshold", "unscored_counts_as", "timeout_minutes", "only_fixed", "exceptions"}
    if unknown := sorted(document.keys() - expected):
        raise refuse(f"'{unknown[0]}' is not a setting; the settings are {', '.join(sorted(expected))}")
    for name, default in (("threshold", None), ("unscored_counts_as", "high")):
        if document.setdefault(name, default) not in THRESHOLDS:
            raise refuse(f"{name} must be one of {', '.join(THRESHOLDS)}")
    minutes = document.setdefault("timeout_minutes", 20)
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 0 < minutes <= LONGEST_SCAN:
        raise refuse(f"timeout_minutes must be a number above 0 and up to {LONGEST_SCAN}")
    if not isinstance(document.setdefault("only_fixed", False), bool):
        raise refuse("only_fixed must be true or false")
    entries = document.setdefault("exceptions", [])
    if not isinstance(entries, list):
        raise refuse("exceptions must be a list of tables, each under [[exceptions]]")
    exceptions: dict[str, Exemption] = {}
    for entry in entries:
        if problem := _problem(entry):
            raise refuse(problem)
        if entry["id"] in exceptions:
            raise refuse(f"there are two exceptions for {entry['id']}")
        exceptions[entry["id"]] = Exemption(entry["id"], entry["reason"].strip(), entry["expires"])
    return Policy(document["threshold"], document["unscored_counts_as"], minutes, document["only_fixed"], exceptions)


def _problem(entry: Any) -> str | None:
    """What is wrong with an exception; None if it is valid."""
    if not isinstance(entry, dict) or set(entry) != {"id", "reason", "expires"}:
        return f"an exception needs id, reason and expires, and nothing else: {entry!r}"
    for name in ("id", "reason"):
        if not isinstance(entry[name], str) or not entry[name].strip():
            return f"the {name} of an exception must be text: {entry!r}"
    # datetime is a subclass of date.
    if not isinstance(entry["expires"], date) or isinstance(entry["expires"], datetime):
        return f"the exception for {entry['id']} must expire on a date, written without quotes as 2030-01-31"
    return None
