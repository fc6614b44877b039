"""The rows of docs/unproven.md."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "unproven.md"
_ROW = re.compile(r"^\| `([a-z0-9-]+)` \| (.+?) \|", re.MULTILINE)


def assumptions(page: Path = PAGE) -> dict[str, str]:
    """Each assumption by its id, in the order of the page."""
    return dict(_ROW.findall(page.read_text("utf-8")))
