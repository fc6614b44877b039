"""The package managers of builds: which of their calls reach a registry, and which are not rehearsed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from scaffold.engine.builds import npm, pip
from scaffold.engine.images import run_instruction
from scaffold.engine.images.node import Node
from scaffold.engine.images.run_instruction import Place
from scaffold.engine.images.tree import Tree

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


OF_EVERY_CLIENT = {"HTTPS_PROXY": "http://127.0.0.1:9", "no_proxy": "127.0.0.1", "SSL_CERT_FILE": "/ca.pem"}
OF_NPM = {"npm_config_//127.0.0.1:9/:_authToken": "token-of-npm", "NODE_EXTRA_CA_CERTS": "/ca-of-node.pem"}
OF_PIP = {"PIP_INDEX_URL": "https://user:token-of-pip@127.0.0.1:9/simple", "pip_cert": "/ca-of-pip.pem"}
DOWNLOADS = {**OF_EVERY_CLIENT, **OF_NPM, **OF_PIP}


@pytest.fixture
def got(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of the last process, which is not started."""
    found: dict[str, str] = {}

    def run(command: list[str], *, env: dict[str, str], **_: object) -> subprocess.CompletedProcess[bytes]:
        found.update(env)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    return found


@pytest.mark.usefixtures("calls")
def test_npm_gets_nothing_of_pip(tmp_path: Path, got: dict[str, str]) -> None:
    settings = {"path": os.environ["PATH"], "downloads": DOWNLOADS}
    assert npm.call(settings, tmp_path / "cache", ["--prefix", os.fspath(tmp_path / "tools"), "ci"]) == 0
    assert got.items() >= {**OF_EVERY_CLIENT, **OF_NPM}.items()
    assert not {*got.values()} & {*OF_PIP.values()}


def test_pip_gets_nothing_of_npm(got: dict[str, str]) -> None:
    assert pip.call({"downloads": DOWNLOADS}, ["install", "--requirement", "config/renovate/requirements.txt"]) == 0
    assert got.items() >= {**OF_EVERY_CLIENT, **OF_PIP}.items()
    assert not {*got.values()} & {*OF_NPM.values()}


def image(folder: Path, downloads: dict[str, str], npm: str = "npm") -> list[str]:
    """What an installation in an empty image says."""
    said: list[str] = []
    root = Path(tempfile.mkdtemp(dir=folder))
    (folder / "cache").mkdir(exist_ok=True)
    own = Node("node", (npm,), "v24.0.0")
    place = Place(Tree(root), "/", {}, (0, 0), own, downloads, folder / "cache", said.append)
    run_instruction.run("npm ci", place)
    return said


def test_npm_gets_nothing_of_pip_for_an_image_either(tmp_path: Path, got: dict[str, str]) -> None:
    image(tmp_path, DOWNLOADS)
    assert got.items() >= {**OF_EVERY_CLIENT, **OF_NPM}.items()
    assert not {*got.values()} & {*OF_PIP.values()}


def test_changed_settings_of_npm_install_again_for_an_image(tmp_path: Path) -> None:
    program, file = tmp_path / "npm", tmp_path / "npmrc"
    program.write_text("#!/bin/sh\nmkdir node_modules; touch node_modules/package\n")
    program.chmod(0o755)
    downloads = {"npm_config_userconfig": os.fspath(file)}
    assert image(tmp_path, downloads, os.fspath(program)) == []
    assert image(tmp_path, downloads, os.fspath(program)) == ["CACHED npm ci"]
    file.write_text("omit=dev\n")
    assert image(tmp_path, downloads, os.fspath(program)) == []


@pytest.mark.parametrize("name", ["npm_config_userconfig", "NPM_CONFIG_GLOBALCONFIG"])
def test_changed_settings_of_npm_install_again(name: str, tmp_path: Path, calls: Path) -> None:
    """Such as without the development packages that the last installation has left out."""
    words = ["--prefix", os.fspath(tmp_path / "tools"), "ci", "--ignore-scripts"]
    file = tmp_path / "npmrc"

    def installs(**more: str) -> bool:
        before = calls.read_text() if calls.exists() else ""
        settings = {"path": os.environ["PATH"], "downloads": {name: os.fspath(file), **more}}
        assert npm.call(settings, tmp_path / "cache", words) == 0
        return calls.read_text() != before

    assert installs()
    assert not installs()
    file.write_text("omit=dev\n")
    assert installs()
    assert not installs()
    file.write_text("")
    assert installs()
    file.unlink()
    assert not installs()
    assert installs(npm_config_registry="http://127.0.0.1:9/")


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
