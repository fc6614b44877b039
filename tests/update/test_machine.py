"""The result of an update depends on the service and the kit, and not on the machine or the folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scaffold.core.git import git
from tests.kits import IDENTITY
from tests.update.small import LINES, actions, commit, generated, new_service, run_update, status
from tests.update.test_bytes import append, contents, rewrite

CONFIGURATION = """
[merge]
    default = ours
    renames = false
    conflictStyle = diff3
    renormalize = true
    directoryRenames = true
    renameLimit = 1
[merge "ours"]
    driver = false
[diff]
    renames = false
    algorithm = patience
    external = false
    noprefix = true
    orderFile = /nowhere
[core]
    autocrlf = true
    safecrlf = true
    eol = crlf
    fileMode = true
    attributesFile = {home}/attributes
    excludesFile = {home}/excludes
    hooksPath = {home}/hooks
    quotePath = false
    splitIndex = true
[commit]
    gpgSign = true
[gpg]
    program = false
[user]
    useConfigOnly = true
[status]
    short = true
    relativePaths = true
[submodule]
    recurse = true
[feature]
    manyFiles = true
"""
VARIABLES = {
    "GIT_DIR": "/nowhere",
    "GIT_WORK_TREE": "/nowhere",
    "GIT_INDEX_FILE": "/nowhere",
    "GIT_OBJECT_DIRECTORY": "/nowhere",
    "GIT_EXTERNAL_DIFF": "false",
    "GIT_GLOB_PATHSPECS": "1",
    "GIT_ICASE_PATHSPECS": "1",
    "GIT_AUTHOR_DATE": "never",
    "GIT_COMMITTER_NAME": "",
    "GIT_MERGE_VERBOSITY": "5",
    "GIT_TRACE": "1",
    "GIT_DIFF_OPTS": "-u0",
    "GIT_ATTR_SOURCE": "nowhere",
}


def edit(service: Path) -> None:
    """A conflict, a rename, changes, an executable bit, a name with a bracket."""
    rewrite("app/changed.txt", lambda text: text.replace(b"line 20 of the kit", b"our line 20"))(service)
    append("README.md", b"ours\n")(service)
    git("mv", "app/latin.txt", "app/ours.txt", cwd=service)
    (service / "app" / "run.sh").chmod(0o644)
    (service / "app" / "[*].txt").write_text("ours\n")
    commit(service)


def test_configuration_and_variables_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = new_service(tmp_path)
    edit(plain)
    other = Path(shutil.copytree(plain, tmp_path / "other" / "service", symlinks=True))
    expected = run_update(plain)
    home = tmp_path / "home"
    (home / "hooks").mkdir(parents=True)
    for hook in ("post-checkout", "post-index-change", "pre-commit", "reference-transaction", "post-merge"):
        (home / "hooks" / hook).write_text(f"#!/bin/sh\necho {hook} >> {home}/ran\nexit 1\n")
        (home / "hooks" / hook).chmod(0o755)
    (home / "attributes").write_text("* merge=ours text eol=crlf\n")
    (home / "excludes").write_text("*\n")
    (home / "config").write_text(CONFIGURATION.format(home=home))
    with monkeypatch.context() as machine:
        machine.setenv("GIT_CONFIG_GLOBAL", str(home / "config"))
        for name, value in VARIABLES.items():
            machine.setenv(name, value)
        result = run_update(other)
    assert contents(other) == contents(plain)
    assert git("ls-files", "--stage", cwd=other) == git("ls-files", "--stage", cwd=plain)
    assert (result.files, result.exit_code) == (expected.files, 3)
    assert not (home / "ran").exists()


def test_a_merge_driver_that_the_service_names_is_used(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    (service / ".gitattributes").write_text("changed.txt merge=union\nREADME.md merge=keep\n")
    git("config", "merge.keep.driver", "true", cwd=service)
    rewrite("app/changed.txt", lambda text: text.replace(b"line 20 of the kit", b"our line 20"))(service)
    append("README.md", b"ours\n")(service)
    commit(service)
    readme = (service / "README.md").read_bytes()

    assert run_update(service).exit_code == 0

    assert (service / "README.md").read_bytes() == readme
    text = (service / "app" / "changed.txt").read_text()
    assert "our line 20\nline 20 of version 2\n" in text


def test_nothing_of_it_is_left_in_the_repository(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    edit(service)
    refs, before = git("show-ref", "--head", cwd=service), sorted((service / ".git").iterdir())
    run_update(service)
    assert git("show-ref", "--head", cwd=service) == refs
    kinds = git("cat-file", "--batch-all-objects", "--batch-check=%(objecttype)", cwd=service).split()
    assert kinds.count("commit") == 2
    assert sorted((service / ".git").iterdir()) == before


def test_a_plan_writes_nothing(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    edit(service)

    def state() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in service.rglob("*") if path.is_file()}

    before = state()
    result = run_update(service, plan=True)
    assert state() == before
    assert result.exit_code == 10
    assert actions(result)["app/changed.txt"] == "conflict"
    assert result.changelog == "## [2.0.0]\n\n- Line 20."


def test_a_service_in_a_folder_of_a_repository(tmp_path: Path) -> None:
    """Nothing outside the folder is read or changed, and a change there does not matter."""
    outer = tmp_path / "all"
    shutil.copytree(generated()[1], outer / "services" / "orders", ignore=shutil.ignore_patterns(".git"))
    (outer / ".gitattributes").write_text("changed.txt merge=union\n")
    (outer / "other").mkdir()
    (outer / "other" / "changed.txt").write_text("other\n")
    service = outer / "services" / "orders"
    rewrite("app/changed.txt", lambda text: text.replace(b"line 20 of the kit", b"our line 20"))(service)
    git("init", "-q", cwd=outer)
    commit(outer)
    (outer / "other" / "changed.txt").write_text("not committed\n")

    result = run_update(service / "app")

    assert actions(result)["app/new.txt"] == "create"
    assert "our line 20\nline 20 of version 2\n" in (service / "app" / "changed.txt").read_text()
    assert " M services/orders/README.md" in status(outer)
    assert (outer / "other" / "changed.txt").read_text() == "not committed\n"


def test_a_linked_work_tree_and_a_submodule(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    library = tmp_path / "library"
    library.mkdir()
    (library / "a.txt").write_text("a\n")
    commit_to = {"cwd": service, "env": IDENTITY}
    git("init", "-q", cwd=library)
    commit(library)
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "lib", **commit_to)
    commit(service)
    git("worktree", "add", "-q", str(tmp_path / "linked"), "-b", "linked", cwd=service)

    result = run_update(tmp_path / "linked")

    assert result.exit_code == 0
    assert "line 20 of version 2" in (tmp_path / "linked" / "README.md").read_text()
    assert status(service) == []
    assert git("ls-files", "--stage", "lib", cwd=tmp_path / "linked").startswith("160000")
    assert run_update(service).exit_code == 0
    assert (service / "lib" / "a.txt").read_text() == "a\n"


def test_modes_where_git_does_not_look_at_them(tmp_path: Path) -> None:
    """As Copier, the command sets in the index what the kit changes."""
    service = new_service(tmp_path)
    git("config", "core.fileMode", "false", cwd=service)
    before = git("ls-files", "--stage", "app/run.sh", cwd=service)
    assert run_update(service).exit_code == 0
    assert git("ls-files", "--stage", "app/run.sh", cwd=service) == before
    assert (service / "app" / "run.sh").stat().st_mode & 0o111


def test_the_answers_file_is_always_the_generated_one(tmp_path: Path) -> None:
    """An answers file that was edited by hand gets no conflict markers, which no command could read."""
    service = new_service(tmp_path)
    path = service / ".copier-answers.yml"
    path.write_text(path.read_text().replace("_commit: v1.0.0", "_commit:   v1.0.0  # ours"))
    commit(service)
    assert run_update(service).exit_code == 0
    assert "_commit: v2.0.0\n" in path.read_text()


def test_another_environment_does_not_get_the_changes_of_a_deleted_one(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    append("infrastructure/dev/service.json", b"ours\n")(service)
    commit(service)
    result = run_update(service, data={"environments": "qa,prod"})
    assert "ours" not in (service / "infrastructure" / "qa" / "service.json").read_text()
    assert (service / "infrastructure" / "dev" / "service.json").read_bytes().endswith(b"ours\n")
    assert [one.path for one in result.conflicts] == ["infrastructure/dev/service.json"]
    follow = result.follow_up
    assert (follow.deploy, follow.new_environments, follow.removed_environments) == (True, ("qa",), ("dev",))


def with_own_kit(folder: Path) -> tuple[Path, Path]:
    """A service, and the kit of it alone."""
    kit, _ = generated()
    copy = Path(shutil.copytree(kit, folder / "kit"))
    service = new_service(folder)
    answers = service / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace(str(kit), str(copy)))
    return service, copy


def publish(kit: Path, version: str) -> None:
    git("add", "--all", cwd=kit)
    git("commit", "-q", "-m", "x", cwd=kit, env=IDENTITY)
    git("tag", version, cwd=kit)


@pytest.mark.parametrize("kind", ["scans", "network"])
def test_a_new_stack_is_deployed_by_a_person_unless_it_is_prepared(tmp_path: Path, kind: str) -> None:
    """The pipeline creates no stack. Those of an environment are there as soon as the environment is."""
    service, kit = with_own_kit(tmp_path)
    commit(service)
    path = kit / "template" / "infrastructure" / f"{kind}.yaml"
    path.write_text("Resources: {}\n")
    publish(kit, "v3.0.0")
    assert run_update(service).follow_up.deploy is (kind == "scans")
    commit(service)
    path.write_text("Resources: {A: {Type: B}}\n")
    publish(kit, "v4.0.0")
    assert not run_update(service).follow_up.deploy


def test_a_file_that_the_kit_renames_keeps_our_changes(tmp_path: Path) -> None:
    service, kit = with_own_kit(tmp_path)
    append("app/unchanged.txt", b"ours\n")(service)
    commit(service)
    (kit / "template" / "app" / "unchanged.txt").rename(kit / "template" / "app" / "moved.txt")
    publish(kit, "v3.0.0")

    result = run_update(service)

    assert (service / "app" / "moved.txt").read_text() == "unchanged.txt\n" + "".join(LINES) + "ours\n"
    (renamed,) = [file for file in result.files if file.action == "rename"]
    assert (renamed.previous_path, renamed.path) == ("app/unchanged.txt", "app/moved.txt")
    assert result.new_version == "v3.0.0"
