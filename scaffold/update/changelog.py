"""What a kit's CHANGELOG says about the versions between two others."""

from __future__ import annotations

import re
from pathlib import Path

from scaffold.update.kits import number

_HEADING = re.compile(r"## +\[?(?P<version>[^\]\s]+)")
_UNRELEASED = "unreleased"
# In this project's CHANGELOG each version has a part about generated services.
_PART = re.compile(r"^### The kit\n(?P<text>.*?)(?=^### |\Z)", re.MULTILINE | re.DOTALL)


def between(kit: Path, old: str, new: str) -> str:
    """The sections of the kit's CHANGELOG.md after one version and up to another; empty where there is none."""
    try:
        text = (kit / "CHANGELOG.md").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    first, last = number(old), number(new)
    if old == new or not first or not last:
        return ""
    sections = re.split(r"(?m)^(?=## )", text.replace("\r\n", "\n"))[1:]
    named = [(heading["version"], section) for section in sections if (heading := _HEADING.match(section))]
    released = any(number(version) == last for version, _ in named)
    chosen = []
    for version, section in named:
        at = number(version)
        coming = version.lower() == _UNRELEASED and not released
        if coming or (at and first < at <= last):
            part = _PART.search(section)
            title = section.partition("\n")[0]
            chosen.append(f"{title}\n\n{part['text'].strip()}" if part else section.strip())
    return "\n\n".join(chosen)
