"""The notice that a service's kit has a newer version."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pexpect
import pytest

from scaffold.core.errors import UsageError
from scaffold.kit import seen
from scaffold.kit.defaults import read_defaults
from scaffold.update.kits import open_versions
from scaffold.update.notice import notice
from scaffold.update.recorded import read
from tests.cli.running import become_scaffold, forked_scaffold
from tests.update import small

EMBEDDED = "~/.local/share/gitops-scaffold/kit"
SAID = "scaffold update --plan"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, folder in (("XDG_STATE_HOME", "state"), ("XDG_CONFIG_HOME", "config")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.delenv("CI", raising=False)
    return tmp_path / "state" / "gitops-scaffold"


@pytest.fixture
def service(tmp_path: Path) -> Path:
    """A service of an old version of the embedded kit."""
    return recorded(tmp_path / "orders", EMBEDDED, "v0.0.1")


def recorded(root: Path, source: str, version: str) -> Path:
    root.mkdir()
    answers = {"_src_path": source, "_commit": version, "app_name": "orders", "aws_region": "eu-west-1"}
    (root / ".copier-answers.yml").write_text(json.dumps(answers | {"environments": "dev,prod", "production": "prod"}))
    return root


def at_a_terminal(folder: Path, *arguments: str, **variables: str) -> str:
    def run() -> None:
        os.closerange(3, 256)
        become_scaffold(arguments, folder, {**os.environ, **variables})

    child = pexpect.spawn(sys.executable, preexec_fn=run, encoding="utf-8", dimensions=(24, 200), timeout=90)
    shown = str(child.read())
    child.close()
    return shown


def test_at_a_terminal_it_is_said_once_a_day(state: Path) -> None:
    command, service = ("env", "list"), small.generated()[1]
    record = read(service)
    seen.remember(record.source, "v99.0.0")
    for options, variables in (
        (("--json",), {}),
        (("--quiet",), {}),
        ((), {"CI": "true"}),
        ((), {"SCAFFOLD_KIT_NOTICE": "off"}),
    ):
        assert SAID not in at_a_terminal(service, *command, *options, **variables)
    assert SAID not in forked_scaffold(*command, cwd=service).stderr
    shown = at_a_terminal(service, *command)
    assert f"The kit of {record.name} has version v99.0.0, and {record.name} has {record.version}" in shown
    assert shown.count(SAID) == 1
    assert SAID not in (again := at_a_terminal(service, *command))
    assert "Environment" in again
    yesterday = time.time() - 25 * 60 * 60
    os.utime(state / "kit-notice", (yesterday, yesterday))
    assert SAID in at_a_terminal(service, *command)


def test_a_command_that_fails_or_has_no_service_says_nothing_of_it(service: Path, state: Path) -> None:
    assert SAID not in at_a_terminal(service, "env", "add", "dev")
    assert notice(service.parent) is None
    assert not (state / "kit-notice").exists()


def test_it_can_be_turned_off_in_the_configuration(
    service: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config" / "gitops-scaffold" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("kit_notice = false\n")
    assert notice(service) is None
    shown = forked_scaffold("config", cwd=tmp_path).stdout
    assert "Notice of a newer kit of a service: off" in shown
    monkeypatch.setenv("SCAFFOLD_KIT_NOTICE", "on")
    assert SAID in str(notice(service))
    file.write_text('kit_notice = "off"\n')
    with pytest.raises(UsageError, match="is not true or false"):
        read_defaults()
    monkeypatch.setenv("SCAFFOLD_KIT_NOTICE", "sometimes")
    assert notice(service) is None


@pytest.mark.parametrize(
    ("own", "newest", "said"),
    [
        ("v1.2.0", "v1.10.0", True),
        ("v1.2.0", "v1.2.0", False),
        ("v1.2.0-3-gabc1234", "v1.2.0", False),
        ("v2.0.0", "v1.2.0", False),
        ("v1.2.0", "abc1234", False),
        ("abc1234", "v1.2.0", False),
        ("v1.2.0", None, False),
    ],
)
def test_a_kit_in_git_is_newer_if_it_was_seen(tmp_path: Path, own: str, newest: str | None, said: bool) -> None:
    address = "https://example.com/kit.git"
    service = recorded(tmp_path / "orders", address, own)
    if newest:
        seen.remember(address, newest)
    assert (SAID in (notice(service) or "")) is said


def test_an_update_remembers_the_newest_version(tmp_path: Path) -> None:
    generated = small.generated()[1]
    record = read(generated)
    with open_versions(record, "current"):
        assert seen.newest(record.source) is None
    with open_versions(record) as versions:
        assert seen.newest(record.source) == versions.new.source.version


@pytest.mark.parametrize("damage", ["not json", "[1]", '{"https://example.com/kit.git": 2}'])
def test_a_damaged_state_is_no_failure(tmp_path: Path, state: Path, damage: str) -> None:
    state.mkdir(parents=True)
    (state / "kits.json").write_text(damage)
    service = recorded(tmp_path / "orders", "https://example.com/kit.git", "v1.0.0")
    assert notice(service) is None
    seen.remember("https://example.com/kit.git", "v1.1.0")
    seen.remember("https://example.com/other.git", "v1.0.0")
    assert SAID in str(notice(service))


def test_without_a_state_directory_it_is_not_said(
    tmp_path: Path, service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert notice(service) is None
