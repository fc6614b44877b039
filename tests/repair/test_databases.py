"""A database without deletion protection, which `scaffold repair` turns on and `scaffold status` shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scaffold.core.errors import ScaffoldError
from scaffold.core.results import Change
from scaffold.views.repair import text
from tests.deploy.services import Wire, client, environment_stack, release_stack
from tests.destroy.test_permissions import DESTROY, REPAIR, REPAIR_DATA, actions
from tests.repair.situations import (
    app_of,
    failed_rollback,
    foundation_output,
    in_review,
    key_of,
    key_state,
    register_again,
    repair,
    status,
    tags,
    wait_for,
)
from tests.repair.test_data import lose_bucket, lose_key

# As in the kit: what creates the cluster gives `false`, and the action after it `true`.
DATABASE = """\
Parameters: {ProtectDatabase: {Type: String}}
Resources:
  Cluster:
    Type: AWS::RDS::DBCluster
    Properties:
      DBClusterIdentifier: !Ref AWS::StackName
      Engine: aurora-postgresql
      MasterUsername: postgres
      ManageMasterUserPassword: true
      DeletionProtection: !Ref ProtectDatabase
Outputs:
  ClusterName: {Value: !Ref Cluster}
"""


def release(service: Path, protect: str) -> str:
    """What an action of the pipeline does with the stack of a database; returns its name, and that of its cluster."""
    app = app_of(service)
    stack = environment_stack(app, "dev", "database")
    release_stack(stack, DATABASE, {"ProtectDatabase": protect}, Tags=tags(app))
    return stack


def cluster(name: str) -> dict[str, Any]:
    (found,) = client("rds").describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
    return dict(found)


def unprotect(name: str) -> None:
    client("rds").modify_db_cluster(DBClusterIdentifier=name, DeletionProtection=False)


def test_a_protection_that_somebody_has_turned_off_is_turned_on_again(service: Path, wire: Wire) -> None:
    name = release(service, "true")
    assert repair(service).problems == ()
    unprotect(name)
    wire.calls.clear()
    planned = repair(service, plan=True)
    (problem,) = planned.problems
    assert (problem.name, problem.state) == (name, "off")
    assert problem.changes == (Change("database-protection", name, "turn-on"),)
    assert f"    turn on deletion protection of the database {name}\n" in f"{text(planned)}\n"
    assert (planned.exit_code, cluster(name)["DeletionProtection"]) == (10, False)
    before = cluster(name)
    repair(service, "dev")
    assert cluster(name) == {**before, "DeletionProtection": True}
    made = {one for one in wire.calls if one.startswith("rds:")}
    assert made == {"rds:DescribeDBClusters", "rds:ModifyDBCluster"}
    assert made <= actions(REPAIR_DATA) - actions(DESTROY)
    assert repair(service).problems == ()


def test_one_whose_release_ended_before_its_protection_does_not_wait_for_the_next_release(service: Path) -> None:
    name = release(service, "false")
    (problem,) = repair(service).problems
    assert (problem.type, problem.name) == ("database-protection", name)
    assert cluster(name)["DeletionProtection"] is True
    # The next release gives what the files say, and changes nothing of the cluster.
    release(service, "true")
    assert cluster(name)["DeletionProtection"] is True
    assert repair(service).problems == ()


def test_a_cluster_is_left_alone_while_its_stack_is_deleted(service: Path, wire: Wire) -> None:
    """To protect it now would stop the deletion half-way; the status is made up."""
    name = release(service, "true")
    unprotect(name)

    def describe(parsed: dict[str, Any]) -> None:
        for one in parsed["Stacks"]:
            if one["StackName"] == name:
                one["StackStatus"] = "DELETE_IN_PROGRESS"

    wire.touched["DescribeStacks"] = describe
    result = repair(service)
    assert (result.problems, [one.stack for one in result.waiting]) == ((), [name])
    assert cluster(name)["DeletionProtection"] is False


def test_what_a_failed_creation_has_left_stays_deletable(service: Path, wire: Wire) -> None:
    """Local AWS can always roll a creation back, so the status is made up."""
    name = release(service, "false")

    def describe(parsed: dict[str, Any]) -> None:
        for one in parsed["Stacks"]:
            if one["StackName"] == name:
                one["StackStatus"] = "ROLLBACK_FAILED"

    wire.touched["DescribeStacks"] = describe
    assert "database-protection" not in {one.type for one in repair(service, plan=True).problems}


def test_a_cluster_that_is_gone_is_no_problem_of_its_protection(service: Path) -> None:
    name = release(service, "true")
    unprotect(name)
    client("rds").delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)
    assert repair(service).problems == ()


def test_a_restored_database_is_protected_like_the_one_beside_it(service: Path, wire: Wire) -> None:
    name = release(service, "true")
    restored = f"{app_of(service)}-dev-restored"
    release_stack(restored, DATABASE, {"ProtectDatabase": "true"}, Tags=tags(app_of(service)))
    unprotect(restored)
    # Without the answer, a stack of this name is not the service's.
    assert repair(service).problems == ()
    (service / "infrastructure/database.yaml").write_text(DATABASE)
    assert repair(service, "prod").problems == ()
    wire.calls.clear()
    for environment in ("dev", None):
        unprotect(restored)
        (problem,) = repair(service, environment).problems
        assert (problem.type, problem.name, problem.state) == ("database-protection", restored, "off")
        assert cluster(restored)["DeletionProtection"] is True
    made = {one for one in wire.calls if one.startswith(("rds:", "cloudformation:"))}
    assert made - {"cloudformation:DescribeStacks"} <= actions(REPAIR, REPAIR_DATA)
    unprotect(name)
    unprotect(restored)
    assert [one.name for one in repair(service).problems] == [name, restored]


@pytest.mark.parametrize("status", ["CREATE_IN_PROGRESS", "DELETE_FAILED"])
def test_a_restored_database_that_comes_or_goes_stays_deletable(service: Path, wire: Wire, status: str) -> None:
    """The status is made up, as those above."""
    restored = f"{app_of(service)}-dev-restored"
    release_stack(restored, DATABASE, {"ProtectDatabase": "false"}, Tags=tags(app_of(service)))
    (service / "infrastructure/database.yaml").write_text(DATABASE)
    release(service, "true")

    def describe(parsed: dict[str, Any]) -> None:
        for one in parsed["Stacks"]:
            if one["StackName"] == restored:
                one["StackStatus"] = status

    wire.touched["DescribeStacks"] = describe
    assert repair(service).problems == ()


def test_a_restored_database_of_another_service_is_left_alone(service: Path) -> None:
    restored = f"{app_of(service)}-dev-restored"
    release(service, "true")
    release_stack(restored, DATABASE, {"ProtectDatabase": "false"}, Tags=tags("other"))
    (service / "infrastructure/database.yaml").write_text(DATABASE)
    assert repair(service).problems == ()


def test_a_deletion_that_a_protected_database_has_stopped_needs_a_decision(service: Path, wire: Wire) -> None:
    name = release(service, "true")
    client("cloudformation").delete_stack(StackName=name)
    wait_for(name, "DELETE_FAILED")
    wire.calls.clear()
    for plan in (True, False):
        with pytest.raises(ScaffoldError, match=f"{name} is DELETE_FAILED, and its database is protected") as refused:
            repair(service, plan=plan)
    command = f"aws rds modify-db-cluster --region us-east-1 --db-cluster-identifier {name} --no-deletion-protection"
    assert f"run `{command}`, then `scaffold repair` again" in refused.value.remedy
    assert "cloudformation:DeleteStack" not in wire.calls
    unprotect(name)
    assert f"delete database {name}" in text(repair(service, plan=True))
    repair(service)
    assert status(name) is None


def test_a_decision_about_one_database_keeps_no_other_stack_from_its_repair(service: Path) -> None:
    name = release(service, "true")
    client("cloudformation").delete_stack(StackName=name)
    wait_for(name, "DELETE_FAILED")
    other = environment_stack(app_of(service), "prod", "service")
    in_review(other, app_of(service))
    planned = repair(service, plan=True)
    assert ([one.name for one in planned.problems], planned.exit_code) == ([other], 10)
    done = repair(service)
    assert ([one.stack for one in done.undecided], done.exit_code) == ([name], 1)
    assert "is repaired, but for what you have to decide." in text(done)
    assert (status(other), status(name), cluster(name)["DeletionProtection"]) == (None, "DELETE_FAILED", True)
    assert repair(service, "prod").exit_code == 0
    # Nothing but the decision is left, which is no success.
    with pytest.raises(ScaffoldError) as alone:
        repair(service)
    assert (alone.value.happened, alone.value.remedy) == (done.undecided[0].happened, done.undecided[0].remedy)


@pytest.mark.slow
def test_a_decision_does_not_keep_rollbacks_and_the_foundation_from_their_repair(deployed: Path) -> None:
    app = app_of(deployed)
    name = release(deployed, "true")
    client("cloudformation").delete_stack(StackName=name)
    wait_for(name, "DELETE_FAILED")
    rollback, target = failed_rollback(app, "prod")
    register_again(target)
    key, bucket = lose_key(deployed), lose_bucket(deployed)

    with pytest.raises(ScaffoldError, match="its database is protected from deletion") as named:
        repair(deployed, "dev")
    planned = repair(deployed, plan=True)
    assert planned.exit_code == 10
    assert {one.name for one in planned.problems} >= {rollback, key, bucket}
    (left,) = planned.undecided
    assert (left.stack, left.status, left.environment) == (name, "DELETE_FAILED", "dev")
    decision = (
        f"Left for you to decide: The stack {name} is DELETE_FAILED, and its database is protected from deletion."
    )
    assert f"{decision} To delete the database, which leaves a snapshot, run `aws rds " in text(planned)
    assert left.remedy.replace("scaffold repair", "scaffold repair dev") == named.value.remedy

    done = repair(deployed)
    assert (done.exit_code, done.undecided) == (1, planned.undecided)
    assert "is repaired, but for what you have to decide." in text(done)
    assert decision in text(done)
    assert (status(rollback), key_state(key)) == ("UPDATE_ROLLBACK_COMPLETE", "Enabled")
    assert foundation_output(app, "ArtifactBucketName") == bucket
    client("s3").head_bucket(Bucket=bucket)
    assert key_of(app) == key
    assert (status(name), cluster(name)["DeletionProtection"]) == ("DELETE_FAILED", True)

    unprotect(name)
    assert repair(deployed).exit_code == 0
    assert status(name) is None
