"""`scaffold status --drift`: what is not released yet, and what was changed in AWS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.git import git
from scaffold.deployment.stack_drift import StackDrift
from scaffold.service import names
from scaffold.service.service import read
from scaffold.views.status import text
from tests.deploy.services import Wire, client, commit, lift_protection
from tests.release.services import ENVIRONMENT, PATIENT, forget_successes, look, release

WITH_SIZE = "Parameters:\n  Size: {Type: String, Default: small}\n" + ENVIRONMENT


def drift(root: Path) -> dict[str, StackDrift]:
    app = read(root).app_name
    return {one.stack.removeprefix(f"{app}-"): one for one in look(root, drift=True).drift or ()}


def update(name: str, **request: object) -> None:
    client("cloudformation").update_stack(StackName=name, **request)
    client("cloudformation").get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=PATIENT)


def delete(name: str) -> None:
    client("cloudformation").delete_stack(StackName=name)
    client("cloudformation").get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=PATIENT)


@pytest.mark.slow
def test_unreleased_commits_and_changes_in_aws(service: Path, tmp_path: Path, wire: Wire) -> None:
    app = read(service).app_name
    first = commit(service, infrastructure__environment_yaml=WITH_SIZE)
    assert release(service).exit_code == 11
    released = look(service, drift=True)
    assert (released.exit_code, {one.state for one in released.drift or ()}) == (0, {"in-sync", "not-created"})
    assert f"{app}-prod-environment  not created yet" in text(released)

    commit(service, "More", infrastructure__environment_yaml=WITH_SIZE + "  More: {Type: AWS::SNS::Topic}\n")
    ahead = look(service, drift=True)
    found = next(one for one in ahead.drift or () if one.stack == f"{app}-dev-environment")
    assert (ahead.exit_code, found.state, found.commit, found.ahead) == (0, "not-released", first, 1)
    assert f"not released: 1 commit of HEAD ahead of it, it is as commit {first[:7]}" in text(ahead)

    large = [{"ParameterKey": "Size", "ParameterValue": "large"}]
    update(f"{app}-dev-environment", UsePreviousTemplate=True, Parameters=large)
    role = (service / "infrastructure/permissions.yaml").read_text()
    given = json.loads((service / "infrastructure/dev/deploy-role.json").read_text())["Parameters"]
    update(
        f"{app}-dev-deploy-role",
        TemplateBody=role + "  Mine: {Type: AWS::SNS::Topic}\n",
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    lift_protection(app, "prod")
    delete(f"{app}-prod-deploy-role")
    changed = look(service, drift=True)
    assert changed.exit_code == 12
    by_name = {one.stack.removeprefix(f"{app}-"): one for one in changed.drift or ()}
    assert {name for name, one in by_name.items() if one.drifted} == {
        "dev-environment",
        "dev-deploy-role",
        "prod-deploy-role",
    }
    # The parameter alone differs from the commit that was released.
    assert by_name["dev-environment"].commit == first
    shown = text(changed)
    assert "parameter Size: 'large' in AWS, 'small' in the commit" in shown
    assert "resource Mine" in shown
    assert f"{app}-prod-deploy-role  deleted in AWS" in shown
    assert json.loads(json.dumps(changed.document(), default=str))["drift"][0]["state"] == "in-sync"

    with pytest.raises(UsageError, match="--watch does not look for drift"):
        look(service, watch=True, drift=True)

    tags = [{"Key": names.TAG_SERVICE, "Value": app}]
    client("cloudformation").create_stack(StackName=f"{app}-dev-alarms", TemplateBody=ENVIRONMENT, Tags=tags)
    delete(f"{app}-dev-environment")
    forget_successes(wire)
    assert drift(service)["dev-environment"].state == "deleted"
    wire.touched.clear()

    # A clone that is behind, and one that has not even fetched.
    git("reset", "-q", "--hard", f"{first}~2", cwd=service)
    assert drift(service)["build"].state == "newer"
    git("clone", "-q", "--no-local", "--single-branch", str(service), str(tmp_path / "other"), cwd=tmp_path)
    with pytest.raises(ScaffoldError, match="which this clone lacks"):
        look(tmp_path / "other", drift=True)
