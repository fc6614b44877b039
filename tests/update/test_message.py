"""`copier update` ends with a message if something has to follow, and with none otherwise."""

from __future__ import annotations

import shutil
from pathlib import Path

import copier
import pytest

from scaffold.core.git import git
from tests.entry_points.entry_points import through_copier
from tests.kits import commit_all, kit_repository

PUSH = "Have the update on main, and run `scaffold deploy` in place of the push."
STACKS = "keeps its stacks, which cost money, until `scaffold destroy --environment"
STEP = "`copier update` leaves out what a merge of text cannot express:"


@pytest.mark.slow
def test_it_says_what_has_to_follow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(**data: str) -> str:
        """What Copier writes after the version that it updates to."""
        capsys.readouterr()
        copier.run_update(service, data=data, defaults=True, overwrite=True)
        return capsys.readouterr().err.partition("\n")[2].strip()

    kit = Path(shutil.copytree(kit_repository(), tmp_path / "a [kit]"))
    service = through_copier(tmp_path / "a [service]", {"app_name": "orders-api"}, kit)
    commit_all(service)
    assert said(cpu="512") == ""
    commit_all(service)

    words = said(environments="dev,qa,prod")
    assert words.splitlines() == [f"New: qa. {PUSH}", f"staging {STACKS} staging` deletes them."]
    git("stash", "-q", "-u", cwd=service)
    words = said(production="staging")
    assert words == "Production is staging instead of prod: run `scaffold deploy` after the merge."
    git("stash", "-q", "-u", cwd=service)

    # An older version than that of the steps, and one of the files that they rename.
    (service / "config" / "buildspecs" / "smoke-test.yml").write_text("ours\n")
    commit_all(service)
    (kit / "NEWS.md").write_text("new\n")
    commit_all(kit, tag="v0.3.0")
    words = said()
    follows = "`scaffold deploy --plan` says after the merge whether `scaffold deploy` has to follow."
    assert words.startswith(f"{STEP}\n- The smoke test is ")
    assert "Scanners took" not in words
    assert words.endswith(f"run `scaffold update`, which takes these steps too.\n{follows}")
    commit_all(service)
    (kit / "NEWS.md").write_text("newer\n")
    commit_all(kit, tag="v0.4.0")
    assert said() == follows
