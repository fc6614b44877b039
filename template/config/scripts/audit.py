#!/usr/bin/env python3
"""Stop a source whose dependencies have vulnerabilities that the policy does not allow.

    audit.py

Asks npm's registry for advisories about the packages of app/package-lock.json that the image gets, and compares them
with config/policies/audit-policy.toml. npm gets its settings from config/tools/.npmrc, since a commit to app/ could
name another registry. It fails closed. Exit codes: 0 open, 1 closed by an advisory, 3 closed because there is no
answer, or the policy is wrong.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from aws_cli import Problem
from source_files import exists, text

OPEN, CLOSED, CLOSED_UNJUDGED = 0, 1, 3
POLICY = "config/policies/audit-policy.toml"
SETTINGS = "config/tools/.npmrc"
LOCK, PACKAGE = "app/package-lock.json", "app/package.json"
# npm's severities in ascending order.
SEVERITIES = ("info", "low", "moderate", "high", "critical")
THRESHOLDS = SEVERITIES[1:]
# An exception with this id is one for the whole audit, while the registry does not answer.
UNREACHABLE = "unreachable"
SECONDS = 180
ADVISORY = re.compile(r"GHSA(-[a-z0-9]{4}){3}")


class Exemption(NamedTuple):
    """An allowed advisory: why, and the last day in UTC."""

    reason: str
    expires: date


class Policy(NamedTuple):
    """The content of the policy."""

    threshold: str
    exceptions: dict[str, Exemption]


class Advisory(NamedTuple):
    """A vulnerability of a package."""

    id: str
    severity: str
    package: str
    versions: str
    title: str


def read_policy() -> Policy:
    """Read and validate the policy.

    Raises:
        Problem: It cannot be read, or has an unknown setting or value.
    """
    try:
        document = tomllib.loads(text(POLICY))
    except (OSError, ValueError) as error:
        raise Problem(f"the policy {POLICY} cannot be read: {error}; correct it") from error
    if unknown := sorted(document.keys() - {"threshold", "exceptions"}):
        raise Problem(f"in {POLICY}, {unknown[0]!r} is not a setting; delete it")
    if document.get("threshold") not in THRESHOLDS:
        raise Problem(f"in {POLICY}, threshold is not one of {', '.join(THRESHOLDS)}; correct it")
    entries = document.get("exceptions", [])
    found: dict[str, Exemption] = {}
    for entry in entries if isinstance(entries, list) else [entries]:
        good = isinstance(entry, dict) and set(entry) == {"id", "reason", "expires"}
        good = good and all(isinstance(entry[name], str) and entry[name].strip() for name in ("id", "reason"))
        # datetime is a subclass of date.
        good = good and isinstance(entry["expires"], date) and not isinstance(entry["expires"], datetime)
        if not good or entry["id"] in found:
            example = "a table with id, reason and expires, a date without quotes, once for each id"
            raise Problem(f"in {POLICY}, an exception is not {example}: {entry!r}; correct it")
        found[entry["id"]] = Exemption(entry["reason"].strip(), entry["expires"])
    return Policy(document["threshold"], found)


def ask() -> dict[str, Any]:
    """What npm says about the packages.

    Raises:
        Problem: It has no answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        for file in (LOCK, PACKAGE, SETTINGS):
            (Path(folder) / Path(file).name).write_text(text(file), "utf-8")
        command = ["npm", "audit", "--package-lock-only", "--omit=dev", "--json", "--loglevel=error"]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except FileNotFoundError as error:
            raise Problem("npm is not installed; install Node.js 22 or later") from error
        except subprocess.TimeoutExpired as error:
            raise Unanswered(f"no answer within {SECONDS} s") from error
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        raise Unanswered(" ".join(done.stderr.split())[-300:] or "npm printed no JSON") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("vulnerabilities"), dict):
        said = answer.get("message") if isinstance(answer, dict) else ""
        raise Unanswered(" ".join(str(said or "npm printed no vulnerabilities").split())[:300])
    if note := done.stderr.strip():
        print(note, flush=True)
    return answer


class Unanswered(Exception):
    """The registry did not say which vulnerabilities it knows."""


def advisories(answer: dict[str, Any]) -> list[Advisory]:
    """The advisories of an answer, the most severe first.

    Raises:
        Problem: It has another form than npm's.
    """
    found = set()
    try:
        for vulnerability in answer["vulnerabilities"].values():
            for cause in vulnerability["via"]:
                if isinstance(cause, str):  # The vulnerability of another package in the answer.
                    continue
                known = ADVISORY.search(cause["url"])
                identifier = known[0] if known else str(cause["source"])
                SEVERITIES.index(cause["severity"])
                found.add(Advisory(identifier, cause["severity"], cause["name"], cause["range"], cause["title"]))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Problem(
            f"npm describes vulnerabilities in an unknown form ({error!r}); update {Path(__file__).name}"
        ) from error
    return sorted(found, key=lambda one: (-SEVERITIES.index(one.severity), one))


def judge(found: list[Advisory], policy: Policy, today: date) -> list[str]:
    """Print what the policy says about each advisory, and return the ids of those that stop the source."""
    stopping = []
    for one in found:
        exemption = policy.exceptions.get(one.id)
        if SEVERITIES.index(one.severity) < SEVERITIES.index(policy.threshold):
            verdict = "below the threshold"
        elif exemption and today <= exemption.expires:
            verdict = f"allowed until {exemption.expires}: {exemption.reason}"
        else:
            expired = f": its exception expired on {exemption.expires}" if exemption else ""
            verdict = f"STOPS THE SOURCE{expired}"
            stopping.append(one.id)
        print(f"{one.severity.upper()}  {one.id}  {one.package} {one.versions}  {one.title}  {verdict}")
    for identifier in sorted(policy.exceptions.keys() - {one.id for one in found} - {UNREACHABLE}):
        print(f"The exception for {identifier} matches no advisory: delete it.")
    return stopping


def run(today: date) -> int:
    """Audit, and return the exit code.

    Raises:
        Problem: The audit cannot be judged.
    """
    policy = read_policy()
    if not exists(PACKAGE):
        print(f"Audit open: there is no {PACKAGE}, and so no package of npm.")
        return OPEN
    if not exists(LOCK):
        raise Problem(f"{PACKAGE} has no lock file beside it; commit {LOCK}")
    try:
        answer = ask()
    except Unanswered as unanswered:
        exemption = policy.exceptions.get(UNREACHABLE)
        if exemption and today <= exemption.expires:
            print(f"Audit not done: {unanswered}. Allowed until {exemption.expires}: {exemption.reason}")
            return OPEN
        raise Problem(
            f"npm's registry did not say which vulnerabilities it knows ({unanswered}); retry the stage, or add an "
            f'exception with the id "{UNREACHABLE}", a reason and a date to {POLICY}'
        ) from unanswered
    found = advisories(answer)
    if stopping := sorted(set(judge(found, policy, today))):
        print(
            f"Audit closed: {', '.join(stopping)}; update the packages (`npm audit fix` in app/), or add an exception "
            f"with a reason and a date to {POLICY}.",
            file=sys.stderr,
        )
        return CLOSED
    known = f"none of {len(found)} known advisories stops the source" if found else "no advisory is known"
    print(f"Audit open: {known}.")
    return OPEN


def main() -> int:
    try:
        return run(datetime.now(timezone.utc).date())
    except Problem as problem:
        print(f"Audit closed: {problem}.", file=sys.stderr)
        return CLOSED_UNJUDGED


if __name__ == "__main__":
    sys.exit(main())
