"""The IAM policies of docs/ for the people who deploy, as this package carries them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# The third and the fourth one are for services with optional stacks only; without the last one, no quota is looked at.
DEPLOY = (
    "operator-policy",
    "operator-policy-cloudformation",
    "operator-policy-options",
    "operator-policy-health-check",
    "operator-policy-quotas",
)

_PACKAGE = Path(__file__).resolve().parents[1]
# A wheel has docs/ in the package.
_FOLDERS = (_PACKAGE / "_docs" / "docs", _PACKAGE.parent / "docs")


def statements(name: str, *, app: str, region: str, account: str, partition: str) -> list[dict[str, Any]]:
    """The statements of a policy for one service in one account and region."""
    folder = next(folder for folder in _FOLDERS if folder.is_dir())
    text = (folder / f"{name}.json").read_text("utf-8")
    values = {"SERVICE": app, "REGION": region, "ACCOUNT": account, "arn:aws:": f"arn:{partition}:"}
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    found: list[dict[str, Any]] = json.loads(text)["Statement"]
    return found
