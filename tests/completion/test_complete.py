"""Which words may follow on a command line, as a shell asks for them."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from scaffold.__main__ import main
from scaffold.completion import complete
from tests.cli.running import ROOT
from tools import completion_words

WORDS = complete._read_text(complete._WORDS)


def following(line: str, shell: str = "fish") -> list[str]:
    """The words that may follow a line, whose last word may be empty."""
    words = line.split(" ")
    return [said.split("\t")[0] for said in complete.reply(shell, len(words) - 1, words).splitlines()]


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "shop" / "app").mkdir(parents=True)
    answers = "app_name: shop\nenvironments: dev,staging,prod\nproduction: prod\n"
    (tmp_path / "shop" / ".copier-answers.yml").write_text(answers)
    monkeypatch.chdir(tmp_path / "shop" / "app")
    return tmp_path / "shop"


def test_the_words_are_in_step_with_the_commands_and_the_kit() -> None:
    assert completion_words.words() == WORDS, "run `make docs`"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("scaffold dep", ["deploy"]),
        ("scaffold env ", ["list", "add", "remove"]),
        ("scaffold env add --b", ["--before"]),
        ("scaffold --no", ["--no-color"]),
        ("scaffold new --data aws_r", ["aws_region="]),
        ("scaffold new --data=aws_r", ["--data=aws_region="]),
        ("scaffold new --data scan_gate=h", ["scan_gate=high"]),
        ("scaffold new --data scan_gate=high --data customize=", ["customize=true", "customize=false"]),
        ("scaffold new --data memory=", []),
        ("scaffold cost --traffic ", ["low", "high"]),
        ("scaffold completion z", ["zsh"]),
        ("scaffold local -- scaffold dep", []),
        ("scaffold local -- scaffold --no", []),
        ("scaffold deploy --profile=work --pl", ["--plan"]),
        ("scaffold new pay", []),
        ("scaffold nonsense --y", []),
    ],
)
def test_commands_options_questions_and_choices(line: str, words: list[str]) -> None:
    assert following(line) == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("scaffold logs s", ["staging"]),
        ("scaffold logs staging ", []),
        ("scaffold destroy --environment ", ["dev", "staging", "prod"]),
        ("scaffold secret set NAME --env p", ["prod"]),
        ("scaffold rehearse --fault pr", ["prod="]),
    ],
)
@pytest.mark.usefixtures("service")
def test_the_environments_of_the_service(line: str, words: list[str]) -> None:
    assert following(line) == words


@pytest.mark.parametrize("written", ["dev,qa", "[dev, qa]", "'dev,qa'", "\n- dev\n- qa", "\n  - dev\n  - qa"])
def test_environments_in_every_form_of_an_answers_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    (tmp_path / ".copier-answers.yml").write_text(f"a: 1\nenvironments: {written}\nb: other\n")
    monkeypatch.chdir("/")
    assert following(f"scaffold logs --directory {tmp_path} ") == ["dev", "qa"]


def test_the_profiles_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text("[default]\n[profile work]\n[sso-session s]\n[services s3]\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    assert following("scaffold deploy --profile ") == ["default", "work"]


def test_bash_gets_what_follows_the_equals_sign_at_which_it_splits() -> None:
    words = ["scaffold", "new", "--data", "scan_gate", "=", "h"]
    assert complete.reply("bash", 5, words) == "high"
    assert complete.reply("bash", 4, words[:5]).splitlines()[:2] == ["off", "low"]
    assert complete.reply("bash", 3, [*words[:3], "scan_g"]) == "scan_gate="


@pytest.mark.parametrize("arguments", [["fish"], ["fish", "x", "scaffold"], ["bash"], []])
def test_a_request_that_makes_no_sense_gets_no_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["scaffold", "__complete", *arguments])
    main()
    assert capsys.readouterr() == ("", "")


def test_a_completion_imports_little() -> None:
    script = (
        "import sys; sys.argv[1:] = ['__complete', 'fish', '2', 'scaffold', 'new', '--d']\n"
        "from scaffold.__main__ import main; main()\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({str(ROOT)!r})\n{script}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "--defaults" in done.stdout
    assert not {"typer", "yaml", "copier", "dataclasses", "pathlib", "typing"} & set(done.stderr.split())


def test_an_unknown_shell_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["scaffold", "completion", "tcsh"])
    monkeypatch.setattr("scaffold.__main__._install_signal_handlers", lambda: None)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main() == 2
    assert "There is no completion for tcsh." in capsys.readouterr().err
