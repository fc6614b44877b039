"""What a container runs: the image's configuration and the task definition's, as Docker and ECS combine them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scaffold.engine.tasks.containers import program_of, read_secrets
from scaffold.engine.tasks.images import CannotStart, Image

NODE = "/opt/node/bin/node"


@pytest.fixture
def image(tmp_path: Path) -> Image:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.js").touch()
    config = {"Entrypoint": ["node"], "Cmd": ["main.js"], "Env": ["A=1", "B=x=y"], "WorkingDir": "/app"}
    return Image("sha256:0", tmp_path, config)


def program(image: Image, ports: dict[int, int] | None = None, **container: Any) -> Any:
    given = {"name": "app", "image": "shop", **container}
    return program_of(given, image, {"SECRET": "s"}, NODE, ports or {})


def test_the_image_says_what_runs(image: Image) -> None:
    made = program(image)
    assert made.command == [NODE, "main.js"]
    assert made.folder == str(image.root / "app")
    assert made.stop_timeout == 30
    assert made.health is None
    assert {key: made.environment[key] for key in ("A", "B", "SECRET")} == {"A": "1", "B": "x=y", "SECRET": "s"}


@pytest.mark.parametrize(
    ("container", "command"),
    [
        ({"command": ["other.js"]}, [NODE, "other.js"]),
        ({"entryPoint": ["node", "a.js"]}, [NODE, "a.js"]),  # An entry point drops the image's command.
        ({"entryPoint": ["node"], "command": ["b.js"]}, [NODE, "b.js"]),
        ({"entryPoint": ["/usr/local/bin/node"], "command": ["c.js"]}, [NODE, "c.js"]),
    ],
)
def test_the_task_definition_overrides_it(image: Image, container: dict[str, Any], command: list[str]) -> None:
    assert program(image, **container).command == command


def test_absolute_paths_of_the_image_are_found(image: Image) -> None:
    assert program(image, command=["/app/main.js", "/absent"]).command == [
        NODE,
        str(image.root / "app" / "main.js"),
        "/absent",
    ]


def test_variables_of_the_task_definition_win_over_the_image(image: Image) -> None:
    made = program(image, environment=[{"name": "A", "value": "2"}])
    assert made.environment["A"] == "2"


@pytest.mark.parametrize(
    ("given", "folder"), [("/", "."), ("/app/", "app"), ("/app/../app", "app"), ("/../../app", "app"), ("/..", ".")]
)
def test_the_working_directory_is_in_the_image(image: Image, given: str, folder: str) -> None:
    assert program(image, workingDirectory=given).folder == str(image.root / folder)


def test_a_relative_working_directory_is_refused(image: Image) -> None:
    with pytest.raises(CannotStart, match="the working directory app is not an absolute path"):
        program(image, workingDirectory="app")


@pytest.mark.parametrize("command", [["python", "x"], ["sh", "-c", "node main.js"]])
def test_another_runtime_needs_a_container_engine(image: Image, command: list[str]) -> None:
    with pytest.raises(CannotStart, match=f"starts {command[0]}, which needs a container engine"):
        program(image, entryPoint=command)


def test_a_port_of_its_own_reaches_variables_and_health_check(image: Image) -> None:
    check = {"command": ["CMD", "node", "-e", "fetch('http://127.0.0.1:8080/health')"], "interval": 10}
    environment = [{"name": "PORT", "value": "8080"}]
    made = program(image, {8080: 40001}, environment=environment, healthCheck=check)
    assert made.environment["PORT"] == "40001"
    assert made.health.command == [NODE, "-e", "fetch('http://127.0.0.1:40001/health')"]
    assert (made.health.interval, made.health.timeout, made.health.retries) == (10, 5, 3)


class Secrets:
    """Answers as Secrets Manager and Parameter Store."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def __call__(self, _service: str) -> Secrets:
        return self

    def get_secret_value(self, **given: Any) -> dict[str, str]:
        self.asked.append(given)
        return {"SecretString": '{"user": "u", "port": 5}'}

    def get_parameters(self, **given: Any) -> dict[str, Any]:
        self.asked.append(given)
        return {"Parameters": [{"Value": "p"} for name in given["Names"] if name not in ("/absent",)]}


SECRET = "arn:aws:secretsmanager:us-east-1:0:secret:db-abc123"


@pytest.mark.parametrize(
    ("source", "value", "asked"),
    [
        (SECRET, '{"user": "u", "port": 5}', {"SecretId": SECRET}),
        (f"{SECRET}:user::", "u", {"SecretId": SECRET}),
        (f"{SECRET}:port:AWSPREVIOUS:", "5", {"SecretId": SECRET, "VersionStage": "AWSPREVIOUS"}),
        (f"{SECRET}:user::v1", "u", {"SecretId": SECRET, "VersionId": "v1"}),
        ("name", "p", {"Names": ["name"], "WithDecryption": True}),
        ("arn:aws:ssm:us-east-1:0:parameter/a/b", "p", {"Names": ["/a/b"], "WithDecryption": True}),
    ],
)
def test_secrets_are_read_as_ecs_reads_them(source: str, value: str, asked: dict[str, Any]) -> None:
    clients = Secrets()
    assert read_secrets({"secrets": [{"name": "S", "valueFrom": source}]}, clients) == {"S": value}
    assert clients.asked == [asked]


@pytest.mark.parametrize("source", ["/absent", f"{SECRET}:absent::"])
def test_a_missing_secret_ends_the_task(source: str) -> None:
    with pytest.raises(CannotStart, match="ResourceInitializationError: unable to retrieve secret"):
        read_secrets({"secrets": [{"name": "S", "valueFrom": source}]}, Secrets())
