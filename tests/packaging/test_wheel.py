"""The wheel in an empty environment generates what the checkout generates."""

from __future__ import annotations

import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from scaffold.iam.operator_policies import DEPLOY
from tests.entry_points.entry_points import through_scaffold, tree
from tests.packaging.environments import build, create_environment, wheel


def generated(programs: Path, home: Path) -> dict[str, tuple[int, bytes]]:
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    environment.pop("PYTHONPATH", None)
    command = [programs / "scaffold", "new", "service", "--defaults", "--no-deploy", "--data", "app_name=orders-api"]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tree(home / "service")


@pytest.mark.slow
def test_wheel_and_checkout_generate_the_same_bytes(tmp_path: Path) -> None:
    built = wheel(tmp_path / "dist")
    names = zipfile.ZipFile(built).namelist()
    assert "scaffold/_kit/kit.bundle" in names
    assert {f"scaffold/_policies/{name}.json" for name in DEPLOY} <= set(names)
    assert not [
        name
        for name in names
        if "__pycache__" in name or name.endswith(".pyc") or name.startswith(("tests", "template"))
    ]
    programs = create_environment(tmp_path / "env", str(built))
    from_checkout = tree(through_scaffold(tmp_path / "service", {"app_name": "orders-api"}, None))
    assert generated(programs, tmp_path / "home") == from_checkout


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
