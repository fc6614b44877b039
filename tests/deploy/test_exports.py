"""A template may lose an export only when no stack imports it: refused before anything changes, in plans too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scaffold.aws.cloudformation import templates
from scaffold.core.errors import ScaffoldError
from scaffold.service.service import read
from scaffold.service.stack_kinds import FOUNDATION as FOUNDATION_KIND
from scaffold.service.stack_kinds import StackId
from tests.deploy.services import (
    FOUNDATION,
    Wire,
    client,
    commit,
    environment_stack,
    foundation_stack,
    make_service,
    run,
)

READING = ("Describe", "Get", "Head", "List")
EXPORT = "  Images: {Value: !Ref Images, Export: {Name: !Sub '${AWS::StackName}-Images'}}\n"


def imported(service: Path, export: str) -> str:
    """Create a stack of the pipeline that imports an export, and return its name."""
    name = environment_stack(read(service).app_name, "dev", "environment")
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Fn::ImportValue": export}}}
    api = client("cloudformation")
    api.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {"Topic": topic}}))
    api.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
    return name


def refused(service: Path, wire: Wire, *, plan: bool) -> ScaffoldError:
    """The refusal of a deployment, which has changed nothing."""
    wire.calls.clear()
    with pytest.raises(ScaffoldError) as raised:
        run(service, plan=plan)
    assert [call for call in wire.calls if not call.partition(":")[2].startswith(READING)] == []
    return raised.value


def test_an_export_in_use_is_kept(service: Path, wire: Wire) -> None:
    unused = EXPORT.replace("Images", "Unused").replace("!Ref Unused", "!Ref Images")
    commit(service, infrastructure__foundation_yaml=FOUNDATION + EXPORT + unused)
    run(service)
    export = f"{foundation_stack(read(service).app_name)}-Images"
    user = imported(service, export)

    without_export, renamed = "  Images: {Value: !Ref Images}\n", EXPORT.replace("-Images'", "-Registry'")
    for change in ("", without_export, renamed):
        commit(service, infrastructure__foundation_yaml=FOUNDATION + change)
        happened = refused(service, wire, plan=bool(change)).happened
        assert (
            happened
            == f"infrastructure/foundation.yaml no longer has the export {export}, which is imported by {user}."
        )

    # As another output it stays an export, and a name that only CloudFormation evaluates may be the same.
    moved = EXPORT.replace("  Images:", "  Registry:")
    evaluated = EXPORT.replace("!Sub '${AWS::StackName}-Images'", "!Join ['-', [!Ref AWS::StackName, Images]]")
    for change in (EXPORT, moved, evaluated):
        commit(service, infrastructure__foundation_yaml=FOUNDATION + change)
        assert run(service, plan=True).changed


@pytest.mark.parametrize(
    ("output", "exports"),
    [
        ("{Value: x}", {}),
        ("x", {}),
        ("{Value: x, Export: {}}", {}),
        ("{Value: x, Export: {Name: !Sub '${AWS::StackName}-One'}}", {"One": "{stack}-One"}),
        ("{Value: x, Export: {Name: !Sub '${AppName}-One'}}", {"One": "{app}-One"}),
        ("{Value: x, Export: {Name: !Sub '${Key.Arn}-One'}}", {"One": None}),
        ("{Value: x, Export: {Name: !Ref AppName}}", {"One": None}),
        ("{Value: x, Export: {Name: !Join ['-', [a, b]]}}", {"One": None}),
        ("{Value: x, Export: {Name: {'Fn::Sub': '${AppName}-One'}}}", {"One": None}),
    ],
)
def test_the_exports_of_a_template(tmp_path: Path, output: str, exports: dict[str, Any]) -> None:
    service = make_service(tmp_path / "service")
    (service / "infrastructure/foundation.yaml").write_text(
        FOUNDATION.partition("Outputs:")[0] + f"Outputs:\n  One: {output}\n"
    )
    spec = templates.load(read(service), StackId(FOUNDATION_KIND))
    app = read(service).app_name
    assert spec.exports == {
        key: name and name.format(app=app, stack=foundation_stack(app)) for key, name in exports.items()
    }
