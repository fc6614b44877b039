"""The package managers of builds: which of their calls reach a registry, and which are not rehearsed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from scaffold.engine.builds import npm, pip
from scaffold.engine.images.node import Node

PROGRAM = """\
#!/bin/sh
echo "$@ registry=$npm_config_registry" >>"$LOG"
[ "$3" != ci ] || { mkdir -p "$2/node_modules"; echo installed >"$2/node_modules/package"; }
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What was called in place of npm, a line each."""
    program, log = tmp_path / "npm", tmp_path / "log"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    monkeypatch.setenv("LOG", os.fspath(log))
    monkeypatch.setattr(npm.node, "find", lambda _path: Node("node", (os.fspath(program),), "v24.0.0"))
    return log


def test_only_an_installation_reaches_the_registry_and_its_result_is_kept(tmp_path: Path, calls: Path) -> None:
    settings = {"path": os.environ["PATH"], "downloads": {"npm_config_registry": "http://127.0.0.1:9/"}}
    words = ["--prefix", os.fspath(tmp_path / "tools"), "ci", "--ignore-scripts"]
    modules = tmp_path / "tools/node_modules"
    modules.parent.mkdir()
    (modules.parent / "package.json").write_text("{}")
    for _ in range(2):
        shutil.rmtree(modules, ignore_errors=True)
        assert npm.call(settings, tmp_path / "cache", words) == 0
        assert (modules / "package").read_text() == "installed\n"
    (modules.parent / "package.json").write_text('{"dependencies": {}}')
    assert npm.call(settings, tmp_path / "cache", words) == 0
    assert npm.call(settings, tmp_path / "cache", [*words[:2], "run", "secrets"]) == 0
    first, second, run = calls.read_text().splitlines()
    assert first == second == f"{' '.join(words)} --prefer-offline registry=http://127.0.0.1:9/"
    assert run == f"{' '.join(words[:2])} run secrets registry="


def test_an_audit_is_not_rehearsed(tmp_path: Path, calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert npm.call({}, tmp_path, ["audit", "--json"]) == 0
    output, error = capsys.readouterr()
    assert json.loads(output) == {"auditReportVersion": 2, "vulnerabilities": {}}
    assert error.startswith("npm audit is not rehearsed:")
    assert not calls.exists()


def test_the_tools_of_the_infrastructure_checks_say_that_they_check_nothing(tmp_path: Path) -> None:
    assert pip.call({}, ["install", "--require-hashes", "--target", os.fspath(tmp_path), "--requirement", "x"]) == 0
    for name in pip.TOOLS:
        done = subprocess.run([tmp_path / "bin" / name, "--any"], capture_output=True, text=True, check=True)
        assert done.stdout == f"{name} is not rehearsed: it has checked nothing.\n"
    assert pip.call({}, ["install", "requests"]) == 1


def test_the_tools_of_renovate_are_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    requirements = tmp_path / "config/renovate/requirements.txt"
    requirements.parent.mkdir(parents=True)
    requirements.write_text("no-such-package==1\n")
    words = ["install", "--quiet", "--target", ".tools", "--requirement", "config/renovate/requirements.txt"]
    assert pip.call({"downloads": {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": os.fspath(tmp_path)}}, words) == 1
    assert not (tmp_path / ".tools/bin").exists()
