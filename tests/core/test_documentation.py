"""Where the help says that the documentation is."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaffold import __version__
from scaffold.core.documentation import documentation

ADDRESS = "https://docs.example/a,b"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The folder of a package without documentation."""
    folder = tmp_path / "site-packages" / "scaffold"
    folder.mkdir(parents=True)
    return folder


def publish(package: Path, *lines: str) -> None:
    """Write the metadata of the installed package."""
    folder = package.parent / f"gitops_scaffold-{__version__}.dist-info"
    folder.mkdir(exist_ok=True)
    text = "\n".join(["Metadata-Version: 2.4", "Name: gitops-scaffold", *lines, "", f"Project-URL: Docs, {ADDRESS}/no"])
    (folder / "METADATA").write_text(text, "utf-8")


def add_readme(folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "README.md").touch()
    return str(folder / "README.md")


@pytest.mark.parametrize("label", ["Documentation", "documentation", "Docs"])
def test_a_published_address_comes_first(package: Path, label: str) -> None:
    add_readme(package / "_docs")
    publish(package, "Project-URL: Source, https://code.example", f"Project-URL: {label}, {ADDRESS}")
    assert documentation(package) == ADDRESS


def test_without_one_it_is_the_readme_of_the_package_or_of_the_checkout(package: Path) -> None:
    assert documentation(package) is None
    in_checkout = add_readme(package.parent)
    assert documentation(package) == in_checkout
    in_package = add_readme(package / "_docs")
    publish(package, "Project-URL: Source, https://code.example")
    assert documentation(package) == in_package


def test_metadata_that_cannot_be_read_are_none(package: Path) -> None:
    publish(package)
    path = package.parent / f"gitops_scaffold-{__version__}.dist-info" / "METADATA"
    path.write_bytes(b"\xff\n")
    readme = add_readme(package / "_docs")
    assert documentation(package) == readme
    path.unlink()
    path.mkdir()
    assert documentation(package) == readme
