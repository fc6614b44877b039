"""The wheel in an empty environment generates what the checkout generates, and updates it to what a newer wheel has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from scaffold import __version__
from scaffold.core.git import git
from scaffold.iam.operator_policies import DEPLOY
from tests.entry_points.entry_points import through_scaffold, tree
from tests.kits import ROOT, commit_all
from tests.packaging.environments import build, create_environment, install, wheel

NEW = ("new", "service", "--defaults", "--no-deploy", "--data", "app_name=orders-api")


def scaffold(programs: Path, home: Path, *arguments: str) -> str:
    """Run the installed command where nothing else of this project is found, and return what it prints."""
    home.mkdir(exist_ok=True)
    environment = {**os.environ, "HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    environment.pop("PYTHONPATH", None)
    command = [programs / "scaffold", *arguments]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sources(folder: Path) -> Path:
    """A repository with the files of this checkout, in which its version is released."""
    for name in filter(None, git("ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")):
        if (ROOT / name).is_file() and not (ROOT / name).is_symlink():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    commit_all(folder, tag=f"v{__version__}")
    return folder


@pytest.mark.slow
@pytest.mark.timeout(600)  # It installs all dependencies.
def test_the_wheel_alone_from_new_to_update(tmp_path: Path) -> None:
    """`pipx install`, and later `pipx upgrade` elsewhere: no checkout, no unpacked kit, no Copier on the PATH."""
    source = sources(tmp_path / "source")
    built = wheel(tmp_path / "released", source)
    names = zipfile.ZipFile(built).namelist()
    assert "scaffold/_kit/kit.bundle" in names
    assert {f"scaffold/_docs/docs/{name}.json" for name in DEPLOY} <= set(names)
    assert not [
        name
        for name in names
        if "__pycache__" in name or name.endswith(".pyc") or name.startswith(("tests", "template"))
    ]
    module = source / "scaffold" / "__init__.py"
    module.write_text(module.read_text().replace(f'"{__version__}"', '"9.0.0"'))
    with (source / "template" / "Makefile.jinja").open("a") as template:
        template.write("# version 9\n")
    project = source / "pyproject.toml"
    address = "https://docs.example/scaffold"
    project.write_text(f'{project.read_text()}\n[project.urls]\nDocumentation = "{address}"\n')
    commit_all(source)
    newer = wheel(tmp_path / "newer", source)
    shutil.rmtree(source)

    programs = create_environment(tmp_path / "env", str(built))
    readme = Path(scaffold(programs, tmp_path / "ann", "--help").splitlines()[-1].removeprefix("  Documentation: "))
    assert readme.read_text("utf-8") == (ROOT / "README.md").read_text("utf-8")
    for page in (readme, *(readme.parent / "docs").glob("*.md")):
        linked = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
        assert [link for link in linked if "://" not in link and not (page.parent / link).exists()] == []
    scaffold(programs, tmp_path / "ann", *NEW)
    from_checkout = tree(through_scaffold(tmp_path / "from-checkout", {"app_name": "orders-api"}, None))
    service = Path(shutil.move(tmp_path / "ann" / "service", tmp_path / "service"))
    assert tree(service) == from_checkout
    shutil.rmtree(tmp_path / "ann")
    with (service / "README.md").open("a") as readme:
        readme.write("ours\n")
    commit_all(service)
    install(programs, str(newer))
    assert scaffold(programs, tmp_path / "bob", "--help").endswith(f"\n  Documentation: {address}\n")
    said = scaffold(programs, tmp_path / "bob", "update", str(service))

    assert f"from v{__version__} to v9.0.0 of its kit" in said
    assert (service / "Makefile").read_text().endswith("# version 9\n")
    assert (service / "README.md").read_text().endswith("ours\n")
    commit_all(service)
    assert "nothing to do" in scaffold(programs, tmp_path / "bob", "update", str(service))


@pytest.mark.slow
def test_a_wheel_from_the_source_distribution_has_the_same_kit(tmp_path: Path) -> None:
    build(tmp_path / "sdist", "sdist")
    archive = next((tmp_path / "sdist").glob("*.tar.gz"))
    with tarfile.open(archive) as opened:
        assert not [name for name in opened.getnames() if "node_modules" in name or "__pycache__" in name]
        opened.extractall(tmp_path / "unpacked", filter="data")
    source = next((tmp_path / "unpacked").iterdir())
    kits = [
        zipfile.ZipFile(wheel(tmp_path / name, origin)).read("scaffold/_kit/kit.bundle")
        for name, origin in (("from-sdist", source), ("from-checkout", Path(__file__).resolve().parents[2]))
    ]
    assert kits[0] == kits[1]
