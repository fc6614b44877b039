"""`scaffold update` as people run it: from anywhere, with the embedded kit, interrupted, as JSON."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.update import changelog
from scaffold.views.update import text
from tests.cli.running import COMMAND, ROOT, assert_refused, forked_scaffold
from tests.kits import commit_all, copy_kit
from tests.update.small import commit, generated, new_service, run_update, status
from tests.update.test_bytes import contents, rewrite


def test_below_a_service_and_with_a_colleagues_kit_nothing_is_a_traceback(tmp_path: Path) -> None:
    """Kind 23: where `copier update` fails with tracebacks, the command works, or says one sentence."""
    service = new_service(tmp_path)
    done = forked_scaffold("update", cwd=service / "app", PATH=os.defpath)
    assert (done.returncode, done.stderr) == (0, "")
    assert "from v1.0.0 to v2.0.0 of its kit: 1 created, 6 changed, 1 deleted." in done.stdout
    assert_refused(forked_scaffold("update", cwd=service / "app"), 1, "uncommitted changes", "git stash")
    assert_refused(forked_scaffold("update", cwd=tmp_path), 1, "no generated service")
    assert_refused(forked_scaffold("update", "--data", "colour", cwd=service), 2, "KEY=VALUE")
    answers = service / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace(str(generated()[0]), "/home/ann/kit"))
    commit(service)
    assert_refused(forked_scaffold("update", cwd=service), 1, "/home/ann/kit, which does not exist on this machine")


def test_conflicts_are_listed_with_their_lines(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    rewrite("app/changed.txt", lambda text: text.replace(b"line 20 of the kit", b"our line 20"))(service)
    commit(service)
    done = forked_scaffold("update", cwd=service)
    assert done.returncode == 3
    assert "Conflicts\n  app/changed.txt:21  changed on both sides\n" in done.stdout
    assert "UU app/changed.txt" in status(service)
    refused = forked_scaffold("update", "--json", cwd=service)
    error = json.loads(refused.stdout)["error"]
    assert (error["exit_code"], error["happened"]) == (1, "There are unresolved conflicts: app/changed.txt.")
    assert "git add" not in error["remedy"]


def test_json(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    data = {"environments": "dev,qa,prod"}
    planned = forked_scaffold(
        "update", "--plan", "--json", "--data", f"environments={data['environments']}", cwd=service
    )
    document = json.loads(planned.stdout)
    assert planned.returncode == 10
    assert (document["schema_version"], document["command"], document["planned"]) == (1, "update", True)
    assert (document["old_version"], document["new_version"]) == ("v1.0.0", "v2.0.0")
    (change,) = document["answers"]
    assert change == {"name": "environments", "old": "dev,prod", "new": "dev,qa,prod", "by_default": False}
    assert document["follow_up"] == {
        "deploy": True,
        "new_environments": ["qa"],
        "removed_environments": [],
        "first": [],
        "leave_vpc": [],
        "release_first": False,
        "left": [],
        "deploy_again": False,
        "health_check_again": False,
    }
    assert {file["path"]: file["action"] for file in document["files"]}["app/new.txt"] == "create"
    done = run_update(service, data=data)
    assert json.loads(json.dumps(done.document())) == document | {"planned": False}


def test_nothing_changes(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    result = run_update(service, to="current")
    assert (result.exit_code, status(service)) == (0, [])
    assert text(result) == "orders-api is already up to date with v1.0.0 of its kit: nothing to do."
    assert run_update(service, to="current", plan=True).exit_code == 0


def test_answers_without_another_version(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    result = run_update(service, to="current", data={"colour": "red", "environments": "prod"})
    assert "It is red.\n" in (service / "README.md").read_text()
    assert "_commit: v1.0.0" in (service / ".copier-answers.yml").read_text()
    assert not (service / "infrastructure" / "dev").exists()
    shown = text(result)
    assert "The environment dev keeps its stacks" in shown
    assert "scaffold deploy" not in shown


@pytest.mark.parametrize(
    "path", ["infrastructure/foundation.yaml", "config/policies/approval-rule-checks.json", "app/new.txt"]
)
def test_deploy_follows_what_people_deploy(tmp_path: Path, path: str) -> None:
    kit = Path(shutil.copytree(generated()[0], tmp_path / "kit"))
    service = new_service(tmp_path)
    answers = service / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace(str(generated()[0]), str(kit)))
    commit(service)
    changed = kit / "template" / path
    changed.parent.mkdir(parents=True, exist_ok=True)
    with changed.open("a") as template:
        template.write("# more\n")
    commit_all(kit, tag="v3.0.0")
    planned = text(run_update(service, plan=True))
    after = "\nAfterwards:\n  scaffold deploy  updates what the pipeline may not, then pushes"
    assert planned.endswith(after) is not path.startswith("app/")
    shown = text(run_update(service))
    asked = re.search(r"\n  scaffold deploy +updates what the pipeline may not, then pushes\Z", shown)
    assert bool(asked) is not path.startswith("app/")


def test_a_recorded_answer_that_the_kit_refuses_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    service = new_service(tmp_path)
    answers = service / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace("colour: blue", "colour: pink"))
    commit(service)
    result = run_update(service)
    assert list(result.dropped_answers) == ["colour"]
    assert "The recorded answer to colour is replaced by the default" in capsys.readouterr().err


INTERRUPTED = """
import os, signal, sys
from scaffold.core import errors
from scaffold.update.work_tree import WorkTree

where, number = sys.argv.pop(1), int(sys.argv.pop(1))
method = getattr(WorkTree, where)

def interrupted(self, *arguments):
    os.kill(os.getpid(), number)
    done = method(self, *arguments)
    os.kill(os.getpid(), number)
    return done

setattr(WorkTree, where, interrupted)
from scaffold.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
@pytest.mark.parametrize("where", ["_stage", "_replace"])
def test_an_interruption_leaves_all_or_nothing(tmp_path: Path, where: str, number: int) -> None:
    """Before the first file is replaced nothing is written; from then on the update is completed."""
    service = new_service(tmp_path)
    before, temporary = contents(service), tmp_path / "temporary"
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, where, str(int(number)), "update"],
        cwd=service,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == (130 if number == signal.SIGINT else 143), done.stderr
    complete = where == "_replace"
    words = "the update of orders-api is complete, and not committed" if complete else "nothing was written"
    assert words in done.stderr
    assert (contents(service) == before) != complete
    assert ("?? app/new.txt" in status(service)) == complete
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_the_embedded_kit_of_another_home_and_of_a_newer_package(tmp_path: Path) -> None:
    """Two machines: a colleague has never unpacked the kit, and no `copier` on the PATH."""
    homes = tmp_path / "ann", tmp_path / "bob"
    for home in homes:
        home.mkdir()
    made = forked_scaffold(
        *("new", "service", "--defaults", "--no-deploy", "--data", "app_name=orders-api"),
        cwd=tmp_path,
        HOME=str(homes[0]),
    )
    assert made.returncode == 0, made.stderr
    assert "exists on this machine only" not in made.stderr
    service = tmp_path / "service"
    data = ("--data", "environments=dev,qa,staging,prod")
    done = forked_scaffold("update", *data, cwd=service / "app" / "src", HOME=str(homes[1]), PATH=os.defpath)
    assert done.returncode == 0, done.stderr
    assert (service / "infrastructure" / "qa").is_dir()
    assert "prepares qa, then pushes" in done.stdout
    # A version that this package does not have yet.
    answers = service / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace("_commit: v", "_commit: v9."))
    commit(service)
    newer = forked_scaffold("update", cwd=service, HOME=str(homes[1]))
    assert_refused(
        newer, 1, "has no version v9.", "Upgrade gitops-scaffold (`pipx upgrade gitops-scaffold`, or `uv tool"
    )


@pytest.mark.slow
def test_a_kit_by_url_and_a_local_one(tmp_path: Path) -> None:
    """A service of a kit on this machine is told so when it is generated."""
    kit = copy_kit(tmp_path / "kit")
    commit_all(kit, tag="v1.0.0")
    new = ("new", "--defaults", "--no-deploy", "--data", "app_name=orders-api", "--kit")
    local = forked_scaffold(*new, str(kit), "local", cwd=tmp_path)
    assert f"The kit {kit} exists on this machine only" in local.stderr
    remote = forked_scaffold(*new, f"file://{kit}", "remote", cwd=tmp_path)
    assert "exists on this machine only" not in remote.stderr
    with (kit / "template" / "Makefile.jinja").open("a") as template:
        template.write("# more\n")
    commit_all(kit, tag="v1.1.0")
    for name in ("local", "remote"):
        done = forked_scaffold("update", name, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / name / "Makefile").read_text().endswith("# more\n")
        assert "_commit: v1.1.0" in (tmp_path / name / ".copier-answers.yml").read_text()


def test_the_changelog_between_two_versions(tmp_path: Path) -> None:
    sections = [
        "# Changelog\n\nWords.\n",
        "## [Unreleased]\n\n- Coming.\n",
        "## [1.2.0] - 2026-02-01\n\n### The kit\n\n- Second.\n\n### The command line\n\n- Other.\n",
        "## 1.1.0\n\n- First.\n",
        "## v1.0.0\n\n- Begin.\n",
    ]
    (tmp_path / "CHANGELOG.md").write_text("\n".join(sections))
    between = changelog.between
    assert between(tmp_path, "v1.0.0", "v1.1.0") == "## 1.1.0\n\n- First."
    assert between(tmp_path, "v1.0.0", "v1.2.0") == "## [1.2.0] - 2026-02-01\n\n- Second.\n\n## 1.1.0\n\n- First."
    assert between(tmp_path, "v1.2.0", "v1.2.0-3-gabcdef1") == "## [Unreleased]\n\n- Coming."
    assert between(tmp_path, "v1.2.0", "v1.2.0") == between(tmp_path / "none", "v1.0.0", "v1.2.0") == ""


@pytest.mark.parametrize(
    ("version", "remedy"),
    [("2.0.0", "Did you mean v2.0.0? "), ("v9", ""), ("deadbeef", "")],
)
def test_a_version_that_does_not_exist_is_a_wrong_option(tmp_path: Path, version: str, remedy: str) -> None:
    done = forked_scaffold("update", "--to", version, cwd=new_service(tmp_path))
    existing = "Name one that exists, such as v2.0.0, v1.0.0, or leave --to out for the newest."
    assert_refused(done, 2, f"has no version {version}.", f"{remedy}{existing}")


@pytest.mark.parametrize("state", ["no kit", "uncommitted", "unreachable", "refused answer", "an old Copier"])
def test_remedies_name_what_this_command_has(tmp_path: Path, state: str) -> None:
    kit = Path(shutil.copytree(generated()[0], tmp_path / "kit"))
    service = new_service(tmp_path)
    answers = service / ".copier-answers.yml"
    address = "git+ssh://127.0.0.1:1/kit" if state == "unreachable" else str(kit)
    answers.write_text(answers.read_text().replace(str(generated()[0]), address))
    commit(service)
    options: dict[str, object] = {}
    if state == "no kit":
        shutil.rmtree(kit)
        kit.mkdir()
    elif state == "uncommitted":
        (kit / "more").write_text("x")
    elif state == "refused answer":
        options = {"data": {"colour": "pink"}}
    elif state == "an old Copier":
        questions = kit / "copier.yml"
        questions.write_text("_min_copier_version: 99.0.0\n" + questions.read_text())
        commit_all(kit, tag="v3.0.0")
    with pytest.raises(ScaffoldError) as refused:
        run_update(service, **options)
    assert not re.search(r"--kit|in the answers file|--answers", refused.value.remedy)
    told = {
        "no kit": "_src_path",
        "uncommitted": "--to",
        "unreachable": "_src_path",
        "an old Copier": "uv tool upgrade",
    }
    assert told.get(state, "--data colour=") in refused.value.remedy


def test_help_has_examples_and_exit_codes() -> None:
    done = subprocess.run([*COMMAND, "update", "--help"], capture_output=True, text=True, timeout=60, check=True)
    assert "scaffold update --to current --data environments=" in done.stdout
    assert "3 conflicts" in done.stdout


def test_a_password_in_the_recorded_address_is_not_shown(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    answers = service / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace(str(generated()[0]), "https://ann:s3cr3t@example.com/kit.git"))
    commit(service)
    with pytest.raises(UsageError, match="credentials") as refused:
        run_update(service)
    assert "s3cr3t" not in str(refused.value) + refused.value.remedy
