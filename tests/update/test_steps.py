"""What a merge of text cannot express is done before it, once, by steps that are data of the kit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scaffold.core.errors import ScaffoldError
from scaffold.core.git import git
from scaffold.update.steps import due, without_key
from scaffold.views.update import text
from tests.update.small import commit, run_update, status
from tests.update.test_bytes import append, contents, rewrite
from tests.update.test_machine import publish, with_own_kit

STEPS = """
- version: 3.0.0
  says: It has moved.
  rename: app/unchanged.txt
  to: app/moved.txt
- version: 3.0.0
  says: Colours are gone.
  delete: [Parameters, Colour]
  in: infrastructure/*/service.json
"""


def edited_service(folder: Path, parameters: str, old: bytes, new: bytes) -> tuple[Path, Path, Path]:
    """A service whose owners have replaced a text in service.json, its kit, and that file's template in it."""
    service, kit = with_own_kit(folder)
    commit(service)
    json_file = next((kit / "template" / "infrastructure").glob("*yield*")) / "service.json.jinja"
    json_file.write_text(f'{{"Parameters": {parameters}}}\n')
    publish(kit, "v2.1.0")
    run_update(service)
    append("app/unchanged.txt", b"ours\n")(service)
    rewrite("infrastructure/dev/service.json", lambda it: it.replace(old, new))(service)
    commit(service)
    return service, kit, json_file


def stepping_kit(folder: Path) -> tuple[Path, Path]:
    """A service of version 2 whose owners edit what a step of version 3 renames, and that kit.

    The kit writes most of the renamed file anew, so that Git does not take it for the same one.
    """
    service, kit, _ = edited_service(folder, '{"Name": "{{ env }}"}', b"}}", b', "Colour": "red"}}')
    unchanged = kit / "template" / "app" / "unchanged.txt"
    lines = unchanged.read_text().splitlines(keepends=True)
    (unchanged.with_name("moved.txt")).write_text("".join(f"new {line}" for line in lines[:-2]) + "".join(lines[-2:]))
    unchanged.unlink()
    (kit / "includes").mkdir()
    (kit / "includes" / "steps.yml").write_text(STEPS)
    publish(kit, "v3.0.0")
    return service, kit


def test_steps_are_taken_once(tmp_path: Path) -> None:
    """Renamed files are followed although an answer changes, and later versions do not repeat a step."""
    service, kit = stepping_kit(tmp_path)
    data = {"environments": "dev,qa,prod"}
    before = contents(service)
    planned = run_update(service, data=data, plan=True)
    assert contents(service) == before

    result = run_update(service, data=data)

    assert result.steps == planned.steps
    moved = (service / "app" / "moved.txt").read_text()
    assert moved.startswith("new unchanged.txt\n")
    assert moved.endswith("line 40 of the kit\nours\n")
    assert not (service / "app" / "unchanged.txt").exists()
    assert (service / "infrastructure" / "dev" / "service.json").read_text() == '{"Parameters": {"Name": "dev"}}\n'
    assert result.exit_code == 0
    (renamed,) = [file for file in result.files if file.action == "rename"]
    assert (renamed.previous_path, renamed.path) == ("app/unchanged.txt", "app/moved.txt")
    assert "  app/unchanged.txt -> app/moved.txt: It has moved.\n" in text(result)
    assert "  infrastructure/dev/service.json without Parameters.Colour: Colours are gone.\n" in text(result)

    rewrite("infrastructure/dev/service.json", lambda it: it.replace(b"}}", b', "Colour": "blue"}}'))(service)
    (service / "app" / "unchanged.txt").write_text("another file of ours\n")
    commit(service)
    ours = contents(service)
    (kit / "template" / "app" / "new.txt").write_text("newer\n")
    publish(kit, "v4.0.0")
    later = run_update(service)
    assert (later.steps, [file.path for file in later.files]) == ([], [".copier-answers.yml", "app/new.txt"])
    assert {name: found for name, found in contents(service).items() if b"unchanged" in name or b"json" in name} == {
        name: found for name, found in ours.items() if b"unchanged" in name or b"json" in name
    }


def test_a_key_goes_beside_another_change_and_nothing_moves_that_the_kit_has_not_moved(tmp_path: Path) -> None:
    service, kit, json_file = edited_service(tmp_path, '{"Name": "{{ env }}", "Colour": "red"}', b"red", b"blue")
    json_file.write_text('{"Parameters": {"Name": "{{ env }}", "Size": "1"}}\n')
    (kit / "includes").mkdir()
    (kit / "includes" / "steps.yml").write_text(STEPS)
    publish(kit, "v3.0.0")

    result = run_update(service)

    assert (result.exit_code, {step.deleted_key for step in result.steps}) == (0, {"Parameters.Colour"})
    found = (service / "infrastructure" / "dev" / "service.json").read_text()
    assert found == '{"Parameters": {"Name": "dev", "Size": "1"}}\n'
    assert (service / "app" / "unchanged.txt").read_bytes().endswith(b"ours\n")
    assert not (service / "app" / "moved.txt").exists()


def test_a_conflict_after_a_step_is_in_the_renamed_file(tmp_path: Path) -> None:
    service, _ = stepping_kit(tmp_path)
    rewrite("app/unchanged.txt", lambda it: it.replace(b"line 5 ", b"our line 5 "))(service)
    commit(service)
    result = run_update(service)
    assert [one.path for one in result.conflicts] == ["app/moved.txt"]
    assert "UU app/moved.txt" in status(service)
    assert b"our line 5 " in (service / "app" / "moved.txt").read_bytes()
    git("diff", cwd=service)


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "state", ["duplicate", *(pytest.param(name, marks=SLOW) for name in ("deleted", "both", "not JSON"))]
)
def test_a_step_leaves_alone_what_it_does_not_know(tmp_path: Path, state: str) -> None:
    service, _ = stepping_kit(tmp_path)
    settings = service / "infrastructure" / "dev" / "service.json"
    if state == "deleted":
        (service / "app" / "unchanged.txt").unlink()
    elif state == "both":
        (service / "app" / "moved.txt").write_text("ours\n")
    elif state == "not JSON":
        settings.write_text("{")
    else:
        settings.write_text('{"Parameters": {"Colour": "red", "Name": "dev", "Colour": "red"}}\n')
    commit(service)
    before = settings.read_bytes()

    result = run_update(service)

    paths = [step.path for step in result.steps]
    if state == "deleted":
        assert not (service / "app" / "moved.txt").exists()
        assert (paths, result.not_carried_over) == (["infrastructure/dev/service.json"], ["app/moved.txt"])
    elif state == "both":
        assert {one.path for one in result.conflicts} == {"app/moved.txt", "app/unchanged.txt"}
        assert (service / "app" / "unchanged.txt").read_bytes().endswith(b"ours\n")
    else:
        assert settings.read_bytes() == before
        assert [step.by_hand for step in result.steps] == ([False] if state == "not JSON" else [False, True])
        said = "delete Parameters.Colour from infrastructure/dev/service.json by hand"
        assert (said in text(result)) == (state == "duplicate")


@pytest.mark.parametrize(
    "steps",
    [
        "- version: 3.0.0\n  says: x\n  rename: ../a\n  to: b\n",
        "- version: 3.0.0\n  says: x\n  run: rm -rf .\n",
        "- version: newest\n  says: x\n  rename: a\n  to: b\n",
        "- [\n",
        "7\n",
    ],
)
def test_malformed_steps_are_refused(tmp_path: Path, steps: str) -> None:
    (tmp_path / "includes").mkdir()
    (tmp_path / "includes" / "steps.yml").write_text(steps)
    with pytest.raises(ScaffoldError, match=r"^The steps of the kit's includes/steps\.yml cannot be read: "):
        due(tmp_path, "v1.0.0")


@pytest.mark.parametrize(
    ("recorded", "number"), [("v2.9.0-3-gabcdef1", 2), ("v3.0.0rc1", 2), ("abcdef1", 2), ("v3.0.0", 0), ("v3.1.0", 0)]
)
def test_a_step_is_for_services_of_older_versions(tmp_path: Path, recorded: str, number: int) -> None:
    (tmp_path / "includes").mkdir()
    (tmp_path / "includes" / "steps.yml").write_text(STEPS)
    assert len(due(tmp_path, recorded)) == number
    assert due(tmp_path / "without", recorded) == []


@pytest.mark.parametrize(
    ("document", "shorter"),
    [
        ('{"A": {"x": "1", "y": "2"}}', '{"A": {"y": "2"}}'),
        ('{"A": {"y": "2", "x": "1"}}', '{"A": {"y": "2"}}'),
        ('{"A": {"x": true}}', '{"A": {}}'),
        ('{"x": "1", "A": {"y": "2",\r\n  "x": "1",\r\n  "z": 3}}\r\n', '{"x": "1", "A": {"y": "2",\r\n  "z": 3}}\r\n'),
        ('{\n  "A": {\n    "y": 2,\n    "x": "\\"}"\n  }\n}', '{\n  "A": {\n    "y": 2\n  }\n}'),
        ('\ufeff{"A": {"x": "é", "y": "\\"x\\": 1,"}}', '\ufeff{"A": {"y": "\\"x\\": 1,"}}'),
        ('{"A": {"x": "1", "x": "2"}}', None),
        ('{"A": {"x": [1]}}', None),
    ],
)
def test_the_text_around_a_key_stays(document: str, shorter: str | None) -> None:
    found = without_key(document.encode(), ("A", "x"))
    assert found == (None if shorter is None else shorter.encode())
    if found:
        assert "x" not in json.loads(found.decode("utf-8-sig"))["A"]
