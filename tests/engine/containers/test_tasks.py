"""Tasks as containers of each engine: what their definitions say, their end, and that nothing is left of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scaffold.engine.tasks.engine_containers import create
from scaffold.engine.tasks.images import CannotStart
from scaffold.engine.tasks.processes import Process
from scaffold.local.environment import local_aws
from tests.engine.containers import server_image
from tests.engine.containers.conftest import Containers, base_name
from tests.engine.tasks.test_running import Account, template, wait

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def account(containers: Containers) -> Account:
    return Account(containers.aws)


@pytest.fixture(scope="module")
def image(containers: Containers, account: Account, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image in the registry that the engine does not have."""
    return server_image.push_to(account, containers.engine, tmp_path_factory.mktemp("server"))


def test_a_container_is_what_its_definition_says(containers: Containers, account: Account, image: str) -> None:
    secret = account.client("secretsmanager").create_secret(Name="s", SecretString="quiet # 'one'")["ARN"]
    body = template("shop", image, APP_VERSION="1", LINES="a\nb")
    (container,) = body["Resources"]["Definition"]["Properties"]["ContainerDefinitions"]
    container |= {
        "User": "1000",
        "ReadonlyRootFilesystem": True,
        "MountPoints": [{"SourceVolume": "scratch", "ContainerPath": "/scratch"}],
        "Secrets": [{"Name": "SECRET", "ValueFrom": secret}],
        "Ulimits": [{"Name": "nofile", "SoftLimit": 512, "HardLimit": 512}],
    }
    body["Resources"]["Definition"]["Properties"]["Volumes"] = [{"Name": "scratch"}]
    account.stacks.create_stack(StackName="shop", TemplateBody=json.dumps(body))
    assert account.settled("shop") == "CREATE_COMPLETE"
    answer = json.loads(account.get("shop"))
    assert answer == {
        "version": "1",
        "secret": "quiet # 'one'",
        "lines": "a\nb",
        "user": 1000,
        "folder": "/app",
        "write": "EROFS",
        "scratch": ["a", "server.js"],
        "interfaces": ["lo"],
        "files": "512",
    }
    assert account.get("shop", "/aws") == "200"
    (task,) = account.tasks("shop")
    assert task["containers"][0]["imageDigest"] == image.rpartition("@")[2]
    wait(lambda: account.tasks("shop")[0]["healthStatus"] == "HEALTHY")
    account.delete("shop")
    wait(lambda: containers.engine.run("ps", "--all", "--quiet") == "")
    assert containers.engine.run("volume", "ls", "--quiet") == ""
    found = account.client("logs").filter_log_events(logGroupName="/shop")["events"]
    assert [event["message"] for event in found] == ["listening", "stopping"]


def reports(program: Any, stop: bool = False) -> Iterator[dict[str, Any]]:
    """What a container says until its end."""
    process, said = Process(program, [1]), []

    def heard(report: dict[str, Any]) -> None:
        said.append(report)
        if stop and "started" in report:
            process.stop()

    process.listen(heard)
    process.close()
    yield from ({key: report[key] for key in report if key != "started"} for report in said)


def test_the_start_and_the_end_of_a_container(containers: Containers) -> None:
    engine = containers.engine
    missing = create(engine, "missing", {"command": ["nothere"]}, base_name(), {})
    said = next(said for said in reports(missing) if "failed" in said)
    assert re.search(r"nothere\W+(executable file )?not found", said["failed"]), said  # By runc, and by crun.

    with pytest.raises(CannotStart, match="not rehearsed: mountPoints"):
        create(engine, "mounted", {"mountPoints": [{"sourceVolume": "a"}]}, base_name(), {})
    with pytest.raises(CannotStart, match=r"CannotStartContainerError: .*nothing"):
        create(engine, "nothing", {}, "localhost/nothing:latest", {})

    code = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"
    stubborn = create(engine, "stubborn", {"command": ["node", "-e", code], "stopTimeout": 2}, base_name(), {})
    assert list(reports(stubborn, stop=True)) == [{}, {"exited": 137}]
    wait(lambda: engine.run("ps", "--all", "--quiet") == "")


KILLED = """
import os, signal, sys
from pathlib import Path
from scaffold.local.environment import running_local_aws
from tests.engine.containers.conftest import engine_of
with running_local_aws(runs=True, containers=sys.argv[1]) as aws:
    engine = engine_of(sys.argv[1], aws)
    engine.run("import", sys.argv[2], engine.own_name("base"))
    wait = ["/usr/local/bin/node", "-e", "setInterval(() => {}, 1000)"]
    options = [*engine.run_options(), "--detach", "--network=none", "--name=waiting"]
    engine.run("run", *options, engine.own_name("base"), *wait)
    print(engine.run("inspect", "--format", "{{.State.Pid}}", "waiting"), flush=True)
    os.kill(aws.process.pid, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_containers_of_a_killed_local_aws_are_gone_at_the_next_start(
    base: Path, containers: Containers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, containers.engine.name, base],
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    container = Path("/proc", done.stdout.strip() or done.stderr)
    left = list(tmp_path.glob("gitops-scaffold-local-*"))
    assert container.exists(), done.stderr
    assert len(left) == 1
    with local_aws():
        assert not container.exists()
        assert not left[0].exists()
    assert containers.engine.run("ps", "--all", "--quiet") == ""
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    assert list(tmp_path.glob("gitops-scaffold-local-*")) == []
