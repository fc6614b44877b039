"""A database that a service gets, gives up, and leaves as a snapshot, through the pipeline and its gate."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from scaffold.views.status import text
from tests.deploy.services import all_stacks, client, commit, remove, run
from tests.engine.tasks.test_running import GET
from tests.release.rehearsals import APPLICATION, small_service
from tests.release.services import decide, look, release
from tests.repair.situations import repair

# Several releases, each with builds.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
]

COMMON: dict[str, Any] = {"app_name": "stored", "customize": True, "approval": "none"}
#: Says to which database it would connect.
STORING = APPLICATION.replace("{ version,", "{ host: process.env.DATABASE_HOST, version,")
MIGRATE = "process.exitCode = process.env.DATABASE_MASTER_SECRET ? 0 : 1;\n"
SCHEMA = {
    "app__src__migrate_js": MIGRATE,
    "app__migrations__0001_create_items_sql": "CREATE TABLE items (id bigint PRIMARY KEY);\n",
}
ROLES = "arn:aws:iam::000000000000:role/stored/deploy/stored-live-deploy"


def switch(root: Path, other: Path, **answers: Any) -> None:
    """Give a service the files of another answer, as an update does."""
    small_service(other, **COMMON, **answers)
    for folder in ("infrastructure", "config"):
        shutil.rmtree(root / folder)
        shutil.copytree(other / folder, root / folder)


def turn_on(root: Path, other: Path, **answers: Any) -> None:
    """Release the database, and an application that uses it."""
    switch(root, other, database="postgres", **answers)
    commit(root, app__src__main_mjs=STORING, **SCHEMA)
    release_through_gate(root)


def turn_off(root: Path, other: Path, **answers: Any) -> None:
    """Release an application that does without, and nothing of the database."""
    switch(root, other, **answers)
    shutil.rmtree(root / "app/migrations")
    (root / "app/src/migrate.js").unlink()
    commit(root, app__src__main_mjs=APPLICATION)
    release_through_gate(root)


def release_through_gate(root: Path) -> None:
    """Deploy what a person deploys, and release; approve in the merge gate."""
    result = release(root)
    if result.release and result.release.waiting == "Approve-Gate":
        decide(root, yes=True, execution=result.release.execution)
        result = release(root)
    assert result.exit_code == 0, result


def answer(root: Path) -> dict[str, Any]:
    """What the environment answers."""
    (live,) = look(root).environments
    with GET(str(live.url), timeout=60) as response:
        found: dict[str, Any] = json.load(response)
        return found


def stacks() -> dict[str, dict[str, Any]]:
    """The stacks of the service by their kind."""
    return {one["StackName"].removeprefix("stored-"): one for one in all_stacks() if one["StackName"][:7] == "stored-"}


def cluster() -> tuple[str, bool]:
    """The identity of the database, and whether it is protected."""
    (found,) = client("rds").describe_db_clusters(DBClusterIdentifier="stored-live")["DBClusters"]
    return found["DbClusterResourceId"], found["DeletionProtection"]


def test_a_database_comes_stays_and_goes(aws: None, tmp_path: Path) -> None:
    root = small_service(tmp_path / "stored", **COMMON)
    assert release(root).exit_code == 0
    before = set(stacks())

    turn_on(root, tmp_path / "on")
    new = {"migrations", *(f"live-{kind}" for kind in ("database", "data-role", "deploy-options"))}
    assert stacks().keys() == before | new
    # Its own role, as the pipeline has given it; that of the service could neither create nor replace it.
    assert stacks()["live-database"]["RoleARN"] == f"{ROLES}-data"
    assert stacks()["live-task-definition"]["RoleARN"] == ROLES
    assert answer(root)["host"] == "127.0.0.1"
    database = cluster()
    assert database[1]
    client("rds").modify_db_cluster(DBClusterIdentifier="stored-live", DeletionProtection=False)
    assert "deletion protection is off; `scaffold repair live` turns it on" in text(look(root))
    repair(root, "live")
    assert cluster() == database
    assert "deletion protection" not in text(look(root))

    # The application goes on without it, and what it had stays, with the permissions that its deletion needs. A table
    # that comes meanwhile needs others of the same role.
    turn_off(root, tmp_path / "off", tables="orders")
    assert "host" not in answer(root)
    (left,) = run(root).left_stacks
    assert (left.name, left.reason) == ("stored-live-database", "database")
    assert "stored-live" in left.data
    assert stacks().keys() == before | new - {"migrations"} | {"live-data"}
    assert cluster() == database

    # It comes back with what it had.
    turn_on(root, tmp_path / "again", tables="orders")
    assert (answer(root)["host"], cluster()) == ("127.0.0.1", database)

    # By files that do not have it any more.
    switch(root, tmp_path / "off-again")
    commit(root)
    remove(root)
    assert not stacks()
    # Data outlives its stack.
    client("dynamodb").update_table(TableName="stored-live--orders", DeletionProtectionEnabled=False)
    client("dynamodb").delete_table(TableName="stored-live--orders")
    found = client("rds").describe_db_cluster_snapshots(DBClusterIdentifier="stored-live")["DBClusterSnapshots"]
    assert [one["DbClusterResourceId"] for one in found] == [database[0]]
