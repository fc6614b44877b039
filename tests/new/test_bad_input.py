"""Invalid input: one sentence, a remedy, the right exit code, and nothing written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scaffold.core.errors import Interrupted, ScaffoldError, UsageError
from scaffold.kit.rendering import Kit
from tests.cli.running import COMMAND, ROOT, assert_refused, forked_scaffold
from tests.kits import commit_all, kit_repository
from tests.new.running import contents, run_new

APP_NAMES = {
    "empty": "",
    "too short": "ab",
    "200 long": "a" * 200,
    "capitals": "Orders",
    "space": "my orders",
    "parent folder": "..",
    "path out": "../orders",
    "slash": "orders/api",
    "absolute": "/tmp/orders",
    "command": "$(touch pwned)",
    "backticks": "`touch pwned`",
    "double quote": 'ord"ers',
    "single quote": "ord'ers",
    "newline at the end": "orders\n",
    "newline within": "ord\ners",
    "emoji": "orders🚀",
    "accent": "commandé",
    "unicode digits": "orders٣",
    "template marks": "{{ 7*7 }}",
    "template statement": "{% raw %}",
    "leading digit": "1orders",
    "leading dash": "-orders",
    "trailing dash": "orders-",
    "double dash": "orders--api",
    "underscore": "orders_api",
    "dot": "orders.api",
    "null": "orders\x00",
    "reserved": "default",
    "a folder of the artifact bucket": "releases",
}
ENVIRONMENTS = [
    "",
    ",",
    "dev,dev",
    "dev,,prod",
    "default",
    "dev,all",
    "Dev,prod",
    "dev prod",
    "1dev",
    "dev-1,prod",
    "d",
]
ENVIRONMENTS += [",".join(f"env{number}" for number in range(9)), "dev,prod\n,x", "{{7*7}}", "../x", "dev," + "p" * 13]


# `make test` also tries names in tests/entry_points, without a service for each.
FAST_APP_NAMES = {"200 long", "path out", "command", "newline at the end", "unicode digits", "template marks", "null"}
FAST_ENVIRONMENTS = {"", "dev,dev", "dev-1,prod", "dev,prod\n,x", "../x"}


def fast_ones(cases: Mapping[str, str], fast: set[str]) -> list[Any]:
    """Cases by name, of which all but some are slow tests."""
    assert fast <= set(cases)
    slow = {name: () if name in fast else (pytest.mark.slow,) for name in cases}
    return [pytest.param(case, id=name, marks=slow[name]) for name, case in cases.items()]


def refusal(dest: Path, data: dict[str, str], **options: Any) -> ScaffoldError:
    before = contents(dest.parent)
    with pytest.raises(ScaffoldError) as raised:
        run_new(dest, data, **options)
    assert contents(dest.parent) == before
    for sentence in (raised.value.happened, raised.value.remedy):
        assert sentence.rstrip().endswith((".", "?", "`")), sentence
    return raised.value


@pytest.mark.parametrize("name", fast_ones(APP_NAMES, FAST_APP_NAMES))
def test_app_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    with pytest.raises(UsageError) as raised:
        run_new(None, {"app_name": name})  # None: the folder is named after it
    error = raised.value
    assert "app_name" in error.happened
    assert "for example" in error.happened
    assert "--data app_name=" in error.remedy
    assert contents(tmp_path) == {"place/": b""}


@pytest.mark.parametrize("environments", fast_ones({one: one for one in ENVIRONMENTS}, FAST_ENVIRONMENTS))
def test_environment_names(tmp_path: Path, environments: str) -> None:
    error = refusal(tmp_path / "service", {"environments": environments})
    assert error.exit_code == 2
    assert "environments" in error.happened


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"cpu": "300"}, ["cpu", "300", "256"]),
        pytest.param({"cpu": "much"}, ["cpu", "much", "a whole number"], marks=pytest.mark.slow),
        pytest.param({"cpu": ""}, ["cpu"], marks=pytest.mark.slow),
        ({"cpu": "256", "memory": "4096"}, ["memory", "4096", "512"]),
        pytest.param({"cpu": "4096", "memory": "512"}, ["memory", "512", "8192"], marks=pytest.mark.slow),
        ({"aws_region": "moon"}, ["aws_region", "eu-central-1"]),
        pytest.param({"scan_gate": "everything"}, ["scan_gate", "critical"], marks=pytest.mark.slow),
        ({"environment_overrides": "{prod: {cpu: 4096}}"}, ["prod", "4096", "512"]),
        pytest.param(
            {"environment_overrides": "{nowhere: {cpu: 512, memory: 1024}}"}, ["nowhere"], marks=pytest.mark.slow
        ),
        ({"environment_overrides": "{prod"}, ["environment_overrides", "YAML"]),
        pytest.param({"environment_overrides": "just text"}, ["environment_overrides"], marks=pytest.mark.slow),
        pytest.param({"aws_account_id": "12"}, ["aws_account_id", "12 digits"], marks=pytest.mark.slow),
        pytest.param({"description": "x\ny: z"}, ["description"], marks=pytest.mark.slow),
        ({"deployment_strategy": "linear", "linear_step_minutes": "1440"}, ["33 hours"]),
        pytest.param({"canary_percent": "20"}, ["canary_percent", "strategies"], marks=pytest.mark.slow),
    ],
)
def test_invalid_answers(tmp_path: Path, data: dict[str, str], words: list[str]) -> None:
    error = refusal(tmp_path / "service", data)
    assert error.exit_code == 2
    for word in words:
        assert word in f"{error.happened} {error.remedy}"


def test_an_unknown_key_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    error = refusal(tmp_path / "service", {"app_nam": "x"})
    assert error.exit_code == 2
    assert "'app_nam'" in error.happened
    assert error.remedy == "Did you mean app_name?"


def test_an_unknown_key_unlike_any_other_gets_the_list(tmp_path: Path) -> None:
    assert "aws_region" in refusal(tmp_path / "service", {"zzz": "x"}).remedy


def test_computed_values_cannot_be_given(tmp_path: Path) -> None:
    assert refusal(tmp_path / "service", {"environment_settings": "[]"}).exit_code == 2


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.yml", "app_name: [", ["YAML", "line"]),
        ("a.yml", "just text", ["mapping"]),
        ("a.yml", "- app_name", ["mapping"]),
        ("a.yml", "a: *nowhere", ["YAML"]),
        ("a.yml", "\x00", ["YAML"]),
        ("a.json", '{"app_name": ', ["JSON", "line 1"]),
        ("a.json", "[" * 100_000, ["JSON"]),
        ("a.yml", "cpu: [1]", ["cpu", "a whole number"]),
        ("a.yml", "aws_region:", ["aws_region", "empty"]),
        ("a.yml", "cpuu: 1", ["cpuu"]),
    ],
)
def test_malformed_answers_files(tmp_path: Path, name: str, text: str, words: list[str]) -> None:
    (tmp_path / name).write_text(text)
    error = refusal(tmp_path / "service", {}, answers_file=tmp_path / name)
    assert error.exit_code == 2
    for word in words:
        assert word in f"{error.happened} {error.remedy}"


def test_answers_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe\x00\x01")
    for path in (tmp_path / "absent.yml", tmp_path, tmp_path / "binary.yml"):
        assert refusal(tmp_path / "service", {}, answers_file=path).exit_code == 2


def test_a_destination_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "mine").write_text("mine")
    assert "not empty" in refusal(tmp_path / "service", {}).happened


def test_a_hidden_file_counts_as_content(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / ".git").mkdir()
    assert "not empty" in refusal(tmp_path / "service", {}).happened


def test_a_destination_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "service").write_text("mine")
    assert "not a folder" in refusal(tmp_path / "service", {}).happened


def test_a_destination_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert "file" in refusal(tmp_path / "file" / "service", {}).happened


def test_a_destination_that_is_a_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "service").symlink_to(tmp_path / "nowhere")
    assert "link" in refusal(tmp_path / "service", {}).happened


def test_a_destination_whose_name_is_too_long(tmp_path: Path) -> None:
    assert "too long" in refusal(tmp_path / ("x" * 300), {}).happened


@pytest.mark.parametrize("path", ["..", ".", "absent/..", "absent/../..", "sub/../../place"])
def test_a_destination_outside_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    place = tmp_path / "place"
    (place / "sub").mkdir(parents=True)
    monkeypatch.chdir(place)
    with pytest.raises(ScaffoldError, match="not empty"):
        run_new(Path(path))
    assert contents(tmp_path) == {"place/sub/": b""}


def test_a_default_destination_that_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders-api").mkdir()
    (tmp_path / "orders-api" / "mine").touch()
    with pytest.raises(ScaffoldError, match="not empty"):
        run_new(None)


def test_a_folder_that_is_read_only(tmp_path: Path) -> None:
    place = tmp_path / "locked"
    place.mkdir(mode=0o555)
    arguments = [
        "new",
        "--defaults",
        "--data",
        "app_name=orders",
        "--kit",
        str(kit_repository()),
        str(place / "orders"),
    ]
    done = subprocess.run(
        [*_without_root_capabilities(), *COMMAND, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert_refused(done, 1, "cannot be written: Permission denied", "scaffold new FOLDER")
    assert not list(place.iterdir())


def _without_root_capabilities() -> list[str]:
    """A prefix under which file permissions apply to root too."""
    if os.geteuid():
        return []
    if not shutil.which("setpriv"):
        pytest.skip("root is not bound by permissions here")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]


def test_a_kit_that_does_not_exist(tmp_path: Path) -> None:
    error = refusal(tmp_path / "service", {}, kit=str(tmp_path / "nowhere"))
    assert error.exit_code == 1
    assert "nowhere" in error.happened


def test_a_folder_that_is_no_kit(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    assert "copier.yml" in refusal(tmp_path / "service", {}, kit=str(tmp_path / "folder")).happened


@pytest.mark.parametrize(
    ("questions", "words"),
    [
        ("app_name: [", "copier.yml"),
        ("app_name: {type: str, default: orders}\n_tasks: [touch pwned]\n", "run code"),
        ("app_name: {type: str}\nother: {type: str, default: '{{ nothing.at.all }}'}\n", "nothing"),
        ("app_name: {type: str}\nother: {type: strange, default: x}\n", "strange"),
        ("app_name: {type: str}\n_subdirectory: nowhere\n", "kit"),
        ("name: {type: str, default: x}\n", "app_name"),
        ("app_name: {type: str, default: orders}\n_min_copier_version: '999'\n", "999"),
    ],
)
def test_kits_that_cannot_work(tmp_path: Path, questions: str, words: str) -> None:
    kit = tmp_path / "kit"
    kit.mkdir()
    (kit / "copier.yml").write_text(questions)
    commit_all(kit, tag="v1.0.0")
    assert words in refusal(tmp_path / "service", {}, kit=str(kit)).happened


def test_a_version_that_does_not_exist(tmp_path: Path) -> None:
    assert "v9.9.9" in refusal(tmp_path / "service", {}, kit_version="v9.9.9").happened


def test_no_git(tmp_path: Path) -> None:
    done = forked_scaffold(
        "new", "--defaults", "--data", "app_name=orders", "service", cwd=tmp_path, PATH=str(tmp_path)
    )
    assert_refused(done, 1, "Git")
    assert not list(tmp_path.iterdir())


def test_no_network(tmp_path: Path) -> None:
    kit = "https://127.0.0.1:1/team/kit.git"
    done = forked_scaffold("new", "--defaults", "--data", "app_name=orders", "--kit", kit, "service", cwd=tmp_path)
    assert_refused(done, 1, "127.0.0.1")
    assert not list(tmp_path.iterdir())


def test_no_terminal(tmp_path: Path) -> None:
    assert_refused(forked_scaffold("new", "service", cwd=tmp_path), 2, "terminal", "--defaults")


def test_a_refusal_as_json(tmp_path: Path) -> None:
    done = forked_scaffold("new", "--defaults", "--data", "app_name=No", "--json", "service", cwd=tmp_path)
    assert done.returncode == 2
    assert "app_name" in json.loads(done.stdout)["error"]["happened"]


def test_an_interruption_while_rendering_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: Kit, __: Any, folder: Path) -> list[str]:
        folder.mkdir()
        (folder / "half").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(Kit, "render", interrupt)
    with pytest.raises(Interrupted, match="nothing was written"):
        run_new(tmp_path / "a" / "b" / "service")
    assert not list(tmp_path.iterdir())


def test_a_signal_while_rendering_leaves_nothing(tmp_path: Path) -> None:
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM)):
        command = subprocess.Popen(
            [*COMMAND, "new", "--defaults", "--data", "app_name=orders", "--kit", str(kit_repository()), "a/orders"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until = time.monotonic() + 30
        while not list(tmp_path.glob("a/.scaffold-*")) and time.monotonic() < until and command.poll() is None:
            time.sleep(0.005)
        command.send_signal(number)
        _, stderr = command.communicate(timeout=30)
        assert command.returncode == code, stderr
        assert "Traceback" not in stderr
        assert not list(tmp_path.iterdir()), stderr


def test_a_failing_first_commit_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> str:
        raise ScaffoldError("Git fell over.", "Pick it up.")

    monkeypatch.setattr("scaffold.commands.new.first_commit", fail)
    error = refusal(tmp_path / "service", {})
    assert error.happened == "Git fell over."
    assert not list(tmp_path.iterdir())
