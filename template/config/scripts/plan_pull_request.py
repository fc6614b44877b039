#!/usr/bin/env python3
"""Plan what a pull request would change in the stacks of all environments, once it is merged into main.

    APP_NAME=... ENVIRONMENTS=dev,prod PULL_REQUEST=7 COMMIT=... plan_pull_request.py

Its files are data: nothing of them is run, and what CloudFormation would run or look up for them is refused before
anything is sent. Creates, describes and deletes change sets, and executes none. What is deployed is compared with the
merge, in those stacks only whose files the pull request changes. Writes lines of JSON for the verdict, each with PLAN
before it. Exit codes: 0 planned, also where a stack cannot be planned; 1 CloudFormation refuses a change; 2 usage
error; 3 AWS did not answer.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from aws_cli import Problem, Refused
from commits import Clone, NotMergeable
from plan_changes import Change, Planned, Rejected, plan
from plan_costs import Prices, monthly
from plan_refusals import refusal
from plan_stacks import PROTECTION, Source, deployed, side_by_side, sources

PLANNED, REJECTED, USAGE_ERROR, UNREAD = 0, 1, 2, 3
VARIABLES = ("APP_NAME", "ENVIRONMENTS", "PULL_REQUEST", "COMMIT")
FOLDER = "infrastructure"
# Of an environment's changes, so that a line of the log stays one.
MOST_CHANGES = 40
Result = dict[str, Any]


def plan_pull_request(given: dict[str, str], pause: Callable[[], None]) -> tuple[list[Result], int]:
    """Plan a pull request.

    Returns:
        What the verdict writes, and the exit code.

    Raises:
        Problem: Nothing of it can be planned.
    """
    prices = Prices.read()
    with Clone(given["APP_NAME"], others=True) as clone, tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder).resolve() / "before", Path(folder).resolve() / "after"
        clone.extract("refs/heads/main", FOLDER, before)
        try:
            clone.extract(clone.merged(given["COMMIT"]), FOLDER, after)
        except NotMergeable as problem:
            return [{"problem": _what(problem)}], PLANNED
        names = given["ENVIRONMENTS"].split(",")
        results, code = [], PLANNED
        for name in names:
            result: Result = {"environment": name, "costs": [monthly(name, prices, one) for one in (before, after)]}
            change_set = f"plan-pull-request-{given['PULL_REQUEST']}-{given['COMMIT'][:12]}"
            try:
                result["stacks"] = _stacks(given["APP_NAME"], name, (before, after), change_set, pause)
            except Rejected as problem:
                code = REJECTED
                result["rejected"] = _what(problem)
            except Problem as problem:
                code = code or (UNREAD if isinstance(problem, Refused) else PLANNED)
                result["problem"] = _what(problem)
            results.append(result)
        for name in sorted(one.parent.name for one in (after / FOLDER).glob("*/service.json")):
            if name not in names and _files(before, name) != _files(after, name):
                costs = [monthly(name, prices, before) if _files(before, name) else 0, monthly(name, prices, after)]
                what = "it is not released yet, and scaffold deploy prepares its stacks"
                results.append({"environment": name, "costs": costs, "problem": what})
    return results, code


def _files(root: Path, environment: str) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in (root / FOLDER / environment).glob("*")}


def _what(problem: Problem) -> str:
    """What happened, without the remedy of a release."""
    return str(problem).partition(";")[0]


def _stacks(
    app: str, environment: str, roots: tuple[Path, Path], change_set: str, pause: Callable[[], None]
) -> list[Result]:
    """The stacks of an environment that the pull request changes.

    Raises:
        Problem: They cannot be planned.
    """
    after_root = roots[1]
    if not (after_root / FOLDER / environment / "service.json").exists():
        raise Problem(f"its file {FOLDER}/{environment}/service.json is gone, and its stacks would stay")
    before, after = (sources(app, environment, "", "", root) for root in roots)
    changed = {one.kind for one in after if one not in before}
    for source in after:
        if source.kind in changed and (why := refusal(source)):
            raise Problem(f"the stack {source.name} is refused, since {why}")
    if not changed:
        return []
    stacks = side_by_side(deployed, after)
    # The image is built after the merge: that of the deployed release stays for the plan, and so does its protection.
    pairs = [(_as_released(source, stack.parameters), stack) for source, stack in zip(after, stacks, strict=True)]
    found = plan(pairs, change_set, pause, changed)
    return [_stack(one) for one in found if one.changes]


def _as_released(source: Source, parameters: dict[str, str]) -> Source:
    """A stack with the values that a release gives its parameters."""
    if source.kind == "task-definition":
        given = {name: parameters.get(name, "") for name in ("ImageUri", "Version")}
        return replace(source, parameters=source.parameters | given)
    if source.kind == "environment" and PROTECTION in parameters:
        return replace(source, parameters={PROTECTION: parameters[PROTECTION]} | source.parameters)
    return source


def _stack(planned: Planned) -> Result:
    more = len(planned.changes) - MOST_CHANGES
    changes = [*planned.changes[:MOST_CHANGES], *([Change(f"{more} more changes")] if more > 0 else [])]
    return {"kind": planned.source.kind, "changes": [[one.action, one.resource, one.type] for one in changes]}


def main() -> int:
    parser = argparse.ArgumentParser(prog="plan_pull_request.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--poll-seconds", type=float, default=3, help="seconds between two requests (3)")
    arguments = parser.parse_args()
    given = {name: os.environ.get(name, "") for name in VARIABLES}
    if missing := [name for name, value in given.items() if not value]:
        print(f"Set {', '.join(missing)}.", file=sys.stderr)
        return USAGE_ERROR
    if not (re.fullmatch("[0-9]{1,18}", given["PULL_REQUEST"]) and re.fullmatch("[0-9a-f]{40}", given["COMMIT"])):
        print("PULL_REQUEST is a number, and COMMIT is a whole id.", file=sys.stderr)
        return USAGE_ERROR
    # Change sets are deleted when CodeBuild stops the build, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(UNREAD))
    try:
        results, code = plan_pull_request(given, lambda: time.sleep(arguments.poll_seconds))
    except Problem as problem:
        print(f"Not planned: {problem}.", file=sys.stderr)
        return UNREAD
    for result in results:
        print(f"PLAN {json.dumps(result)}")
    return code


if __name__ == "__main__":
    sys.exit(main())
