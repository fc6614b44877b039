"""Opening a shell in a task: what is refused, on local AWS, and how the terminal is connected."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from scaffold.aws.shells import RunningTask, target_of
from scaffold.commands.exec import ExecOptions, run
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.deployment import session_plugin
from scaffold.service.service import read
from tests.deploy.services import Wire, client
from tests.release.services import actions

PLUGIN = """#!{python}
import json, os, sys
if sys.argv[1:] == ["--version"]:
    print("{version}")
else:
    with open("{said}", "w") as file:
        json.dump([sys.argv[1:], os.environ["AWS_SSM_START_SESSION_RESPONSE"]], file)
    sys.exit(3)
"""


def refusal(root: Path, environment: str = "dev", **options: object) -> ScaffoldError:
    with pytest.raises(ScaffoldError) as refused:
        run(ExecOptions(environment, directory=root, **options), Console())  # type: ignore[arg-type]
    return refused.value


def test_what_is_missing_is_said_in_the_order_in_which_it_is_mended(deployed: Path, wire: Wire) -> None:
    name = f"{read(deployed).app_name}-dev"
    assert isinstance(refusal(deployed, "qa"), UsageError)
    assert not wire.calls  # Nothing is asked of AWS for what the service's answers say.
    assert refusal(deployed).happened == "dev has no tasks yet."

    ecs = client("ecs")
    ecs.create_cluster(clusterName=name)
    ecs.register_task_definition(family=name, containerDefinitions=[{"name": "app", "image": "a", "memory": 128}])
    ecs.create_service(cluster=name, serviceName=name, taskDefinition=name, desiredCount=0)
    assert "no ECS Exec" in refusal(deployed).happened
    assert "scaffold update --data exec=dev" in refusal(deployed).remedy

    ecs.update_service(cluster=name, service=name, enableExecuteCommand=True)
    wire.calls.clear()
    assert refusal(deployed).happened == "No task of dev runs."
    made = {one for one in wire.calls if not one.startswith("sts:")}
    assert made == {"cloudformation:DescribeStacks", "ecs:DescribeServices", "ecs:ListTasks"}
    assert made <= actions("operator-policy-exec")
    assert {"ecs:DescribeTasks", "ecs:ExecuteCommand"} <= actions("operator-policy-exec")


def test_production_has_to_be_confirmed(deployed: Path, wire: Wire) -> None:
    refused = refusal(deployed, "prod", command=("ls", "a b"))
    assert isinstance(refused, UsageError)
    assert refused.happened == "prod is production, and a shell there can change what people use."
    assert refused.remedy == "`scaffold exec prod --yes -- ls 'a b'` opens it."
    assert not wire.calls
    assert refusal(deployed, "prod", yes=True).happened == "prod has no tasks yet."


def install(folder: Path, version: str) -> Path:
    said, program = folder / "said", folder / "session-manager-plugin"
    program.write_text(PLUGIN.format(python=sys.executable, version=version, said=said))
    program.chmod(0o755)
    return said


def test_the_plugin_gets_the_token_in_a_variable_and_its_exit_code_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), os.environ["PATH"]]))
    said = install(tmp_path, "1.2.764.0")
    session = {"sessionId": "s", "streamUrl": "wss://127.0.0.1/", "tokenValue": "secret"}
    target = target_of("shop", "dev", RunningTask("0a1b", "0a1b-2", "RUNNING"))
    assert session_plugin.connect(session_plugin.find(), session, "us-east-1", target, "http://127.0.0.1:9") == 3
    words, variable = json.loads(said.read_text())
    assert words == [
        "AWS_SSM_START_SESSION_RESPONSE",
        "us-east-1",
        "StartSession",
        "",
        '{"Target": "ecs:shop-dev_0a1b_0a1b-2"}',
        "http://127.0.0.1:9",
    ]
    assert json.loads(variable) == session


@pytest.mark.parametrize("version", ["1.2.497.0", "what?"])
def test_an_old_plugin_would_show_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ScaffoldError, match="no `session-manager-plugin` on the PATH"):
        session_plugin.find()
    install(tmp_path, version)
    with pytest.raises(ScaffoldError, match=r"is older than 1\.2\.498, or does not say its version"):
        session_plugin.find()
