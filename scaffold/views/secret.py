"""The text of secrets, which never has a value."""

from __future__ import annotations

import shlex
from io import StringIO

from scaffold.deployment.secrets import SecretResult, SecretsResult
from scaffold.views.place import moment, place

_WIDTH = 200
_DONE = {"set": "set", "rotate": "rotated", "remove": "deleted"}


def text(result: SecretResult) -> str:
    """What was done, and how tasks get to know it."""
    where = place(result.local, result.account, result.region)
    lines = [
        f"The secret {result.name} of {result.service} is {_DONE[result.action]} for {result.environment} in "
        f"{result.store}, {where}."
    ]
    if not result.files:
        return lines[0]
    files = " ".join(map(shlex.quote, result.files))
    verb = {"set": "Add", "rotate": "Rotate", "remove": "Remove"}[result.action]
    lines += [
        "Next:",
        f"  git add {files} && git commit -m '{verb} the secret {result.name} of {result.environment}'",
    ]
    if result.action == "rotate":
        app = f"{result.service}-{result.environment}"
        lines += [
            f"The release of that commit starts new tasks, which read the new value. Without a release: aws ecs "
            f"update-service --region {result.region} --cluster {app} --service {app} --force-new-deployment"
        ]
    elif result.action == "set":
        lines += ["The tasks get it with the release of that commit."]
    return "\n".join(lines)


def list_text(result: SecretsResult) -> str:
    """A line for each secret of each environment."""
    from rich.console import Console
    from rich.table import Table

    if not result.secrets:
        return f"{result.service} has no secrets in {place(result.local, result.account, result.region)}."
    table = Table(box=None, pad_edge=False, header_style="")
    for title in ("Secret", "Environment", "Store", "State", "Last changed"):
        table.add_column(title)
    for one in result.secrets:
        table.add_row(one.name, one.environment, one.store, one.state, moment(one.changed) if one.changed else "")
    output = StringIO()
    Console(file=output, width=_WIDTH, color_system=None, markup=False, highlight=False).print(table)
    lines = [line.rstrip() for line in output.getvalue().splitlines()]
    missing = [one for one in result.secrets if one.state == "missing"]
    if missing:
        lines += ["", "Releases stop before they change anything until these are set:"]
        lines += [f"  scaffold secret set {one.name} --env {one.environment}" for one in missing]
    return "\n".join(lines)
