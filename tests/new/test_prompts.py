"""Prompts on a pseudo-terminal."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest
import yaml

from tests.cli.running import COMMAND, ROOT, become_scaffold
from tests.kits import kit_repository

DOWN, ENTER, CTRL_C, CTRL_D, CTRL_U = "\x1b[B", "\r", "\x03", "\x04", "\x15"
BACK, ESC = "\x1b[Z", "\x1b"
NAME, REGION, ENVIRONMENTS, PRODUCTION = (
    "· Name of the service",
    "· AWS region",
    "· Environments in",
    "· Name of the prod",
)
CPU, MEMORY, GATE, STRATEGY, MORE = "· CPU units", "· Memory of", "· Severity from", "· Deployment str", "· Answer more"
AFTER_THE_NAME = (REGION, ENVIRONMENTS, PRODUCTION, CPU, MEMORY, GATE, STRATEGY, MORE)
ANSWERED = (
    *("app_name=orders", "aws_region=us-east-1", "environments=dev,prod", "production=prod", "cpu=256", "memory=512"),
    *("scan_gate=high", "deployment_strategy=rolling"),
)
SUMMARY = "Enter writes the service"
Start = Callable[..., pexpect.spawn]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `scaffold new` on a pseudo-terminal; it is terminated after the test."""
    children: list[pexpect.spawn] = []

    def begin(*arguments: str, **environment: str) -> pexpect.spawn:
        command = ["new", "--kit", str(kit_repository()), *arguments]
        variables = {**os.environ, "PROMPT_TOOLKIT_NO_CPR": "1", **environment}

        def run() -> None:
            os.closerange(3, 256)  # pexpect waits until the child has closed a pipe, as a started program would.
            become_scaffold(command, tmp_path, variables)

        child = pexpect.spawn(
            sys.executable,  # which `run` takes the place of: it does not return
            preexec_fn=run,
            encoding="utf-8",
            dimensions=(50, 160),
            timeout=90,
        )
        children.append(child)
        return child

    yield begin
    for child in children:
        child.close(force=True)


def code(child: pexpect.spawn) -> int | None:
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


def accept_all(child: pexpect.spawn, *questions: str) -> None:
    for question in questions:
        child.expect(question)
        child.send(ENTER)


def test_every_question_with_progress_then_a_summary(start: Start, tmp_path: Path) -> None:
    child = start("--no-deploy")
    child.expect(NAME)
    child.send(CTRL_U + "orders" + ENTER)
    accept_all(child, *AFTER_THE_NAME)
    child.expect(r"1  app_name +orders")
    child.expect(r"6  memory +512")
    child.expect(SUMMARY)
    assert not list(tmp_path.iterdir())
    child.send(ENTER)
    child.expect("Generated orders")
    assert code(child) == 0
    assert (tmp_path / "orders" / "README.md").exists()


def test_an_answer_is_validated_while_it_is_typed(start: Start, tmp_path: Path) -> None:
    child = start("--no-deploy")
    child.expect(NAME)
    child.send(CTRL_U + "Orders" + ENTER)
    child.expect("3 to 24 lower-case letters")
    child.send(CTRL_U + "orders" + ENTER)
    child.expect(REGION)


def test_an_occupied_folder_is_reported_at_the_first_prompt(start: Start, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    child = start("--data", "app_name=taken", "--no-deploy")
    child.expect("taken exists and is not empty")
    child.expect(NAME)
    child.send(CTRL_U + "orders" + ENTER)
    child.expect(REGION)


def test_a_refusal_is_shown_whole_on_a_narrow_terminal(start: Start) -> None:
    child = start("--no-deploy")
    child.setwinsize(30, 60)
    child.expect(NAME)
    child.send(CTRL_U + "Orders")
    child.expect("orders-api")


@pytest.mark.slow
def test_the_folder_suggests_the_name(start: Start) -> None:
    child = start("billing-api", "--no-deploy")
    child.expect("billing-api]")
    child.send(ENTER)
    child.expect(REGION)


@pytest.mark.slow
def test_memory_offers_only_what_fits_the_cpu(start: Start, tmp_path: Path) -> None:
    child = start("--data", "app_name=orders", "--no-deploy")
    accept_all(child, REGION, ENVIRONMENTS, PRODUCTION)
    child.expect(CPU)
    child.send(DOWN + ENTER)
    child.expect(MEMORY)
    child.expect("1024")
    child.expect("4096")
    assert "8192" not in str(child.before)


def test_an_answer_can_be_changed_in_the_summary(start: Start, tmp_path: Path) -> None:
    child = start("--data", "app_name=orders", "--no-deploy")
    accept_all(child, *AFTER_THE_NAME)
    child.expect(SUMMARY)
    child.send("99" + ENTER)
    child.expect("a number from 1 to 9")
    child.send(CTRL_U + "3" + ENTER)
    child.expect(ENVIRONMENTS)
    child.send(CTRL_U + "test,prod,dr" + ENTER)
    child.expect(r"3  environments +test,prod,dr")
    child.expect(SUMMARY)
    child.send(ENTER)
    assert code(child) == 0
    answers = yaml.safe_load((tmp_path / "orders" / ".copier-answers.yml").read_text())
    assert (answers["environments"], answers["production"]) == ("test,prod,dr", "prod")


@pytest.mark.slow
def test_changing_the_environments_prompts_for_production_if_it_is_none_of_them(start: Start, tmp_path: Path) -> None:
    child = start("--data", "app_name=orders", "--no-deploy")
    accept_all(child, *AFTER_THE_NAME)
    child.expect(SUMMARY)
    child.send("3" + ENTER)
    child.expect(ENVIRONMENTS)
    child.send(CTRL_U + "test,live" + ENTER)
    child.expect("production is prod, which is not one of the environments test, live")
    child.expect(PRODUCTION)
    child.expect("live")
    child.send(CTRL_U + "prod" + ENTER)
    child.expect("not one of the environments")
    child.send(CTRL_U + "test" + ENTER)
    child.expect(r"4  production +test")
    child.expect(SUMMARY)
    child.send(ENTER)
    assert code(child) == 0
    answers = yaml.safe_load((tmp_path / "orders" / ".copier-answers.yml").read_text())
    assert (answers["environments"], answers["production"]) == ("test,live", "test")


def test_a_refused_answer_of_the_command_line_is_refused_when_it_is_typed_too(start: Start) -> None:
    child = start("--data", "app_name=orders", "--data", "production=qa", "--no-deploy")
    accept_all(child, REGION, ENVIRONMENTS)
    child.expect("production is qa, which is not one of the environments dev, staging, prod")
    child.expect(PRODUCTION)
    child.send(CTRL_U + "qa" + ENTER)
    child.expect("not one of the environments")
    child.send(CTRL_U + "prod" + ENTER)
    child.expect(CPU)


@pytest.mark.slow
def test_changing_the_cpu_prompts_for_a_memory_that_fits(start: Start, tmp_path: Path) -> None:
    child = start("--data", "app_name=orders", "--no-deploy")
    accept_all(child, *AFTER_THE_NAME)
    child.expect(SUMMARY)
    child.send("5" + ENTER)
    child.expect(CPU)
    child.send(DOWN + ENTER)
    child.expect("512 is not one of 1024")
    accept_all(child, MEMORY)
    child.expect(r"6  memory +1024")
    child.expect(SUMMARY)


def test_only_the_topics_that_were_chosen_are_prompted_for(start: Start, tmp_path: Path) -> None:
    child = start("--data", "app_name=orders", "--data", "port=9000", "--no-deploy")
    accept_all(child, *AFTER_THE_NAME[:-1])
    child.expect("8 of 8 " + MORE)
    child.expect("Account and description")
    child.send(" " + DOWN * 2 + " " + ENTER)
    child.expect("9 of 12 · Description of the service")
    child.send(ENTER)
    accept_all(child, "· ID of the only AWS account", "· Number of people")
    child.expect("12 of 12 · IAM roles whose approvals")
    child.send(ENTER)
    child.expect("customize +Account and description, Pull requests")
    child.expect(r"port +9000")
    child.expect("more, mostly defaults: `all` shows them")
    child.expect(SUMMARY)
    child.send("all" + ENTER)
    child.expect(r"health_path +/health")
    child.expect(SUMMARY)
    child.send("9" + ENTER)  # What was answered comes back with the topic.
    child.expect(MORE)
    child.send(" " + DOWN * 2 + " " + ENTER)
    child.expect(r"port +9000")
    child.expect(SUMMARY)
    child.send(ENTER)
    assert code(child) == 0
    answers = yaml.safe_load((tmp_path / "orders" / ".copier-answers.yml").read_text())
    assert (answers["customize"], answers["port"]) == (True, 9000)


def test_one_step_back_at_any_question_and_in_the_summary(start: Start, tmp_path: Path) -> None:
    child = start("--no-deploy")
    child.expect("1 of 9 " + NAME)
    child.send(BACK)
    child.expect("This is the first question")
    child.expect(NAME)
    child.send("orders" + ENTER)
    child.expect("2 of 9 " + REGION)
    child.send("eu-west-1" + ENTER)
    child.expect("3 of 9 " + ENVIRONMENTS)
    child.send(ESC)
    child.expect("2 of 9 " + REGION + ".*eu-west-1")
    child.send(BACK)
    child.expect("1 of 9 " + NAME + ".*orders")
    child.send("-api" + ENTER)  # What was typed is edited, not typed again.
    child.expect("2 of 9 " + REGION + ".*eu-west-1")
    accept_all(child, "", ENVIRONMENTS, PRODUCTION, CPU, MEMORY, GATE, STRATEGY)
    child.expect("9 of 9 " + MORE)
    child.send(BACK)
    child.expect("8 of 9 " + STRATEGY)
    child.send("can" + ENTER)  # The list is filtered.
    accept_all(child, MORE)
    child.expect(r"app_name +orders-api")
    child.expect(r"aws_region +eu-west-1")
    child.expect(r"deployment_strategy +canary")
    child.expect(SUMMARY)
    child.send("2" + ENTER)
    child.expect(REGION)
    child.send(CTRL_U + "us-west-2" + BACK)
    child.expect(r"aws_region +eu-west-1")
    child.expect(SUMMARY)
    child.send("3" + ENTER)
    child.expect(ENVIRONMENTS)
    child.send(CTRL_U + "dev,live" + ENTER)
    child.expect(PRODUCTION)
    child.send(BACK)  # The change that led to the question is undone, too.
    child.expect(r"environments +dev,staging,prod")
    child.expect(SUMMARY)
    child.send("7" + ENTER)
    accept_all(child, GATE)
    child.expect(r"environments +dev,staging,prod")
    child.expect(SUMMARY)
    child.send(ENTER)
    assert code(child) == 0
    answers = yaml.safe_load((tmp_path / "orders-api" / ".copier-answers.yml").read_text())
    assert (answers["aws_region"], answers["deployment_strategy"]) == ("eu-west-1", "canary")


def test_an_interruption_keeps_the_answers_and_says_how_to_go_on(start: Start, tmp_path: Path) -> None:
    child = start("--no-deploy", XDG_STATE_HOME=str(tmp_path / "state"))
    child.expect(NAME)
    child.send("orders" + ENTER)
    child.expect(REGION)
    child.send("eu-west-1" + ENTER)
    child.expect(ENVIRONMENTS)
    child.send(CTRL_C)
    child.expect("your answers are kept")
    child.expect("Go on with `scaffold (new --answers .*)`")
    words = shlex.split(str(child.match.group(1)).replace("\r\n", ""))
    assert code(child) == 130
    kept = Path(words[2])
    assert yaml.safe_load(kept.read_text()) == {"app_name": "orders", "aws_region": "eu-west-1"}
    assert kept.stat().st_mode & 0o077 == 0
    again = start(*words[1:3], "--no-deploy")
    again.expect("1 of 7 " + ENVIRONMENTS)
    again.send(CTRL_C)
    assert words[3:] == ["--kit", str(kit_repository()), "--no-deploy"]


def test_an_interruption_within_a_topic_goes_on_with_the_choice_of_topics(start: Start, tmp_path: Path) -> None:
    given = [word for answer in (*ANSWERED, "port=9000") for word in ("--data", answer)]
    child = start(*given, "--no-deploy", XDG_STATE_HOME=str(tmp_path / "state"))
    child.expect("1 of 1 " + MORE)
    child.send(DOWN + " " + ENTER)
    child.expect("· E-mail address")
    child.send("team@example.com" + ENTER)
    accept_all(child, "· Monthly costs")
    child.expect("· Notify a chat channel")  # yes or no
    child.send(CTRL_C)
    child.expect("Go on with `scaffold (new --answers .*)`")
    words = shlex.split(str(child.match.group(1)).replace("\r\n", ""))
    assert code(child) == 130
    again = start(*words[1:3], "--no-deploy")
    again.expect("1 of 1 " + MORE)
    again.send(DOWN + " " + ENTER)
    again.expect("2 of 3 · Notify a chat channel")
    accept_all(again, "", "3 of 3 · Environments whose")
    again.expect("port +9000")
    again.expect(SUMMARY)


def test_a_question_is_explained_on_request(start: Start) -> None:
    child = start("--no-deploy")
    child.expect(NAME)
    child.send("?")
    child.expect("Enter alone means hello-service")
    child.expect("--data app_name=")
    child.send("a?" + ENTER)
    child.expect("3 to 24 lower-case letters")


@pytest.mark.parametrize(
    ("at", "key"),
    [
        pytest.param(NAME, CTRL_C, marks=pytest.mark.slow),
        pytest.param(NAME, CTRL_D, marks=pytest.mark.slow),
        pytest.param(CPU, CTRL_C, marks=pytest.mark.slow),
        pytest.param(MORE, CTRL_C, marks=pytest.mark.slow),
        (SUMMARY, CTRL_C),
        pytest.param(SUMMARY, CTRL_D, marks=pytest.mark.slow),
    ],
)
def test_leaving_at_any_prompt_writes_nothing(start: Start, tmp_path: Path, at: str, key: str) -> None:
    child = start("deep/er", "--no-deploy")
    prompts = [NAME, *AFTER_THE_NAME, SUMMARY]
    for prompt in prompts[: prompts.index(at)]:
        child.expect(prompt)
        child.send((CTRL_U + "orders") * (prompt == prompts[0]) + ENTER)
    child.expect(at)
    child.send(key)
    child.expect("Interrupted: nothing was written")
    assert code(child) == 130
    assert "Traceback" not in str(child.before)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_results_and_prompts_have_streams_of_their_own(start: Start, tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    shell = shlex.join([*COMMAND, "new", "--kit", str(kit_repository()), "--no-deploy"])
    child = pexpect.spawn(
        "/bin/sh",
        ["-c", f"{shell} --data app_name=orders > {out}"],
        cwd=str(tmp_path),
        env={**os.environ, "PYTHONPATH": str(ROOT), "PROMPT_TOOLKIT_NO_CPR": "1"},
        encoding="utf-8",
        dimensions=(50, 160),
        timeout=90,
    )
    accept_all(child, *AFTER_THE_NAME)
    accept_all(child, SUMMARY)
    assert code(child) == 0
    text = out.read_text()
    assert text.startswith("orders is in ")
    assert "\x1b" not in text


@pytest.mark.slow
def test_without_credentials_there_is_no_prompt_about_deploying(start: Start, tmp_path: Path) -> None:
    child = start("--data", "app_name=orders")
    accept_all(child, *AFTER_THE_NAME)
    accept_all(child, SUMMARY)
    child.expect("will not be deployed now: No AWS credentials")
    child.expect("Generated orders")
    assert code(child) == 0
    assert subprocess.run(["git", "status", "--porcelain"], cwd=tmp_path / "orders", capture_output=True).stdout == b""


@pytest.fixture(scope="module")
def local_variables() -> Iterator[dict[str, str]]:
    """The variables of a local AWS in place of an account."""
    pytest.importorskip("ministack")
    from scaffold.local.environment import local_aws

    with local_aws() as variables:
        yield {name: value for name, value in variables.items() if name != "SCAFFOLD_LOCAL"}


@pytest.mark.parametrize(
    ("answer", "deployed"), [pytest.param(ENTER, False, marks=pytest.mark.slow), ("y" + ENTER, True)]
)
def test_deploying_needs_a_yes_to_account_region_and_cost(
    start: Start, tmp_path: Path, local_variables: dict[str, str], answer: str, deployed: bool
) -> None:
    child = start("--data", "app_name=orders", **local_variables)
    accept_all(child, *AFTER_THE_NAME, SUMMARY)
    child.expect(r"About \d+\.\d\d USD a month")
    child.expect("Deploy to account 000000000000, us-east-1 now")
    assert not list(tmp_path.iterdir())
    child.send(answer)
    child.expect("Generated orders")
    child.expect("orders is deployed to" if deployed else "scaffold deploy  ")
    assert code(child) == 0
