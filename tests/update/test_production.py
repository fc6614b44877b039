"""No change of the environments moves production, at any entry point: it is named, or the command stops."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml
from copier.errors import UserMessageError
from pytest_cookies.plugin import Cookies

from scaffold.core.git import git
from scaffold.kit.rendering import open_kit
from tests.entry_points.entry_points import through_cookiecutter, through_copier, through_scaffold, tree
from tests.infrastructure.stacks import load, one
from tests.kits import IDENTITY, commit_all, kit_repository

ANSWERS = {"app_name": "orders-api", "environments": "dev,qa,live", "deployment_strategy": "canary"}
SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A committed service of the environments dev, qa and live."""
    service = through_copier(tmp_path_factory.mktemp("generated") / "service", ANSWERS, kit_repository())
    commit_all(service)
    return service


@pytest.fixture
def service(generated: Path, tmp_path: Path) -> Path:
    """A copy of that service, for one test."""
    return Path(shutil.copytree(generated, tmp_path / "service"))


def update(service: Path, **answers: Any) -> None:
    copier.run_update(service, data=answers, defaults=True, overwrite=True, quiet=True)


def production_of(service: Path) -> str:
    return str(yaml.safe_load((service / ".copier-answers.yml").read_text())["production"])


def live(service: Path) -> dict[str, Any]:
    """The files and the stage of the environment `live`, with what the pipeline may do to its service.

    What follows from the order of the environments and from which one is production is left out: the environment whose
    alarms the stage waits for, and the record of the release.
    """
    folder = service / "infrastructure" / "live"
    pipeline = one(load(service), "pipeline")
    ((_, properties),) = pipeline.of_type("AWS::CodePipeline::Pipeline")
    return {
        **{path.name: path.read_text() for path in folder.iterdir()},
        "stage": [
            re.sub(r'\{"name": "BEFORE", "value": "[a-z]+"\},\s*', "", json.dumps(action).replace('\\"', '"')).replace(
                "entry_check", "plan_check"
            )
            for stage in properties["Stages"]
            if stage["Name"] == "Live"
            for action in stage["Actions"]
            if action["Name"] != "Release"
        ],
    }


@pytest.mark.parametrize(
    "environments",
    [
        "dev,qa,live,dr",
        pytest.param("dev,uat,qa,live", marks=SLOW),
        pytest.param("qa,live,dev", marks=SLOW),
        pytest.param("live,qa,dev", marks=SLOW),
        pytest.param("dev,live", marks=SLOW),
        pytest.param("live", marks=SLOW),
        pytest.param("test, live ,dr", marks=SLOW),
    ],
)
def test_production_keeps_its_name_its_files_and_its_stage(service: Path, environments: str) -> None:
    before = live(service)
    update(service, environments=environments)
    assert production_of(service) == "live"
    assert live(service) == before
    assert git("ls-files", "--unmerged", cwd=service) == ""


@pytest.mark.parametrize(
    ("environments", "remedy"),
    [
        pytest.param("dev,dr", "dr", marks=SLOW),
        pytest.param("dev,qa", "qa", marks=SLOW),
        pytest.param("dev,qa,main", "main", marks=SLOW),
        pytest.param("dev,qa,Live", "", marks=SLOW),
    ],
)
def test_removing_or_renaming_production_stops_until_another_one_is_named(
    service: Path, environments: str, remedy: str
) -> None:
    before = tree(service)
    with pytest.raises((UserMessageError, ValueError)) as stopped:
        update(service, environments=environments)
    assert tree(service) == before
    assert git("status", "--porcelain", cwd=service) == ""
    if remedy:
        names = environments.replace(",", ", ")
        said = f"production is live, which is not one of the environments {names}; name one of them, for example"
        assert str(stopped.value).rstrip("'").endswith(f"{said} --data production={remedy}")
        update(service, environments=environments, production=remedy)
        assert production_of(service) == remedy


@pytest.mark.slow
def test_the_command_stops_with_one_sentence(service: Path) -> None:
    """`copier update` without the tests' shortcuts, as its owner runs it."""
    command = ["update", "--defaults", "--vcs-ref=:current:", "--data", "environments=dev,dr"]
    done = subprocess.run([sys.executable, "-m", "copier", *command], cwd=service, capture_output=True, text=True)
    assert done.returncode != 0
    assert done.stderr.rstrip("'\n").endswith("name one of them, for example --data production=dr")
    assert "Traceback" not in done.stderr
    assert git("status", "--porcelain", cwd=service) == ""


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"production": "dr"}, "environments dev, qa, live; name one of them, for example production=live"),
        pytest.param(
            {"environments": "dev,main", "production": "live"},
            "environments dev, main; name one of them, for example production=main",
            marks=SLOW,
        ),
        pytest.param(
            {"environments": "dev,main", "customize": True, "environment_overrides": {"main": {"min_tasks": 3}}},
            "production is live, which is not one of the environments dev, main",
            marks=SLOW,
        ),
    ],
)
def test_a_wrong_answer_of_this_update_is_refused(service: Path, answers: dict[str, Any], words: str) -> None:
    with pytest.raises((UserMessageError, ValueError)) as stopped:
        update(service, **answers)
    assert words in str(stopped.value)
    assert git("status", "--porcelain", cwd=service) == ""


@pytest.mark.slow
def test_production_moves_when_another_one_is_named(service: Path) -> None:
    before = live(service)
    update(service, production="qa")
    assert production_of(service) == "qa"
    assert live(service) == before
    actions = {stage["Name"]: str(stage) for stage in stages(service)}
    approvals = {name for name, text in actions.items() if "'Approval'" in text}
    assert approvals == {"Approve-Gate", "Approve-Qa", "Approve-Live"}


def stages(service: Path) -> list[dict[str, Any]]:
    ((_, pipeline),) = one(load(service), "pipeline").of_type("AWS::CodePipeline::Pipeline")
    return list(pipeline["Stages"])


OVERRIDES = {"qa": {"spot": False}, "live": {"max_tasks": 20}}


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["update", "recopy", "copy"])
@pytest.mark.parametrize(
    ("environments", "words"),
    [
        ("dev,qa", "production is live, which is not one of the environments dev, qa"),
        ("dev,live", "environment_overrides.qa is not an environment; the environments are dev, live"),
    ],
)
def test_a_recorded_answer_is_not_dropped(tmp_path: Path, operation: str, environments: str, words: str) -> None:
    """Copier reads the answers file in each of these, and drops what a validator rejects."""
    kit, recorded = kit_repository(), ANSWERS | {"customize": True, "environment_overrides": OVERRIDES}
    service = through_copier(tmp_path / "service", recorded, kit)
    commit_all(service)
    again: dict[str, Callable[..., object]] = {
        "update": functools.partial(copier.run_update, overwrite=True),
        "recopy": copier.run_recopy,
        "copy": functools.partial(copier.run_copy, str(kit)),
    }
    with pytest.raises(UserMessageError, match=re.escape(words)):
        again[operation](dst_path=service, data={"environments": environments}, defaults=True, quiet=True)
    assert git("status", "--porcelain", cwd=service) == ""


def without_production(service: Path) -> dict[str, Any]:
    """Give it answers of a kit that does not ask for production, and return them."""
    answers = service / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace("production: live\n", ""))
    return {name: value for name, value in yaml.safe_load(answers.read_text()).items() if not name.startswith("_")}


@pytest.mark.slow
@pytest.mark.parametrize("environments", ["dev,qa,live", "dev,qa,live,dr", "live,dev"])
def test_answers_without_production_mean_the_last_environment(service: Path, environments: str) -> None:
    without_production(service)
    git("commit", "-qam", "a kit that does not ask", cwd=service, env=IDENTITY)
    before = live(service)
    update(service, environments=environments)
    assert production_of(service) == "live"
    assert live(service) == before


@pytest.mark.parametrize("operation", ["update", "new"])
def test_the_last_environment_is_that_before_the_update(service: Path, tmp_path: Path, operation: str) -> None:
    """The answer `environments` was split: a new list of them does not say which one was production."""
    recorded = without_production(service)
    given = {"environments": "dev,live,dr", "app_name": "orders-api"}
    with open_kit(str(kit_repository())) as kit:
        if operation == "update":
            questionnaire = kit.questionnaire(service, recorded)
        else:
            questionnaire = kit.questionnaire(tmp_path / "none")
        assert questionnaire.evaluate(given).recorded["production"] == ("live" if operation == "update" else "dr")


@pytest.mark.slow
@pytest.mark.parametrize("entry_point", ["scaffold", "copier", "cookiecutter"])
@pytest.mark.parametrize("named", [{}, {"production": "qa"}], ids=["default", "named"])
def test_every_entry_point_records_production(
    entry_point: str, named: dict[str, str], tmp_path: Path, cookies: Cookies
) -> None:
    answers = ANSWERS | named
    if entry_point == "cookiecutter":
        service = through_cookiecutter(cookies, answers, kit_repository())
    else:
        through = {"copier": through_copier, "scaffold": through_scaffold}[entry_point]
        service = through(tmp_path / "service", answers, kit_repository())
        if entry_point == "copier":
            commit_all(service)
    assert production_of(service) == named.get("production", "live")
    update(service, environments="dev,qa,live,dr")
    assert production_of(service) == named.get("production", "live")


@pytest.mark.slow
@pytest.mark.parametrize("entry_point", ["scaffold", "copier", "cookiecutter"])
def test_every_entry_point_refuses_what_is_no_environment(entry_point: str, tmp_path: Path) -> None:
    data = ["app_name=orders-api", "environments=dev,live", "production=prod"]
    options = [part for pair in data for part in ("--data", pair)]
    kit = str(kit_repository())
    command = {
        "scaffold": ["scaffold", "new", "service", "--kit", kit, "--defaults", *options],
        "copier": ["copier", "copy", "--defaults", *options, kit, "service"],
        "cookiecutter": ["cookiecutter", "--no-input", kit, *data],
    }[entry_point]
    done = subprocess.run([sys.executable, "-m", *command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    sentence = "production is prod, which is not one of the environments dev, live; name one of them, for example"
    assert f"{sentence} production=live" in done.stderr
    assert list(tmp_path.iterdir()) == []
