"""`scaffold secret`: values go to their store only, names to the repository, and nothing of others changes."""

from __future__ import annotations

import io
import json
import logging
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from scaffold.cli.app import run as command
from scaffold.commands.secret import SecretOptions, list_all, remove, set_value
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.secrets import redact
from scaffold.deployment.secrets import SecretResult, SecretsResult
from scaffold.service import names, secret_names
from scaffold.service.identity import root_commit
from scaffold.service.service import read
from scaffold.service.task_settings import ListedSecret, listing
from tests.deploy.services import Wire, client, commit, make_service
from tests.deploy.services import remove as destroy
from tests.deploy.services import run as deploy
from tests.kits import ROOT

VALUE, OTHER = "correct-horse-battery", "staple-with-äöü"
LIST = "config/environments/secrets.json"
PARAMETERS, MANAGER = "parameter-store", "secrets-manager"
SCRIPTS = ("task_settings.py", "environment_files.py", "source_files.py", "aws_cli.py", "remedies.py")
# What the kit's script needs of a task definition.
DEFINITION = """\
Resources:
  TaskDefinition:
    Properties:
      ExecutionRoleArn: !ImportValue '{app}-{environment}-environment-ExecutionRoleArn'
      ContainerDefinitions:
        - Name: app
          Environment:
            - Name: PORT
              Value: '8080'
          StopTimeout: 30

Outputs:
  RootCommit: {{Value: x}}
"""


@pytest.fixture
def service(aws: None, tmp_path: Path) -> Path:
    """A committed service with the kit's script for the settings of tasks."""
    root = make_service(tmp_path / "service")
    app = read(root).app_name
    (root / "config/scripts").mkdir()
    for name in SCRIPTS:
        shutil.copy(ROOT / "template/config/scripts" / name, root / "config/scripts")
    for environment in ("dev", "prod"):
        path = root / f"infrastructure/{environment}/task-definition.yaml"
        path.write_text(DEFINITION.format(app=app, environment=environment))
    commit(root)
    return root


def put(
    service: Path, value: str, environment: str = "dev", name: str = "DB_PASSWORD", *, rotate: bool = False, **more: Any
) -> SecretResult:
    """Set or rotate a secret from a file, which is deleted."""
    file = service.parent / "value"
    file.write_text(f"{value}\n", "utf-8")
    try:
        options = SecretOptions(name, environment, file=str(file), directory=service, **more)
        return set_value(options, Console(json=True), rotate=rotate)
    finally:
        file.unlink()


def drop(service: Path, environment: str = "dev", name: str = "DB_PASSWORD") -> SecretResult:
    return remove(SecretOptions(name, environment, directory=service, yes=True), Console(json=True))


def states(service: Path) -> dict[tuple[str, str], str]:
    found: SecretsResult = list_all(service, None, None, Console(json=True))
    return {(one.environment, one.name): one.state for one in found.secrets}


def path(service: Path, environment: str = "dev", name: str = "DB_PASSWORD") -> str:
    return secret_names.secret(read(service).app_name, environment, name)


def parameter(service: Path, environment: str = "dev") -> str:
    found = client("ssm").get_parameters(Names=[f"/{path(service, environment)}"], WithDecryption=True)
    return "".join(one["Value"] for one in found["Parameters"])


def secret_of(service: Path) -> str:
    return str(client("secretsmanager").get_secret_value(SecretId=path(service))["SecretString"])


def repository(service: Path) -> dict[str, bytes]:
    return {one.as_posix(): one.read_bytes() for one in service.rglob("*") if one.is_file() and ".git" not in one.parts}


def definition(service: Path, environment: str = "dev") -> str:
    return (service / f"infrastructure/{environment}/task-definition.yaml").read_text()


@pytest.mark.parametrize("store", [PARAMETERS, pytest.param(MANAGER, marks=pytest.mark.slow)])
def test_a_secret_is_set_rotated_retired_and_removed(service: Path, store: str) -> None:
    value_of = parameter if store == PARAMETERS else secret_of
    before = repository(service)
    result = put(service, VALUE, store=store)
    assert result.files == (LIST, "infrastructure/dev/task-definition.yaml")
    assert value_of(service) == VALUE
    assert states(service) == {("dev", "DB_PASSWORD"): "set"}
    assert "secret.DB_PASSWORD: '1'" in definition(service)
    with pytest.raises(ScaffoldError, match="dev has the secret DB_PASSWORD already"):
        put(service, OTHER)
    put(service, OTHER, rotate=True)
    assert value_of(service) == OTHER
    assert "secret.DB_PASSWORD: '2'" in definition(service)
    with pytest.raises(ScaffoldError, match="lists DB_PASSWORD for dev"):
        drop(service)
    (service / LIST).write_text(json.dumps({"DB_PASSWORD": {"store": store, "environments": {}, "retired": ["dev"]}}))
    with pytest.raises(ScaffoldError, match="does not have the settings of config/environments/"):
        drop(service)
    with listing(read(service), {"DB_PASSWORD": ListedSecret(store, {}, ("dev",))}):
        pass
    assert states(service) == {("dev", "DB_PASSWORD"): "retired"}
    drop(service)
    assert states(service) == {}
    assert repository(service) == before


@pytest.mark.slow
def test_the_operator_s_policy_has_these_calls_and_reads_no_value(service: Path, wire: Wire) -> None:
    for store, name in ((PARAMETERS, "A"), (MANAGER, "B")):
        put(service, VALUE, name=name, store=store)
        put(service, OTHER, name=name, rotate=True)
        with listing(read(service), {name: ListedSecret(store, {}, ("dev",))}):
            pass
        drop(service, name=name)
    states(service)
    # Within its recovery window, a secret is restored.
    put(service, VALUE, name="B", store=MANAGER)
    policy = json.loads((ROOT / "docs/operator-policy-secrets.json").read_text())
    allowed = {action for one in policy["Statement"] for action in one["Action"]}
    made = set(wire.calls) - {"sts:GetCallerIdentity"}
    assert made == allowed - {"ssm:AddTagsToResource", "secretsmanager:TagResource"}  # Of creations with tags.
    assert not [action for action in allowed if "Get" in action]


@pytest.mark.slow
def test_what_an_environment_lacks_is_listed_and_set_without_a_change_of_the_list(service: Path) -> None:
    put(service, VALUE)
    client("ssm").delete_parameter(Name=f"/{path(service)}")
    assert states(service) == {("dev", "DB_PASSWORD"): "missing"}
    with pytest.raises(ScaffoldError, match="nothing to rotate"):
        put(service, OTHER, rotate=True)
    assert put(service, OTHER).files == ()
    put(service, VALUE, "prod")
    assert states(service) == {("dev", "DB_PASSWORD"): "set", ("prod", "DB_PASSWORD"): "set"}
    with pytest.raises(UsageError, match="DB_PASSWORD is in parameter-store"):
        put(service, VALUE, "prod", store=MANAGER)


def test_a_secret_of_another_owner_is_neither_overwritten_nor_deleted(service: Path) -> None:
    app = read(service).app_name
    tags = [{"Key": names.TAG_SERVICE, "Value": app}, {"Key": names.TAG_ROOT_COMMIT, "Value": "0" * 40}]
    client("ssm").put_parameter(Name=f"/{path(service)}", Value="theirs", Type="SecureString", Tags=tags)
    client("secretsmanager").create_secret(Name=path(service, "prod"), SecretString="theirs")
    before = repository(service)
    for act in (
        lambda: put(service, VALUE),
        lambda: put(service, VALUE, "prod", store=MANAGER),
        lambda: drop(service),
        lambda: drop(service, "prod"),
    ):
        with pytest.raises(ScaffoldError, match="is not this service's"):
            act()
    assert parameter(service) == "theirs"
    assert repository(service) == before
    assert set(states(service).values()) == {"unlisted"}


@pytest.mark.slow
def test_destroying_takes_the_service_s_own_secrets_and_names_the_others(service: Path) -> None:
    put(service, VALUE)
    put(service, VALUE, "prod", store=MANAGER, name="API_TOKEN")
    client("ssm").put_parameter(Name=f"/{path(service, 'prod')}", Value="theirs", Type="SecureString")
    commit(service)
    deploy(service)
    planned = destroy(service, environment="dev", plan=True)
    assert (PARAMETERS, path(service)) in [(one.type, one.name) for one in planned.changes]
    destroy(service, environment="dev")
    assert parameter(service) == ""
    found = destroy(service, plan=True)
    assert (MANAGER, path(service, "prod", "API_TOKEN")) in [(one.type, one.name) for one in found.changes]
    assert (PARAMETERS, path(service, "prod"), "foreign") in [(one.type, one.name, one.reason) for one in found.kept]
    assert parameter(service, "prod") == "theirs"
    assert root_commit(read(service))


def test_a_failure_changes_no_file_and_shows_no_value(service: Path, wire: Wire) -> None:
    before = repository(service)

    def fail(_: Any) -> None:
        raise KeyboardInterrupt

    wire.touched["PutParameter"] = fail
    with pytest.raises(KeyboardInterrupt):
        put(service, VALUE)
    assert repository(service) == before
    assert VALUE not in redact(f"a log with {VALUE}")


@pytest.mark.parametrize("value", ["", "x" * 5_000, "a\0b"])
def test_a_value_that_a_store_or_a_variable_cannot_have_is_refused(service: Path, value: str) -> None:
    before = repository(service)
    with pytest.raises(UsageError) as caught:
        put(service, value)
    assert value not in f"{caught.value.happened}{caught.value.remedy}" or not value
    assert repository(service) == before
    assert states(service) == {}


@pytest.mark.parametrize("words", [["set", "A", VALUE, "--env", "dev"], ["set", f"A={VALUE}", "--env", "dev"]])
def test_a_value_is_no_argument(
    service: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(service)
    with pytest.raises(UsageError) as caught:
        command(["secret", *words])
    assert VALUE not in f"{caught.value.happened}{caught.value.remedy}{''.join(capsys.readouterr())}"


def test_a_value_comes_from_stdin_and_nothing_shows_it(
    service: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.chdir(service)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{VALUE}\r\n".encode())))
    assert command(["secret", "set", "DB_PASSWORD", "--env", "dev"]) == 0
    assert command(["secret", "list"]) == 0
    shown = "".join(capsys.readouterr())
    assert "parameter-store" in shown
    assert parameter(service) == VALUE
    assert VALUE not in shown
    assert not [content for content in repository(service).values() if VALUE.encode() in content]


def test_a_service_of_an_older_kit_is_told_to_update(service: Path) -> None:
    (service / "config/scripts/task_settings.py").unlink()
    with pytest.raises(ScaffoldError, match="the kit of this service knows no secrets yet"):
        put(service, VALUE)


@pytest.mark.parametrize(
    ("name", "environment", "store", "refused"),
    [
        ("a-b", "dev", None, "letters, digits and underscores"),
        ("A", "qa", None, "has no environment 'qa'"),
        ("A", "dev", "file", "'file' is no store"),
    ],
)
def test_wrong_options_are_refused(service: Path, name: str, environment: str, store: str | None, refused: str) -> None:
    with pytest.raises(UsageError, match=refused):
        put(service, VALUE, environment, name, store=store)
