"""The command line of `python tools/sandbox`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.signals import TERMINATION

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


class Stopped(BaseException):
    """A signal ends the run."""

    def __init__(self, number: int) -> None:
        self.number = number


def main(arguments: Sequence[str]) -> int:
    """Run the command: its exit code."""
    options = _parser().parse_args(arguments)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    for number in TERMINATION:
        signal.signal(number, _stop)
    try:
        if options.list:
            return _list(options.only)
        if options.clean_up:
            return _clean_up_all(Account.of_environment(), options.folder, errors)
        return _run(options, errors)
    except ScaffoldError as error:
        errors.print(f"Error: {error}\n  {error.remedy}", markup=False)
        return error.exit_code
    except Stopped as stopped:
        return 128 + stopped.number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python tools/sandbox",
        description="Prove or refute the assumptions of docs/unproven.md, in the account of the AWS variables.",
        epilog="Exit codes: 0 nothing is refuted, 1 something is, 2 a probe could not run.",
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
    raise Stopped(number)


def _list(only: Iterable[str]) -> int:
    known = assumptions()
    for one in sorted(chosen(only), key=lambda probe: list(known).index(probe.id)):
        print(f"{one.id}: {known[one.id]}")
    return 0


def _run(options: argparse.Namespace, errors: Console) -> int:
    probes = chosen(options.only)
    account = Account.of_environment()
    if not options.yes:
        _confirm(account, probes)
    state = State.new(options.folder.resolve(), account.id, account.region)
    errors.print(f"The run {state.run} is recorded in {state.path}.", markup=False)

    def tell(line: str) -> None:
        errors.print(line, markup=False)

    sandbox = Sandbox(account, state, tell)
    stopped: Stopped | None = None
    verdicts: dict[str, Verdict] = {}

    def told(probe: Probe, verdict: Verdict) -> None:
        verdicts[probe.id] = report.publishable(verdict, account)
        sandbox.tell(f"{verdict.outcome}: {probe.id}, {verdict.evidence}")

    try:
        run(probes, sandbox, scenarios(sandbox), told)
    except Stopped as signaled:
        stopped = signaled
    finally:
        left = [] if options.keep else _clean(account, state, errors)
    ordered = {one: verdicts[one] for one in assumptions() if one in verdicts}
    written = report.document(ordered, account, datetime.now(UTC).date())
    path = report.write(written, options.folder)
    if options.json:
        print(json.dumps(written, indent=2))
    else:
        report.show(ordered, Console())
        errors.print(f"The report for an issue is {path}.", markup=False)
    if stopped:
        raise stopped
    return exit_code(verdicts.values()) or (EXIT_REFUTED if left else 0)


def _confirm(account: Account, probes: Sequence[Probe]) -> None:
    """Ask for the account's id.

    Raises:
        UsageError: Nobody can be asked.
        ScaffoldError: Another id was typed.
    """
    print(f"Account {account.id} ({account.alias or 'without an alias'}), region {account.region}, as {account.arn}")
    print(f"{len(probes)} probes create and delete resources of {_SERVICES}.")
    print("All of them together take about an hour and a half and cost about 3 USD. Use an account without production.")
    if not sys.stdin.isatty():
        raise UsageError("Without a terminal, the account cannot be confirmed.", "Give --yes.")
    if input("Type the account's id to begin: ").strip() != account.id:
        raise ScaffoldError("That is not the id of the account, so nothing was created.", "Sign in to another account.")


def _clean(account: Account, state: State, errors: Console) -> list[str]:
    """Delete everything of a run, whatever signals arrive meanwhile."""
    for number in TERMINATION:
        signal.signal(number, signal.SIG_IGN)
    left = clean_up(account, state, lambda line: errors.print(line, markup=False))
    for sentence in left:
        errors.print(sentence, markup=False)
    if left:
        errors.print("Run `python tools/sandbox --clean-up` to try again.", markup=False)
    return left


def _clean_up_all(account: Account, folder: Path, errors: Console) -> int:
    left = []
    for state in records(folder):
        if (state.account, state.region) != (account.id, account.region):
            left.append(state.run)
            errors.print(f"The run {state.run} is in account {state.account}, region {state.region}.", markup=False)
        else:
            left += _clean(account, state, errors)
    return EXIT_REFUTED if left else 0
