"""Answers are parsed and validated before anything is written, and the way they are given."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml

from scaffold.commands import questions
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.kit.answers import merge, split_pairs
from scaffold.kit.questionnaire import EACH, Questionnaire
from scaffold.kit.refusal import AnswerRefused
from scaffold.kit.rendering import open_kit
from tests.kits import ROOT, commit_all, kit_repository

KIT = r"""
_subdirectory: template
_envops: {undefined: jinja2.StrictUndefined}
---
plain: text
number: 3
ratio: {type: float, default: "{{ number / 2 }}"}
flag: {type: bool, default: "{{ number > 2 }}"}
listed: {type: yaml, default: [1, 2]}
document: {type: json, default: '{"a": 1}'}
pair:
  type: str
  choices: {First: one, Second: two}
  default: two
nested:
  type: int
  choices:
    - [Small, {value: 1}]
    - [Large, {value: 9, validator: "{% if number < 5 %}Large needs number 5 or more{% endif %}"}]
  default: 1
templated:
  type: str
  choices: "{{ ['a' ~ number, 'b' ~ number] | to_json }}"
  default: "a{{ number }}"
ruled:
  type: str
  default: abc
  validator: "{% if ruled | regex_search('[^a-c]') %}ruled has a, b and c only{% endif %}"
customize: {type: bool, default: false}
hidden: {type: str, default: unseen, when: "{{ customize }}"}
derived: {type: str, default: "{{ plain }}-{{ hidden }}", when: false}
needed: {type: str, help: "What is needed by {{ plain }}?", placeholder: this}
"""


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("kit")
    (root / "copier.yml").write_text(KIT)
    (root / "template").mkdir()
    (root / "template" / "{{ _copier_conf.answers_file }}.jinja").write_text("{{ _copier_answers | to_yaml }}")
    (root / "template" / "derived.txt.jinja").write_text("{{ derived }}")
    commit_all(root, tag="v1.0.0")
    return root


@pytest.fixture
def questionnaire(kit: Path) -> Any:
    with open_kit(str(kit)) as opened:
        yield opened.questionnaire()


@pytest.mark.parametrize(
    "given",
    [
        {"plain": 7, "number": "12", "ratio": "0.5", "flag": "off"},
        {"listed": "{a: [1]}", "document": "[1, 2]"},
        {"nested": "9", "number": 5},
        {"templated": "b3", "number": 8},
        {"ruled": "abd"},
        {"number": None},
        {"customize": "yes", "hidden": "seen"},
        *(
            pytest.param(given, marks=pytest.mark.slow)
            for given in (
                {},
                {"listed": {"a": [1]}, "document": {"b": 2}},
                {"pair": "one"},
                {"pair": "First"},
                {"nested": "9"},
                {"nested": 4},
                {"templated": "b8", "number": 8},
                {"ruled": "aabbcc"},
                {"number": "x"},
                {"document": "{"},
            )
        ),
    ],
    ids=str,
)
def test_answers_are_valid_where_copier_says_so(
    questionnaire: Questionnaire, kit: Path, tmp_path: Path, given: dict[str, Any]
) -> None:
    answers = {"needed": "this", **given}
    try:
        copier.run_copy(str(kit), tmp_path / "x", answers, defaults=True, quiet=True)
    except Exception:
        with pytest.raises(AnswerRefused):
            questionnaire.evaluate(answers)
        return
    evaluated = questionnaire.evaluate(answers)
    recorded = yaml.safe_load((tmp_path / "x" / ".copier-answers.yml").read_text())
    assert evaluated.recorded == {key: value for key, value in recorded.items() if not key.startswith("_")}
    assert evaluated.computed["derived"] == (tmp_path / "x" / "derived.txt").read_text()


@pytest.mark.parametrize("word", ["maybe", "2", "", "ja", "null", "none"])
def test_a_word_that_is_neither_yes_nor_no_is_refused(questionnaire: Questionnaire, word: str) -> None:
    with pytest.raises(AnswerRefused) as refused:
        questionnaire.evaluate({"needed": "x", "flag": word})
    assert refused.value.happened == f"Invalid answer to flag: {word!r} is not yes or no, for example true."


@pytest.mark.parametrize(
    ("words", "value"),
    [(("y", "Yes", "t", "TRUE", "on", "1", " yes ", True, 1), True), (("n", "No", "f", "FALSE", "Off", "0", 0), False)],
)
def test_the_words_for_yes_and_no(questionnaire: Questionnaire, words: tuple[Any, ...], value: bool) -> None:
    for word in words:
        assert questionnaire.evaluate({"needed": "x", "flag": word}).recorded["flag"] is value


def test_a_required_answer_is_missing(questionnaire: Questionnaire) -> None:
    with pytest.raises(AnswerRefused, match="needed"):
        questionnaire.evaluate({})


def test_an_answer_to_a_skipped_question_turns_customize_on(questionnaire: Questionnaire) -> None:
    recorded = questionnaire.evaluate({"needed": "x", "hidden": "seen"}).recorded
    assert (recorded["customize"], recorded["hidden"]) == (True, "seen")


def test_an_answer_to_a_skipped_question_is_refused_without_that_help(questionnaire: Questionnaire) -> None:
    with pytest.raises(UsageError, match="hidden was answered but is not asked with customize=False"):
        questionnaire.evaluate({"needed": "x", "hidden": "seen"}, customize=False)


def test_a_kit_without_groups_has_one_of_all_questions(questionnaire: Questionnaire) -> None:
    assert questionnaire.groups() == [("Answer", questionnaire.names)]
    assert "derived" not in questionnaire.names


def test_groups_follow_the_order_of_the_questions() -> None:
    entries = yaml.safe_load((ROOT / "copier.yml").read_text("utf-8"))
    names = [name for name, entry in entries.items() if not name.startswith("_") and entry.get("when") is not False]
    groups = yaml.safe_load((ROOT / "includes" / "groups.yml").read_text("utf-8"))
    assert names == [name for group in groups for name in group["questions"]]


def test_help_and_choices_follow_the_answers(questionnaire: Questionnaire) -> None:
    values = {"plain": "me", "number": 2}
    assert questionnaire.question("needed", values).help == "What is needed by me?"
    assert questionnaire.question("needed", values).placeholder == "this"
    assert [choice.value for choice in questionnaire.question("templated", values).choices] == ["a2", "b2"]
    assert [choice.disabled for choice in questionnaire.question("nested", values).choices] == [
        "",
        "Large needs number 5 or more",
    ]


def test_pairs_are_split_at_the_first_equals_sign() -> None:
    assert split_pairs(["a=1", "b=x=y", "c=", "a=2", " d =1"]) == {"a": "2", "b": "x=y", "c": "", "d": "1"}
    for wrong in ("a", "=1", ""):
        with pytest.raises(UsageError, match="KEY=VALUE"):
            split_pairs([wrong])


def test_copiers_own_keys_in_a_file_are_left_out(questionnaire: Questionnaire, tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("_src_path: x\n_commit: y\nplain: z\n")
    assert merge(questionnaire, {"needed": "n"}, tmp_path / "a.yml") == {"plain": "z", "needed": "n"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.toml", 'needed = "n"\nnumber = 7\nplain = ["a", "b"]\nlisted = [3]\n'),
        ("a.json", '{"needed": "n", "number": 7, "plain": ["a", "b"], "listed": [3]}'),
        ("a.yml", "needed: n\nnumber: 7\nplain:\n- a\n- b\nlisted: [3]\n"),
        ("-", "needed: n\nnumber: 7\nplain: [a, b]\nlisted: [3]\n"),
    ],
)
def test_the_formats_of_an_answers_file(
    questionnaire: Questionnaire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    monkeypatch.setattr("sys.stdin", io.StringIO(content))
    given = merge(questionnaire, {}, Path("-") if name == "-" else tmp_path / name)
    answers = questionnaire.evaluate(given).recorded
    assert (answers["number"], answers["plain"], answers["listed"]) == (7, "a,b", [3])


def test_toml_that_is_wrong_is_refused_with_its_place(questionnaire: Questionnaire, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("needed = \n")
    with pytest.raises(UsageError, match=r"is not valid TOML: .*line 1"):
        merge(questionnaire, {}, tmp_path / "a.toml")


def test_every_choice_with_a_meaning_exists() -> None:
    found = yaml.safe_load((ROOT / "includes" / "choices.yml").read_text("utf-8"))
    entries = {one.name: one for one in questions.run(str(kit_repository()), None).questions}
    for name, meanings in found.items():
        meanings.pop(EACH, None)
        assert list(map(str, meanings)) == list(map(str, entries[name].choices)), name


@pytest.mark.parametrize(
    ("cpu", "region", "vcpu_hour", "gb_hour"),
    [
        (256, "us-east-1", 0.04048, 0.004445),
        (4096, "eu-central-1", 0.04656, 0.00511),
        (256, "sa-east-1", 0.04048, 0.004445),
    ],
)
def test_what_cpu_costs_is_computed_from_the_prices(cpu: int, region: str, vcpu_hour: float, gb_hour: float) -> None:
    memory = {256: 512, 4096: 8192}[cpu]
    month = 730 * (cpu / 1024 * vcpu_hour + memory / 1024 * gb_hour)
    with open_kit(str(kit_repository())) as kit:
        questionnaire = kit.questionnaire()
        draft = questionnaire.begin({})
        draft.put("aws_region", region)
        said = draft.text("cpu", questionnaire.meanings("cpu")[EACH], choice=cpu)
    assert said == f"; from {month:.2f} USD a month for each task"


def test_a_malformed_text_of_a_choice_is_the_kits_fault(questionnaire: Questionnaire) -> None:
    with pytest.raises(ScaffoldError, match="question cpu cannot be read"):
        questionnaire.begin({}).text("cpu", "{{ 1 / 0 }}")


def test_at_most_nine_questions_are_asked_by_default() -> None:
    entries = questions.run(str(kit_repository()), None).questions
    assert len([one for one in entries if not one.customize]) <= 9


def test_an_empty_file_answers_nothing(questionnaire: Questionnaire, tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("# nothing yet\n")
    assert merge(questionnaire, {}, tmp_path / "a.yml") == {}
