"""Each deployment strategy through the whole pipeline: the first release by a rehearsal, then others under traffic."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.engine.tasks.test_running import Client, constant_client, wait
from tests.kits import ROOT
from tests.release.kept import Kept, kept
from tests.release.rehearsals import APPLICATION, small_service

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

# The weights of the target group and the alternate one. Each release is in the one that had no traffic before.
PRIMARY, ALTERNATE = (100, 0), (0, 100)
PERCENT = 25
CANARY_IN_PRIMARY, CANARY_IN_ALTERNATE = (PERCENT, 100 - PERCENT), (100 - PERCENT, PERCENT)
#: A minute of local AWS takes two seconds.
SPEED = "30"
ANSWERS = {"bake_minutes": 8, "customize": True}
GOOD = APPLICATION.replace("{ version,", "{ change: 'good', version,")
#: Its unit tests, its health check and the environment before production find nothing.
BAD = APPLICATION.replace(
    "response.end(", "response.writeHead(request.url === '/' && environment === 'live' ? 500 : 200).end("
)

#: Counts its operations as the generated application does, each minute of local AWS. One that fails is answered all the
#: same, so that the load balancer sees nothing.
OPERATIONS = (ROOT / "template/app/src/{% if observability != 'off' %}operations.js{% endif %}").read_text()
COUNTING = """\
import { createOperations } from './operations.mjs';
import { createServer } from 'node:http';
const { APP_NAME, APP_VERSION: version, APP_ENVIRONMENT: environment, PORT = '8080' } = process.env;
const base = { service: APP_NAME, environment, version };
const info = (line) => process.stdout.write(`${JSON.stringify({ ...base, ...line })}\\n`);
const operations = createOperations({ logger: { bindings: () => base, child: () => ({ info }) }, seconds: 2 });
const answer = { version, environment };
const server = createServer(async (request, response) => {
  if (request.url === '/') await operations.run('greeting', () => answer).catch(() => {});
  response.end(JSON.stringify(answer));
});
server.listen(Number(PORT));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
"""
FAILING = COUNTING.replace(
    "() => answer)", "() => { if (environment === 'live') throw new Error('no'); return answer; })"
)


def version_of(service: Kept, environment: str = "live") -> tuple[str, str]:
    """The version that answers, and the commit of the last release."""
    found = service.status(environment)
    return found["answers"], found["commit"]


def shifted(service: Kept, commit: str, url: str) -> tuple[Client, list[tuple[int, ...]]]:
    """Release a commit under traffic; the client, and the weights that production has had one after the other."""
    seen = [service.weights("live")]

    def look() -> None:
        weights = service.weights("live")
        if weights != seen[-1]:
            seen.append(weights)

    with constant_client(url) as client:
        output = service.release(during=look)
    assert f"commit {commit[:7]} runs in every environment" in output
    return client, seen


def check_good(service: Kept, client: Client, commit: str, earlier: str) -> str:
    """Check the end of a release that has failed no request; return its version."""
    assert client.failures == []
    version, released = version_of(service)
    assert released == commit
    assert {json.loads(answer)["version"] for answer in client.answers} == {earlier, version}
    assert version != earlier
    ecs, name = service.client("ecs"), f"{service.app}-live"
    (described,) = ecs.describe_services(cluster=name, services=[name])["services"]
    (deployment,) = ecs.describe_service_deployments(serviceDeploymentArns=[described["currentServiceDeployment"]])[
        "serviceDeployments"
    ]
    assert deployment["status"] == "SUCCESSFUL"
    assert [one["arn"] for one in described["currentServiceRevisions"]] == [deployment["targetServiceRevision"]["arn"]]
    return version


def test_a_second_release_shifts_the_traffic(tmp_path: Path) -> None:
    """Step by step. All at once, blue/green, is what tests/sandbox releases twice."""
    answers = {**ANSWERS, "deployment_strategy": "linear", "linear_step_minutes": 2}
    between = {(20, 80), (40, 60), (60, 40), (80, 20)}
    root = small_service(tmp_path / "orders", environments="live", **answers)
    with kept(root, tmp_path, "--speed", SPEED) as service:
        (live,) = service.result["environments"]
        assert service.weights("live") == ALTERNATE
        commit = service.commit("good", app__src__main_mjs=GOOD)
        client, seen = shifted(service, commit, live["url"])
        check_good(service, client, commit, live["answers"])
        assert (seen[0], seen[-1]) == (ALTERNATE, PRIMARY)
        assert seen == sorted(seen)
        assert set(seen) <= {ALTERNATE, PRIMARY, *between}
        assert set(seen) & between


def test_a_release_of_the_application_only_builds_and_deploys(tmp_path: Path) -> None:
    """With the default strategy."""
    root = small_service(tmp_path / "orders", environments="live", **ANSWERS)
    with kept(root, tmp_path, "--speed", SPEED) as service:
        (live,) = service.result["environments"]
        good = service.commit("good", app__src__main_mjs=GOOD)
        client, seen = shifted(service, good, live["url"])
        version = check_good(service, client, good, live["answers"])
        assert seen == [PRIMARY]

        release = service.status("live")["completed"]
        document = service.commit("Document it", README_md="# Orders\n")
        # Nothing waits for approval, neither that of the merge gate nor production's.
        assert json.loads(service.scaffold("deploy", "--wait", "--json"))["release"]["commit"] == document
        assert "The image exists already, nothing to build." in service.scaffold("logs", "--build")
        assert (version_of(service), service.deployments("live")) == ((version, document), ["SUCCESSFUL"] * 2)
        # It is no release of its own.
        assert release["commit"] == release["tagged"] == good
        assert service.status("live")["completed"] == release
        assert "differs" not in service.scaffold("status")

        alarms = service.clone / "infrastructure" / "alarms.yaml"
        stricter = alarms.read_text().replace("Threshold: 5\n", "Threshold: 4\n")
        assert stricter != alarms.read_text()
        infrastructure = service.commit("Be stricter", infrastructure__alarms_yaml=stricter)
        service.release()
        assert "The image exists already, nothing to build." in service.scaffold("logs", "--build")
        assert (version_of(service), service.deployments("live")) == ((version, infrastructure), ["SUCCESSFUL"] * 2)
        (alarm,) = service.client("cloudwatch").describe_alarms(AlarmNames=[f"{service.app}-live-5xx"])["MetricAlarms"]
        assert alarm["Threshold"] == 4


def test_a_bad_canary_is_taken_back_by_the_alarms(tmp_path: Path) -> None:
    canary = {"deployment_strategy": "canary", "canary_percent": PERCENT, "canary_bake_minutes": 10, **ANSWERS}
    canary["observability"] = "standard"
    root = small_service(tmp_path / "orders", environments="dev,live", **canary)
    with kept(root, tmp_path, "--speed", SPEED) as service:
        live = service.result["environments"][1]
        good = service.commit("good", app__src__main_mjs=GOOD)
        client, seen = shifted(service, good, live["url"])
        version = check_good(service, client, good, live["answers"])
        assert seen == [ALTERNATE, CANARY_IN_PRIMARY, PRIMARY]

        received = service.subscribe()
        bad = service.commit("bad", app__src__main_mjs=BAD)
        polls = []
        with constant_client(live["url"]) as client:
            output = service.release(1, lambda: polls.append((service.weights("live"), client.outcomes.total())))
            answered, failed = client.outcomes["answered"], client.outcomes["failed"]
            wait(lambda: client.outcomes["answered"] >= answered + 50)
        assert "The release failed in the action Service of the stage Live" in output
        story = service.story("live")
        assert "ECS Deployment Alarm was triggered" in output, f"{output}\n{story}"
        assert f"rolled back because of CloudWatch alarms: {service.app}-live-5xx" in story
        assert failed == client.outcomes["failed"]  # None after the canary's end.
        assert {weights for weights, _ in polls} == {PRIMARY, CANARY_IN_ALTERNATE}
        # The canary's share, with the margin that so few random draws need.
        canary = [number for number, (weights, _) in enumerate(polls) if weights == CANARY_IN_ALTERNATE]
        requests = polls[canary[-1] + 1][1] - polls[canary[0] - 1][1]
        assert 0 < failed < 2 * PERCENT / 100 * requests
        assert {json.loads(answer)["version"] for answer in client.answers} == {version}
        assert service.weights("live") == PRIMARY

        assert version_of(service) == (version, good)
        dev_version, dev_commit = version_of(service, "dev")
        assert (dev_version != version, dev_commit) == (True, bad)
        deployment = service.status("live")["deployment"]
        assert deployment["status"] == "ROLLBACK_SUCCESSFUL"
        assert f"{service.app}-live-5xx" in deployment["reason"]
        newest, before, _ = json.loads(service.scaffold("releases", "live", "--json"))["releases"]
        assert (newest["version"], newest["outcome"], newest["answers"]) == (dev_version, "Failed", False)
        assert "ECS Deployment Alarm was triggered" in newest["reason"]
        assert (before["version"], before["outcome"], before["answers"]) == (version, "Succeeded", True)
        told: list[str] = []
        deadline = time.monotonic() + 60
        while not any("failed in the action Service of the stage Live" in message for message in told):
            assert time.monotonic() < deadline, told
            told += received()

        counting = {"app__src__main_mjs": COUNTING, "app__src__operations_mjs": OPERATIONS}
        commit = service.commit("Count operations", **counting)
        with constant_client(live["url"]):
            service.release()
        version, released = version_of(service)
        assert released == commit
        service.commit("Fail at operations", app__src__main_mjs=FAILING)
        with constant_client(live["url"]) as client:
            output = service.release(1)
        assert client.failures == []
        story = service.story("live")
        assert "ECS Deployment Alarm was triggered" in output, f"{output}\n{story}"
        assert f"rolled back because of CloudWatch alarms: {service.app}-live-operations" in story
        assert version_of(service) == (version, commit)
