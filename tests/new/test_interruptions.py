"""Ctrl-C at every question of the kit: nothing is written, and the printed command goes on with the answers so far.

`scaffold new` runs in the test's process, with keys from a pipe. At each question the process forks: the child presses
Ctrl-C and judges what comes of it, and its parent goes on. `test_screens.py` does the same on real terminals, once for
each topic.
"""

from __future__ import annotations

import json
import os
import shlex
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from scaffold.commands import new
from scaffold.commands.new import NewOptions
from scaffold.console import prompt
from scaffold.console.console import Console
from scaffold.core.errors import Interrupted
from scaffold.kit import interview, question_prompt, rendering
from scaffold.kit.answers import merge
from scaffold.kit.questionnaire import CUSTOMIZE
from scaffold.kit.rendering import Kit
from tests.kits import ROOT, kit_repository

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ENTER, CTRL_C, CTRL_U = "\r", "\x03", "\x15"
ALL = "a"
GROUPS = yaml.safe_load((ROOT / "includes/groups.yml").read_text("utf-8"))
QUESTIONS = {name for group in GROUPS for name in group["questions"]}
SUMMARY = "the summary"


class Walk:
    """`scaffold new`, at each of whose prompts a fork of this process presses Ctrl-C, and this one Enter.

    Attributes:
        asked: The questions that this process has answered, and the summary.
        failed: Where a fork has seen something else than is expected, with its traceback.
        answers: The answers to all questions, as the command line takes them.
    """

    def __init__(self, folder: Path, given: Mapping[str, str], typed: Mapping[str, str], keys: PipeInput) -> None:
        self.asked: list[str] = []
        self.failed: dict[str, str] = {}
        self._folder = folder
        self._given = dict(given)
        self._typed = typed
        self._keys = keys
        self._child = ""
        self._kit: Kit | None = None
        self.answers: dict[str, str] = {}

    def run(self) -> None:
        """Run the command to its end, here without writing the service."""
        options = NewOptions(self._folder / "orders", self._given, kit=str(kit_repository()), dry_run=True)
        try:
            made = new.run(options, Console())
            answers = {name: value for name, value in made.answers.items() if value != ""}
            self.answers = {
                name: value if isinstance(value, str) else json.dumps(value) for name, value in answers.items()
            }
        except BaseException as end:
            if not self._child:
                raise
            try:
                self._judge(end)
            except BaseException:
                (self._folder / "failure").write_text(traceback.format_exc())
                os._exit(1)
            os._exit(0)

    def opened(self, kit: Kit) -> None:
        """Remember the kit that the command uses."""
        self._kit = kit

    def at(self, name: str, prompt: Callable[[], Any], keys: str) -> Any:
        """Answer a prompt with keys, after a fork has pressed Ctrl-C there."""
        if child := os.fork():
            _, status = os.waitpid(child, 0)
            if status:
                self.failed[name] = (self._folder / "failure").read_text()
            self._keys.send_text(f"{CTRL_U}{self._typed[name]}{ENTER}" if name in self._typed else keys)
            answer = prompt()
            self.asked.append(name)
            return answer
        self._child = name
        os.environ["XDG_STATE_HOME"] = str(self._folder / f"state-{len(self.asked)}")
        self._keys.send_text(CTRL_C)
        return prompt()

    def _judge(self, end: BaseException) -> None:
        """What a fork checks when the command has ended."""
        assert isinstance(end, Interrupted), end
        assert end.exit_code == 130
        assert not (self._folder / "orders").exists()
        answered = {*self._given, *self.asked} - {CUSTOMIZE, SUMMARY}
        if not answered:
            assert end.happened == "Interrupted: nothing was written."
            return
        assert end.happened == "Interrupted: nothing was written, and your answers are kept."
        words = shlex.split(end.remedy.removeprefix("Go on with `").removesuffix("`."))
        assert words[:3] == ["scaffold", "new", str(self._folder / "orders")]
        kept = Path(words[words.index("--answers") + 1])
        assert set(yaml.safe_load(kept.read_text("utf-8"))) == answered
        assert self._kit is not None
        questionnaire = self._kit.questionnaire()
        # The printed command accepts them, and needs no more than what has no default.
        questionnaire.evaluate(merge(questionnaire, self._typed, kept))


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Walk]]:
    """Walks through the questions that are asked, with some answers given and others typed."""

    @contextmanager
    def kept_folder(name: str) -> Iterator[Path]:
        yield Path(tempfile.mkdtemp(prefix=name, dir=tmp_path))  # A fork that ends must not delete what the others use.

    walks: list[Walk] = []
    asks, chooses = question_prompt.ask_question, question_prompt.choose_several
    number, opens = interview.ask_number, Kit.questionnaire

    def ask_question(question: Any, *arguments: Any, **options: Any) -> Any:
        return walks[-1].at(question.name, lambda: asks(question, *arguments, **options), ENTER)

    def choose_several(*arguments: Any) -> Any:
        return walks[-1].at(CUSTOMIZE, lambda: chooses(*arguments), ALL + ENTER)

    def ask_number(*arguments: Any) -> Any:
        return walks[-1].at(SUMMARY, lambda: number(*arguments), ENTER)

    def questionnaire(kit: Kit, *arguments: Any, **options: Any) -> Any:
        walks[-1].opened(kit)
        return opens(kit, *arguments, **options)

    monkeypatch.setattr(question_prompt, "ask_question", ask_question)
    monkeypatch.setattr(question_prompt, "choose_several", choose_several)
    monkeypatch.setattr(interview, "ask_number", ask_number)
    monkeypatch.setattr(Kit, "questionnaire", questionnaire)
    monkeypatch.setattr(rendering, "temporary_folder", kept_folder)
    monkeypatch.setattr(Console, "interactive", True)
    for module in (prompt, question_prompt):
        monkeypatch.setattr(module, "output", DummyOutput)
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):

        def begin(given: Mapping[str, str], typed: Mapping[str, str]) -> Walk:
            folder = tmp_path / f"walk-{len(walks)}"
            folder.mkdir()
            walks.append(Walk(folder, given, typed, keys))
            walks[-1].run()
            return walks[-1]

        yield begin


# Together they open every question that depends on another answer; those with `promotion` are in a walk of their own.
OPENING = {
    "notification_email": "team@example.com",
    "build_network": "vpc",
    "vpc_id": "vpc-0123456789abcdef0",
    "domain_name": "orders.example.com",
    "waf": "managed",
    "deployment_strategy": "canary",
    "environment_overrides": "{dev: {deployment_strategy: linear}}",
}
# Answers to those that have no default.
TYPED = {
    "build_vpc_id": "vpc-0123456789abcdef0",
    "build_subnet_ids": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "public_subnet_ids": "subnet-0123456789abcdef2,subnet-0123456789abcdef3",
    "private_subnet_ids": "subnet-0123456789abcdef4,subnet-0123456789abcdef5",
    "hosted_zone_id": "Z0123456789ABCDEFGHIJ",
}


def test_ctrl_c_at_every_question_keeps_the_answers(walk: Callable[..., Walk]) -> None:
    defaults = walk({}, {})

    def answers(*without: str) -> dict[str, str]:
        """The defaults as answers, so that only further questions are asked, without those that would not be."""
        return {name: defaults.answers[name] for name in QUESTIONS - {*without, CUSTOMIZE} if name in defaults.answers}

    opened = walk({**answers("egress", "vpc_cidr"), **OPENING}, TYPED)
    branches = walk({**answers("approval", "approvers"), "promotion": "branches"}, {})
    for made in (defaults, opened, branches):
        assert made.failed == {}
        assert made.asked[-1] == SUMMARY
    assert sorted(QUESTIONS - {*defaults.asked, *opened.asked, *branches.asked}) == []
