"""The derived names: within AWS's limits, told apart, and the same as in the kit's templates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaffold.aws.cloudformation import templates
from scaffold.service import names
from scaffold.service.service import read

LETTERS, CHARACTERS = "abcxyz", "abcxyz019"
WORDS = st.text(CHARACTERS, min_size=2, max_size=7)
APPS = st.builds("{}{}".format, st.sampled_from(LETTERS), st.lists(WORDS, min_size=1, max_size=3).map("-".join))
ENVIRONMENTS = st.builds("{}{}".format, st.sampled_from(LETTERS), st.text(CHARACTERS, min_size=1, max_size=11))


@given(APPS, st.lists(ENVIRONMENTS, min_size=1, max_size=8, unique=True))
def test_every_name_fits(app: str, environments: list[str]) -> None:
    assert [limit for limit in names.limits(app, environments) if not limit.fits] == []


@given(APPS, ENVIRONMENTS, st.sampled_from(names.ENVIRONMENT_STACK_KINDS))
def test_environment_is_read_back_from_a_stacks_name(app: str, environment: str, kind: str) -> None:
    assert names.environment_of_stack(app, names.environment_stack(app, environment, kind)) == environment


@given(APPS, APPS, ENVIRONMENTS, st.sampled_from(names.ENVIRONMENT_STACK_KINDS))
def test_no_service_takes_another_ones_stack_for_its_own(app: str, suffix: str, environment: str, kind: str) -> None:
    longer = f"{app}-{suffix}"
    assert names.environment_of_stack(app, names.environment_stack(longer, environment, kind)) is None


def test_kit_spells_the_same_names(tmp_path: Path) -> None:
    kits = pytest.importorskip("tests.kits")
    service = read(kits.generate(tmp_path / "service", app_name="shop"))
    pipeline = (service.infrastructure / "pipeline.yaml").read_text().replace("${AppName}", "shop")
    foundation = (service.infrastructure / "foundation.yaml").read_text().replace("${AppName}", "shop")
    for environment in service.environments:
        for kind in names.ENVIRONMENT_STACK_KINDS:
            assert f"StackName: !Sub {names.environment_stack('shop', environment, kind)}\n" in pipeline
        assert f"- Name: {names.pipeline_stage(environment)}\n" in pipeline
        task = (service.infrastructure / environment / "task-definition.yaml").read_text()
        assert f"Family: {names.task_family('shop', environment)}\n" in task
        for kind in ("environment", "service"):
            tags = json.loads((service.infrastructure / environment / f"{kind}.json").read_text())["Tags"]
            assert tags[names.TAG_SERVICE] == "shop"
    assert f"StackName: !Sub {names.pipeline_stack('shop')}\n" in pipeline
    assert names.boundary_policy("shop") in foundation
    assert f"Path: !Sub {names.role_path('shop')}\n" in foundation
    assert names.report_group("shop") in pipeline
    for project in (names.build_project("shop"), names.smoke_test_project("shop")):
        assert project in pipeline
    for kind in ("foundation", "pipeline"):
        assert templates.load(service, kind).tags[names.TAG_SERVICE] == "shop"
    declared = templates.load(service, "foundation").parsed["Outputs"]
    assert {"ArtifactBucketName", "DeployRoleArn"} <= declared.keys()
