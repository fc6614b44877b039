"""`copier update` after each entry point: it adds the kit's changes and keeps the owner's lines."""

from __future__ import annotations

from pathlib import Path

import copier
import pytest
from copier.errors import UserMessageError
from pytest_cookies.plugin import Cookies

from scaffold.core.git import git
from tests.entry_points.entry_points import through_cookiecutter, through_copier, through_scaffold, tree
from tests.kits import IDENTITY, commit_all, copy_kit

ANSWERS = {"app_name": "orders-api", "environment_overrides": {"dev": {"max_tasks": 3}, "staging": {"spot": False}}}


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    """A kit of one version."""
    folder = copy_kit(tmp_path / "kit")
    commit_all(folder, tag="v1.0.0")
    return folder


def release(kit: Path) -> None:
    """Change the kit: another line in a verbatim file and in a rendered one, and a new file."""
    application = kit / "template" / "app" / "src" / "server.js"
    application.write_text(f"// changed in the kit\n{application.read_text()}")
    readme = kit / "template" / "README.md.jinja"
    readme.write_text(readme.read_text().replace("## Roll back\n", "## Roll back\n\nNews about {{ app_name }}.\n"))
    (kit / "template" / "NEWS.md").write_text("new\n")
    commit_all(kit, tag="v1.1.0")


def commit(service: Path, message: str = "mine") -> None:
    if not (service / ".git").exists():
        git("init", "-q", "-b", "main", cwd=service)
    git("add", "-A", cwd=service)
    git("commit", "-q", "--allow-empty", "-m", message, cwd=service, env=IDENTITY)


def update(service: Path, **answers: str) -> None:
    copier.run_update(service, data=answers, defaults=True, overwrite=True, quiet=True)


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "entry_point", [pytest.param("copier", marks=SLOW), pytest.param("cookiecutter", marks=SLOW), "scaffold"]
)
def test_edits_are_kept_and_changes_are_added(entry_point: str, kit: Path, tmp_path: Path, cookies: Cookies) -> None:
    if entry_point == "cookiecutter":
        service = through_cookiecutter(cookies, ANSWERS, kit)
    else:
        service = {"copier": through_copier, "scaffold": through_scaffold}[entry_point](
            tmp_path / "service", ANSWERS, kit
        )
    before = tree(service)
    (service / "app" / "src" / "mine.js").write_text("// mine\n")
    (service / "README.md").write_text(f"{(service / 'README.md').read_text()}\n## Ours\n\nOur own section.\n")
    (service / "NEWS.md").unlink(missing_ok=True)
    commit(service)
    release(kit)

    update(service)

    readme = (service / "README.md").read_text()
    assert "News about orders-api." in readme
    assert readme.endswith("## Ours\n\nOur own section.\n")
    assert (service / "app" / "src" / "server.js").read_text().startswith("// changed in the kit\n")
    assert (service / "app" / "src" / "mine.js").read_text() == "// mine\n"
    assert (service / "NEWS.md").read_text() == "new\n"
    assert git("ls-files", "--unmerged", cwd=service) == ""
    assert "_commit: v1.1.0" in (service / ".copier-answers.yml").read_text()
    changed = {line[3:].split("/")[0] for line in git("status", "--porcelain", cwd=service).splitlines()}
    assert changed <= {".copier-answers.yml", "NEWS.md", "README.md", "app", "infrastructure"}
    for name, (_, content) in before.items():
        if name.startswith("infrastructure/") and not name.startswith("infrastructure/pipeline"):
            assert (service / name).read_bytes().replace(b"v1.1.0", b"v1.0.0") == content


def test_a_conflict_is_shown(kit: Path, tmp_path: Path) -> None:
    service = through_copier(tmp_path / "service", ANSWERS, kit)
    source = service / "app" / "src" / "server.js"
    source.write_text(f"// ours\n{source.read_text()}")
    commit(service)
    release(kit)

    update(service)

    text = source.read_text()
    assert "<<<<<<< before updating" in text
    assert "// ours" in text
    assert "// changed in the kit" in text
    assert "app/src/server.js" in git("ls-files", "--unmerged", cwd=service)


@pytest.fixture
def service(kit: Path, tmp_path: Path) -> Path:
    folder = through_copier(tmp_path / "service", ANSWERS, kit)
    commit(folder)
    return folder


def changes(service: Path) -> dict[str, tuple[int, int]]:
    """Added and removed lines by file."""
    git("add", "-A", cwd=service)
    rows = [line.split("\t") for line in git("diff", "--cached", "--numstat", "--no-renames", cwd=service).splitlines()]
    return {name: (int(added), int(removed)) for added, removed, name in rows}


@pytest.mark.slow
def test_adding_an_environment_adds_only_its_own(service: Path) -> None:
    update(service, environments="dev,qa,staging,prod")
    changed = changes(service)
    own = {name for name in changed if name.startswith("infrastructure/qa/")}
    twins = {name.replace("/qa/", "/dev/") for name in own}
    assert twins == {name for name in tree(service) if name.startswith("infrastructure/dev/")}
    shared = {f"infrastructure/{name}.yaml" for name in ("build", "events", "pipeline", "plans")}
    assert set(changed) - own == {".copier-answers.yml", "README.md", "config/environments/qa.env", *shared}
    # Rows and a stage are added, and the total of the costs changes. One line changes in the pipeline, where the next
    # stage waits for the alarms of another environment, and two in the plans, which list the environments twice.
    assert changed["README.md"] == (6, 1)
    assert {name: changed[name][1] for name in shared} == {
        "infrastructure/build.yaml": 0,
        "infrastructure/events.yaml": 0,
        "infrastructure/pipeline.yaml": 1,
        "infrastructure/plans.yaml": 2,
    }
    assert changed[".copier-answers.yml"] == (1, 1)
    added = [
        line
        for line in git("diff", "--cached", "-U0", "README.md", cwd=service).splitlines()
        if line[:2] in ("+|", "+ ")
    ]
    assert len([line for line in added if line.startswith("+| Qa |")]) == 2


@pytest.mark.slow
def test_an_answer_for_one_environment_survives_the_removal_of_another(
    service: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Copier silently drops an answer that no longer fits; losing the others' overrides would resize production."""
    before = tree(service)
    with pytest.raises(UserMessageError, match=r"environment_overrides\.staging is not an environment"):
        update(service, environments="dev,prod")
    assert tree(service) == before

    update(service, environments="dev,prod", environment_overrides="{dev: {max_tasks: 3}}")
    assert not (service / "infrastructure" / "staging").exists()
    assert '"MaxTasks": "3"' in (service / "infrastructure" / "dev" / "service.json").read_text()
    assert set(changes(service)) >= {"README.md", "infrastructure/pipeline.yaml"}
