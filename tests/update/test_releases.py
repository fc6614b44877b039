"""A service of every released version of the kit comes to today's, with what its owners have edited on the way."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import copier
import pytest
import yaml

from scaffold.core.git import git
from scaffold.core.git_failures import GitFailed
from scaffold.kit.history import kit_entries
from tests.kits import ROOT, commit_all, copy_kit
from tests.update.small import commit, run_update, status
from tests.update.test_bytes import contents

# The kit that CHANGELOG.md describes as 0.1.0, before its first change. It was never tagged.
FIRST = "57ba65633f6d0ee1d1289937233c0173d88358c7"
TODAY = "v999.0.0"
# Names of edited files, and what remains of the edit under the path of today.
EDITED = {
    b"config/policies/approval-rule-review.json": ("approval-rule.json", b', "refs/heads/next"'),
    b"config/buildspecs/tests.yml": ("smoke-test.yml", b"  # ours"),
}


def versions() -> dict[str, str]:
    """The commits of this checkout that have a released kit, by version; none in sources without history."""
    try:
        git("rev-parse", "--verify", "--quiet", f"{FIRST}^{{commit}}", cwd=ROOT)
        tags = git("tag", "--merged", "HEAD", "--list", "v*", cwd=ROOT).split()
    except GitFailed:
        return {}
    return {"v0.0.1": FIRST, **{tag: tag for tag in tags}}


def write_kit(revision: str, folder: Path) -> None:
    """The kit's files of a commit of this checkout."""
    everything = folder.with_name("checkout")
    everything.mkdir()
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", everything], input=archive, check=True)
    folder.mkdir()
    for name in kit_entries(everything):
        shutil.move(everything / name, folder / name)


def edit(service: Path) -> dict[bytes, bytes]:
    """Edit what the README of the first version tells owners to edit, and what later versions have renamed.

    Returns:
        What remains of it, by the path that the file has today.
    """
    shift = (service / "infrastructure" / "prod" / "service.json", '"Egress"', '"ReadyToShift": "true",\n    "Egress"')
    edits = [
        *([shift] if "ReadyToShift" in (service / "infrastructure" / "service.yaml").read_text() else []),
        (service / "config" / "policies" / "approval-rule.json", '/main"', '/main", "refs/heads/next"'),
        (service / "config" / "buildspecs" / "smoke-test.yml", "shell: bash", "shell: bash  # ours"),
    ]
    made = [
        path.name for path, old, new in edits if path.exists() and path.write_text(path.read_text().replace(old, new))
    ]
    return {path: line for path, (name, line) in EDITED.items() if name in made}


@pytest.mark.slow
@pytest.mark.parametrize("version", [*versions(), "v998.0.0"])
def test_it_comes_to_todays(tmp_path: Path, version: str) -> None:
    """Without edits, each file is what today's kit generates. A new environment does not move production."""
    kit, service, fresh = tmp_path / "kit", tmp_path / "service", tmp_path / "fresh"
    if version in versions():
        write_kit(versions()[version], kit)
    else:
        copy_kit(kit)
    commit_all(kit, tag=version)
    copier.run_copy(str(kit), service, data={"app_name": "orders-api"}, defaults=True, quiet=True)
    (service / "ours.txt").write_text("ours\n")
    edited = edit(service)
    commit_all(service)
    for path in kit.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    copy_kit(kit)
    (kit / "NEWS.md").write_text("a commit of its own\n")
    commit_all(kit, tag=TODAY)

    result = run_update(service, data={"environments": "dev,staging,prod,dr"})

    assert (result.conflicts, result.not_carried_over, result.dropped_answers) == ([], [], {})
    answers = yaml.safe_load((service / ".copier-answers.yml").read_text())
    assert (answers["_commit"], answers["production"]) == (TODAY, "prod")
    data = {name: value for name, value in answers.items() if not name.startswith("_")}
    copier.run_copy(str(kit), fresh, data=data, defaults=True, quiet=True)
    found, expected = contents(service), contents(fresh)
    for name, line in edited.items():
        assert line in found[name][1]
        found[name] = (found[name][0], found[name][1].replace(line, b""))
    assert found.pop(b"ours.txt")[1] == b"ours\n"
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []
    commit(service)
    assert (run_update(service).files, status(service)) == ([], [])
