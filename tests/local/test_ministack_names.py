"""Local AWS with a ministack that has changed: it names the change when it starts, or works as before."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from botocore.parsers import ResponseParserError
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from scaffold import __version__
from scaffold.core.errors import ScaffoldError
from scaffold.local import ministack_names
from scaffold.local.environment import local_aws
from tests.local.conftest import ROOT, Client, Stack, isolated
from tests.local.test_resource_types import resource

Change = Callable[[str], None]


@pytest.fixture
def change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Change:
    """Changes ministack in every Python process that is started from then on."""

    def write(code: str) -> None:
        (tmp_path / "sitecustomize.py").write_text(code)
        monkeypatch.setenv(
            "PYTHONPATH", os.pathsep.join(filter(None, [os.fspath(tmp_path), os.environ.get("PYTHONPATH")]))
        )

    return write


CLOUDFORMATION = "from ministack.services.cloudformation import handlers, helpers, provisioners\n"


@pytest.mark.parametrize(
    ("code", "missing"),
    [
        ("from ministack.services import ecs\ndel ecs._dispatch_action", "ministack.services.ecs._dispatch_action"),
        pytest.param(
            f"{CLOUDFORMATION}import sys\nsys.modules[helpers.__name__] = None",
            "ministack.services.cloudformation.helpers._error",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "from ministack.services import iam\ndel iam._IAM_HANDLERS['CreateRole']",
            "handler of the iam action CreateRole",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            f"{CLOUDFORMATION}del provisioners._RESOURCE_HANDLERS['AWS::S3::Bucket']",
            "delete function of AWS::S3::Bucket",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            f"{CLOUDFORMATION}del provisioners._RESOURCE_HANDLERS['AWS::ECR::Repository']['create']",
            "create function of AWS::ECR::Repository",
            marks=pytest.mark.slow,
        ),
        (
            f"{CLOUDFORMATION}from ministack.services.cloudformation import stacks\n"
            "stacks._resolve_stack_outputs = lambda stack, template: ([], {})",
            "ministack.services.cloudformation.stacks._resolve_stack_outputs with 7 arguments",
        ),
        pytest.param(
            "from ministack.services import sns\nsns.handle_request = lambda request: None",
            "ministack.services.sns.handle_request with 5 arguments",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_changed_name_ends_the_start_in_one_sentence(change: Change, code: str, missing: str) -> None:
    change(code)
    with pytest.raises(ScaffoldError) as refused, local_aws():
        pass
    assert (
        f"ministack {version('ministack')} has no {missing}; "
        f"gitops-scaffold {__version__} was tested with ministack {ministack_names.TESTED}."
    ) in refused.value.happened
    assert "\n" not in refused.value.happened
    assert refused.value.remedy == f"Install that one: pip install 'ministack=={ministack_names.TESTED}'"


@pytest.mark.slow
def test_the_command_says_what_has_changed(change: Change, tmp_path: Path) -> None:
    change("from ministack.services import ecs\ndel ecs._dispatch_action")
    environment = isolated(tmp_path) | {"NO_COLOR": "1"}
    environment["PYTHONPATH"] += f"{os.pathsep}{tmp_path}"
    command = [sys.executable, "-P", "-m", "scaffold", "local", "--no-run", "--", "true"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert "has no ministack.services.ecs._dispatch_action" in said
    assert f"pip install 'ministack=={ministack_names.TESTED}'" in said
    assert "Traceback" not in said


def test_a_missing_dependency_of_ministack_is_reported_as_such(change: Change) -> None:
    change("import sys\nsys.modules['yaml'] = None")
    with pytest.raises(ScaffoldError) as refused, local_aws():
        pass
    assert "has no" not in refused.value.happened
    assert "ModuleNotFoundError" in refused.value.happened


@pytest.mark.slow
def test_a_type_that_a_newer_ministack_has_is_replaced(change: Change, client: Client) -> None:
    change(f"""{CLOUDFORMATION}
def fail(*arguments):
    raise ValueError("ministack's own type")

for name in ("AWS::EC2::EIP", "AWS::CodeBuild::ReportGroup"):
    provisioners._RESOURCE_HANDLERS[name] = dict.fromkeys(("create", "update", "delete"), fail)
    provisioners._REPLACING_PROPERTIES[name] = ("Tags",)
    provisioners._CUSTOM_NAME_REPLACEMENT[name] = {{"name": "Domain"}}
""")

    def resources(tag: str, group: str) -> dict[str, Any]:
        tags = [{"Key": "Name", "Value": tag}]
        return {"Address": resource("EC2::EIP", Domain="vpc", NetworkBorderGroup=group, Tags=tags)}

    output = {"Ip": {"Ref": "Address"}}
    with local_aws() as variables:
        stack = Stack(client("cloudformation", endpoint=variables["AWS_ENDPOINT_URL"]), "replaced")
        created = stack.create(resources("one", "a"), Outputs=output)["Outputs"]
        assert stack.update(resources("two", "a"), Outputs=output)["Outputs"] == created
        assert stack.update(resources("two", "b"), Outputs=output)["Outputs"] != created
        stack.delete()


RESPONSE = """
def other(original):
    def respond(parameters):
        status, headers, body = original(parameters)
        return status, headers, body.replace({old!r}, {new!r})

    return respond

{table}[{action!r}] = other({table}[{action!r}])
"""


@pytest.mark.slow
def test_another_response_to_describe_stacks_still_shows_roles(change: Change, client: Client) -> None:
    values = {"old": b"</StackId>", "new": b"</StackId><RootId>none</RootId>"}
    change(CLOUDFORMATION + RESPONSE.format(table="handlers._ACTION_HANDLERS", action="DescribeStacks", **values))
    trust = json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]})
    with local_aws() as variables:
        endpoint = variables["AWS_ENDPOINT_URL"]
        role = client("iam", endpoint=endpoint).create_role(RoleName="operator", AssumeRolePolicyDocument=trust)
        stack = Stack(client("cloudformation", endpoint=endpoint), "with-role")
        made = stack.create({"Topic": resource("SNS::Topic")}, RoleARN=role["Role"]["Arn"])
        assert (made["RootId"], made["RoleARN"]) == ("none", role["Role"]["Arn"])


@pytest.mark.slow
def test_another_response_without_stacks_is_an_error(change: Change, client: Client) -> None:
    values = {"old": b"Stacks>", "new": b"StackList>"}
    change(CLOUDFORMATION + RESPONSE.format(table="handlers._ACTION_HANDLERS", action="DescribeStacks", **values))
    with local_aws() as variables:
        cloudformation = client("cloudformation", endpoint=variables["AWS_ENDPOINT_URL"])
        with pytest.raises(ResponseParserError, match="response to DescribeStacks has no Stacks"):
            cloudformation.describe_stacks()


@pytest.mark.slow
def test_another_response_to_create_role_is_an_error(change: Change, client: Client) -> None:
    values = {"old": b"CreateRoleResult>", "new": b"Result>"}
    imports = "from ministack.services import iam\n"
    change(imports + RESPONSE.format(table="iam._IAM_HANDLERS", action="CreateRole", **values))
    with local_aws() as variables:
        iam = client("iam", endpoint=variables["AWS_ENDPOINT_URL"])
        with pytest.raises(ResponseParserError, match="response to CreateRole has no CreateRoleResult"):
            iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")


BRIDGE = ROOT / "scaffold" / "local" / "ministack_bridge"


def used_names(source: str) -> Iterator[tuple[str, str]]:
    """Each name of ministack in the source of a module of the bridge, with its module."""
    tree = ast.parse(source)
    imported = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ministack")
        for alias in node.names
    }
    modules = {name for name, module in imported.items() if module.startswith("ministack.services")}
    yield from ((module, name) for name, module in imported.items() if name not in modules)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield f"{imported[node.value.id]}.{node.value.id}", node.attr
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_MODULES":
            values = ast.walk(node.value)
            names = [value.id for value in values if isinstance(value, ast.Name)]
            yield from ((f"{imported[name]}.{name}", "handle_request") for name in names)


def test_every_name_that_the_bridge_uses_is_checked() -> None:
    assert set(ministack_names.NAMES) == {name for path in BRIDGE.glob("*.py") for name in used_names(path.read_text())}
    assert len(set(ministack_names.NAMES)) == len(ministack_names.NAMES)


def test_only_the_bridge_imports_ministack() -> None:
    importing = [
        path.parent
        for path in (ROOT / "scaffold").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "ministack")
        or (isinstance(node, ast.Import) and any(alias.name.partition(".")[0] == "ministack" for alias in node.names))
    ]
    assert set(importing) == {BRIDGE}


def allowed() -> SpecifierSet:
    """The releases of ministack that the extra allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (found,) = [r for r in map(Requirement, project["optional-dependencies"]["local"]) if r.name == "ministack"]
    return found.specifier


def test_the_extra_allows_releases_around_the_tested_one() -> None:
    assert ministack_names.TESTED in allowed()
    # A release with a fix is allowed, the next minor version is not.
    assert "1.5.999" in allowed()
    assert "1.6.0" not in allowed()


@pytest.mark.parametrize(("lock", "version"), [("dev", ministack_names.TESTED), ("lowest", None)])
def test_the_tests_run_with_the_tested_and_the_lowest_release(lock: str, version: str | None) -> None:
    locked = re.search(r"^ministack==(\S+)", (ROOT / "requirements" / f"{lock}.txt").read_text(), re.MULTILINE)
    lowest = next(one.version for one in allowed() if one.operator == ">=")
    assert locked is not None
    assert locked[1] == (version or lowest)
