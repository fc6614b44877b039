"""A task that cannot be started reports its end, whatever the reason."""

from __future__ import annotations

import os
import queue
from pathlib import Path
from typing import Any, cast

import pytest

from scaffold.engine.containers.container_engine import Container
from scaffold.engine.credentials import Credentials
from scaffold.engine.tasks import processes, runner
from scaffold.engine.tasks.aws import Aws
from scaffold.engine.tasks.images import Image
from scaffold.engine.tasks.processes import Program
from scaffold.engine.tasks.runner import Host, Order, Runner


class Images:
    """Has one image, or a registry whose manifests lack a key."""

    def __init__(self, image: Image | None) -> None:
        self._image = image
        self.folder = image.root if image else None

    def pull(self, name: str, token: str) -> Image:
        if self._image is None:
            raise KeyError("config")
        return self._image


class Balancers:
    def delete_route(self, ip: str) -> None:
        assert ip == "10.0.0.1"

    def route(self, *_: Any) -> None: ...


def ends(image: Image | None, definition: dict[str, Any] | None = None, **container: Any) -> dict[str, Any]:
    """The last report of a task: of a definition, or of one with one container."""
    definition = definition or {"containerDefinitions": [{"name": "app", "image": "shop", **container}]}
    keys = Credentials("a", "b")
    host = Host(Aws("http://127.0.0.1:9", keys, lambda *_: keys), cast(Any, Images(image)), cast(Any, Balancers()))
    said: queue.Queue[dict[str, Any]] = queue.Queue()
    Runner(host, Order("0123456789", "us-east-1", definition, "10.0.0.1"), lambda **change: said.put(change))
    while (change := said.get(timeout=20))["status"] != "STOPPED":
        pass
    return change


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        ({"workingDirectory": "app"}, "the working directory app is not an absolute path"),
        ({"logConfiguration": {"logDriver": "awslogs"}}, "the log driver awslogs needs the option awslogs-group"),
        ({"portMappings": [{}]}, "KeyError: 'containerPort'"),
        ({"stopTimeout": "soon"}, "ValueError: could not convert string to float: 'soon'"),
        ({"secrets": [{"name": "A"}]}, "KeyError: 'valueFrom'"),
    ],
)
def test_a_definition_that_cannot_run(tmp_path: Path, container: dict[str, Any], reason: str) -> None:
    image = Image("sha256:0", tmp_path, {"Entrypoint": ["node"], "Cmd": ["main.js"]})
    assert ends(image, **container) == {
        "status": "STOPPED",
        "stop_code": "TaskFailedToStart",
        "reason": f"CannotStartContainerError: {reason}",
        "exit_code": None,
    }


def test_several_essential_containers_are_not_rehearsed(tmp_path: Path) -> None:
    definition = {"containerDefinitions": [{"name": name, "image": "shop"} for name in ("app", "proxy")]}
    expected = "CannotStartContainerError: not rehearsed: tasks with several essential containers"
    assert ends(Image("sha256:0", tmp_path, {}), definition)["reason"] == expected


def test_a_container_that_is_not_essential_is_not_started(tmp_path: Path) -> None:
    definition = {
        "containerDefinitions": [
            {"name": "collector", "image": "elsewhere", "essential": False, "dependsOn": [{}]},
            {"name": "app", "image": "shop"},
        ]
    }
    assert "shop has no command" in ends(Image("sha256:0", tmp_path, {}), definition)["reason"]


def test_an_image_that_cannot_be_read() -> None:
    assert ends(None)["reason"] == "CannotStartContainerError: KeyError: 'config'"


def test_a_process_without_relay_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = []

    class Process:
        log = None

        def __init__(self, *_: object) -> None: ...

        def kill(self) -> None:
            killed.append(self)

        def close(self) -> None: ...

    def fails(*_: object) -> None:
        raise RuntimeError("the event loop is closed")

    monkeypatch.setattr(runner, "Process", Process)
    monkeypatch.setattr(Runner, "_open_relays", fails)
    image = Image("sha256:0", tmp_path, {"Entrypoint": ["node"], "Cmd": ["main.js"]})
    assert ends(image)["reason"] == "CannotStartContainerError: RuntimeError: the event loop is closed"
    assert len(killed) == 1


def test_the_container_of_a_task_whose_process_cannot_start_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed = tmp_path / "removed"
    container = Container(["/bin/false"], [], [], [], [], [], ["touch", str(removed)], [])
    program = Program([], {"PATH": os.defpath}, str(tmp_path), 1, container=container)
    monkeypatch.setattr(Runner, "_program", lambda *_: (program, {}))
    assert ends(Image("sha256:0", tmp_path, {}))["reason"].startswith("CannotStartContainerError: ")
    assert removed.exists()


def test_a_process_has_a_directory_in_place_of_a_volume_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "namespaces", tuple)  # With a network of its own, it would need balancers.
    code = """
        const folder = require('node:os').tmpdir();
        require('node:fs').writeFileSync(folder + '/a', '');
        process.exit(require('node:path').dirname(folder) === process.env.ABOVE ? 7 : 1);
    """
    container = {
        "name": "app",
        "image": "shop",
        "command": ["node", "-e", code],
        "environment": [{"name": "ABOVE", "value": str(tmp_path)}],
        "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp"}],
    }
    definition = {"containerDefinitions": [container], "volumes": [{"name": "tmp", "host": {}}]}
    said = ends(Image("sha256:0", tmp_path, {}), definition)
    assert said["exit_code"] == 7, said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("volume", "point", "reason"),
    [
        ({"host": {"sourcePath": "/etc"}}, {}, "not rehearsed: mountPoints"),
        ({"efsVolumeConfiguration": {"fileSystemId": "fs-1"}}, {}, "not rehearsed: mountPoints"),
        ({}, {"readOnly": True}, "not rehearsed: mountPoints"),
        ({}, {"containerPath": "/data"}, "the volume at /data needs a container engine"),
    ],
)
def test_other_volumes_are_refused(tmp_path: Path, volume: dict[str, Any], point: dict[str, Any], reason: str) -> None:
    points = [{"sourceVolume": "v", "containerPath": "/tmp", **point}]
    container = {"name": "app", "image": "shop", "command": ["node"], "mountPoints": points}
    definition = {"containerDefinitions": [container], "volumes": [{"name": "v", **volume}]}
    assert reason in ends(Image("sha256:0", tmp_path, {}), definition)["reason"]
