"""The derived names: within AWS's limits, distinct, and the same as in the kit's templates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaffold.aws.cloudformation import templates
from scaffold.service import names, project_names
from scaffold.service.service import read
from scaffold.service.stack_kinds import (
    BUILD,
    DEPLOY_ROLE,
    FOUNDATION,
    PERMISSIONS,
    PIPELINE,
    STACK_KINDS,
    TESTS,
    Deployer,
    StackId,
    StackKind,
    deployed_by_scaffold,
    identify,
    stack_ids,
)
from tests.limits import limits

LETTERS, CHARACTERS = "abcxyz", "abcxyz019"
WORDS = st.text(CHARACTERS, min_size=2, max_size=7)
APPS = st.builds("{}{}".format, st.sampled_from(LETTERS), st.lists(WORDS, min_size=1, max_size=3).map("-".join))
ENVIRONMENTS = st.builds("{}{}".format, st.sampled_from(LETTERS), st.text(CHARACTERS, min_size=1, max_size=11))
KINDS = st.sampled_from([kind for kind in STACK_KINDS if kind.per_environment])


@given(APPS, st.lists(ENVIRONMENTS, min_size=1, max_size=8, unique=True))
def test_every_name_fits(app: str, environments: list[str]) -> None:
    assert [limit for limit in limits(app, environments) if not limit.fits] == []


@given(APPS, st.lists(ENVIRONMENTS, min_size=1, max_size=8, unique=True))
def test_a_stack_is_identified_by_its_name(app: str, environments: list[str]) -> None:
    stacks = list(stack_ids(environments))
    assert [identify(app, stack.name(app)) for stack in stacks] == stacks


@given(APPS, APPS, ENVIRONMENTS, KINDS)
def test_no_stack_of_another_service_is_identified(app: str, suffix: str, environment: str, kind: StackKind) -> None:
    longer = f"{app}-{suffix}"
    assert identify(app, StackId(kind, environment).name(longer)) is None


@pytest.mark.parametrize(
    "stack", ["orders", "orders-dev", "orders-", "orders-x-pipeline", "order-pipeline", "pipeline"]
)
def test_other_names_are_no_stacks_of_the_service(stack: str) -> None:
    assert identify("orders", stack) is None


# All stacks of an environment.
EVERYTHING = {
    "customize": True,
    "tables": "orders",
    "database": "postgres",
    "waf": "managed",
    "domain_name": "shop.example.com",
    "hosted_zone_id": "Z0123456789ABCDEFGHIJ",
}


def test_kit_spells_the_same_names(tmp_path: Path) -> None:
    kits = pytest.importorskip("tests.kits")
    service = read(kits.generate(tmp_path / "service", app_name="shop", **EVERYTHING))
    pipeline, build, tests, permissions, deploy_role = (
        (service.infrastructure / f"{kind.name}.yaml").read_text().replace("${AppName}", "shop")
        for kind in (PIPELINE, BUILD, TESTS, PERMISSIONS, DEPLOY_ROLE)
    )
    for environment in service.environments:
        for kind in STACK_KINDS:
            if kind.per_environment and kind.deployer is Deployer.PIPELINE:
                assert f"StackName: !Sub '{StackId(kind, environment).name('shop')}'," in pipeline
        assert f"- Name: '{names.pipeline_stage(environment)}'\n" in pipeline
        task = (service.infrastructure / environment / "task-definition.yaml").read_text()
        assert f"Family: '{names.task_family('shop', environment)}'\n" in task
        for name in ("environment", "service"):
            tags = json.loads((service.infrastructure / environment / f"{name}.json").read_text())["Tags"]
            assert tags[names.TAG_SERVICE] == "shop"
    assert f"StackName: !Sub '{StackId(PIPELINE).name('shop')}'," in pipeline
    assert project_names.report_group("shop") in build
    for project in (project_names.build("shop"), project_names.checks("shop")):
        assert project in build
    assert f"Name: {project_names.tests('shop')}\n" in tests.replace("!Sub ", "")
    for environment, template in ((None, permissions), ("dev", deploy_role.replace("${EnvironmentName}", "dev"))):
        path, _, role = names.deploy_role("shop", environment).rpartition("/")
        assert f"RoleName: !Sub {role}\n      Path: !Sub {path}/\n" in template
        assert f"ManagedPolicyName: !Sub {names.boundary_policy('shop', environment)}\n" in template
        assert f":role{names.role_path('shop', environment)}*\n" in template
    for one in deployed_by_scaffold(service.environments):
        assert templates.load(service, one).tags[names.TAG_SERVICE] == "shop"
    assert "ArtifactBucketName" in templates.load(service, StackId(FOUNDATION)).parsed["Outputs"]
