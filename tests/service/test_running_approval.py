"""The record of a release names who has approved it while its tasks ran, or says that nobody is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.service.conftest import function_of

FOLDER = "releases/R/approvals/prod/"
UNKNOWN = {"by": None, "message": function_of("running_approval.py", "UNKNOWN"), "at": None}
ADA, BOB = "AROA1:ada", "AROA2:bob"


def arn(user: str) -> str:
    return f"arn:aws:sts::1:assumed-role/Releasers/{user.partition(':')[2]}"


def run(action: str, status: str = "Succeeded", minute: int = 0, **variables: str) -> dict[str, Any]:
    found: dict[str, Any] = {"stageName": "Prod", "actionName": action, "status": status}
    found |= {"lastUpdateTime": f"2026-01-31T09:{minute:02}:30.5+00:00", "output": {"outputVariables": variables}}
    return found


PAUSED = [run("Tests"), run("Service", minute=20), run("StrategyGate", PAUSE_MINUTES="480")]
TAKEN_BACK = [run("Service", minute=40), run("Service", "Failed", 20), run("StrategyGate", PAUSE_MINUTES="480")]


def approved(actions: list[dict[str, Any]], signed: dict[str, tuple[int, str]]) -> Any:
    """What the script finds.

    Args:
        signed: The minute of each signature, and the ARN in it, by what follows the folder in its key.
    """
    running_approval: Callable[..., Any] = function_of("running_approval.py", "running_approval")
    objects = [
        {"Key": FOLDER + key, "LastModified": f"2026-01-31T09:{minute:02}:10+00:00"}
        for key, (minute, _) in signed.items()
    ]
    listed = {("bucket", FOLDER): objects}
    running_approval.__globals__.update(
        actions=lambda *_: actions,
        listed=lambda *place: listed[place],
        find=lambda _, key: {"by": signed[key.removeprefix(FOLDER)][1]},
    )
    return running_approval("shop", "bucket", "R", "prod", "execution")


@pytest.mark.parametrize(
    ("actions", "signed", "expected"),
    [
        # ECS has waited for nobody: no answer, a rollback, a plan with other changes, another environment.
        ([], {}, None),
        ([run("StrategyGate")], {f"{ADA}.json": (5, arn(ADA))}, None),
        ([run("StrategyGate", PAUSE_MINUTES="0")], {}, None),
        ([run("StrategyGate", PAUSE_MINUTES="480") | {"stageName": "Dr"}], {}, None),
        (PAUSED, {f"{ADA}.json": (5, arn(ADA))}, {"by": arn(ADA), "message": None, "at": "2026-01-31T09:05:10Z"}),
        (PAUSED, {"AIDA1.json": (5, "arn:aws:iam::1:user/eve")},
         {"by": "arn:aws:iam::1:user/eve", "message": None, "at": "2026-01-31T09:05:10Z"}),
        # Somebody has used ECS itself.
        (PAUSED, {}, UNKNOWN),
        # Who signs for another is not believed.
        (PAUSED, {f"{ADA}.json": (5, arn(BOB))}, UNKNOWN),
        (PAUSED, {f"{ADA}.json": (5, "arn:aws:iam::1:user/ada")}, UNKNOWN),
        (PAUSED, {f"{BOB}/{ADA}.json": (5, arn(ADA))}, UNKNOWN),
        (PAUSED, {f"{ADA}.json": (5, "")}, UNKNOWN),
        # An alarm has taken back what Ada approved. Bob approved the retry, or somebody else did.
        (TAKEN_BACK, {f"{ADA}.json": (10, arn(ADA)), f"{BOB}.json": (30, arn(BOB))},
         {"by": arn(BOB), "message": None, "at": "2026-01-31T09:30:10Z"}),
        (TAKEN_BACK, {f"{ADA}.json": (10, arn(ADA))}, UNKNOWN),
    ],
)  # fmt: skip
def test_who_approved_while_the_tasks_ran(
    actions: list[dict[str, Any]], signed: dict[str, tuple[int, str]], expected: object
) -> None:
    assert approved(actions, signed) == expected
