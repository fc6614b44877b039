"""Every command that asks AWS, works with a kit or starts local AWS says at a terminal what goes on meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import botocore.client
import pytest
import typer

import scaffold.kit.rendering
import scaffold.kit.source
import scaffold.local.background
import scaffold.local.environment
import scaffold.update.kits
from scaffold.aws import credentials
from scaffold.cli.app import app, run
from scaffold.console import indicator
from scaffold.core.errors import ScaffoldError
from scaffold.core.git import url_in_use
from scaffold.kit.questionnaire import Questionnaire
from scaffold.kit.rendering import Kit
from scaffold.kit.urls import may_ask
from scaffold.service.task_settings import SCRIPT
from tests.deploy.services import commit, make_kit_service, make_service
from tests.update.small import generated

# What each command does that may take long, and arguments with which it does that. None where nothing does.
AWS, KIT, LOCAL = "AWS", "kit", "local AWS"
COMMANDS: dict[str, tuple[str | None, list[str]]] = {
    "new": (KIT, ["payments", "--defaults", "--dry-run"]),
    "questions": (KIT, []),
    "config": (KIT, []),
    "doctor": (AWS, []),
    "update": (KIT, ["--plan"]),
    "env list": (KIT, []),
    "env add": (KIT, ["qa", "--plan"]),
    "env remove": (KIT, ["dev", "--keep-stacks", "--plan"]),
    "cost": (KIT, []),
    "deploy": (AWS, ["--plan"]),
    "status": (AWS, []),
    "approve": (AWS, ["--yes", "--execution", "e"]),
    "reject": (AWS, ["--yes", "--execution", "e"]),
    "override": (AWS, ["prod", "--reason", "it is urgent", "--yes", "--execution", "e"]),
    "rollback": (AWS, ["--yes"]),
    "retry": (AWS, []),
    "releases": (AWS, ["prod"]),
    "wake": (AWS, ["dev"]),
    "secret set": (AWS, ["TOKEN", "--env", "dev"]),
    "secret list": (AWS, []),
    "secret rotate": (AWS, ["TOKEN", "--env", "dev"]),
    "secret remove": (AWS, ["TOKEN", "--env", "dev", "--yes"]),
    "logs": (AWS, ["prod"]),
    "exec": (AWS, ["dev"]),
    "open": (AWS, ["--print"]),
    "repair": (AWS, ["--plan"]),
    "destroy": (AWS, ["--plan"]),
    "rehearse": (LOCAL, []),
    "local": (LOCAL, []),
    "local start": (LOCAL, []),
    "local stop": (LOCAL, []),
    "local status": (LOCAL, []),
    "local env": (None, []),
    "completion": (None, ["bash"]),
}


def test_every_command_is_here() -> None:
    found = []
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        inside = getattr(command, "commands", {})
        found += [f"{name} {one}" for one in inside] + ([name] if name == "local" or not inside else [])
    assert sorted(COMMANDS) == sorted(found)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """A service for AWS, and one that has its kit. No command gets as far as changing anything in them."""
    folder = tmp_path_factory.mktemp("services")
    with_kit = shutil.copytree(generated()[1], folder / "with-kit")
    with (with_kit / ".copier-answers.yml").open("a") as answers:
        answers.write("aws_region: us-east-1\n")
    commit(with_kit)
    for_aws = make_service(folder / "for-aws", "orders")
    (for_aws / SCRIPT).parent.mkdir()
    (for_aws / SCRIPT).touch()
    commit(for_aws)
    return {True: with_kit, False: for_aws}


class _Enough(BaseException):
    """The slow work has begun; what would follow does not matter."""


@pytest.fixture
def began(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, bool]]]:
    """What slow work has begun, and whether the terminal shows or will show what goes on."""
    found: list[tuple[str, bool]] = []

    def slow(kind: str) -> Callable[..., NoReturn]:
        def begin(*_: Any, **__: Any) -> NoReturn:
            found.append((kind, indicator.active()))
            raise ScaffoldError("Enough.", "") if kind == AWS else _Enough

        return begin

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", slow(AWS))
    monkeypatch.setattr(scaffold.kit.rendering, "fetch", slow(KIT))
    monkeypatch.setattr(scaffold.update.kits, "fetch", slow(KIT))
    monkeypatch.setattr(scaffold.local.environment, "_start", slow(LOCAL))
    running = SimpleNamespace(services=slow(LOCAL), aws=SimpleNamespace(variables={}))
    monkeypatch.setattr(scaffold.local.background, "find", lambda: running)
    monkeypatch.setattr(scaffold.local.background, "stop", slow(LOCAL))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(indicator, "_PATIENCE", 3600)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "dummy")
    yield found
    assert not indicator.active()


@pytest.mark.parametrize("command", COMMANDS)
def test_slow_work_begins_when_the_terminal_shows_what_goes_on(
    command: str, began: list[tuple[str, bool]], services: dict[bool, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, arguments = COMMANDS[command]
    monkeypatch.chdir(services[kind == KIT])
    try:
        run([*command.split(), *arguments])
    except (_Enough, ScaffoldError) as end:
        print(repr(end))  # Why nothing has begun, where the arguments above are wrong.
    assert {one for one, _ in began} == ({kind} if kind else set())
    assert all(shown for _, shown in began)


@pytest.fixture(scope="module")
def kit_service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service with all of the kit's questions; no command changes it."""
    return make_kit_service(tmp_path_factory.mktemp("kit") / "service")


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command, (kind, _) in COMMANDS.items() if kind == KIT])
def test_work_with_a_kit_is_shown_to_its_end(command: str, kit_service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []

    def watched(work: Callable[..., Any]) -> Callable[..., Any]:
        def begin(*arguments: Any, **options: Any) -> Any:
            shown.append(indicator.active())
            return work(*arguments, **options)

        return begin

    for owner, name in ((Questionnaire, "evaluate"), (Kit, "questionnaire"), (Kit, "render")):
        monkeypatch.setattr(owner, name, watched(getattr(owner, name)))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(indicator, "_PATIENCE", 3600)
    monkeypatch.chdir(kit_service)
    run([*command.split(), *COMMANDS[command][1]])
    assert shown
    assert all(shown)


@pytest.mark.parametrize(
    ("profile", "asks"),
    [("plain", False), ("mfa", True), ("program", True), ("through-mfa", True), ("circular", False), ("none", False)],
)
def test_it_is_known_beforehand_whether_credentials_may_ask_at_the_terminal(
    profile: str, asks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing may then be written into the line in which somebody types."""
    config = tmp_path / "config"
    config.write_text(
        "[profile plain]\naws_access_key_id = x\n"
        "[profile mfa]\nrole_arn = arn:aws:iam::000000000000:role/x\nmfa_serial = x\nsource_profile = plain\n"
        "[profile program]\ncredential_process = print-them\n"
        "[profile through-mfa]\nrole_arn = arn:aws:iam::000000000000:role/x\nsource_profile = mfa\n"
        "[profile circular]\nrole_arn = arn:aws:iam::000000000000:role/x\nsource_profile = circular\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert credentials.may_ask(profile) is asks
    monkeypatch.setenv("AWS_PROFILE", profile)
    assert credentials.may_ask(None) is asks


@pytest.mark.parametrize(
    ("url", "asks"),
    [
        ("git@git.example:team/kit.git", True),
        ("ssh://git.example/kit", True),
        ("codecommit::eu-west-1://kit", True),
        ("https://git.example/kit.git", False),
        ("/home/ann/kit", False),
    ],
)
def test_it_is_known_beforehand_whether_fetching_a_kit_may_ask_at_the_terminal(url: str, asks: bool) -> None:
    assert may_ask(url) is asks


def test_git_may_use_another_url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = tmp_path / "config"
    settings.write_text('[url "ssh://git@example.com/"]\n  insteadOf = https://example.com/\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    assert url_in_use("https://example.com/kit", tmp_path) == "ssh://git@example.com/kit"
    assert url_in_use("https://example.org/kit", tmp_path) == "https://example.org/kit"
