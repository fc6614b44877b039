"""What is refused before anything is pushed: unreadable documents, unfinished merges, files left out, a rename."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaffold.aws.cloudformation import templates
from scaffold.core.errors import ScaffoldError
from scaffold.core.git import git
from scaffold.core.git_failures import GitFailed
from scaffold.service import names
from scaffold.service.preflight import deployable_commit
from scaffold.service.service import read
from scaffold.service.stack_kinds import FOUNDATION as FOUNDATION_KIND
from scaffold.service.stack_kinds import StackId
from tests.deploy.services import FOUNDATION, IDENTITY, commit, make_service
from tests.deploy.test_refusals import refusal


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service without any AWS: what is refused here is refused before the first call."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    return make_service(tmp_path / "service")


def refused(service: Path) -> ScaffoldError:
    with pytest.raises(ScaffoldError) as caught:
        deployable_commit(read(service))
    return caught.value


# ---- documents ----

BROKEN = {
    "a tab": ("Resources:\n\tTopic:\n", 2),
    "an open bracket": ("Resources: [a, b\n", 2),
    "bad indentation": ("Resources:\n  A: 1\n B: 2\n", 3),
    "a colon": ("Resources: a: b\n", 1),
    "an unknown alias": ("Resources:\n  A: *nowhere\n", 2),
    "an open quote": ('Resources: "a\n', 2),
    "an unhashable key": ("? [a]\n: b\n", 1),
    "an unknown tag": ("app_name: !!python/none x\nResources: {}\n", 1),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_template_that_is_no_yaml_is_located(service: Path, kind: str) -> None:
    text, line = BROKEN[kind]
    commit(service, infrastructure__foundation_yaml=text)
    error = refusal(service)
    assert f"infrastructure/foundation.yaml of the service cannot be used: line {line}, column " in error.happened
    assert "declares no resources" not in error.happened


@pytest.mark.parametrize("kind", BROKEN)
def test_answers_that_are_no_yaml_are_located(service: Path, kind: str) -> None:
    text, line = BROKEN[kind]
    (service / ".copier-answers.yml").write_text(text)
    assert f".copier-answers.yml is damaged: line {line}, column " in refusal(service).happened


@pytest.mark.parametrize("value", ["2026-99-99", "2026-02-30 10:00:00", "0o9", "1e999", "12:61"])
def test_a_value_that_only_looks_like_another_type_is_text(service: Path, value: str) -> None:
    commit(service, infrastructure__foundation_yaml=f"Description: {value}\n{FOUNDATION}")
    assert templates.load(read(service), StackId(FOUNDATION_KIND)).resources


# ---- unfinished merges ----

MARKERS = "one\n<<<<<<< before updating\ntwo\n=======\nthree\n>>>>>>> after updating\n"


@pytest.mark.parametrize("path", ["README.md", "app/src/app.js", "infrastructure/pipeline.yaml", "with space.txt"])
@pytest.mark.parametrize("committed", [True, False])
def test_conflict_markers_are_refused(service: Path, path: str, committed: bool) -> None:
    (service / path).parent.mkdir(parents=True, exist_ok=True)
    (service / path).write_text(MARKERS)
    if committed:
        commit(service)
    error = refused(service)
    assert f"{path} has conflict markers" in error.happened
    assert "git add -A" not in error.remedy


def test_markers_that_a_file_shows_on_purpose_are_not_refused(service: Path) -> None:
    (service / ".gitattributes").write_text("*.txt conflict-marker-size=32\n")
    (service / "example.txt").write_text(MARKERS)
    (service / "heading.md").write_text("Title\n=======\n\nand `<<<<<<< ` alone\n")
    head = commit(service)
    assert deployable_commit(read(service)) == head


def test_unmerged_files_are_refused(service: Path) -> None:
    for branch in ("one", "two"):
        git("switch", "-q", "-C", branch, "main", cwd=service)
        commit(service, app__a_txt=branch)
    git("switch", "-q", "main", cwd=service)
    git("merge", "-q", "one", cwd=service)
    with pytest.raises(GitFailed):
        git("merge", "two", cwd=service, env=IDENTITY)
    assert "app/a.txt has unresolved conflicts" in refused(service).happened


@pytest.mark.parametrize("committed", [True, False])
def test_rejected_changes_are_refused(service: Path, committed: bool) -> None:
    (service / "Makefile.rej").write_text("--- Makefile\n+++ Makefile\n@@ -1 +1 @@\n-a\n+b\n")
    if committed:
        commit(service)
    assert "Makefile.rej" in refused(service).happened


# ---- files that the pipeline would not get ----


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return make_service(tmp_path / "library")


@pytest.mark.parametrize(("path", "shipped"), [("app/lib", True), ("config/a/b", True), ("docs/theme", False)])
def test_a_submodule_that_the_pipeline_needs_is_refused(service: Path, library: Path, path: str, shipped: bool) -> None:
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), path, cwd=service)
    head = commit(service)
    if shipped:
        assert f"{path} is a submodule" in refused(service).happened
        git("rm", "-q", "--cached", path, cwd=service)
        (service / path / ".git").rename(service.parent / "aside")
        (service / ".gitmodules").unlink()
        head = commit(service)
    assert deployable_commit(read(service)) == head


@pytest.mark.parametrize(("path", "shipped"), [("app/logo.png", True), ("docs/film.mp4", False)])
def test_a_pointer_of_git_lfs_is_refused(service: Path, path: str, shipped: bool) -> None:
    (service / path).parent.mkdir(parents=True, exist_ok=True)
    (service / path).write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12\n")
    head = commit(service)
    if shipped:
        assert f"{path} is kept in Git LFS" in refused(service).happened
    else:
        assert deployable_commit(read(service)) == head


# ---- a changed name or region ----


def follow(service: Path, url: str) -> None:
    git("remote", "add", "origin", url, cwd=service)
    git("config", "branch.main.remote", "origin", cwd=service)
    git("config", "branch.main.merge", "refs/heads/main", cwd=service)


@pytest.mark.parametrize(
    "url",
    [
        "codecommit::us-east-1://old-name",
        "codecommit::us-east-1://team@old-name",
        "codecommit::eu-west-1://NAME",
        "https://git-codecommit.us-east-1.amazonaws.com/v1/repos/old-name",
        "ssh://APKA@git-codecommit.us-east-1.amazonaws.com/v1/repos/old-name",
    ],
)
def test_a_renamed_service_is_refused_with_two_ways_on(service: Path, url: str) -> None:
    follow(service, url.replace("NAME", read(service).app_name))
    error = refused(service)
    assert "a deployed service keeps its name and region" in error.happened
    assert "git remote remove origin" in error.remedy
    git("remote", "remove", "origin", cwd=service)
    assert deployable_commit(read(service))


@pytest.mark.parametrize("url", ["https://git.example.com/mirror.git", "git@host:team/old-name.git", "OWN"])
def test_another_upstream_is_the_users_own(service: Path, url: str) -> None:
    follow(service, url if url != "OWN" else names.remote_url(read(service).app_name, "us-east-1", "team"))
    assert deployable_commit(read(service))
