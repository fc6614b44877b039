#!/usr/bin/env python3
"""Stop a release that needs what only people create: stacks, permissions, or the values of secrets.

    APP_NAME=orders-api preflight.py

The pipeline updates stacks and creates none, and it changes neither foundation nor permissions. A stack of these is
older than its template if the template has keys, values or items of lists that the deployed one lacks. What was removed
is deployed after the release, since what runs may still need it. A secret has to exist in every environment for which
config/environments/secrets.json lists it; its value is not read. Nothing is changed. What the role of this build may
not read yet is passed over, since the release itself updates the role. Exit codes: 0 the release can continue, 1 it
cannot, 2 usage error, 3 AWS did not answer, or a file is a symbolic link or cannot be read.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import environment_files
from aws_cli import Denied, Problem, Refused, output
from deployed_stacks import read
from source_files import ROOT, exists, refuse_link, text

READY, STOPPED, USAGE_ERROR, UNREAD = 0, 1, 2, 3
CALLS_AT_ONCE = 8
INFRASTRUCTURE = "infrastructure"
KINDS = ("data", "network", "database", "environment", "waf", "task-definition", "alarms", "domain", "service")
# Not the pipeline: it runs, and the first release may start before its creation has finished.
DELIVERY = (
    *("build", "checks", "pull-requests", "plans", "releases", "tests"),
    *("migrations", "scans", "updates", "wake", "events"),
)
# Of a stack that cannot be updated: its creation has not finished, or its deletion has begun.
UNUSABLE = re.compile(r"(CREATE|ROLLBACK|DELETE|REVIEW)_(?!COMPLETE$).*|(ROLLBACK|DELETE)_COMPLETE")
COMMENT = re.compile(r"(^|\s)#.*")
# What no bracket or comma of flow notation separates. A reference such as ${AppName} is part of its text.
FLOW_ITEM = re.compile(r"(?:\$\{[^}]*\}|[^][{},])+")
REMEDY = "run `scaffold deploy` with this commit, then `scaffold retry Gate`"


def environments() -> list[str]:
    """The environments of this source."""
    names = sorted(path.name for path in (ROOT / INFRASTRUCTURE).iterdir())
    for name in names:
        refuse_link(f"{INFRASTRUCTURE}/{name}")
    return [name for name in names if exists(f"{INFRASTRUCTURE}/{name}/task-definition.yaml")]


def expected(app: str) -> Iterator[str]:
    """The stacks that the pipeline updates: those of the delivery, and those of the environments of this source."""
    for kind in DELIVERY:
        if exists(f"{INFRASTRUCTURE}/{kind}.yaml"):
            yield f"{app}-{kind}"
    for environment in environments():
        for kind in KINDS:
            if any(exists(f"{INFRASTRUCTURE}/{environment}/{kind}.{ending}") for ending in ("json", "yaml")):
                yield f"{app}-{environment}-{kind}"


def permissions(app: str) -> Iterator[tuple[str, str]]:
    """The stacks that only `scaffold deploy` updates, each with the name of its template."""
    for kind in ("foundation", "permissions", "audit", "access-logs", "budget", "build-vpc"):
        if exists(f"{INFRASTRUCTURE}/{kind}.yaml"):
            yield f"{app}-{kind}", kind
    for environment in environments():
        yield f"{app}-{environment}-deploy-role", "deploy-role"
        for kind in ("deploy-options", "data-role", "alarm-topic"):
            if exists(f"{INFRASTRUCTURE}/{environment}/{kind}.json"):
                yield f"{app}-{environment}-{kind}", kind


def usable(stack: str) -> bool:
    """Whether a stack can be updated."""
    found = read("describe-stacks", stack)
    if found is None:
        return False
    try:
        return not UNUSABLE.fullmatch(found["Stacks"][0]["StackStatus"])
    except (KeyError, IndexError, TypeError) as error:
        raise Problem(f"`aws cloudformation describe-stacks` returned no status of {stack}; retry the stage") from error


def up_to_date(stack: str, template: str) -> bool:
    """Whether a deployed stack has all that its template has."""
    found = read("get-template", stack)
    if found is None:
        return False
    # CloudFormation returns a question mark for every character outside ASCII.
    wanted = text(f"{INFRASTRUCTURE}/{template}.yaml").encode("ascii", "replace").decode()
    return not Counter(content(wanted)) - Counter(content(str(found.get("TemplateBody"))))


def content(template: str) -> Iterator[str]:
    """The keys, values and items of lists of a template in either notation, without comments and descriptions."""
    deeper_than = None
    for line in template.splitlines():
        text = COMMENT.sub("", line).strip()
        indent = len(line) - len(line.lstrip())
        if not text or (deeper_than is not None and indent > deeper_than):
            continue
        deeper_than = indent if text.startswith("Description:") else None
        if deeper_than is None:
            for item in FLOW_ITEM.findall(re.sub(r"^(-(\s+|$))+", "", text)):
                yield from filter(None, (part.strip() for part in re.split(r"(?<=:) ", item)))


def look(app: str) -> list[str]:
    """What keeps the release from continuing, as parts of a sentence."""
    stacks, people = list(expected(app)), list(permissions(app))
    with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
        ready = list(pool.map(unless_denied(usable), stacks))
        current = list(pool.map(unless_denied(up_to_date), *zip(*people, strict=True)))
    missing = [stack for stack, good in zip(stacks, ready, strict=True) if not good]
    older = [stack for (stack, _), good in zip(people, current, strict=True) if not good]
    found = [f"{listed(missing)} not prepared"] if missing else []
    return found + (
        [f"{listed(older)} older than {'its template' if len(older) == 1 else 'their templates'}"] if older else []
    )


def secrets() -> Iterator[tuple[str, str, str]]:
    """The secrets that tasks get: environment, name and store.

    Raises:
        Problem: The list of them is wrong.
    """
    try:
        found = environment_files.secrets(ROOT, environments())
    except environment_files.Wrong as wrong:
        happened, remedy = (part.rstrip(".") for part in wrong.args)
        raise Problem(f"{happened}; {remedy[:1].lower()}{remedy[1:]}") from wrong
    for environment, own in found.items():
        yield from ((environment, one.name, one.store) for one in own if one.version is not None)


def stored(name: str, store: str) -> bool:
    """Whether a secret has a value.

    Args:
        name: Its name in its store.

    Raises:
        Denied: This build may not ask.
        Problem: AWS returns another error, or does not answer.
    """
    try:
        if store == environment_files.SECRETS_MANAGER:
            return not json.loads(output("secretsmanager", "describe-secret", "--secret-id", name)).get("DeletedDate")
        output("ssm", "list-tags-for-resource", "--resource-type", "Parameter", "--resource-id", f"/{name}")
    except Refused as refused:
        if refused.code in ("InvalidResourceId", "ParameterNotFound", "ResourceNotFoundException"):
            return False
        raise
    except (ValueError, AttributeError) as error:
        raise Problem(
            f"`aws secretsmanager describe-secret` returned no description of {name}; retry the stage"
        ) from error
    return True


def missing_secrets(app: str) -> list[tuple[str, str]]:
    """The secrets without a value: environment and name."""
    wanted = list(secrets())
    with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
        names = (f"{app}/{environment}/{name}" for environment, name, _ in wanted)
        there = list(pool.map(unless_denied(stored), names, [store for *_, store in wanted]))
    return [(environment, name) for (environment, name, _), found in zip(wanted, there, strict=True) if not found]


def listed(stacks: list[str]) -> str:
    """Stacks as the subject of a sentence."""
    return f"the stack {stacks[0]} is" if len(stacks) == 1 else f"the stacks {', '.join(stacks)} are"


def unless_denied(check: Any) -> Any:
    """The check, passed where this build may not read the stack or the secret."""

    def checked(name: str, *more: str) -> bool:
        try:
            return bool(check(name, *more))
        except Denied as denied:
            print(f"Not checked: {name} ({denied.message}).")
            return True

    return checked


def main() -> int:
    app = os.environ.get("APP_NAME", "")
    if not app:
        print("Set APP_NAME.", file=sys.stderr)
        return USAGE_ERROR
    try:
        problems, missing = look(app), missing_secrets(app)
    except (Problem, OSError, ValueError) as problem:
        print(f"Preflight failed: {problem}.", file=sys.stderr)
        return UNREAD
    if problems:
        print(f"Preflight failed: {', and '.join(problems)}; {REMEDY}.", file=sys.stderr)
        return STOPPED
    if missing:
        lack = ", ".join(f"{environment} lacks the secret {name}" for environment, name in missing)
        commands = ", ".join(f"`scaffold secret set {name} --env {environment}`" for environment, name in missing)
        print(f"Preflight failed: {lack}; run {commands}, then `scaffold retry Gate`.", file=sys.stderr)
        return STOPPED
    print("Preflight passed: stacks and secrets are prepared, and the permissions are those of this commit.")
    return READY


if __name__ == "__main__":
    sys.exit(main())
