"""The changelog and the contributing guide agree with the project."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import scaffold

ROOT = Path(__file__).resolve().parent.parent
UNRELEASED = "Unreleased"


def problem(changelog: str, version: str) -> str | None:
    """The errors in the version headings of a changelog."""
    headings = re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    numbered = [tuple(map(int, heading.split("."))) for heading in headings if heading != UNRELEASED]
    if UNRELEASED in headings[1:] or numbered != sorted(set(numbered), reverse=True):
        return "the newest version comes first"
    if numbered and numbered[0] > tuple(map(int, version.split("."))):
        return "a version is newer than scaffold/__init__.py"
    if headings[0] not in (UNRELEASED, version):
        return "scaffold/__init__.py has a version without a heading"
    return None


def test_the_changelog_has_the_version() -> None:
    assert problem((ROOT / "CHANGELOG.md").read_text("utf-8"), scaffold.__version__) is None


@pytest.mark.parametrize(
    ("headings", "noticed"),
    [
        (["Unreleased", "0.1.0"], False),
        (["0.1.0"], False),
        (["Unreleased", "0.2.0", "0.1.0"], True),
        (["0.0.9"], True),
        (["0.1.0", "Unreleased"], True),
        (["0.1.0", "0.0.9", "0.0.10"], True),
    ],
)
def test_a_wrong_heading_is_noticed(headings: list[str], noticed: bool) -> None:
    changelog = "\n".join(f"## [{heading}]\n" for heading in headings)
    assert (problem(changelog, "0.1.0") is not None) is noticed


def test_every_file_that_the_contributing_guide_names_exists() -> None:
    paths = re.findall(
        r"`((?:scaffold|tests|tools|bench|hooks|docs)/[\w./-]*)`", (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    )
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert paths
