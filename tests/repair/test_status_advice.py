"""What `scaffold status` says about the repair of a database is what `scaffold repair` would do."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

import scaffold.aws.session
from scaffold.aws.cloudformation.stacks import find
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.core.target import configured_target
from scaffold.deployment import environment_database
from scaffold.deployment.environment_database import EnvironmentDatabase
from scaffold.deployment.repair_step import Problem
from scaffold.deployment.status import EnvironmentStatus, StatusResult
from scaffold.views.status import text
from tests.deploy.services import Wire
from tests.repair.situations import repair
from tests.repair.test_databases import release

# One of each kind that repair tells apart.
STATUSES = (
    "CREATE_COMPLETE",
    "CREATE_FAILED",
    "DELETE_FAILED",
    "DELETE_IN_PROGRESS",
    "ROLLBACK_COMPLETE",
    "UPDATE_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_FAILED",
)


def shown(database: EnvironmentDatabase) -> str:
    """What status shows of an environment with a database."""
    environment = EnvironmentStatus(
        name="dev",
        production=False,
        url=None,
        answers=None,
        no_answer=None,
        version=None,
        image=None,
        commit=None,
        ahead=None,
        tasks=None,
        alarms=(),
        deployment=None,
        stacks={},
        database=database,
    )
    return text(
        StatusResult(
            service="orders",
            account="000000000000",
            region="us-east-1",
            local=True,
            head=None,
            subject=None,
            unpushed=None,
            stages=(),
            commits={},
            environments=(environment,),
        )
    )


@pytest.mark.parametrize("protect", ["true", "false"])
def test_status_promises_what_repair_would_do(service: Path, wire: Wire, protect: str) -> None:
    """The statuses are made up, since local AWS cannot be brought into all of them."""
    name = release(service, protect)
    target = configured_target("us-east-1")
    session = Session(
        "000000000000", "arn:aws:iam::000000000000:root", target, scaffold.aws.session.new_session(target)
    )
    stack_status = ""

    def describe(parsed: dict[str, Any]) -> None:
        for one in parsed["Stacks"]:
            if one["StackName"] == name:
                one["StackStatus"] = stack_status

    wire.touched["DescribeStacks"] = describe
    promised = {}
    # Of a protected database, there is one thing to say, and others that must not be said.
    for stack_status in (
        STATUSES if protect == "false" else ("CREATE_COMPLETE", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED")
    ):
        stopped = protect == "true" and stack_status == "DELETE_FAILED"
        problems: tuple[Problem, ...] = ()
        with pytest.raises(ScaffoldError, match="is protected from deletion") if stopped else nullcontext():
            problems = repair(service, "dev", plan=True).problems
        planned = {(change.type, change.action) for problem in problems for change in problem.changes}
        database = environment_database.look(session, find(session, name), "dev", ())
        assert database is not None
        lines = shown(database)
        assert ("`scaffold repair dev` turns it on" in lines) == (("database-protection", "turn-on") in planned)
        # Where it would delete the database, nothing may sound like a way to protect it.
        if ("stack", "delete") in planned:
            assert "protection" not in lines
        promised[stack_status] = [line.strip() for line in lines.splitlines() if "scaffold repair" in line]
    failed = "the deletion of its stack has failed; `scaffold repair dev`"
    off = "its deletion protection is off; `scaffold repair dev`"
    if protect == "true":
        expected = {"DELETE_FAILED": [f"{failed} says what to decide"]}
    else:
        expected = {
            "CREATE_COMPLETE": [f"{off} turns it on"],
            "DELETE_FAILED": [f"{failed} finishes it, after your confirmation"],
            "UPDATE_ROLLBACK_COMPLETE": [f"{off} turns it on"],
            "UPDATE_ROLLBACK_FAILED": [f"{off} continues the rollback of its stack first"],
        }
    assert {one: found for one, found in promised.items() if found} == expected
