"""A release protects from deletion what it finds of an earlier release."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.kits import ROOT
from tests.service.conftest import run_script

SCRIPT = ROOT / "template/config/scripts/protection.py"
ABSENT = "Stack with id x does not exist"


def printed(monkeypatch: pytest.MonkeyPatch, stacks: dict[str, Any], **given: str) -> subprocess.CompletedProcess[str]:
    """Run the script.

    Args:
        stacks: By environment, and the kind of its stack if it is not the environment's own, how CloudFormation
            describes it: status and parameters, or the text of an error.
    """

    def aws(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert command[1:4] == ["cloudformation", "describe-stacks", "--stack-name"]
        app, environment, kind = command[4].split("-")
        assert app == "orders"
        found = stacks[environment if kind == "environment" else f"{environment}-{kind}"]
        if isinstance(found, str):
            return subprocess.CompletedProcess(command, 254, "", f"\nAn error occurred ({found}\n")
        status, parameters = found
        one = {"StackStatus": status, "Parameters": parameters}
        return subprocess.CompletedProcess(command, 0, json.dumps({"Stacks": [one]}), "")

    protected = ",".join(one for one in stacks if "-" not in one)
    given = {"APP_NAME": "orders", "PROTECTED": protected, "AWS_REGION": "eu-central-1", **given}
    return run_script(monkeypatch, SCRIPT, aws, given)


def parameters(value: str | None, key: str = "ProtectLoadBalancer") -> list[dict[str, str]]:
    more = [] if value is None else [{"ParameterKey": key, "ParameterValue": value}]
    return [{"ParameterKey": "AppName", "ParameterValue": "orders"}, *more]


@pytest.mark.parametrize(
    ("status", "value", "protects"),
    [
        # A placeholder, and a release whose template had no such parameter.
        ("CREATE_COMPLETE", None, "false"),
        ("UPDATE_ROLLBACK_COMPLETE", None, "false"),
        # An earlier release may still fail; what it protects stays protected.
        ("UPDATE_IN_PROGRESS", "false", "false"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "false", "false"),
        ("UPDATE_IN_PROGRESS", "true", "true"),
        ("UPDATE_COMPLETE", "false", "true"),
        ("UPDATE_COMPLETE", "true", "true"),
        ("UPDATE_ROLLBACK_COMPLETE", "false", "true"),
    ],
)
def test_a_load_balancer_that_exists_is_protected(
    monkeypatch: pytest.MonkeyPatch, status: str, value: str | None, protects: str
) -> None:
    done = printed(monkeypatch, {"live": (status, parameters(value)), "dr": ("CREATE_COMPLETE", parameters(None))})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"export PROTECT_LIVE={protects}\nexport PROTECT_DR=false\n"


def test_a_database_has_the_protection_from_its_creation_on(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, Any] = {"live": ("UPDATE_COMPLETE", parameters("true"))}
    # Before its creation, after one that failed, between creation and protection, and after both.
    for name, status, value in (
        ("a", "CREATE_COMPLETE", None),
        ("b", "UPDATE_ROLLBACK_COMPLETE", None),
        ("c", "UPDATE_COMPLETE", "false"),
        ("d", "UPDATE_COMPLETE", "true"),
    ):
        found[f"{name}-database"] = (status, parameters(value, "ProtectDatabase"))
    done = printed(monkeypatch, found, DATABASES="a,b,c,d")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [f"export PROTECT_DATABASE_{one}\n" for one in ("A=false", "B=false", "C=true", "D=true")]
    assert done.stdout == "export PROTECT_LIVE=true\n" + "".join(lines)


@pytest.mark.parametrize("error", [f"ValidationError) when calling: {ABSENT}", "AccessDenied) when calling: no"])
def test_what_is_not_there_or_not_to_be_read_is_not_protected_yet(monkeypatch: pytest.MonkeyPatch, error: str) -> None:
    done = printed(monkeypatch, {"live": error})
    assert (done.returncode, done.stdout) == (0, "export PROTECT_LIVE=false\n")


def test_a_release_does_not_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    done = printed(monkeypatch, {"live": "Throttling) when calling: Rate exceeded"})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Not prepared: An error occurred (Throttling)")
    assert (done.stderr.count("\n"), done.stderr.count("; ")) == (1, 1)


@pytest.mark.parametrize("given", ["", "live;id", "$(id)", "live,"])
def test_names_that_are_none_are_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    assert printed(monkeypatch, {}, PROTECTED=given).returncode == 2
    assert not given or printed(monkeypatch, {}, PROTECTED="live", DATABASES=given).returncode == 2
