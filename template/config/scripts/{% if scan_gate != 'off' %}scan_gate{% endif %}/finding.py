"""A finding, whatever has found it."""

from __future__ import annotations

from dataclasses import dataclass

# ECR's severities in ascending order, and those of findings without a score.
SEVERITIES = ("INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL")
UNSCORED = ("UNDEFINED", "UNTRIAGED")


@dataclass(frozen=True)
class Finding:
    """A vulnerability of a package.

    Attributes:
        fixed_in: The first version without it; empty if the scan names none.
        fixable: Whether there is such a version; None if the scan does not say.
        ecosystem: The kind of package, such as `npm` or `deb`; empty if the scan does not say.
    """

    id: str
    severity: str
    package: str
    version: str
    fixed_in: str
    fixable: bool | None = None
    ecosystem: str = ""
