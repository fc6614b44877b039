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
AFTER_THE_NAME = (
    "Service 2/4",
    "Service 3/4",
    "Service 4/4",
    "Tasks 1/2",
    "Tasks 2/2",
    "Releases 1/3",
    "Releases 2/3",
    "Releases 3/3",
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
    child.expect("Service 1/4")
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
    child.expect("Service 1/4")
    child.send(CTRL_U + "Orders" + ENTER)
    child.expect("3 to 24 lower-case letters")
    child.send(CTRL_U + "orders" + ENTER)
    child.expect("Service 2/4")


def test_an_occupied_folder_is_reported_at_the_first_prompt(start: Start, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    child = start("--data", "app_name=taken", "--no-deploy")
    child.expect("taken exists and is not empty")
    child.expect("Service 1/4")
    child.send(CTRL_U + "orders" + ENTER)
    child.expect("Service 2/4")


def test_a_refusal_is_shown_whole_on_a_narrow_terminal(start: Start) -> None:
    child = start("--no-deploy")
    child.setwinsize(30, 60)
    child.expect("Service 1/4")
    child.send(CTRL_U + "Orders")
    child.expect("orders-api")


@pytest.mark.slow
def test_the_folder_suggests_the_name(start: Start) -> None:
    child = start("billing-api", "--no-deploy")
    child.expect("billing-api")
    child.send(ENTER)
    child.expect("Service 2/4")


@pytest.mark.slow
def test_memory_offers_only_what_fits_the_cpu(start: Start, tmp_path: Path) -> None:
    child = start("--data", "app_name=orders", "--no-deploy")
    accept_all(child, "Service 2/4", "Service 3/4", "Service 4/4")
    child.expect("Tasks 1/2")
    child.send(DOWN + ENTER)
    child.expect("Tasks 2/2")
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
    child.expect("Service 3/4")
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
    child.expect("Service 3/4")
    child.send(CTRL_U + "test,live" + ENTER)
    child.expect("production is prod, which is not one of the environments test, live")
    child.expect("Service 4/4")
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
    accept_all(child, "Service 2/4", "Service 3/4")
    child.expect("production is qa, which is not one of the environments dev, staging, prod")
    child.expect("Service 4/4")
    child.send(CTRL_U + "qa" + ENTER)
    child.expect("not one of the environments")
    child.send(CTRL_U + "prod" + ENTER)
    child.expect("Tasks 1/2")


@pytest.mark.slow
def test_changing_the_cpu_prompts_for_a_memory_that_fits(start: Start, tmp_path: Path) -> None:
    child = start("--data", "app_name=orders", "--no-deploy")
    accept_all(child, *AFTER_THE_NAME)
    child.expect(SUMMARY)
    child.send("5" + ENTER)
    child.expect("Tasks 1/2")
    child.send(DOWN + ENTER)
    child.expect("512 is not one of 1024")
    accept_all(child, "Tasks 2/2")
    child.expect(r"6  memory +1024")
    child.expect(SUMMARY)


@pytest.mark.slow
def test_customize_prompts_for_the_rest(start: Start, tmp_path: Path) -> None:
    child = start("--data", "app_name=orders", "--no-deploy")
    accept_all(
        child, "Service 2/4", "Service 3/4", "Service 4/4", "Tasks 1/2", "Tasks 2/2", "Releases 1/3", "Releases 2/3"
    )
    child.expect("Releases 3/3")
    child.send("y" + ENTER)
    accept_all(child, "Service, in detail 1/7", "Service, in detail 2/7")


@pytest.mark.slow
def test_an_answer_under_customize_turns_it_on(start: Start, tmp_path: Path) -> None:
    child = start("--data", "app_name=orders", "--data", "architecture=arm64", "--no-deploy")
    accept_all(
        child, "Service 2/4", "Service 3/4", "Service 4/4", "Tasks 1/2", "Tasks 2/2", "Releases 1/", "Releases 2/"
    )
    child.expect("Service, in detail 1/7")


@pytest.mark.parametrize(
    ("at", "key"),
    [
        pytest.param("Service 1/4", CTRL_C, marks=pytest.mark.slow),
        pytest.param("Service 1/4", CTRL_D, marks=pytest.mark.slow),
        pytest.param("Tasks 1/2", CTRL_C, marks=pytest.mark.slow),
        pytest.param("Releases 3/3", CTRL_C, marks=pytest.mark.slow),
        (SUMMARY, CTRL_C),
        pytest.param(SUMMARY, CTRL_D, marks=pytest.mark.slow),
    ],
)
def test_leaving_at_any_prompt_writes_nothing(start: Start, tmp_path: Path, at: str, key: str) -> None:
    child = start("deep/er", "--no-deploy")
    prompts = ["Service 1/4", *AFTER_THE_NAME, SUMMARY]
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
