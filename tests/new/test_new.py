"""The results of `scaffold new`: files, repository, messages."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from scaffold.core.errors import Interrupted, ScaffoldError
from scaffold.core.git import git
from scaffold.core.target import Target
from scaffold.deployment.deploy_result import DeployResult, StepResult
from scaffold.kit.destination import workspace
from scaffold.service.service import Service, read
from scaffold.views.new import text as view
from tests.cli.running import COMMAND, forked_scaffold, scaffold
from tests.kits import commit_all, copy_kit, generate, kit_repository
from tests.new.running import contents, run_new, run_small
from tests.update import small


def isolate_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, configuration: str) -> Path:
    """Give Git a user configuration, and no other one."""
    kit_repository(), small.generated()  # created before, without this configuration
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(configuration)
    monkeypatch.setenv("HOME", str(home))
    return home / ".gitconfig"


def test_the_same_tree_as_copier(tmp_path: Path) -> None:
    answers = {"app_name": "orders", "environments": "test,uat,live", "architecture": "arm64"}
    ours = run_new(tmp_path / "a" / "orders", answers)
    theirs = generate(tmp_path / "b" / "orders", **answers)
    assert contents(Path(ours.directory)) == contents(theirs)


def test_the_result_describes_the_service(tmp_path: Path) -> None:
    result = run_new(tmp_path / "orders", {"app_name": "orders", "environments": "live"})
    assert result.files == sorted(contents(tmp_path / "orders"))
    assert result.commit == git("rev-parse", "HEAD", cwd=tmp_path / "orders")
    assert result.stacks == [
        "orders-foundation",
        "orders-permissions",
        "orders-live-deploy-role",
        "orders-build",
        "orders-checks",
        "orders-pull-requests",
        "orders-plans",
        "orders-releases",
        "orders-tests",
        "orders-events",
        "orders-pipeline",
        "orders-live-network",
        "orders-live-environment",
        "orders-live-task-definition",
        "orders-live-alarms",
        "orders-live-service",
    ]
    recorded = yaml.safe_load((tmp_path / "orders" / ".copier-answers.yml").read_text())
    assert result.answers == {key: value for key, value in recorded.items() if not key.startswith("_")}
    assert (result.kit, result.kit_version) == (recorded["_src_path"], recorded["_commit"])


def test_stacks_that_the_answers_ask_for_are_listed(tmp_path: Path) -> None:
    answers = {"app_name": "orders", "environments": "dev,live", "nightly_scan": True, "updates": "renovate"}
    answers["office_hours"] = "MON-FRI 07-19 UTC"
    stacks = run_new(tmp_path / "orders", answers).stacks
    assert stacks[stacks.index("orders-tests") + 1 : stacks.index("orders-events")] == [
        "orders-scans",
        "orders-updates",
        "orders-wake",
    ]


def test_everything_is_in_the_first_commit(tmp_path: Path) -> None:
    result = run_new(tmp_path / "orders")
    repository = tmp_path / "orders"
    assert git("ls-files", cwd=repository).splitlines() == sorted(result.files)
    assert git("status", "--porcelain", cwd=repository) == ""
    assert git("symbolic-ref", "--short", "HEAD", cwd=repository) == "main"
    assert git("rev-list", "--count", "HEAD", cwd=repository) == "1"
    assert git("log", "-1", "--format=%s", cwd=repository) == "Generate orders-api from kit v0.0.1"


@pytest.mark.slow
def test_scripts_stay_executable(tmp_path: Path) -> None:
    """Those of answers too, whose names in the kit are conditions."""
    answers = {"load_test": "dev", "coverage_threshold": "80", "promotion": "branches", "updates": "renovate"}
    answers["database"] = "postgres"
    run_new(tmp_path / "orders", answers)
    committed = git("ls-files", "--stage", cwd=tmp_path / "orders").splitlines()
    executable = {line.split("\t")[1] for line in committed if line.startswith("100755")}
    kit = git("ls-files", "--stage", cwd=kit_repository()).splitlines()
    expected = {line.split("\ttemplate/")[1] for line in kit if line.startswith("100755") and "\ttemplate/" in line}
    assert expected
    assert {re.sub(r"\{%.*?%\}", "", name).removesuffix(".jinja") for name in expected} == executable


@pytest.mark.parametrize(
    ("configuration", "author"),
    [
        ("", "gitops-scaffold <gitops-scaffold@localhost>"),
        ("[user]\n name = Ann\n email = ann@example.com\n", "Ann <ann@example.com>"),
        ("[user]\n name = Ann\n", "Ann <gitops-scaffold@localhost>"),
        ("[user]\n email = ann@example.com\n", "gitops-scaffold <ann@example.com>"),
    ],
)
def test_the_author_of_the_first_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configuration: str, author: str
) -> None:
    machine = isolate_git(monkeypatch, tmp_path, configuration)
    run_small(tmp_path / "orders")
    assert git("log", "-1", "--format=%an <%ae>", cwd=tmp_path / "orders") == author
    assert machine.read_text() == configuration
    # The fallback for a missing name does not apply to later commits.
    assert "user." not in git("config", "--local", "--list", cwd=tmp_path / "orders")


def test_the_environment_names_the_author(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate_git(monkeypatch, tmp_path, "")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Ann")
    run_small(tmp_path / "orders")
    assert git("log", "-1", "--format=%an", cwd=tmp_path / "orders") == "Ann"


def test_user_configuration_does_not_apply_to_the_first_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "commit-msg", "prepare-commit-msg", "post-commit", "post-checkout"):
        (hooks / name).write_text("#!/bin/sh\nexit 1\n")
        (hooks / name).chmod(0o755)
    template = tmp_path / "template"
    (template / "hooks").mkdir(parents=True)
    (template / "hooks" / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (template / "hooks" / "pre-commit").chmod(0o755)
    (tmp_path / "ignored").write_text("*.yaml\n*.json\n")
    (tmp_path / "attributes").write_text("*.md filter=shout\n")
    configuration = f"""
[user]
  name = Ann
  email = ann@example.com
  signingkey = DEADBEEF
[commit]
  gpgsign = true
[tag]
  gpgsign = true
[gpg]
  program = /bin/false
[core]
  hooksPath = {hooks}
  excludesFile = {tmp_path / "ignored"}
  attributesFile = {tmp_path / "attributes"}
  autocrlf = true
  safecrlf = true
[filter "shout"]
  clean = tr a-z A-Z
[init]
  templateDir = {template}
  defaultBranch = trunk
"""
    machine = isolate_git(monkeypatch, tmp_path, configuration)
    result = run_new(tmp_path / "orders")
    assert git("ls-tree", "-r", "--name-only", "HEAD", cwd=tmp_path / "orders").splitlines() == sorted(result.files)
    assert git("symbolic-ref", "--short", "HEAD", cwd=tmp_path / "orders") == "main"
    assert "gpgsig" not in git("cat-file", "commit", "HEAD", cwd=tmp_path / "orders")
    assert git("show", "HEAD:README.md", cwd=tmp_path / "orders") == (
        tmp_path / "orders" / "README.md"
    ).read_text().rstrip("\n")
    assert not (tmp_path / "orders" / ".git" / "hooks").exists()
    assert machine.read_text() == configuration


def test_inside_another_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    outer = commit_all(tmp_path)
    # Git sets these variables, which point to the outer repository, for its hooks and aliases.
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / ".git" / "index"))
    monkeypatch.chdir(tmp_path)
    run_small(Path("orders"))
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.delenv("GIT_INDEX_FILE")
    assert git("rev-parse", "HEAD", cwd=tmp_path) == outer
    assert git("status", "--porcelain", cwd=tmp_path) == "?? orders/"
    assert git("rev-parse", "--show-toplevel", cwd=tmp_path / "orders") == str((tmp_path / "orders").resolve())


def test_an_empty_folder_is_filled_and_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "orders"
    folder.mkdir()
    before = folder.stat().st_ino
    monkeypatch.chdir(folder)
    result = run_small(Path())
    assert folder.stat().st_ino == before
    assert Path(result.directory) == folder
    assert git("status", "--porcelain", cwd=folder) == ""
    assert not list(folder.glob(".scaffold-*"))


def test_parent_folders_are_created(tmp_path: Path) -> None:
    run_small(tmp_path / "a" / "b" / "orders")
    assert (tmp_path / "a" / "b" / "orders" / ".git").is_dir()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["orders"]


def test_the_folder_is_named_after_the_app_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Path(run_new(None, {"app_name": "billing"}).directory) == tmp_path / "billing"


def test_precedence_of_command_line_file_and_defaults(tmp_path: Path) -> None:
    (tmp_path / "answers.yml").write_text("_commit: v9\napp_name: from-file\ncpu: 512\nmemory: 2048\n")
    result = run_new(tmp_path / "x", {"app_name": "from-line"}, answers_file=tmp_path / "answers.yml")
    assert result.answers["app_name"] == "from-line"
    assert (result.answers["cpu"], result.answers["memory"]) == (512, 2048)
    assert result.answers["aws_region"] == "us-east-1"


@pytest.mark.slow
def test_a_service_can_be_repeated_from_its_own_answers(tmp_path: Path) -> None:
    first = run_new(
        tmp_path / "a" / "orders", {"egress": "nat_gateway", "environment_overrides": "{dev: {spot: false}}"}
    )
    again = run_new(tmp_path / "b" / "orders", answers_file=Path(first.directory) / ".copier-answers.yml")
    assert contents(Path(first.directory)) == contents(Path(again.directory))


def test_answers_as_json(tmp_path: Path) -> None:
    (tmp_path / "answers.json").write_text(json.dumps({"environment_overrides": {"prod": {"min_tasks": 3}}}))
    result = run_new(tmp_path / "x", answers_file=tmp_path / "answers.json")
    assert result.answers["environment_overrides"] == {"prod": {"min_tasks": 3}}
    assert result.answers["customize"] is True


def test_an_answer_under_customize_turns_it_on_even_if_it_was_answered_with_no(tmp_path: Path) -> None:
    result = run_new(tmp_path / "x", {"customize": "no", "architecture": "arm64"}, dry_run=True)
    assert result.answers["customize"] is True
    assert result.answers["architecture"] == "arm64"


def test_a_dry_run_writes_nothing_and_shows_everything(tmp_path: Path) -> None:
    preview = run_new(tmp_path / "deep" / "orders", {"app_name": "orders"}, dry_run=True)
    assert not list(tmp_path.iterdir())
    made = run_new(tmp_path / "orders", {"app_name": "orders"})
    assert preview.files == made.files
    assert preview.stacks == made.stacks
    assert preview.commit is None
    assert preview.estimate is not None
    text = view(preview)
    assert f"About {preview.estimate.total_usd:.2f} USD a month" in text
    assert "  orders-prod-service" in text
    assert "infrastructure/" in text


def test_the_estimate_adds_up(tmp_path: Path) -> None:
    preview = run_new(tmp_path / "orders", dry_run=True)
    assert preview.estimate is not None
    assert [title for title, _ in preview.estimate.parts] == ["Dev", "Staging", "Prod", "Shared"]
    assert sum(usd for _, usd in preview.estimate.parts) == pytest.approx(preview.estimate.total_usd)


def test_the_json_of_the_result_is_pinned(tmp_path: Path) -> None:
    done = forked_scaffold(
        "new", "--defaults", "--json", "--data", "app_name=orders", "--kit", kit_repository(), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert {key: type(value).__name__ for key, value in document.items()} == {
        "schema_version": "int",
        "command": "str",
        "app_name": "str",
        "directory": "str",
        "kit": "str",
        "kit_version": "str",
        "answers": "dict",
        "files": "list",
        "stacks": "list",
        "estimate": "dict",
        "dry_run": "bool",
        "commit": "str",
        "deployment": "NoneType",
        "deployment_ended": "bool",
        "deployment_in_background": "bool",
        "outer_repository": "NoneType",
        "outer_is_empty": "bool",
        "credentials": "bool",
    }
    assert document["directory"] == str(tmp_path / "orders")


@pytest.mark.slow
def test_what_to_type_next(tmp_path: Path) -> None:
    done = forked_scaffold(
        "new", "my orders", "--defaults", "--data", "app_name=orders", "--kit", kit_repository(), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "  cd 'my orders'\n" in done.stdout
    assert "  scaffold deploy  " in done.stdout
    assert "Generated orders" in done.stderr


@pytest.mark.slow
def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    for more in ((), ("--dry-run",)):
        arguments = ("new", "--defaults", "--data", "app_name=orders", "--kit", kit_repository(), tmp_path / "a", *more)
        assert forked_scaffold(*arguments, cwd=tmp_path, TMPDIR=str(temporary)).returncode == (1 if more else 0)
    assert not list(temporary.iterdir())


@pytest.mark.slow
def test_a_kit_given_by_relative_path_is_recorded_as_an_absolute_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_kit(tmp_path / "kit")
    commit_all(tmp_path / "kit", tag="v1.2.0")
    monkeypatch.chdir(tmp_path)
    result = run_new(Path("orders"), kit="kit")
    assert (result.kit, result.kit_version) == (str(tmp_path / "kit"), "v1.2.0")


DEPLOYMENT = DeployResult(
    service="orders",
    account="123456789012",
    region="us-east-1",
    local=False,
    commit="0" * 40,
    planned=False,
    steps=(StepResult("stack", "orders-pipeline", "create"),),
    quotas=(),
    clone_url="codecommit::us-east-1://orders",
    pipeline_url="https://us-east-1.console.aws.amazon.com/",
    remote="origin",
)


def test_a_deployment_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def deploy(service: Service, target: Target, **options: Any) -> DeployResult:
        seen.update(options, service=service, target=target, commit=git("rev-parse", "HEAD", cwd=service.root))
        return DEPLOYMENT

    monkeypatch.setattr("scaffold.deployment.deploy.deploy", deploy)
    result = run_new(tmp_path / "orders", deploy=True, profile="team")
    assert seen["service"] == read(tmp_path / "orders")
    assert seen["target"] == Target("us-east-1", "team")
    assert seen["commit"] == result.commit
    assert result.deployment == DEPLOYMENT
    assert json.loads(json.dumps(result.document()))["deployment"]["service"] == "orders"
    assert "orders is deployed to account 123456789012, us-east-1." in view(result)
    assert "git push origin main  after a commit" in view(result)


@pytest.mark.parametrize("failure", [ScaffoldError("AWS said no.", "Ask it nicely."), KeyboardInterrupt()])
def test_a_failed_deployment_leaves_the_service_and_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    def deploy(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("scaffold.deployment.deploy.deploy", deploy)
    with pytest.raises(ScaffoldError) as raised:
        run_new(Path("orders"), deploy=True)
    assert raised.value.exit_code == (130 if isinstance(raised.value, Interrupted) else 1)
    assert "`cd orders && scaffold deploy`" in raised.value.remedy
    assert git("status", "--porcelain", cwd=tmp_path / "orders") == ""


def test_nothing_is_deployed_without_a_yes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deploy(*_: Any, **__: Any) -> None:
        raise AssertionError("nobody said yes")

    monkeypatch.setattr("scaffold.deployment.deploy.deploy", deploy)
    assert run_new(tmp_path / "a").deployment is None
    assert run_new(tmp_path / "b", deploy=False, local=True).deployment is None


def test_local_deploys_to_a_local_aws_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ministack")
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
    before = dict(os.environ)
    result = run_new(tmp_path / "orders", {"app_name": "orders"}, local=True, profile="does-not-exist")
    assert dict(os.environ) == before
    assert result.deployment is not None
    assert result.deployment.local is True
    assert "scaffold deploy --local " in view(result)
    assert "console.aws.amazon.com" not in view(result)


@pytest.mark.slow
def test_local_deploys_to_the_local_aws_in_the_background(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert scaffold("local", "start", "--no-run", cwd=tmp_path).returncode == 0
    try:
        shown = scaffold(
            *("new", "orders", "--defaults", "--local", "--data", "aws_region=eu-west-1", "--kit", kit_repository()),
            cwd=tmp_path,
        )
        assert shown.returncode == 0, shown.stderr
        assert 'eval "$(scaffold local env)"' in shown.stdout
        script = 'eval "$("$@" local env)" && "$@" deploy orders'
        again = subprocess.run(["sh", "-c", script, "sh", *COMMAND], cwd=tmp_path, capture_output=True, text=True)
        assert again.returncode == 0, again.stderr
        assert "up to date in local AWS, eu-west-1" in again.stdout
    finally:
        assert scaffold("local", "stop", cwd=tmp_path).returncode == 0


def test_an_interruption_after_the_service_is_there_does_not_deny_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def interrupted_workspace(destination: Path) -> Iterator[Path]:
        with workspace(destination) as folder:
            yield folder
        raise KeyboardInterrupt

    monkeypatch.setattr("scaffold.commands.new.workspace", interrupted_workspace)
    with pytest.raises(Interrupted) as caught:
        run_new(tmp_path / "service")
    assert caught.value.happened == f"Interrupted: {tmp_path / 'service'} is complete, and not deployed."
    assert "scaffold deploy" in caught.value.remedy
    assert git("status", "--porcelain", cwd=tmp_path / "service") == ""
