"""Releases of an application with a database, with each strategy, and the rotation of the master secret, under load."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from scaffold.local.environment import LocalAws, running_local_aws
from tests.engine.databases.items import constant
from tests.engine.tasks.standin import Registry
from tests.engine.tasks.test_running import wait
from tests.infrastructure.test_local_aws import Account
from tests.infrastructure.test_running import ANSWERS
from tests.kits import generate
from tests.service.conftest import npm_ci, run_script

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

DATABASE = {"customize": True, "database": "postgres"}
WAITS = ("BakeMinutes", "CanaryBakeMinutes", "LinearStepMinutes")


def packed(**folders: Path) -> bytes:
    """A layer with files and folders of an application, by their names in it."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", compresslevel=1) as archive:
        for name, path in folders.items():
            archive.add(path.resolve(), f"app/{name}")
    return content.getvalue()


class Live:
    """The environment `live` of a service, as its pipeline deploys it.

    Args:
        modules: The packages of the application's process.
    """

    def __init__(self, aws: LocalAws, root: Path, modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.account = Account(aws.variables, root)
        self.name = f"{self.account.app}-live"
        self._root, self._monkeypatch = root, monkeypatch
        self._modules = packed(node_modules=modules)
        self._items = root / "app/src/items.js"
        self._released = 0
        # A minute of local AWS is half a second, in which a busy machine may answer late.
        alarms = root / "infrastructure/alarms.yaml"
        alarms.write_text(alarms.read_text().replace("      Threshold: 1\n", "      Threshold: 60\n"))
        for kind in ("foundation", "permissions"):
            self.account.apply(kind, f"{kind}.yaml", f"{kind}.json")
        for kind in ("deploy-role", "deploy-options", "data-role"):
            self.account.apply(f"live-{kind}", f"{kind}.yaml", f"live/{kind}.json")
        for kind in ("network", "database", "environment", "alarms"):
            outputs = self._apply(kind, f"{kind}.yaml", f"live/{kind}.json")
            if kind == "environment":
                self.url, self._rule = outputs["ServiceUrl"], outputs["ProductionRuleArn"]

    def release(self, strategy: str) -> str:
        """Release a version with a migration; return the name of the column that it adds."""
        self._released += 1
        column = f"note{self._released}"
        migration = f"ALTER TABLE items ADD COLUMN {column} text NOT NULL DEFAULT 'none';\n"
        (self._root / f"app/migrations/{self._released + 1:04}_{column}.sql").write_text(migration)
        self._items.write_text(self._items.read_text().replace("id, name,", f"id, name, {column},", 1))
        task = self._apply(
            "task-definition",
            "live/task-definition.yaml",
            "",
            ImageUri=self._image(),
            Version=f"{self._released:012d}",
        )
        self._migrate()
        waits = dict.fromkeys(WAITS, "1")
        given = {"TaskDefinitionArn": task["TaskDefinitionArn"], "DeploymentStrategy": strategy, **waits}
        self._apply("service", "service.yaml", "live/service.json", **given)
        return column

    def weights(self) -> list[int]:
        (rule,) = self.account.client("elbv2").describe_rules(RuleArns=[self._rule])["Rules"]
        return [one["Weight"] for one in rule["Actions"][0]["ForwardConfig"]["TargetGroups"]]

    def rotate(self) -> tuple[str, str]:
        """Let RDS rotate the master secret; return the password before and after."""
        rds, secrets = self.account.client("rds"), self.account.client("secretsmanager")
        (cluster,) = rds.describe_db_clusters(DBClusterIdentifier=self.name)["DBClusters"]

        def password() -> str:
            found = secrets.get_secret_value(SecretId=cluster["MasterUserSecret"]["SecretArn"])["SecretString"]
            return str(json.loads(found)["password"])

        before = password()
        rds.modify_db_cluster(DBClusterIdentifier=self.name, RotateMasterUserPassword=True, ApplyImmediately=True)
        return before, password()

    def _apply(self, kind: str, template: str, configuration: str, **parameters: str) -> dict[str, str]:
        role = f"{self.name}-deploy{'-data' if kind == 'database' else ''}"
        arn = f"arn:aws:iam::000000000000:role/{self.account.app}/deploy/{role}"
        return self.account.apply(f"live-{kind}", template, configuration, arn, **parameters)

    def _image(self) -> str:
        app = self._root / "app"
        code = packed(**{name: app / name for name in ("package.json", "src", "certificates", "migrations")})
        return Registry(self.account._endpoint).push(
            self.account.app, self._modules, code, Entrypoint=["node", "src/main.js"]
        )

    def _migrate(self) -> None:
        def aws(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
            call = getattr(self.account.client(command[1]), command[2].replace("-", "_"))
            answer = call(**json.loads(command[command.index("--cli-input-json") + 1]))
            return subprocess.CompletedProcess(command, 0, json.dumps(answer, default=str), "")

        script = self._root / "config/scripts/migrate.py"
        given = {"APP_NAME": self.account.app, "ENVIRONMENT_NAME": "live", "POLL_SECONDS": "0.2"}
        done = run_script(self._monkeypatch, script, aws, given)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        assert '"msg":"migrated"' in done.stdout


def test_releases_with_a_database_lose_no_request(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = generate(tmp_path / "really", **ANSWERS, **DATABASE)
    modules = npm_ci(root, tmp_path_factory, "--omit=dev", of="npm-ci-database")
    with running_local_aws(runs=True, speed=120) as aws:
        live = Live(aws, root, modules, monkeypatch)
        column = live.release("ROLLING")
        for strategy in ("ROLLING", "BLUE_GREEN", "CANARY", "LINEAR"):
            weights = live.weights()
            with constant(live.url) as clients:
                first = clients.create()
                before, after = live.rotate()
                earlier, column = column, live.release(strategy)
                wait(lambda: clients.columns[column] > 0)  # noqa: B023
                # What the version before has written, with what the migration has put beside it.
                assert clients.read(first["id"]) == {**first, column: "none"}
            assert before != after
            assert clients.failures == []
            assert clients.columns.keys() == {earlier, column}
            assert live.weights() == (weights if strategy == "ROLLING" else weights[::-1])
