"""A deployment killed at any point and repeated ends in the same state as an undisturbed one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scaffold.service import identity
from scaffold.service.service import read
from tests.deploy.services import (
    MORE,
    PIPELINE,
    Wire,
    client,
    commit,
    dies_after,
    dies_while_pushing,
    make_service,
    run,
    state,
    without_pages,
)

# Calls of a deployment from nothing and of one that changes a stack; the sweeps check that they are no fewer.
FIRST_CALLS, UPDATE_CALLS = 42, 35

EVENTS = "cloudformation:DescribeStackEvents"


def normal(service: Path) -> dict[str, Any]:
    """The state, with the service's own name and commits replaced."""
    name = read(service).app_name
    found = state(service, name)
    text = (
        repr(found)
        .replace(name, "NAME")
        .replace(found["main"], "COMMIT")
        .replace(identity.root_commit(read(service)), "ROOT")
    )
    return {"state": text}


@pytest.fixture(scope="module")
def undisturbed(local_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The state after a deployment, and after one that changes the pipeline's stack."""
    from tests.deploy.services import variables

    with variables(local_variables):
        service = make_service(tmp_path_factory.mktemp("undisturbed") / "service")
        run(service)
        first = normal(service)
        commit(service, infrastructure__pipeline_yaml=PIPELINE + MORE)
        run(service)
        return {"first": first, "update": normal(service)}


def check_first(service: Path, calls: int, undisturbed: dict[str, Any]) -> None:
    # The roles belong to the account, and other tests have created them.
    for role in client("iam").list_roles(PathPrefix="/aws-service-role/")["Roles"]:
        client("iam").delete_service_linked_role(RoleName=role["RoleName"])
    assert dies_after(service, calls)
    run(service)
    assert normal(service) == undisturbed["first"]
    assert not run(service).changed


def check_update(deployed: Path, calls: int, undisturbed: dict[str, Any]) -> None:
    commit(deployed, infrastructure__pipeline_yaml=PIPELINE + MORE)
    assert dies_after(deployed, calls)
    run(deployed)
    assert normal(deployed) == undisturbed["update"]


@pytest.mark.parametrize("calls", [8, pytest.param(12, marks=pytest.mark.slow)])
def test_killed_first_deployment(service: Path, undisturbed: dict[str, Any], calls: int) -> None:
    check_first(service, calls, undisturbed)


@pytest.mark.parametrize("calls", [18])
def test_killed_update(deployed: Path, undisturbed: dict[str, Any], calls: int) -> None:
    check_update(deployed, calls, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("calls", range(1, FIRST_CALLS + 1, 2))
def test_killed_first_deployment_at_every_other_call(service: Path, undisturbed: dict[str, Any], calls: int) -> None:
    check_first(service, calls, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("calls", range(2, UPDATE_CALLS + 1, 2))
def test_killed_update_at_every_other_call(deployed: Path, undisturbed: dict[str, Any], calls: int) -> None:
    check_update(deployed, calls, undisturbed)


@pytest.mark.slow
def test_sweeps_reach_every_call(service: Path, wire: Wire) -> None:
    run(service)
    first = len([call for call in without_pages(wire.calls) if call != EVENTS]) + 2
    commit(service, infrastructure__pipeline_yaml=PIPELINE + MORE)
    wire.calls.clear()
    run(service)
    # How often a stack's events are asked for depends on how busy the machine is; the roles may be there already.
    assert FIRST_CALLS - 3 <= first <= FIRST_CALLS
    assert len([call for call in without_pages(wire.calls) if call != EVENTS]) + 2 == UPDATE_CALLS


@pytest.mark.parametrize(
    "script",
    ["kill -9 $SCAFFOLD_TEST_PID", pytest.param("kill -9 $SCAFFOLD_TEST_PID $PPID", marks=pytest.mark.slow)],
)
def test_killed_while_pushing(service: Path, undisturbed: dict[str, Any], script: str) -> None:
    assert dies_while_pushing(service, script) == -9
    run(service)
    assert normal(service) == undisturbed["first"]
