"""What a service has recorded about its generation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaffold.service.service import damaged, find_root, read_answers


@dataclass(frozen=True)
class Recorded:
    """The content of a service's answers file.

    Attributes:
        root: The service's directory.
        source: The kit's address, `_src_path`.
        version: The kit's version, `_commit`.
        answers: The answers, without Copier's own keys.
    """

    root: Path
    source: str
    version: str
    answers: dict[str, Any]

    @property
    def name(self) -> str:
        """The service's name; its directory's with a kit that does not ask for one."""
        return str(self.answers.get("app_name") or self.root.name)


def read(directory: Path) -> Recorded:
    """Read what the service that a directory is in has recorded.

    Raises:
        ScaffoldError: There is no service, or its answers file is damaged.
    """
    root = find_root(directory)
    content = read_answers(root)
    for key, what in (("_src_path", "the kit's address"), ("_commit", "the kit's version")):
        if not isinstance(content.get(key), str) or not content[key].strip():
            raise damaged(f"it does not record {what} ({key})")
        if content[key].startswith("-"):
            raise damaged(f"{key} is {content[key]!r}")
    answers = {str(key): value for key, value in content.items() if not str(key).startswith("_")}
    return Recorded(root, content["_src_path"], content["_commit"], answers)
