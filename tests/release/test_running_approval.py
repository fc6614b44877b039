"""Releases that people approve while their tasks run, with the roles of the templates."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest

from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.deployment.approval import Rejection
from scaffold.deployment.follow import ReleaseFailed
from scaffold.service.service import read
from scaffold.views import releases as releases_view
from tests.deploy.services import client, commit
from tests.release.rehearsals import APPLICATION, small_service
from tests.release.services import decide, release, roll_back, stage

# Several releases, each with builds.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
GET = build_opener(ProxyHandler({})).open


class Tried:
    """A service whose releases to `live` people try before it shifts traffic to them."""

    def __init__(self, root: Path) -> None:
        answers = {"environments": "dev,live", "deployment_strategy": "canary", "approve_running": True}
        self.root = small_service(root, app_name="tried", customize=True, **answers)
        self.app = read(self.root).app_name

    def waiting(self, where: str) -> Any:
        """Release, until the release waits."""
        found = release(self.root).release
        assert found
        assert found.waiting == where
        return found

    def outputs(self, kind: str) -> dict[str, str]:
        (stack,) = client("cloudformation").describe_stacks(StackName=f"{self.app}-live-{kind}")["Stacks"]
        return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}

    def version(self, *, tried: bool = False) -> str:
        headers = {"X-Test-Release": self.outputs("service")["TestHeader"]} if tried else {}
        request = urllib.request.Request(self.outputs("environment")["ServiceUrl"], headers=headers)
        with GET(request, timeout=60) as answer:
            return str(json.loads(answer.read())["version"])

    def deployments(self) -> list[str]:
        name = f"{self.app}-live"
        listed = client("ecs").list_service_deployments(cluster=name, service=name)["serviceDeployments"]
        return [one["status"] for one in listed]

    def attempts(self, name: str, action: str) -> str | None:
        """The status of an action of a stage in the newest execution that has run it."""
        found = {one["actionName"]: one for one in stage(self.app, name)["actionStates"]}
        status: str | None = found[action].get("latestExecution", {}).get("status")
        return status


def test_people_approve_while_the_tasks_run(aws: None, tmp_path: Path) -> None:
    service = Tried(tmp_path / "tried")
    # There is nothing to compare the first release with.
    waiting = service.waiting("Approve-Live")
    decide(service.root, environment="live", yes=True, execution=waiting.execution)
    assert release(service.root).exit_code == 0
    first = service.version()
    asked = service.attempts("Approve-Live", "Approval")

    commit(service.root, app__src__main_mjs=f"{APPLICATION}// 2\n")
    waiting = service.waiting("Live")
    tried = service.version(tried=True)
    assert tried != first
    assert service.version() == first
    assert service.attempts("Approve-Live", "Approval") == asked
    with pytest.raises(UsageError, match="keeps no message"):
        decide(service.root, environment="live", yes=True, execution=waiting.execution, message="why")
    with pytest.raises(ScaffoldError, match="does not wait for approval"):
        decide(service.root, environment="live", yes=True, execution="another")
    decided = decide(service.root, environment="live", yes=True, execution=waiting.execution)
    shown = "\n".join(releases_view.describe(decided.release))
    header = service.outputs("service")["TestHeader"]
    assert f"curl -H 'X-Test-Release: {header}' {service.outputs('environment')['ServiceUrl']}" in shown
    assert release(service.root).exit_code == 0
    assert service.version() == tried
    with pytest.raises(ScaffoldError, match="waits for approval for live"):
        decide(service.root, environment="live", yes=True, execution=waiting.execution)

    # A release that is rejected is taken back, and the environment before keeps it.
    commit(service.root, app__src__main_mjs=f"{APPLICATION}// 3\n")
    waiting = service.waiting("Live")
    decide(service.root, Rejection, environment="live", yes=True, execution=waiting.execution)
    with pytest.raises(ReleaseFailed, match="in the action Service of the stage Live"):
        release(service.root)
    assert (service.version(), service.deployments()[0]) == (tried, "ROLLBACK_SUCCESSFUL")
    assert stage(service.app, "Dev")["latestExecution"]["status"] == "Succeeded"
    assert service.attempts("Live", "Tests") == "Succeeded"

    # With a change of the infrastructure people are asked before, and not once more.
    alarms = (service.root / "infrastructure/alarms.yaml").read_text()
    commit(
        service.root,
        app__src__main_mjs=f"{APPLICATION}// 4\n",
        infrastructure__alarms_yaml=alarms.replace("Description: ", "Description: The ", 1) + "  # Another one\n",
        infrastructure__live__alarms_json=(service.root / "infrastructure/live/alarms.json")
        .read_text()
        .replace('"Tags": {', '"Tags": {"team": "payments",'),
    )
    waiting = service.waiting("Approve-Live")
    decide(service.root, environment="live", yes=True, execution=waiting.execution)
    assert release(service.root).exit_code == 0
    fourth = service.version()
    assert fourth not in (first, tried)
    assert service.version(tried=True) == fourth

    # Who rolls back has decided.
    deployments = len(service.deployments())
    roll_back(service.root, "live")
    deadline = time.monotonic() + 300
    while service.version() != tried:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert len(service.deployments()) == deployments + 1
