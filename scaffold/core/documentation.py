"""Where the documentation of this package is."""

from __future__ import annotations

from pathlib import Path

from scaffold import __version__

_PACKAGE = Path(__file__).resolve().parents[1]
_LABELS = ("documentation", "docs")


def documentation(package: Path = _PACKAGE) -> str | None:
    """The address of the documentation, or the path of the README on this machine; None where there is neither.

    Whoever publishes the package names an address in `[project.urls]` of pyproject.toml; the label is read as
    https://packaging.python.org/en/latest/specifications/well-known-project-urls/ says.

    Args:
        package: The folder of the package.
    """
    if published := _published(package.parent / f"gitops_scaffold-{__version__}.dist-info" / "METADATA"):
        return published
    # A wheel has README and docs/ in the package.
    found = (path for path in (package / "_docs" / "README.md", package.parent / "README.md") if path.is_file())
    return next(map(str, found), None)


def _published(metadata: Path) -> str | None:
    """The address in the metadata of an installed package.

    Not with importlib.metadata, which takes half as long to import as the help takes altogether.
    """
    try:
        with metadata.open(encoding="utf-8") as lines:
            for line in lines:
                if not line.strip():  # The description follows.
                    return None
                name, _, value = line.partition(":")
                label, _, url = value.partition(",")
                if name.lower() == "project-url" and _plain(label) in _LABELS:
                    return url.strip()
    except (OSError, ValueError):
        return None
    return None


def _plain(label: str) -> str:
    return "".join(char for char in label.lower() if char.isalnum())
