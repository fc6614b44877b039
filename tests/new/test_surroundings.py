"""What the folder, the configuration of AWS and botocore's data say about a new service."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaffold.core.errors import UsageError
from scaffold.kit.refusal import AnswerRefused
from scaffold.service import regions
from scaffold.views.new import text
from tests.new.running import run_new, run_small


@pytest.mark.parametrize(
    ("folder", "name"),
    [("payments", "payments"), ("Billing_API", "billing-api"), ("billingApi", "billing-api"), ("a b--c.", "a-b-c")],
)
def test_a_service_has_the_name_of_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], folder: str, name: str
) -> None:
    assert run_small(tmp_path / folder, app_name=None).app_name == name
    said = f"The service is named {name}: {folder} cannot be its name." in capsys.readouterr().err
    assert said is (folder != name)
    assert run_small(tmp_path / "sub" / folder, app_name="orders").app_name == "orders"


def test_a_folder_that_gives_no_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnswerRefused, match="Invalid answer to app_name"):
        run_new(tmp_path / "1", app_name=None)
    assert not (tmp_path / "1").exists()


def test_an_answer_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        run_new(tmp_path / "cpu=512", dry_run=True)
    assert "--data cpu=512" in refused.value.remedy


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({}, "us-east-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2", "AWS_PROFILE": "work"}, "eu-west-2"),
        ({"AWS_PROFILE": "work"}, "eu-north-1"),
        ({"AWS_PROFILE": "none"}, "us-east-1"),
        ({"AWS_REGION": "nowhere"}, "us-east-1"),
        ({"AWS_REGION": "eu-west-1", "SCAFFOLD_ANSWER_AWS_REGION": "eu-west-3"}, "eu-west-3"),
    ],
)
def test_the_region_is_that_of_the_aws_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], region: str
) -> None:
    (tmp_path / "config").write_text("[profile work]\nregion = eu-north-1\n[profile other]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = regions.configured()
    chosen = found[0] if found and not regions.problem(found[0]) else "us-east-1"
    assert (variables.get("SCAFFOLD_ANSWER_AWS_REGION") or chosen) == region
    if "AWS_REGION" in variables:
        assert run_new(tmp_path / "orders", dry_run=True).answers["aws_region"] == region


@pytest.mark.parametrize(
    ("region", "near"), [("eu-centrl-1", "eu-central-1"), ("ap-suth-1", "ap-south-1"), ("xx-nowhere-9", "")]
)
def test_a_region_that_does_not_exist_is_refused(tmp_path: Path, region: str, near: str) -> None:
    with pytest.raises(AnswerRefused, match=f"{region} is no region") as refused:
        run_new(tmp_path / "orders", {"aws_region": region})
    assert (f"did you mean {near}?" in refused.value.happened) is bool(near)


@pytest.mark.slow
def test_a_region_without_a_service_that_is_needed_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert regions.lacks("us-east-1") == []
    assert regions.lacks("us-gov-west-1") == []
    assert regions.lacks("nowhere") == []
    missing = regions.lacks("ca-west-1")
    assert "CodePipeline" in missing
    run_new(tmp_path / "orders", {"aws_region": "ca-west-1"}, dry_run=True)
    assert f"no {' and no '.join(missing)} in ca-west-1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variables", "files", "found"),
    [
        ({}, (), False),
        ({"AWS_ACCESS_KEY_ID": "x"}, (), True),
        ({"AWS_PROFILE": "x"}, (), True),
        ({}, ("config",), True),
        ({}, ("credentials",), True),
    ],
)
def test_without_credentials_local_aws_is_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], files: tuple[str, ...], found: bool
) -> None:
    for name, file in (("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")):
        monkeypatch.setenv(name, str(tmp_path / file))
    for name in files:
        (tmp_path / name).touch()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    steps = text(run_small(tmp_path / "orders")).partition("Next:")[2]
    assert ("scaffold deploy --local  tries" in steps) is not found
    assert "\n  scaffold deploy " in steps
