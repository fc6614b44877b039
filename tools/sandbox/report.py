"""The verdicts as a table, and as a file for an issue."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scaffold import __version__
from scaffold.core.secrets import redact

from .account import Account
from .verdicts import Outcome, Verdict

# In examples of AWS's documentation.
_EXAMPLE_ACCOUNT = "123456789012"
_CALLER = "the caller"
_STYLES = {Outcome.PROVED: "green", Outcome.REFUTED: "bold red", Outcome.UNDECIDED: "yellow"}


def publishable(verdict: Verdict, account: Account) -> Verdict:
    """A verdict without the account's id, the caller's name, and what looks like a secret."""
    shown = verdict.without(account.arn, _CALLER).without(account.id, _EXAMPLE_ACCOUNT)
    # The ARN of a user or of an assumed role ends with a person's name or address.
    name = account.arn.rpartition("/")[2] if "/" in account.arn else ""
    caller = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)" if name else r"(?!)")
    evidence, question = (caller.sub(_CALLER, redact(text)) for text in (shown.evidence, shown.question))
    return Verdict(shown.outcome, evidence, question, shown.failed)


def document(verdicts: Mapping[str, Verdict], account: Account, day: date) -> dict[str, Any]:
    """The report as JSON."""
    rows = [
        {"id": identifier, "verdict": one.outcome, "evidence": one.evidence, "question": one.question}
        | {"failed": one.failed}
        for identifier, one in verdicts.items()
    ]
    where = {"region": account.region, "local_aws": account.local}
    return {"schema_version": 1, "date": day.isoformat(), "version": __version__, **where, "assumptions": rows}


def write(report: dict[str, Any], folder: Path, run: str) -> Path:
    """Write the report to a file with its date and the name of the run in its name."""
    path = folder / f"unproven-{report['date']}-{run}.json"
    path.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    return path


def show(verdicts: Mapping[str, Verdict], console: Console) -> None:
    """Print the table, then the questions to people."""
    table = Table("id", "verdict", "evidence", title_justify="left", show_lines=True)
    for identifier, one in verdicts.items():
        table.add_row(Text(identifier), Text(one.outcome, _STYLES[one.outcome]), Text(one.evidence))
    console.print(table)
    for identifier, one in verdicts.items():
        if one.question:
            console.print(Text(f"{identifier}: {one.question}"))
