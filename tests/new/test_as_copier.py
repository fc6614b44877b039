"""A kit with every kind of question that Copier has: `scaffold new` and `copier copy` generate the same."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import copier
import pexpect
import pytest
import yaml
from copier import _main, _template, _vcs

from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.kit.engine import names
from scaffold.kit.rendering import open_kit
from tests.cli.running import COMMAND, ROOT, forked_scaffold
from tests.kits import commit_all
from tests.new.running import contents, run_new

KIT = r"""
_subdirectory: template
_envops: {undefined: jinja2.StrictUndefined}
_secret_questions: [token]
_external_data: {before: "{{ app_name }}.yml"}
---
app_name: {type: str, default: orders, validator: "{% if ' ' in app_name %}app_name has no spaces{% endif %}"}
features:
  type: str
  multiselect: true
  default: [metrics, "{{ 'tra' ~ 'cing' }}"]
  choices:
    Metrics: metrics
    Tracing: tracing
    Audit log: {value: audit, validator: "{% if app_name == 'plain' %}plain has no audit log{% endif %}"}
ports:
  type: int
  multiselect: true
  choices: "{{ [80, 443, 8080] | to_json }}"
  default: "[443, 80]"
  validator: "{% if not ports %}ports has one port at least{% endif %}"
kind: {type: str, choices: [str, int, json], default: int}
size: {type: "{{ kind }}", default: "3"}
token: {type: str, default: t0p-s3cret, validator: "{% if token | length < 8 %}{{ token }} is too short{% endif %}"}
pin: {type: int, secret: true, default: 4711}
owner: {type: str, default: "{% if app_name == 'orders' %}ann{% else %}{{ UNSET }}{% endif %}", placeholder: bob}
before: {type: str, default: "{{ _external_data.before.size | default('nothing') }}"}
quiet: {type: bool, default: true, ask: "{{ kind == 'none' }}"}
silent: {type: str, default: "{{ UNSET }}", ask: false}
note: {type: str, multiline: true, default: "one\ntwo"}
since: {type: yaml, default: 2026-01-01}
text: {type: yaml, default: "'5'"}
folder: {type: path, default: "{{ _folder_name }}"}
under: {type: str, default: x, when: "{{ pin == 1 }}"}
computed: {type: yaml, default: "{{ features | to_json }}", when: false}
"""
pytestmark = pytest.mark.filterwarnings("ignore::copier.errors.MissingFileWarning")
SECRETS = ("t0p-s3cret", "hunter2-hunter2", "4711")


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("kit")
    (root / "copier.yml").write_text(KIT)
    template = root / "template"
    template.mkdir()
    (template / "{{ _copier_conf.answers_file }}.jinja").write_text("{{ _copier_answers | to_yaml }}")
    lines = [
        f"{name}: {{{{ {name} | to_json }}}}\n" for name in ("app_name", "features", "ports", "size", "token", "pin")
    ]
    lines += [f"{name}: {{{{ {name} | string }}}}\n" for name in ("owner", "before", "quiet", "note", "since", "text")]
    lines += ["{{ folder }} {{ under }} {{ computed }} {{ _folder_name }} {{ _external_data.before }}\n"]
    (template / "values.txt.jinja").write_text("".join(lines) + "{{ _copier_conf.data | to_json }}\n")
    # Read by `_external_data` after it is rendered.
    (template / "orders.yml").write_text("size: 9\n")
    (template / "run.sh").write_text("#!/bin/sh\n")
    (template / "run.sh").chmod(0o755)
    (template / "{% yield port from ports %}{{ port }}{% endyield %}.txt.jinja").write_text("{{ port }}")
    commit_all(root, tag="v1.0.0")
    return root


GIVEN: list[dict[str, Any]] = [
    {},
    {"features": "[tracing, 'audit']", "ports": "[8080]"},
    {"app_name": "a b"},
    {"kind": "json", "size": {"a": [1]}},
    {"token": "hunter2-hunter2", "pin": "42"},
    {"quiet": "no", "note": "a\nb\n", "since": "[1, {a: b}]", "text": "'6'"},
]
MORE: list[dict[str, Any]] = [
    {"features": ["metrics", "none"]},
    {"app_name": "plain", "owner": "x"},
    {"ports": []},
    {"kind": "yaml"},
    {"pin": "hunter2-hunter2"},
    {"features": ["audit"], "ports": [8080, 80]},
    {"features": []},
    {"features": "metrics"},
    {"features": 5},
    {"features": None},
    {"app_name": "plain", "owner": "x", "features": ["audit"]},
    {"app_name": "plain"},
    {"ports": ["x"]},
    {"kind": "str", "size": "large"},
    {"kind": "json", "size": '{"a": [1]}'},
    {"kind": "int", "size": "large"},
    {"token": "short"},
    {"pin": 1, "under": "y"},
    {"pin": 1},
    {"folder": "a/b", "before": ""},
]


def outcome(generate: Callable[[], object], folder: Path) -> dict[str, bytes] | None:
    """What was generated, or None if the answers were refused."""
    try:
        generate()
    except Exception:
        return None
    return contents(folder)


@pytest.mark.parametrize("given", [*GIVEN, *(pytest.param(given, marks=pytest.mark.slow) for given in MORE)], ids=str)
def test_the_same_files(kit: Path, tmp_path: Path, given: dict[str, Any]) -> None:
    theirs, ours, answers = tmp_path / "a" / "orders", tmp_path / "b" / "orders", tmp_path / "answers.yml"
    given = {"app_name": "orders", **given}  # which is suggested by the folder otherwise
    answers.write_text(yaml.safe_dump(given, sort_keys=False))
    expected = outcome(lambda: copier.run_copy(str(kit), theirs, given, defaults=True, quiet=True), theirs)
    if expected is None:
        with pytest.raises(UsageError):
            run_new(ours, None, kit=str(kit), answers_file=answers, app_name=None)
        assert not ours.exists()
        return
    result = run_new(ours, None, kit=str(kit), answers_file=answers, app_name=None)
    assert contents(ours) == expected
    assert (ours / "run.sh").stat().st_mode == (theirs / "run.sh").stat().st_mode
    recorded = yaml.safe_load(expected[".copier-answers.yml"])
    assert result.answers == {name: value for name, value in recorded.items() if not name.startswith("_")}
    assert {"token", "pin", "computed", "since"} & result.answers.keys() <= ({"since"} if "since" in given else set())


def test_on_the_command_line(kit: Path, tmp_path: Path) -> None:
    given = {"features": "[audit]", "kind": "str", "size": "large", "token": "hunter2-hunter2", "pin": "4711"}
    data = [word for name, value in given.items() for word in ("--data", f"{name}={value}")]
    (tmp_path / "here").mkdir()
    copier.run_copy(str(kit), tmp_path / "there" / "orders", given, defaults=True, quiet=True)
    done = forked_scaffold(
        "new", "--defaults", "--json", "--no-deploy", "--kit", str(kit), *data, cwd=tmp_path / "here"
    )
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "here" / "orders") == contents(tmp_path / "there" / "orders")
    assert not [secret for secret in SECRETS if secret in done.stdout + done.stderr]


def test_the_users_settings(kit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"features": ["audit"], "size": "7", "token": "hunter2-hunter2", "computed": "[mine]", "owner": "cy"}
    (tmp_path / "settings.yml").write_text(yaml.safe_dump({"defaults": settings}))
    monkeypatch.setenv("COPIER_SETTINGS_PATH", str(tmp_path / "settings.yml"))
    copier.run_copy(str(kit), tmp_path / "a" / "orders", {"app_name": "orders"}, defaults=True, quiet=True)
    run_new(tmp_path / "b" / "orders", None, kit=str(kit), app_name="orders")
    assert contents(tmp_path / "b") == contents(tmp_path / "a")
    assert b"mine" in contents(tmp_path / "b")["orders/values.txt"]
    (tmp_path / "settings.yml").write_text("defaults: [")
    with pytest.raises(ScaffoldError, match="Copier's settings file cannot be read: Invalid YAML data"):
        run_new(tmp_path / "c", None, kit=str(kit))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"features": "metrics"}, "features: 'metrics' is not a list of choices, such as [metrics, tracing]."),
        ({"features": ["none"]}, "features: 'none' is not one of metrics, tracing, audit."),
        ({"features": ["audit"], "app_name": "plain"}, "features: plain has no audit log."),
        ({"ports": ["x"]}, "ports: ['x'] is not a list of choices, such as [80, 443]."),
        ({"size": "large"}, "size: 'large' is not a whole number."),
        ({"kind": "yaml"}, "kind: 'yaml' is not one of str, int, json."),
        ({"app_name": "plain"}, "owner: it is required and has no default."),
        ({"token": "hunter2"}, "token: it breaks the question's rule."),
        ({"pin": "hunter2-hunter2"}, "pin: it is not a whole number."),
        ({"pin": None}, "pin: it is empty."),
        ({"under": "y"}, "under was answered but is not asked with pin=********."),
    ],
    ids=str,
)
def test_refusals(kit: Path, given: dict[str, Any], words: str) -> None:
    with open_kit(str(kit)) as opened, pytest.raises(UsageError) as refused:
        opened.questionnaire().evaluate(given)
    assert words in refused.value.happened
    assert "hunter2" not in refused.value.happened + refused.value.remedy


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (
            "{type: str, multiselect: '{{ true }}', choices: [a], default: [a]}",
            "The multiselect of the kit's question x",
        ),
        ("{type: str, secret: true}", "Secret question requires a default value"),
        ("{type: '{{ app_name }}', default: a}", 'Unsupported type "orders"'),
        ("{type: str, choices: [[a, {validator: b}]], default: a}", "The choices of the kit's question x"),
        ("{type: int, default: '{{ app_name }}', when: false}", "The kit cannot work out x"),
        ("{type: int, default: '{{ token }}', when: false}", "the value of a secret question does not fit"),
        ("{type: str, default: '{{ nothing.at_all }}'}", "'nothing' is undefined"),
        ("{type: str, default: a, when: '{{ 1 / 0 }}'}", "division by zero"),
    ],
)
def test_a_kits_own_mistakes(tmp_path: Path, entry: str, words: str) -> None:
    head = "app_name: {type: str, default: orders}\ntoken: {type: str, secret: true, default: t0p-s3cret}\n"
    (tmp_path / "copier.yml").write_text(f"_envops: {{undefined: jinja2.StrictUndefined}}\n---\n{head}x: {entry}\n")
    commit_all(tmp_path)
    with open_kit(str(tmp_path)) as opened, pytest.raises(ScaffoldError) as failure:
        opened.questionnaire().evaluate({})
    assert words in failure.value.happened
    assert "t0p-s3cret" not in failure.value.happened


SPACE, DOWN, ENTER, CTRL_U, ESCAPE = " ", "\x1b[B", "\r", "\x15", "\x1b"


class Screen:
    """All output of the terminal."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


@pytest.fixture
def terminal(kit: Path, tmp_path: Path) -> Iterator[tuple[pexpect.spawn, Screen]]:
    (tmp_path / "here").mkdir()
    child = pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], "new", "--kit", str(kit), "--no-deploy"],
        cwd=str(tmp_path / "here"),
        env={**os.environ, "PYTHONPATH": str(ROOT), "PROMPT_TOOLKIT_NO_CPR": "1"},
        encoding="utf-8",
        dimensions=(50, 160),
        timeout=90,
    )
    screen = Screen()
    child.logfile_read = screen
    yield child, screen
    child.close(force=True)


@pytest.mark.slow
def test_at_the_prompts(kit: Path, tmp_path: Path, terminal: tuple[pexpect.spawn, Screen]) -> None:
    child, screen = terminal
    for question, keys in [
        ("1 of 13 · app_name", CTRL_U + "billing" + ENTER),
        ("features", SPACE + DOWN + DOWN + SPACE + ENTER),
        ("ports", DOWN + SPACE + ENTER),
        ("kind", DOWN + ENTER),
        ("size", CTRL_U + '{"a": 1}' + ENTER),
        ("token", CTRL_U + "hunter2" + ENTER),
        ("breaks the question's rule", "-hunter2" + ENTER),
        ("pin", CTRL_U + "1" + ENTER),
        ("owner", "bo" + ENTER),
        ("before", ENTER),
        ("note", "x" + ESCAPE + ENTER),
        ("since", ENTER),
        ("text", ENTER),
        ("folder", ENTER),
        ("14 of 14 · under", ENTER),
        ("features +\\[tracing, audit\\]", ""),
        (r"6  token +\*{8}\W+7  pin +\*{8}", ""),
        ("Enter writes", "6" + ENTER),
        ("token", CTRL_U + "hunter2-hunter2" + ENTER),
        ("Enter writes", ENTER),
        ("Generated billing", ""),
    ]:
        child.expect(question)
        child.send(keys)
    child.expect(pexpect.EOF)
    given = {
        "app_name": "billing",
        "features": ["tracing", "audit"],
        "ports": [80],
        "kind": "json",
        "size": '{"a": 1}',
        "token": "hunter2-hunter2",
        "pin": 1,
        "owner": "bo",
        "note": "one\ntwox",
    }
    copier.run_copy(str(kit), tmp_path / "there" / "billing", given, defaults=True, quiet=True)
    expected, ours = (contents(tmp_path / place / "billing") for place in ("there", "here"))
    # Only what was not typed at a prompt is in `_copier_conf.data`.
    assert expected.pop("values.txt").splitlines()[:-1] == ours.pop("values.txt").splitlines()[:-1]
    assert ours == expected
    assert "hunter2" not in screen.text
    assert "t0p-s3cret" not in screen.text


@pytest.mark.parametrize(("module", "name"), names.USED)
def test_a_missing_name_of_copier_is_reported(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    names.check_copier()
    for member in names.USED[module, name]:
        with monkeypatch.context() as patch:
            owner = getattr(module, name)
            if member in getattr(owner, "__dataclass_fields__", ()):
                fields = {key: field for key, field in owner.__dataclass_fields__.items() if key != member}
                patch.setattr(owner, "__dataclass_fields__", fields)
            if member in vars(owner):
                patch.delattr(owner, member)
            if not hasattr(owner, member):  # inherited members stay
                with pytest.raises(ScaffoldError, match=rf"has no {name}\.{member}, which"):
                    names.check_copier()
    monkeypatch.delattr(module, name)
    with pytest.raises(ScaffoldError, match=rf"has no {module.__name__}\.{name}, which") as failure:
        names.check_copier()
    assert "pip install copier==" in failure.value.remedy


def test_no_other_module_knows_copiers_private_classes() -> None:
    package = ROOT / "scaffold"
    private = re.compile(r"copier\._|copier\.main|from copier import .*\b_")
    found = {path.relative_to(package).parts[:2] for path in package.rglob("*.py") if private.search(path.read_text())}
    assert found == {("kit", "engine")}


def test_copier_neither_runs_git_nor_evaluates_the_questions_again(
    kit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (_vcs, _main, _template):
        monkeypatch.setattr(module, "get_git", pytest.fail)
    monkeypatch.setattr(_main.Worker, "_ask", pytest.fail)
    run_new(tmp_path / "orders", None, kit=str(kit), app_name=None)
