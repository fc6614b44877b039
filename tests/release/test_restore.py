"""A restore to a point in time on local AWS: a copy beside the database, to which a release leads the service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scaffold.core.git import git
from tests.cli.running import ROOT
from tests.engine.databases.items import Clients
from tests.release.kept import Kept, kept
from tests.release.test_migrations import release, small_service

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def run(service: Kept, script: str, *arguments: str) -> None:
    """Run a script of the service."""
    done = subprocess.run(
        [sys.executable, f"config/scripts/{script}.py", *arguments],
        cwd=service.clone,
        env={**os.environ, **service.variables, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def use(service: Kept, *arguments: str) -> None:
    """Release a task definition that uses a database."""
    run(service, "use_database", "live", *arguments)
    release(service, 0)


def reached(service: Kept) -> set[str]:
    """The databases that tasks may sign in to, by the names of their policies."""
    role = service.client("cloudformation").describe_stack_resource(
        StackName=f"{service.app}-live-environment", LogicalResourceId="TaskRole"
    )["StackResourceDetail"]["PhysicalResourceId"]
    return set(service.client("iam").list_role_policies(RoleName=role)["PolicyNames"]) & {"database", "restored"}


def delete(service: Kept, kind: str, cluster: str) -> None:
    """Delete a stack of the database as README.md says."""
    stack = f"{service.app}-live-{kind}"
    service.client("rds").modify_db_cluster(DBClusterIdentifier=cluster, DeletionProtection=False)
    cloudformation = service.client("cloudformation")
    cloudformation.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )


def test_a_service_goes_on_with_a_restored_database_and_comes_back_to_its_own_stack(tmp_path: Path) -> None:
    with kept(small_service(tmp_path / "orders"), tmp_path, "--speed", "60") as service:
        (live,) = (one["url"] for one in service.result["environments"])
        clients = Clients(live, 0)
        before = clients.create("before")
        run(service, "restore_database", "live", "2026-11-27T06:00:00Z")
        clients.create("after")
        database = service.status("live")["database"]
        assert (database["cluster"]["status"], database["cluster"]["least"]) == ("available", 0.5)
        assert database["migration"]["status"] == "Succeeded"
        assert clients.read(before["id"]) == before
        restored = service.status("live")["restored"]
        assert (restored["name"], restored["protected"]) == (f"{service.app}-live-restored", True)

        use(service, "restored")
        # Tasks that come back, since their deployment is taken back, find their database.
        assert reached(service) == {"database", "restored"}
        found = clients.names()
        assert ("before" in found, "after" in found) == (True, False)
        later = clients.create("later")

        use(service, "restored", "--only")
        assert reached(service) == {"restored"}
        assert clients.read(later["id"]) == later

        # Back: a copy of the copy, in the stack that the pipeline updates.
        app = service.app
        delete(service, "database", f"{app}-live")
        settings = json.loads((service.clone / "infrastructure/live/database.json").read_text())
        settings["Parameters"]["RestoreSource"] = f"{app}-live-restored"
        release(service, 0, infrastructure__live__database_json=json.dumps(settings))
        use(service, "database")
        assert reached(service) == {"database", "restored"}
        assert clients.read(later["id"]) == later
        use(service, "database", "--only")
        assert reached(service) == {"database"}
        delete(service, "restored", f"{app}-live-restored")
        assert clients.create("last")["name"] == "last"
        assert git("status", "--porcelain", cwd=service.clone) == ""
