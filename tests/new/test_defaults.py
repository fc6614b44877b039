"""A team's defaults for new services, and the list of questions."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scaffold.commands import config, questions
from scaffold.core.errors import UsageError
from scaffold.kit.defaults import chosen
from scaffold.views.config import text
from scaffold.views.questions import text as questions_text
from tests.kits import kit_repository
from tests.new.running import run_new
from tests.update import small


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration file of a team with a kit of its own, which a test fills."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "gitops-scaffold" / "config.toml"
    path.parent.mkdir()
    path.write_text(f'kit = "{kit_repository()}"\n[answers]\naws_region = "eu-west-1"\ncpu = 512\nport = 9000\n')
    return path


def test_variables_have_precedence_over_the_file_and_options_over_both(
    configured: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SCAFFOLD_ANSWER_CPU", "1024")
    monkeypatch.setenv("SCAFFOLD_ANSWER_MEMORY", "")
    answers = run_new(tmp_path / "orders", {"port": "7000"}, kit=None, dry_run=True).answers
    assert {name: answers[name] for name in ("aws_region", "cpu", "port", "customize")} == {
        "aws_region": "eu-west-1",
        "cpu": 1024,
        "port": 7000,
        "customize": True,
    }
    result = config.run()
    assert [(one.name, one.value, one.source) for one in result.defaults] == [
        ("kit", str(kit_repository()), str(configured)),
        ("aws_region", "eu-west-1", str(configured)),
        ("cpu", "1024", "$SCAFFOLD_ANSWER_CPU"),
        ("port", 9000, str(configured)),
    ]
    assert result.kit == str(kit_repository())
    assert "answers.cpu" in text(result)
    assert json.loads(json.dumps(result.document()))["exists"] is True


def test_the_defaults_say_nothing_about_another_kit(configured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCAFFOLD_KIT_VERSION", "v1.0.0")
    assert chosen(None, None) == (str(kit_repository()), "v1.0.0", str(configured))
    assert chosen(None, "v2.0.0")[1] == "v2.0.0"
    assert chosen("another", None) == ("another", None, "--kit")


def test_without_defaults_the_kit_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("SCAFFOLD_KIT", str(small.generated()[0]))
    result = config.run()
    assert (result.exists, [one.name for one in result.defaults]) == (False, ["kit"])


@pytest.mark.parametrize(
    ("content", "reason", "remedy"),
    [
        ("kitt = 'x'", "unknown key kitt", "Did you mean kit?"),
        ("region = 'x'", "unknown key region", "below \\[answers\\]"),
        ("kit = 3", "kit in .* is not a string", "for example"),
        ("answers = 3", "answers in .* is not a table", "for example"),
        ("kit = ", "not valid TOML", "for example"),
        ("[answers]\nregoin = 'x'", "no question 'regoin'", "aws_region\\? It comes from .*config.toml"),
        ("[answers]\ncpu = 300", "300 is not one of", "config.toml"),
        ("[answers]\nmonthly_budget = 5", "monthly_budget was answered but is not asked", "config.toml"),
    ],
)
def test_a_default_that_is_wrong_is_refused_with_its_source(
    configured: Path, monkeypatch: pytest.MonkeyPatch, content: str, reason: str, remedy: str
) -> None:
    monkeypatch.setenv("SCAFFOLD_KIT", str(kit_repository()))
    configured.write_text(content)
    with pytest.raises(UsageError, match=reason) as refused:
        config.run()
    assert re.search(remedy, refused.value.remedy), refused.value.remedy


def test_the_list_of_questions_has_answers_and_defaults() -> None:
    result = questions.run(str(kit_repository()), None)
    found = {one.name: one for one in result.questions}
    assert (found["cpu"].default, found["cpu"].choices[:2], found["cpu"].customize) == (256, (256, 512), False)
    assert (found["memory"].choices, found["memory"].fits) == ((), ("cpu",))
    assert found["port"].customize
    shown = questions_text(result)
    assert "  scan_gate=critical\n" in shown
    assert "One of off, low, medium, high, critical." in shown
    assert "What fits cpu." in shown
    assert max(map(len, shown.splitlines()[1:])) <= 80
