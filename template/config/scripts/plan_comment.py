"""The plan in the comment on a pull request, from the lines that its build has written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

MARK = "PLAN "
LONGEST_NAME, LONGEST_REASON, LONGEST = 100, 600, 6_000
# The order of what happens to resources, and how it is called.
WORDS = {
    "replace": "replaced",
    "maybe replace": "maybe replaced",
    "delete": "removed",
    "update": "changed",
    "maybe change": "maybe changed",
    "create": "added",
    "import": "imported",
}
LOSSES = ("replace", "maybe replace", "delete")
# Types whose resources hold what a new one would not have.
DATA = re.compile(
    "AWS::(?:Backup|DAX|DocDB|DynamoDB|EFS|ElastiCache|Elasticsearch|FSx|Kinesis|MemoryDB|MSK|Neptune|OpenSearch\\w*"
    "|QLDB|RDS|Redshift|S3|S3Express|SecretsManager|Timestream)::"
    "|AWS::(?:Cognito::UserPool|EC2::Volume|ECR::Repository|KMS::Key|Logs::LogGroup|SQS::Queue|SSM::Parameter)$"
)
COUNTED = (
    "Counted are tasks at their minimum number, load balancer, public IPv4 addresses and NAT gateway, by list price; "
    "nothing else is: not traffic, logs, alarms, releases, nor resources of the service's own."
)


def plan_text(log: list[str], build: str) -> str:
    """What the plan says in the comment; empty if its log says nothing.

    Args:
        build: The id of its build.
    """
    results = [one for line in log if line.startswith(MARK) for one in _result(line.removeprefix(MARK))]
    if not results:
        return ""
    parts = [*_losses(results), *(line for one in results for line in _environment(one))]
    if any(one.get("problem") for one in results):
        parts.append(f"- To plan again, once what prevents it has changed: `aws codebuild retry-build --id {build}`")
    if not parts:
        parts = ["- No stack changes, but for a new image, which is built after the merge."]
    return "\n".join(_cut([*parts, *_costs(results)]))


def _result(text: str) -> Iterator[dict[str, Any]]:
    try:
        found = json.loads(text)
    except ValueError:
        return
    if isinstance(found, dict):
        yield found


def _losses(results: list[dict[str, Any]]) -> Iterator[str]:
    """Resources with data that would be replaced or removed."""
    for one in results:
        for stack in one.get("stacks", []):
            for action, resource, kind in stack["changes"]:
                if action in LOSSES and DATA.match(kind):
                    name = f"{_code(resource)} ({_plain(kind)}) in {_plain(one['environment'])}"
                    yield f"- **Data may be lost: {name} is {WORDS[action]}.**"


def _environment(result: dict[str, Any]) -> Iterator[str]:
    name = f"**{_plain(result['environment'])}**" if result.get("environment") else "The pull request"
    if result.get("rejected"):
        yield f"- {name} cannot be released: {_code(result['rejected'])}"
    if result.get("problem"):
        yield f"- {name} is not planned: {_code(result['problem'])}"
    for stack in result.get("stacks", []):
        yield f"- {name}, {_plain(stack['kind'])}: {'; '.join(_changes(stack['changes']))}"


def _changes(changes: list[list[str]]) -> Iterator[str]:
    for action, word in WORDS.items():
        if names := [_code(resource) for done, resource, _ in changes if done == action and resource]:
            yield f"{word} {', '.join(names)}"
    yield from (_plain(action) for action, resource, _ in changes if not resource or action not in WORDS)


def _costs(results: list[dict[str, Any]]) -> Iterator[str]:
    """The difference to main, where the files say it and there is one."""
    known = {one["environment"]: one["costs"] for one in results if "costs" in one}
    unknown = [_plain(name) for name, costs in known.items() if None in costs]
    changed = {_plain(name): (old, new) for name, (old, new) in known.items() if None not in (old, new) and old != new}
    if changed:
        total = sum(new - old for old, new in changed.values())
        each = ", ".join(f"{name} {old:.2f} to {new:.2f}" for name, (old, new) in changed.items())
        yield f"- Costs a month compared to main: {total:+.2f} USD ({each}). {COUNTED}"
    elif known and not unknown:
        yield f"- Costs a month compared to main: no difference. {COUNTED}"
    if unknown:
        yield f"- Costs a month are not known of {', '.join(unknown)}, whose sizes and numbers are no plain values."


def _cut(lines: list[str]) -> Iterator[str]:
    """The lines that have room in a comment beside the tests."""
    room = LONGEST
    for index, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0:
            yield f"- {len(lines) - index} more lines are in the log."
            return
        yield line


def _code(text: object) -> str:
    """A text as it is, whatever it says."""
    return f"`{re.sub(r'[^ -~]|`', ' ', str(text))[:LONGEST_REASON].strip() or '?'}`"


def _plain(text: object) -> str:
    """A name or words of the plan's own, without what Markdown would read."""
    return re.sub(r"[^\w .,:()/-]", "?", str(text), flags=re.ASCII)[:LONGEST_NAME]
