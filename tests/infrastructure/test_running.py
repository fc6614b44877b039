"""The kit's own stacks on a local AWS that runs: the environment's address answers with the released version."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from scaffold.local.environment import running_local_aws
from tests.engine.tasks.standin import Registry, layer
from tests.infrastructure.test_local_aws import Account

ANSWERS = {"app_name": "really", "environments": "live"}
GET = build_opener(ProxyHandler({})).open


@pytest.fixture(scope="module")
def account(generated: Callable[..., Path]) -> Iterator[Account]:
    with running_local_aws(runs=True, speed=600) as aws:
        yield Account(aws.variables, generated(**ANSWERS))


@pytest.fixture(scope="module")
def image(account: Account, generated: Callable[..., Path]) -> str:
    return prepared(account, generated(**ANSWERS))


def prepared(account: Account, root: Path) -> str:
    """Create what an environment needs; return an image with the kit's server, without the packages that it does not
    need to answer.
    """
    for kind in ("foundation", "permissions"):
        account.apply(kind, f"{kind}.yaml", f"{kind}.json")
    for kind in ("deploy-role", "deploy-options"):
        if (root / "infrastructure" / f"{kind}.yaml").is_file():
            account.apply(f"live-{kind}", f"{kind}.yaml", f"live/{kind}.json")
    source = root / "app" / "src"
    server = "import { loadConfig } from './config.js'; import { createServer } from 'node:http';\n"
    server += """
        const { port, version, environment } = loadConfig();
        const server = createServer((request, response) => response.end(JSON.stringify({ version, environment })));
        server.listen(port);
        process.on('SIGTERM', () => server.close(() => process.exit(0)));
    """
    package = json.dumps({"type": "module"})
    files = {"app/src/main.js": server, "app/src/config.js": (source / "config.js").read_text()}
    command = {"Entrypoint": ["node", "src/main.js"]}
    content = layer({**files, "app/package.json": package})
    return Registry(account._endpoint).push(account.app, content, **command)


def release(account: Account, image: str, version: str) -> str:
    """Deploy a release with the deploy role, as the pipeline does; return the address of the environment."""
    role = f"arn:aws:iam::000000000000:role/{account.app}/deploy/{account.app}-live-deploy"
    outputs = {
        kind: account.apply(f"live-{kind}", f"{kind}.yaml", f"live/{kind}.json", role)
        for kind in ("network", "environment", "alarms")
    }
    task = account.apply("live-task-definition", "live/task-definition.yaml", "", role, ImageUri=image, Version=version)
    account.apply("live-service", "service.yaml", "live/service.json", role, **task)
    return outputs["environment"]["ServiceUrl"]


@pytest.mark.slow
def test_the_address_of_an_environment_answers_with_the_version(account: Account, image: str) -> None:
    for version in ("1" * 12, "2" * 12):
        url = release(account, image, version)
        with GET(url, timeout=60) as answer:
            assert json.loads(answer.read()) == {"version": version, "environment": "live"}
    limits = json.loads((account._folder / "live" / "service.json").read_text())["Parameters"]
    end = time.monotonic() + 30
    while account.service("live")["runningCount"] != int(limits["MinTasks"]):
        assert time.monotonic() < end
        time.sleep(0.2)
    account.delete("live-service")
    described = account.client("elbv2").describe_target_groups()["TargetGroups"]
    health = account.client("elbv2").describe_target_health(TargetGroupArn=described[0]["TargetGroupArn"])
    assert health["TargetHealthDescriptions"] == []
