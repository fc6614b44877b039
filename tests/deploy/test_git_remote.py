"""The repository's Git endpoint during a deployment: lost answers, profiles, the upstream branch."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from scaffold.aws import git_remote
from scaffold.aws.remote_url import profile_variable, remote_url
from scaffold.aws.session import Session
from scaffold.core.git import git
from scaffold.core.target import Target
from scaffold.service import names
from scaffold.service.service import read
from scaffold.views.deploy import text
from tests.deploy.services import client, make_service, run, run_with_profile
from tests.deploy.test_refusals import refusal
from tests.pauses import skip_pauses


def replace_git(monkeypatch: pytest.MonkeyPatch, folder: Path, on_push: str) -> None:
    """Put a Git first on the PATH that does something else at a push; `$GIT` is the real one."""
    folder.mkdir()
    (folder / "git").write_text(
        f'#!/bin/sh\nGIT={shutil.which("git")}\ncase " $* " in *" push "*) {on_push} ;; esac\nexec $GIT "$@"\n'
    )
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


LOST = '$GIT "$@"; echo "fatal: the remote end hung up unexpectedly" >&2; exit 128'
UNAVAILABLE = 'echo "fatal: unable to access: The requested URL returned error: 503" >&2; exit 128'


def test_a_push_whose_answer_is_lost_is_recognised(
    service: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    skip_pauses(monkeypatch)
    replace_git(monkeypatch, tmp_path / "bin", LOST)
    assert run(service).changed
    head = git("rev-parse", "HEAD", cwd=service)
    assert (
        client("codecommit").get_branch(repositoryName=read(service).app_name, branchName="main")["branch"]["commitId"]
        == head
    )


def test_an_unavailable_endpoint_is_reported_as_unavailable(
    service: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    skip_pauses(monkeypatch)
    replace_git(monkeypatch, tmp_path / "bin", UNAVAILABLE)
    error = refusal(service)
    assert "is unavailable at the moment" in error.happened
    assert error.remedy.startswith("Try again")


@pytest.mark.parametrize("profile", ["dana@acme", "my team", "a:b", "a/b", "a#b", "ä", "a?b", "[x]", "a%b"])
def test_a_profile_that_no_url_can_hold_stays_out_of_it(tmp_path: Path, profile: str) -> None:
    service = read(make_service(tmp_path / "service"))
    session = Session("1", "arn:aws:iam::1:root", Target("us-east-1", profile), boto=None)
    assert remote_url(session, service) == names.remote_url(service.app_name, "us-east-1")
    assert profile_variable(session).startswith("AWS_PROFILE=")


@pytest.mark.parametrize("profile", ["team", "Team-1.admin", "a_b", "a+b"])
def test_another_profile_is_part_of_it(tmp_path: Path, profile: str) -> None:
    service = read(make_service(tmp_path / "service"))
    session = Session("1", "arn:aws:iam::1:root", Target("us-east-1", profile), boto=None)
    assert f"://{profile}@" in remote_url(session, service)
    assert profile_variable(session) == ""


def test_the_result_says_how_to_push_with_such_a_profile(
    service: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = "\n".join(f"{name.lower()} = {os.environ[name]}" for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    (tmp_path / "credentials").write_text(f"[dana@acme]\n{keys}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("SCAFFOLD_LOCAL", "")
    result = run_with_profile(service, "dana@acme")
    assert "@" not in git("remote", "get-url", "origin", cwd=service)
    assert re.search(r"^  AWS_PROFILE=dana@acme git push origin main ", text(result), re.MULTILINE)


@pytest.mark.parametrize("left", [("remote",), ("merge",), ()])
def test_the_upstream_is_completed_after_an_interruption(tmp_path: Path, left: tuple[str, ...]) -> None:
    service = read(make_service(tmp_path / "service"))
    session = Session("1", "arn:aws:iam::1:root", Target("us-east-1"), boto=None)
    head = git("rev-parse", "HEAD", cwd=service.root)
    git_remote.configure_remote(session, service, head)
    for key in {"remote", "merge"} - set(left):
        git("config", "--unset", f"branch.main.{key}", cwd=service.root)
    git_remote.configure_remote(session, service, head)
    assert git("rev-parse", "--abbrev-ref", "main@{upstream}", cwd=service.root) == "origin/main"
