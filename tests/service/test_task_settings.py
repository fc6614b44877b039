"""task_settings.py writes variables and secrets into the task definitions as they are, and refuses mistakes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.service.conftest import function_of, run_script

SCRIPT = "config/scripts/task_settings.py"
SETTLED = function_of("task_settings.py", "settled")
PROBLEM = function_of("task_settings.py", "problem")
QUOTED = function_of("task_settings.py", "quoted")
CHECK_VALUE = function_of("environment_files.py", "check_value")
APP = "hello-service"
LIST = "config/environments/secrets.json"


class Tagged(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as what they are given."""


Tagged.add_multi_constructor("!", lambda loader, _, node: getattr(loader, f"construct_{node.id}")(node))


@pytest.fixture
def service(generated: Path, tmp_path: Path) -> Path:
    """What the script reads of the default service, and the script."""
    for pattern in ("infrastructure/*/task-definition.yaml", "config/environments/*", "config/scripts/*.py"):
        for path in generated.glob(pattern):
            copy = tmp_path / "service" / path.relative_to(generated)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    return tmp_path / "service"


def write(service: Path, environment: str = "dev", *lines: str) -> None:
    with (service / f"config/environments/{environment}.env").open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def list_secrets(service: Path, **secrets: Any) -> None:
    (service / LIST).write_text(json.dumps(secrets))


def settle(service: Path) -> None:
    for file, _, wanted in list(SETTLED(service)):
        (service / file).write_text(wanted)


def definition(service: Path, environment: str = "dev") -> dict[str, Any]:
    template = yaml.load((service / f"infrastructure/{environment}/task-definition.yaml").read_text(), Tagged)
    (container,) = template["Resources"]["TaskDefinition"]["Properties"]["ContainerDefinitions"]
    return {**container, "policy": template["Resources"].get("SecretsPolicy", {}).get("Properties")}


def texts(service: Path) -> Iterator[str]:
    return (path.read_text() for path in sorted(service.glob("infrastructure/*/task-definition.yaml")))


def test_a_generated_service_has_nothing_to_write(generated: Path) -> None:
    assert PROBLEM(generated) is None
    assert all(text == wanted for _, text, wanted in SETTLED(generated))


def test_variables_follow_those_of_the_kit_and_leave_no_trace_when_they_go(service: Path) -> None:
    before = list(texts(service))
    kept = (service / "config/environments/dev.env").read_text()
    write(service, "dev", "LOG_LEVEL=debug", "", "# A comment", "EMPTY=", "YES=it's: #${AWS::Region} \\ é😀")
    assert PROBLEM(service)[0] == (
        "infrastructure/dev/task-definition.yaml does not have the settings of config/environments/."
    )
    settle(service)
    assert PROBLEM(service) is None
    names = [one["Name"] for one in definition(service)["Environment"]]
    assert names == ["PORT", "APP_NAME", "APP_ENVIRONMENT", "APP_VERSION", "LOG_LEVEL", "EMPTY", "YES"]
    assert definition(service)["Environment"][-3:] == [
        {"Name": "LOG_LEVEL", "Value": "debug"},
        {"Name": "EMPTY", "Value": ""},
        {"Name": "YES", "Value": "it's: #${AWS::Region} \\ é😀"},
    ]
    assert list(texts(service))[1:] == before[1:]
    (service / "config/environments/dev.env").write_text(kept)
    settle(service)
    assert list(texts(service)) == before


@given(st.text(min_size=1).filter(str.isprintable).filter(lambda text: text == text.strip()))
def test_a_value_stays_what_it_is(value: str) -> None:
    written = QUOTED(value)
    assert written.isascii()
    assert "\n" not in written
    assert yaml.safe_load(f"Value: {written}") == {"Value": value}


def test_secrets_reach_the_container_and_the_execution_role_reads_exactly_them(service: Path) -> None:
    before = list(texts(service))
    list_secrets(
        service,
        DB_PASSWORD={"store": "parameter-store", "environments": {"dev": 1, "prod": 3}},
        API_TOKEN={"store": "secrets-manager", "environments": {"dev": 2}, "retired": ["prod"]},
    )
    settle(service)
    dev, prod = definition(service, "dev"), definition(service, "prod")
    arn = "arn:${AWS::Partition}:%s:${AWS::Region}:${AWS::AccountId}:%s" + f"{APP}/%s/"

    def parameter(environment: str) -> str:
        return arn % ("ssm", "parameter/", environment) + "DB_PASSWORD"

    def secret(environment: str) -> str:
        return arn % ("secretsmanager", "secret:", environment) + "API_TOKEN"

    assert dev["Secrets"] == [
        {"Name": "API_TOKEN", "ValueFrom": secret("dev")},
        {"Name": "DB_PASSWORD", "ValueFrom": parameter("dev")},
    ]
    # A rotation changes the task definition, and a secret that was retired may still be read by tasks of a rollback.
    assert (dev["DockerLabels"], prod["DockerLabels"]) == (
        {"secret.API_TOKEN": "2", "secret.DB_PASSWORD": "1"},
        {"secret.DB_PASSWORD": "3"},
    )
    assert [one["Name"] for one in prod["Secrets"]] == ["DB_PASSWORD"]
    for environment, policy in (("dev", dev["policy"]), ("prod", prod["policy"])):
        own = parameter(environment), secret(environment) + "-??????"
        allowed = {one["Action"]: one["Resource"] for one in policy["PolicyDocument"]["Statement"][::2]}
        assert allowed == {"ssm:GetParameters": [own[0]], "secretsmanager:GetSecretValue": [own[1]]}
        contexts = [one["Condition"] for one in policy["PolicyDocument"]["Statement"][1::2]]
        assert contexts == [
            {"StringEquals": {"kms:EncryptionContext:PARAMETER_ARN": [own[0]]}},
            {"StringLike": {"kms:EncryptionContext:SecretARN": [own[1]]}},
        ]
    (service / LIST).unlink()
    settle(service)
    assert list(texts(service)) == before


GOOD = {"store": "parameter-store", "environments": {"dev": 1}}


@pytest.mark.parametrize(
    ("lines", "happened"),
    [
        (["export A=b"], "dev.env:3 is not NAME=value"),
        (["1A=b"], "dev.env:3 is not NAME=value"),
        (["A"], "dev.env:3 is not NAME=value"),
        (["PORT=1"], "PORT is set by the task definition or by ECS"),
        (["AWS_REGION=x"], "AWS_REGION is set by"),
        (["DB_PASSWORD=x"], "DB_PASSWORD is the name of a secret"),
        (["AWS_SECRET_ACCESS_KEY=x"], "is the name of a secret"),
        (["A=1", "A=2"], "dev.env:4: A is set twice"),
        (["A= x"], "begins or ends with a space"),
        (["A='x'"], "the quotes would be a part of the value of A"),
        (["A=x\ty"], "a character that is not printable"),
        (["A=\u2028"], "a character that is not printable"),
        (["A={{resolve:ssm:/other/prod/PASSWORD}}"], "CloudFormation would replace what A has"),
        ([f"A{number}={'x' * 400}" for number in range(90)], "fit into a task definition"),
    ],
)
def test_a_wrong_variable_is_refused_before_anything_is_written(service: Path, lines: list[str], happened: str) -> None:
    write(service, "dev", *lines)
    found = PROBLEM(service)
    assert happened in found[0]
    assert found[1].endswith(".")


@pytest.mark.parametrize(
    ("secrets", "happened"),
    [
        ("[]", "is not a JSON object"),
        ("{", "cannot be read"),
        ('{"A": {}, "A": {}}', "a name is there twice"),
        (json.dumps({"a-b": GOOD}), "has a name that is not of letters"),
        (json.dumps({"PORT": GOOD}), "PORT is set by"),
        (json.dumps({"A": GOOD | {"value": "x"}}), "A is not {"),
        (json.dumps({"A": GOOD | {"store": "file"}}), "A is not {"),
        (json.dumps({"A": GOOD | {"environments": {"dev": True}}}), "A is not {"),
        (json.dumps({"A": GOOD | {"environments": {"qa": 1}}}), "names the environment 'qa'"),
        (json.dumps({"A": GOOD | {"retired": ["dev"]}}), "A has dev twice"),
        (json.dumps({f"{'A' * 120}{number}": GOOD for number in range(30)}), "has no room"),
    ],
)
def test_a_wrong_list_of_secrets_is_refused(service: Path, secrets: str, happened: str) -> None:
    (service / LIST).write_text(secrets)
    assert happened in PROBLEM(service)[0]


def test_what_cannot_be_written_is_said(service: Path) -> None:
    write(service, "dev", "A=b")
    list_secrets(service, A=GOOD)
    assert "has the variable A" in PROBLEM(service)[0]
    (service / LIST).unlink()
    settle(service)
    path = service / "infrastructure/dev/task-definition.yaml"
    text = path.read_text()
    path.write_text(text.replace("            # End of what `make task-settings` writes.\n", ""))
    assert "lacks the line" in PROBLEM(service)[0]
    path.write_text(text.replace("          Environment:", "          Environment: # own"))
    assert "lacks the container app with its list Environment" in PROBLEM(service)[0]
    path.write_text(text)
    (service / "config/environments/qa.env").write_text("A=b\n")
    assert "qa.env is of an environment that this service does not have" in PROBLEM(service)[0]
    (service / "config/environments/qa.env").unlink()
    (service / "config/environments/prod.env").unlink()
    (service / "config/environments/prod.env").symlink_to("dev.env")
    assert "is a symbolic link" in PROBLEM(service)[0]


@pytest.mark.parametrize(
    "variable", ["- Name: A\n              Value: c", "- {Name: A, Value: c}", "- {Name: 'A', Value: c}"]
)
def test_a_variable_of_the_task_definition_is_not_set_twice(service: Path, variable: str) -> None:
    write(service, "dev", "A=b")
    path = service / "infrastructure/dev/task-definition.yaml"
    head, name, rest = path.read_text().partition("            - Name: PORT\n")
    path.write_text(f"{head}            {variable}\n{name}{rest}")
    assert "has the variable A" in PROBLEM(service)[0]


def test_the_command_writes_and_checks(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_call(*_: Any, **__: Any) -> Any:
        raise AssertionError

    def run(*arguments: str) -> Any:
        return run_script(monkeypatch, service / SCRIPT, no_call, {}, arguments)

    write(service, "dev", "A=b")
    assert run("--check").returncode == 1
    assert run().stdout == "Written: infrastructure/dev/task-definition.yaml.\n"
    assert run("--check").returncode == 0
    write(service, "dev", "A=c")
    refused = run()
    assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 2)
