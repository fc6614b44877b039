"""The command line of `python tools/sandbox`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.signals import handled_signals

from . import report
from .account import Account
from .cleaning import clean_up
from .document import assumptions
from .registry import Probe, chosen
from .runner import run
from .sandbox import Sandbox
from .scenarios import scenarios
from .state import State, records
from .verdicts import EXIT_REFUTED, Verdict, exit_code

_CHECKOUT = Path(__file__).resolve().parents[2]
_SERVICES = (
    "CloudFormation, CloudTrail, CloudWatch, CodeBuild, CodeCommit, CodePipeline, EC2 networks, ECR, ECS on Fargate,"
    " Elastic Load Balancing, EventBridge, IAM, KMS, S3, Service Quotas, SNS, SQS, STS"
)
_CHANGES_ACCOUNT = "enhanced-scan"


class Stopped(BaseException):
    """A signal ends the run."""

    def __init__(self, number: int) -> None:
        self.number = number


def main(arguments: Sequence[str]) -> int:
    """Run the command: its exit code."""
    options = _parser().parse_args(arguments)
    for number in handled_signals():
        signal.signal(number, _stop)
    try:
        if options.list:
            return _list(options.only)
        if options.clean_up:
            return _clean_up_all(Account.of_environment(), options.folder)
        return _run(options)
    except ScaffoldError as error:
        _tell(f"Error: {error}\n  {error.remedy}")
        return error.exit_code
    except Stopped as stopped:
        return 128 + stopped.number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python tools/sandbox",
        description="Try the assumptions of docs/unproven.md in the account of the AWS variables.",
        epilog="Exit codes: 0 nothing is refuted, 1 something is, or is left, 2 a probe could not run.",
    )
    parser.add_argument("--only", nargs="+", metavar="ID", default=[], help="run these probes only")
    parser.add_argument("--list", action="store_true", help="list the probes and their assumptions")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--yes", action="store_true", help="do not ask for the account's id")
    parser.add_argument("--keep", action="store_true", help="leave what was created, until --clean-up")
    parser.add_argument("--clean-up", action="store_true", help="delete what earlier runs have left")
    parser.add_argument(
        "--folder", type=Path, default=_CHECKOUT / ".sandbox", help="folder for records and reports (%(default)s)"
    )
    return parser


def _stop(number: int, _: object) -> None:
    _ignore_signals()
    raise Stopped(number)


def _ignore_signals() -> None:
    """Let no signal end the clean-up."""
    for number in handled_signals():
        signal.signal(number, signal.SIG_IGN)


def _tell(line: str) -> None:
    """Show a line of progress. The terminal may have been closed meanwhile."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def _list(only: Iterable[str]) -> int:
    known = assumptions()
    for one in sorted(chosen(only), key=lambda probe: list(known).index(probe.id)):
        print(f"{one.id}: {known[one.id]}")
    return 0


def _run(options: argparse.Namespace) -> int:
    probes = chosen(options.only)
    account = Account.of_environment()
    where = f"Account {account.id} ({account.alias or 'without an alias'}), region {account.region}, as {account.arn}"
    if options.yes:
        _tell(where)
    else:
        _confirm(account, where, probes)
    state = State.new(options.folder.resolve(), account.id, account.region)
    _tell(f"The run {state.run} is recorded in {state.path}.")
    sandbox = Sandbox(account, state, _tell)
    stopped: Stopped | None = None
    verdicts: dict[str, Verdict] = {}

    def told(probe: Probe, verdict: Verdict) -> None:
        verdicts[probe.id] = report.publishable(verdict, account)
        sandbox.tell(f"{verdict.outcome}: {probe.id}, {verdict.evidence}")

    ordered: dict[str, Verdict] = {}
    written: dict[str, Any] = {}
    try:
        try:
            run(probes, sandbox, scenarios(sandbox), told)
        finally:
            _ignore_signals()
    except Stopped as signaled:
        stopped = signaled
    finally:
        try:
            ordered = {one: verdicts[one] for one in assumptions() if one in verdicts}
            written = report.document(ordered, account, datetime.now(UTC).date())
            path = report.write(written, options.folder, state.run)
        finally:
            left = [] if options.keep else _clean(account, state)
    # What has ended the run may have closed the terminal.
    with suppress(OSError) if stopped else nullcontext():
        if options.json:
            print(json.dumps(written, indent=2))
        else:
            report.show(ordered, Console())
    _tell(f"The report for an issue is {path}.")
    if stopped:
        raise stopped
    return exit_code(verdicts.values()) or (EXIT_REFUTED if left else 0)


def _confirm(account: Account, where: str, probes: Sequence[Probe]) -> None:
    """Ask for the account's id.

    Args:
        where: The account and region, in a line.

    Raises:
        UsageError: There is no terminal.
        ScaffoldError: Another id was typed, or none.
    """
    print(where)
    print(f"{len(probes)} probes create and delete resources of {_SERVICES}.")
    if any(one.id == _CHANGES_ACCOUNT for one in probes):
        print(
            f"The probe {_CHANGES_ACCOUNT} switches the image scanning of all repositories in this account and region"
            " to Inspector for a few minutes, and back."
        )
    print("All of them together take about an hour and a half and cost about 3 USD. Use an account without production.")
    print("The credentials must last about two hours, or renew themselves.")
    if not sys.stdin.isatty():
        raise UsageError("Without a terminal, the account cannot be confirmed.", "Give --yes.")
    try:
        typed = input("Type the account's id to begin: ").strip()
    except EOFError:
        print()
        raise ScaffoldError("No id was typed, so nothing was created.", "Type the id, or give --yes.") from None
    if typed != account.id:
        raise ScaffoldError("That is not the id of the account, so nothing was created.", "Sign in to another account.")


def _clean(account: Account, state: State) -> list[str]:
    """Delete everything of a run, whatever signals arrive meanwhile."""
    _ignore_signals()
    left = clean_up(account, state, _tell)
    for sentence in left:
        _tell(sentence)
    if left:
        _tell("Run `python tools/sandbox --clean-up` to try again.")
    return left


def _clean_up_all(account: Account, folder: Path) -> int:
    left = []
    for state in records(folder.resolve()):
        if (state.account, state.region) != (account.id, account.region):
            left.append(state.run)
            _tell(f"The run {state.run} is in account {state.account}, region {state.region}.")
        elif not state.lock():
            _tell(f"The run {state.run} is in progress.")
        else:
            left += _clean(account, state)
    return EXIT_REFUTED if left else 0
