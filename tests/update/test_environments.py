"""Environments are added and removed by name, and production moves only where it is named and confirmed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scaffold.commands.env import AddOptions, RemoveOptions, add, list_environments, remove
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.git import git
from scaffold.kit.refusal import AnswerRefused
from scaffold.service import task_settings
from scaffold.service.task_settings import SECRETS
from scaffold.update.environments import addition, removal
from scaffold.update.recorded import Recorded
from scaffold.views.env import change_text, environments_text
from tests.cli.running import assert_refused, forked_scaffold
from tests.entry_points.entry_points import through_copier
from tests.kits import IDENTITY, commit_all, kit_repository
from tests.update.small import new_service, status


def recorded(environments: str = "dev,qa,prod", production: str | None = "prod", **answers: Any) -> Recorded:
    named = {"production": production} if production else {}
    return Recorded(Path("/shop"), "kit", "v1", {"app_name": "shop", "environments": environments, **named, **answers})


@pytest.mark.parametrize(
    ("place", "environments"),
    [
        ({}, "dev,qa,new,prod"),
        ({"before": "dev"}, "new,dev,qa,prod"),
        ({"after": "dev"}, "dev,new,qa,prod"),
        ({"after": "prod"}, "dev,qa,prod,new"),
    ],
)
def test_an_environment_is_added_at_a_place(place: dict[str, str], environments: str) -> None:
    change = addition(recorded(), "new", **place)  # type: ignore[arg-type]
    assert change.data == {"environments": environments, "production": "prod"}
    assert not change.moves_production


def test_without_production_it_is_added_at_the_end() -> None:
    assert addition(recorded(production=None), "new").data == {"environments": "dev,qa,prod,new"}


def test_settings_are_yaml_and_others_stay() -> None:
    overrides = {"prod": {"max_tasks": 4}}
    change = addition(recorded(environment_overrides=overrides), "new", settings={"cpu": "512", "spot": "false"})
    own = {"cpu": 512, "spot": False}
    assert json.loads(change.data["environment_overrides"]) == {**overrides, "new": own}
    removed = removal(recorded(environment_overrides={**overrides, "qa": {"cpu": 512}}), "qa")
    assert json.loads(removed.data["environment_overrides"]) == overrides
    assert "environment_overrides" not in removal(recorded(environment_overrides=overrides), "qa").data


def test_a_load_test_ends_with_its_environment() -> None:
    assert removal(recorded(load_test="qa"), "qa").data["load_test"] == ""
    for answers in ({"load_test": "dev"}, {"load_test": ""}, {}):
        assert "load_test" not in removal(recorded(**answers), "qa").data


@pytest.mark.parametrize(
    ("recorded_names", "removed", "left"),
    [("qa", "qa", ""), ("qa", "dev", ""), ("qa,prod", "dev", "prod"), ("qa, prod", "qa", "prod")],
)
def test_branches_of_later_environments_only_move_by_themselves(recorded_names: str, removed: str, left: str) -> None:
    assert removal(recorded(auto_promote=recorded_names), removed).data["auto_promote"] == left


def test_branches_stay_as_they_are_where_they_can() -> None:
    for change in (removal(recorded(auto_promote="prod"), "dev"), removal(recorded(), "dev")):
        assert "auto_promote" not in change.data
    assert "auto_promote" not in addition(recorded(auto_promote="qa"), "new", before="dev").data


@pytest.mark.parametrize(
    ("make", "happened", "remedy"),
    [
        (lambda: addition(recorded(), "x1,x2"), "'x1,x2' is not the name of one environment", "scaffold env add qa"),
        (lambda: addition(recorded(), " new"), "' new' is not the name of one environment", "lower-case letters"),
        (lambda: addition(recorded(), "new\n"), "'new\\n' is not the name of one environment", "lower-case letters"),
        (lambda: addition(recorded(), "new", production="prod,new"), "no environment prod,new", "Did you mean prod?"),
        (lambda: addition(recorded(), "qa"), "has an environment qa already", "dev, qa, prod"),
        (lambda: addition(recorded(), "new", before="dve"), "no environment dve", "Did you mean dev?"),
        (lambda: addition(recorded(), "new", after="xyz"), "no environment xyz", "dev, qa, prod"),
        (lambda: addition(recorded(), "new", before="qa", after="dev"), "two places", "one of them"),
        (lambda: addition(recorded(), "new", settings={"cpu": "[1"}), "cpu is not YAML", "cpu="),
        (lambda: addition(recorded(), "new", production="pord"), "no environment pord", "Did you mean prod?"),
        (lambda: addition(recorded(production=None), "new", production="new"), "knows no production", "--production"),
        (lambda: addition(recorded(""), "new"), "does not ask for environments", "--data"),
        (lambda: removal(recorded(), "stage"), "no environment stage", "dev, qa, prod"),
        (lambda: removal(recorded("prod"), "prod"), "the only environment", "scaffold destroy"),
        (lambda: removal(recorded(), "prod"), "prod is the production environment", "--production qa"),
        (lambda: removal(recorded(), "prod", production="prod"), "cannot be removed and become", "--production qa"),
    ],
)
def test_what_cannot_be_changed_is_refused(make: Any, happened: str, remedy: str) -> None:
    with pytest.raises(UsageError) as refused:
        make()
    assert happened in refused.value.happened
    assert remedy in refused.value.remedy


@pytest.mark.parametrize(
    ("error", "settings", "happened", "remedy"),
    [
        (
            AnswerRefused("environments", "environments may not be named delivery, for example dev,prod"),
            {},
            "new cannot be added to shop: environments may not be named delivery.",
            "Give another name, for example `scaffold env add qa`, or remove an environment first.",
        ),
        (
            AnswerRefused("environment_overrides", "environment_overrides.new.cpu is one of 256, for example {}"),
            {"cpu": "3"},
            "new cannot be added to shop: cpu is one of 256.",
            "Give other settings, for example `--set cpu=512 --set memory=1024`.",
        ),
        (
            AnswerRefused("environments", "The VPCs overlap; give new another block in environment_overrides"),
            {},
            "new cannot be added to shop: The VPCs overlap; give new another block.",
            "Give new another block, for example `--set vpc_cidr=10.64.0.0/16`.",
        ),
        (
            UsageError("The VPCs overlap.", "Give new another block in environment_overrides."),
            {},
            "new cannot be added to shop: The VPCs overlap.",
            "Give new another block, for example `--set vpc_cidr=10.64.0.0/16`.",
        ),
        (
            UsageError("load_test is dev, which is production.", "Name another one, for example new."),
            {},
            "load_test is dev, which is production.",
            "Change that answer first with `scaffold update --to current --data load_test=…`, and commit.",
        ),
        (
            AnswerRefused("load_test", "load_test is dev"),
            {},
            "Invalid answer to load_test: load_test is dev.",
            "Change that answer first with `scaffold update --to current --data load_test=…`, and commit.",
        ),
        (
            UsageError("The kit has no question 'environment_overrides'.", "Did you mean environments?"),
            {"cpu": "512"},
            "The kit has no question 'environment_overrides'.",
            "Leave --set out.",
        ),
        (UsageError("The kit is gone.", "Look for it."), {}, "The kit is gone.", "Look for it."),
    ],
)
def test_what_the_kit_refuses_is_said_with_options_of_this_command(
    monkeypatch: pytest.MonkeyPatch, error: UsageError, settings: dict[str, str], happened: str, remedy: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("scaffold.commands.env.read", lambda _: recorded(load_test="dev"))
    monkeypatch.setattr("scaffold.update.environment_update.make", refuse)
    with pytest.raises(UsageError) as refused:
        add(AddOptions("new", settings=settings), Console())
    assert (refused.value.happened, refused.value.remedy) == (happened, remedy)


def test_a_kit_without_settings_of_environments(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        add(AddOptions("qa", new_service(tmp_path), settings={"cpu": "512"}), Console())
    assert refused.value.remedy == "Leave --set out."


def test_with_a_kit_that_computes_nothing_names_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    service = new_service(tmp_path)
    assert list_environments(service).environments == ()
    added = add(AddOptions("qa", service, before="prod", commit=True), Console())
    assert added.update.answers[0].new == "dev,qa,prod"
    assert git("log", "-1", "--format=%H %s", cwd=service) == f"{added.commit} Add the environment qa"
    assert status(service) == []


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    answers = {"app_name": "orders-api", "environments": "dev,prod"}
    service = through_copier(tmp_path_factory.mktemp("generated") / "service", answers, kit_repository())
    commit_all(service)
    return service


@pytest.fixture
def service(generated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    return Path(shutil.copytree(generated, tmp_path / "service"))


def test_an_environment_with_its_place_its_costs_and_the_commit(service: Path) -> None:
    before = list_environments(service)
    assert [one.name for one in before.environments] == ["dev", "prod"]
    planned = add(AddOptions("qa", service, plan=True), Console())
    assert (planned.exit_code, planned.commit, status(service)) == (10, None, [])
    assert "qa would be added to orders-api, between dev and prod" in change_text(planned)

    added = add(AddOptions("qa", service, commit=True, settings={"cpu": "512", "memory": "1024"}), Console())
    said = change_text(added)
    assert (
        "  customize: False -> True\n  environment_overrides: (none) -> {'qa': {'cpu': 512, 'memory': 1024}}\n" in said
    )
    defaults = [change.name for change in added.update.answers if change.by_default]
    assert {"description", "load_test"} < set(defaults)
    assert f"\n  and {len(defaults)} answers with their defaults\n" in said
    assert "description:" not in said
    assert "The environment qa is added to orders-api, between dev and prod." in said
    assert "  tasks      1 to 2 with 0.5 vCPU and 1 GB\n" in said
    assert "  pipeline   releases go to qa after dev, without an approval, and then to prod\n" in said
    assert "scaffold deploy" in said
    assert "git add" not in said
    with pytest.raises(UsageError) as refused:
        add(AddOptions("more", service, plan=True, settings={"cpu": "300"}), Console())
    assert refused.value.happened.startswith("more cannot be added to orders-api: cpu is one of 256, 512")
    after = list_environments(service)
    (own,) = [one for one in after.environments if one.name == "qa"]
    assert own.monthly_usd
    assert before.monthly_usd
    assert after.monthly_usd == pytest.approx(before.monthly_usd + own.monthly_usd)
    assert f"about {own.monthly_usd:.2f} USD a month" in said
    table = environments_text(after).splitlines()
    assert [line.split()[0] for line in table[:4]] == ["Environment", "dev", "qa", "prod"]
    assert table[3].split()[1] == "production"

    removed = remove(RemoveOptions("qa", service, keep_stacks=True, commit=True), Console())
    assert "`scaffold destroy --environment qa` deletes them" in change_text(removed)
    assert "scaffold deploy" not in change_text(removed)
    assert git("diff", "--stat", "HEAD~2", cwd=service).count("|") == 1  # `customize` stays on.


def test_secrets_of_a_removed_environment_are_not_listed(service: Path) -> None:
    """The first build would refuse a list that names an environment which is not there."""
    path = service / SECRETS
    path.write_text(
        json.dumps(
            {
                "BOTH": {"store": "parameter-store", "environments": {"dev": 1, "prod": 2}, "retired": ["dev"]},
                "ONLY": {"store": "secrets-manager", "environments": {"dev": 3}},
                "OTHER": {"store": "parameter-store", "environments": {"prod": 1}},
            }
        )
    )
    check = service / task_settings.SCRIPT
    refused = forked_scaffold("env", "remove", "dev", "--keep-stacks", cwd=service)
    assert_refused(refused, 1, "BOTH", "config/environments/secrets.json")
    path.write_text(path.read_text().replace(', "retired": ["dev"]', ""))
    subprocess.run([sys.executable, check], cwd=service, check=True)
    commit_all(service)

    planned = remove(RemoveOptions("dev", service, keep_stacks=True, plan=True), Console())
    assert planned.secrets == ("BOTH", "ONLY")
    assert status(service) == []
    removed = remove(RemoveOptions("dev", service, keep_stacks=True, commit=True), Console())
    assert f"{SECRETS} no longer lists BOTH, ONLY for dev." in change_text(removed)
    assert json.loads(path.read_text()) == {
        "BOTH": {"store": "parameter-store", "environments": {"prod": 2}},
        "OTHER": {"store": "parameter-store", "environments": {"prod": 1}},
    }
    assert status(service) == []
    subprocess.run([sys.executable, check, "--check"], cwd=service, check=True)


def test_production_moves_only_after_its_name_was_typed(service: Path) -> None:
    refused = forked_scaffold("env", "add", "dr", "--after", "prod", "--production", "dr", cwd=service)
    assert refused.returncode == 2
    assert "Cannot ask for confirmation" in refused.stderr
    assert "Production of orders-api moves from prod to dr." in refused.stderr
    assert "No longer: prod. Their releases need no approval then." in refused.stderr
    assert status(service) == []
    refused = forked_scaffold("env", "remove", "prod", "--keep-stacks", cwd=service)
    assert_refused(refused, 2, "prod is the production environment of orders-api", "--production dev")
    done = forked_scaffold(
        "env", "remove", "prod", "--keep-stacks", "--production", "dev", "--yes", "--json", cwd=service
    )
    document = json.loads(done.stdout)
    assert (done.returncode, document["old_production"], document["production"]) == (0, "prod", "dev")
    assert [one["name"] for one in document["environments"]] == ["dev"]


def test_without_credentials_the_stacks_can_be_left(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    refused = forked_scaffold("env", "remove", "dev", cwd=service)
    assert_refused(
        refused, 1, "No AWS credentials", '`eval "$(scaffold local env)"`, or leave its stacks with `--keep-stacks`.'
    )


def test_conflicts_are_not_committed(service: Path) -> None:
    readme = service / "README.md"
    readme.write_text(re.sub(r"(?m)^(.*[Pp]rod.*)$", r"\1 ours", readme.read_text("utf-8")), "utf-8")
    commit_all(service)
    before = git("rev-parse", "HEAD", cwd=service)
    result = add(AddOptions("qa", service, commit=True), Console())
    assert [file.path for file in result.update.conflicts] == ["README.md"]
    assert (result.commit, result.exit_code, git("rev-parse", "HEAD", cwd=service)) == (None, 3, before)


def test_a_failure_that_has_nothing_to_do_with_credentials_keeps_its_remedy(service: Path) -> None:
    with pytest.raises(ScaffoldError) as failed:
        remove(RemoveOptions("dev", service, profile="does-not-exist", yes=True), Console())
    assert "does-not-exist" in failed.value.happened
    assert "--keep-stacks" not in failed.value.remedy


def test_without_an_author_of_the_commit_nothing_is_changed(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in IDENTITY:
        monkeypatch.delenv(name)
    git("config", "user.useConfigOnly", "true", cwd=service)  # Git guesses none, as on most machines.
    for change in (
        lambda: add(AddOptions("qa", service, commit=True), Console()),
        lambda: remove(RemoveOptions("dev", service, commit=True), Console()),
    ):
        with pytest.raises(ScaffoldError, match="does not know who commits, so that nothing was changed") as refused:
            change()
        assert status(service) == []
    for command in re.findall("`(git .*?)`", refused.value.remedy):
        subprocess.run(["sh", "-ec", command.replace("--global", "")], check=True, cwd=service)
    assert add(AddOptions("qa", service, commit=True), Console()).commit


def test_a_commit_that_a_hook_refuses_leaves_the_files(service: Path) -> None:
    hook = service / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'no commits on Friday' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(ScaffoldError) as failed:
        add(AddOptions("qa", service, commit=True), Console())
    assert "changed, but not committed" in failed.value.happened
    assert "no commits on Friday" in failed.value.happened
    assert (service / "infrastructure/qa/service.json").is_file()
