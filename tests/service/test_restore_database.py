"""The script that restores a database: it creates a stack that can be rolled back, and protects what it has created."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.destroy.test_permissions import filled
from tests.infrastructure.iam import allowed
from tests.infrastructure.stacks import ACCOUNT, REGION
from tests.kits import ROOT
from tests.service.conftest import run_script

SCRIPTS = ROOT / "template/config/scripts"
NAME = "restore_database.py"
PARAMETERS = {"AppName": "orders", "EnvironmentName": "live", "ProtectDatabase": "true"}
DESCRIBED = [{"ParameterKey": key, "ParameterValue": value} for key, value in PARAMETERS.items()]
POLICY = json.loads((ROOT / "docs/operator-policy-restore.json").read_text())
RESTORED, NOT_RESTORED = 0, 1
#: The stack has termination protection, and its cluster may have deletion protection.
HEADING = "Deleting a database by hand"


class Account:
    """CloudFormation, with a script of a service.

    Attributes:
        statuses: Those of the stack, at each look.
        made: The calls, with their input.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path, statuses: list[str]) -> None:
        self.statuses, self.made = iter(statuses), list[tuple[str, dict[str, Any]]]()
        self._monkeypatch, self._scripts = monkeypatch, root / "config/scripts"
        self._scripts.mkdir(parents=True)
        for name in ("aws_calls.py", "aws_cli.py", "remedies.py", "source_files.py"):
            shutil.copy(SCRIPTS / name, self._scripts)
        shutil.copy(SCRIPTS / f"{{% if databases %}}{NAME}{{% endif %}}", self._scripts / NAME)
        (root / "infrastructure/live").mkdir(parents=True)
        (root / "infrastructure/database.yaml").write_text("Resources: {}\n")
        given = {"Parameters": PARAMETERS, "Tags": {"gitops-scaffold:service": "orders"}, "StackPolicy": {}}
        (root / "infrastructure/live/database.json").write_text(json.dumps(given))

    def restore(self) -> subprocess.CompletedProcess[str]:
        self._monkeypatch.setattr("time.sleep", lambda _: None)
        return run_script(self._monkeypatch, self._scripts / NAME, self.aws, {}, ("live",))

    def aws(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        operation = command[2]
        given = json.loads(command[command.index("--cli-input-json") + 1])
        self.made.append((operation, given))
        answer: dict[str, Any] = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/me"}
        if operation == "describe-stacks":
            answer = {"Stacks": [{"StackStatus": next(self.statuses), "Parameters": DESCRIBED}]}
        elif operation == "describe-stack-events":
            event = {"ResourceStatus": "UPDATE_FAILED", "ResourceStatusReason": "no capacity"}
            answer = {"StackEvents": [event]}
        return subprocess.CompletedProcess(command, 0, json.dumps(answer), "")

    def inputs(self, operation: str) -> list[dict[str, Any]]:
        return [given for one, given in self.made if one == operation]


CREATED = ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
# The first one is read for its parameters, and the second may be older than the update.
UPDATED = ["CREATE_COMPLETE", "CREATE_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"]


def test_a_restored_cluster_is_protected_once_it_exists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    account = Account(monkeypatch, tmp_path, [*CREATED, *UPDATED, "UPDATE_COMPLETE"])
    done = account.restore()
    assert (done.returncode, done.stderr) == (RESTORED, "")
    ((created,), (updated,)) = account.inputs("create-stack"), account.inputs("update-stack")
    given = {one["ParameterKey"]: one["ParameterValue"] for one in created["Parameters"]}
    assert (given["ProtectDatabase"], given["RestoreSource"]) == ("false", "orders-live")
    assert created["EnableTerminationProtection"]
    changed = {one["ParameterKey"]: one for one in updated["Parameters"]}
    assert changed.pop("ProtectDatabase")["ParameterValue"] == "true"
    assert changed.keys() == {"AppName", "EnvironmentName"}
    assert all(one["UsePreviousValue"] for one in changed.values())
    assert updated["UsePreviousTemplate"]


@pytest.mark.parametrize(
    ("statuses", "remedy"),
    [
        (["ROLLBACK_IN_PROGRESS"], HEADING),
        ([*CREATED, *UPDATED[:3], "UPDATE_ROLLBACK_IN_PROGRESS"], "--deletion-protection`"),
    ],
)
def test_what_fails_is_said_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, statuses: list[str], remedy: str
) -> None:
    done = Account(monkeypatch, tmp_path, statuses).restore()
    assert done.returncode == NOT_RESTORED
    assert done.stderr.startswith(f"Not restored: the stack orders-live-restored is {statuses[-1]}: no capacity; ")
    assert remedy in done.stderr


def test_the_deletion_that_a_failure_names_is_described() -> None:
    section = (
        (ROOT / "template/README.md.jinja").read_text("utf-8").partition(f"#### {HEADING}\n")[2].partition("\n#")[0]
    )
    lifted = (
        "--no-deletion-protection",
        "--no-enable-termination-protection",
        "delete-stack",
        "delete-db-cluster-snapshot",
    )
    assert [one for one in lifted if one not in section] == []


def test_the_policy_for_restoring_has_what_the_script_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    account = Account(monkeypatch, tmp_path, [*CREATED, *UPDATED, "UPDATE_COMPLETE"])
    account.restore()
    made = {operation.title().replace("-", "") for operation, _ in account.made} - {"GetCallerIdentity"}
    # Tags, stack policy and termination protection of a creation, and what README.md and a failure say.
    made |= {"TagResource", "SetStackPolicy", "UpdateTerminationProtection", "DeleteStack", "DescribeStackEvents"}
    statements, prefix = filled(POLICY, "orders"), f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/"
    for action in made:
        assert allowed(statements, f"cloudformation:{action}", f"{prefix}orders-live-restored/1"), action
        for other in ("orders-live-database", "orders-x-live-restored"):
            reads = action in ("DescribeStacks", "DescribeStackEvents", "TagResource")
            assert reads or not allowed(statements, f"cloudformation:{action}", f"{prefix}{other}/1"), (action, other)
    (created,) = account.inputs("create-stack")
    passed = {"iam:PassedToService": "cloudformation.amazonaws.com"}
    assert allowed(statements, "iam:PassRole", created["RoleARN"], passed)
    assert not allowed(statements, "iam:PassRole", created["RoleARN"].removesuffix("-data"), passed)
