"""A Docker daemon that others use: its calls by builds, and its trial."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scaffold.engine.containers import daemon, run_call
from scaffold.engine.containers.choice import AUTOMATIC, DOCKER, find
from scaffold.engine.containers.container_engine import EngineFailed
from scaffold.engine.containers.podman import Podman
from scaffold.engine.containers.shared_daemon import Belongings
from tests.engine.containers.conftest import Containers, base_name

Run = Callable[..., subprocess.CompletedProcess[str]]

NAMES = "localhost/gitops-scaffold/0123"
OURS, THEIRS = "sha256:aaaaaaaaaaaa", "bbbbbbbbbbbb"


def answer(*words: str) -> str:
    """What a daemon says that has the container and the image `app` of this local AWS, and `db` of the user."""
    asked = words[0], words[-1]
    found = {
        ("container", "app"): "/folder",
        ("container", "db"): "",
        ("image", f"{NAMES}/app"): f"{NAMES}/app:latest",
        ("image", "db"): "db:latest",
        ("image", OURS): f"users:1 {NAMES}/app:latest",
        ("image", THEIRS): "db:latest",
    }
    if asked not in found:
        raise EngineFailed(f"No such {asked[0]}: {asked[1]}")
    return found[asked]


def restrict(call: str) -> str:
    return " ".join(Belongings(answer, "label", "/folder", NAMES).restrict(call.split()))


@pytest.mark.parametrize(
    ("call", "restricted"),
    [
        ("ps -aq --filter status=exited", "ps --filter=label=label=/folder -aq --filter status=exited"),
        ("images -q app", f"images --quiet {NAMES}/app"),
        ("rm app -f", "rm app -f"),
        ("rm --force absent", "rm --force absent"),
        ("exec -it -e A=1 app sh -c db", "exec -it -e A=1 app sh -c db"),
        ("cp app:/a ./db:b", "cp app:/a ./db:b"),
        ("stop -t 5 app", "stop -t 5 app"),
        ("rmi -f app", f"rmi --force {NAMES}/app"),
        (f"rmi -f {OURS}", f"rmi --force {NAMES}/app:latest"),
        (f"inspect -f app {NAMES}/app", f"inspect --format=app {NAMES}/app"),
        ("inspect app", "inspect app"),
        ("inspect --type image app", f"inspect --type=image {NAMES}/app"),
        ("run --network container:app -v /a:/b -v /c node", "run --network container:app -v /a:/b -v /c node"),
        ("run -it --rm --name=a node -v data:/a --network db", "run -it --rm --name=a node -v data:/a --network db"),
        ("version", "version"),
    ],
)
def test_calls_are_limited_to_this_local_aws(call: str, restricted: str) -> None:
    assert restrict(call) == restricted


def test_images_are_listed_at_any_depth_of_their_names() -> None:
    filters = restrict("images -q").split()[2:]
    assert filters[:2] == [f"--filter=reference={NAMES}/*", f"--filter=reference={NAMES}/*/*"]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        *(
            (call, "db is not a container of this local AWS")
            for call in (
                *("rm -f app db", "rm db --volumes", "kill -s TERM db", "stop db", "wait db", "logs -n 5 db"),
                *("exec -u root db sh", "cp db:/a b", "cp a db:/b", "run --network=container:db node"),
                *("run --pid container:db node", "run --volumes-from db:ro node", "build --network container:db ."),
            )
        ),
        *((f"rmi {name}", f"{name} is not an image") for name in ("db", "db:latest", THEIRS)),
        ("inspect db", "db is not an image of this local AWS"),
        ("inspect --type container db", "db does not belong to this local AWS"),
        ("inspect --type volume db", "db does not belong to this local AWS"),
        ("images --filter reference=db", "not rehearsed: docker images: unrecognized arguments"),
        ("rm --link app", "not rehearsed: docker rm: unrecognized arguments"),
        ("run --network backend node", "not rehearsed: docker run with the network backend"),
        *(
            (f"run {option} node", "not rehearsed: docker run with the volume data")
            for option in ("-v data:/a", "-vdata:/a", "-itv data:/a", "--volume=data:/a", "--mount source=data,dst=/a")
        ),
        *(
            (call, f"not rehearsed: docker {call}")
            for call in ("system prune", "container prune", "volume rm", "network rm", "image prune", "-H tcp://a")
        ),
    ],
)
def test_calls_that_concern_others_are_refused(call: str, reason: str) -> None:
    with pytest.raises(EngineFailed, match=reason):
        restrict(call)


def test_a_container_is_refused_where_the_daemon_fails() -> None:
    def fails(*_: str) -> str:
        raise EngineFailed("the daemon is busy")

    with pytest.raises(EngineFailed, match="busy"):
        Belongings(fails, "label", "/folder", NAMES).restrict(["rm", "--force", "app"])


def test_the_storage_of_podman_is_not_shared(tmp_path: Path) -> None:
    assert Podman("podman", tmp_path).restrict(["rm", "--all"]) == ["rm", "--all"]


@pytest.mark.parametrize(
    ("call", "options", "image"),
    [
        ("app test", [], 0),
        ("-dit --rm app", [("-dit", ""), ("--rm", "")], 2),
        ("--name app -e A=1 -eB=2 app npm --name x", [("--name", "app"), ("-e", "A=1"), ("-e", "B=2")], 5),
        ("--name=app -tv a:/b -- app", [("--name", "app"), ("-v", "a:/b")], 4),
        ("--name", [("--name", "")], 2),
    ],
)
def test_the_image_of_docker_run(call: str, options: list[tuple[str, str]], image: int) -> None:
    assert run_call.parse(call.split()) == (options, image)


@pytest.fixture
def build_docker(containers: Containers, tmp_path: Path) -> Run:
    """The `docker` of a build."""
    settings = {"engine": containers.engine.document(), "endpoint": containers.aws.variables["AWS_ENDPOINT_URL"]}
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    code = "import sys; from scaffold.engine.containers.docker import main; sys.exit(main())"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, tmp_path, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("engine_name", [DOCKER], indirect=True)
def test_a_build_leaves_containers_and_images_of_others_alone(containers: Containers, build_docker: Run) -> None:
    engine = containers.engine
    engine.run("tag", base_name(), "theirs:1")
    engine.run("create", "--name", "theirs", "theirs:1", "node")
    try:
        assert build_docker("run", "--name", "ours", base_name(), "node", "-e", "0").returncode == 0
        assert build_docker("tag", base_name(), "ours").returncode == 0
        done = build_docker("run", "--rm", "--name", "ours2", "ours", "node", "-p", "process.argv[1]", "ours")
        assert done.stdout == "ours\n"
        listed = build_docker("ps", "--all", "--format", "{{.Names}}").stdout
        assert "ours" in listed.split()
        assert "theirs" not in listed.split()
        images = build_docker("images", "--format", "{{.Repository}}").stdout.split()
        assert engine.own_name("ours") in images
        assert not {"theirs", base_name().partition(":")[0]} & set(images)
        for words in (("rm", "--force", "ours", "theirs"), ("rmi", "--force", "theirs:1")):
            refused = build_docker(*words)
            assert refused.returncode == 1
            assert refused.stderr.startswith("ERROR: docker r")
            assert refused.stderr.endswith("of this local AWS.\n")
        assert build_docker("rm", "--force", *build_docker("ps", "-aq").stdout.split()).returncode == 0
        assert build_docker("rm", "--force", "ours").returncode == 0  # As Docker does for one that is missing.
        assert build_docker("rmi", "--force", *set(build_docker("images", "-q").stdout.split())).returncode == 0
        assert build_docker("images", "-q").stdout == ""
        assert engine.run("inspect", "--format", "{{.Name}}", "theirs") == "/theirs"
        assert engine.has("theirs:1")
    finally:
        engine.run("rm", "--force", "theirs")
        engine.run("rmi", "theirs:1")


FAKE_DOCKER = """#!/bin/sh
case "$1" in
  "$HANGS") exec sleep 600 ;;
  version) echo 20.10.24 amd64 ;;
  inspect) echo 0 ;;
esac
"""
FAKE_NSENTER = """#!/bin/sh
[ "$HANGS" != nsenter ] || exec sleep 600
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Docker is used on Linux only")
@pytest.mark.parametrize("hangs", ["version", "import", "run", "inspect", "nsenter", "ps", "rm"])
def test_a_daemon_that_hangs_is_not_used(hangs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"docker": FAKE_DOCKER, "nsenter": FAKE_NSENTER}.items():
        (programs / name).write_text(text.replace("$HANGS", hangs))
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(programs), "/usr/bin", "/bin"]))
    really = subprocess.run

    def run(command: list[str], **given: Any) -> Any:
        """Only a command that hangs gets a short time limit; one without a limit fails the test."""
        if hangs in (Path(command[0]).name, command[1]):
            assert given["timeout"], command
            given["timeout"] = 0.2
        return really(command, **given)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(daemon.NoEngine, match=r"not (ended|entered) within"):
        find(DOCKER, tmp_path / "containers", str(programs), {}, "unix:///absent")
    found = find(AUTOMATIC, tmp_path / "containers", str(programs), {}, "unix:///absent")
    assert found.engine is None
    assert "within" in found.reason
    assert found.reason.endswith("podman is not installed")
    assert not (tmp_path / "containers").exists()
