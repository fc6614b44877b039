"""What the checks have found, as text."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from scaffold.console.console import one_line
from scaffold.console.titles import count
from scaffold.doctor.findings import Checked, DoctorResult, Finding, State
from scaffold.views.place import place

_WORDS = {State.OK: "ok", State.WARNING: "warning", State.FAILED: "failed", State.NOT_CHECKED: "not checked"}
_STATE = max(map(len, _WORDS.values()))
_TITLES = {"machine": "This machine", "account": "AWS", "service": "The service"}
_NARROWEST = 60


def text(result: DoctorResult) -> str:
    """The result as a table, with the fixes below what they fix."""
    width = max(len(one.name) for one in result.checks)
    lines = [_head(result)]
    for subject, title in _TITLES.items():
        if found := [one for one in result.checks if one.subject == subject]:
            lines += ["", title]
            lines += [line for one in found for line in _lines(one, width)]
    numbers = {state: sum(one.state is state for one in result.checks) for state in State}
    summary = [
        f"{numbers[State.FAILED]} failed" if numbers[State.FAILED] else "",
        count(numbers[State.WARNING], "warning") if numbers[State.WARNING] else "",
        f"{numbers[State.NOT_CHECKED]} not checked" if numbers[State.NOT_CHECKED] else "",
    ]
    return "\n".join([*lines, "", f"{', '.join(filter(None, summary)) or 'Everything is ok'}."])


def progress(names: Sequence[str], found: Mapping[str, Finding]) -> list[str]:
    """A line for each check, while others are running."""
    return [f"  {_WORDS[found[name].state] if name in found else '…':<{_STATE}}  {name}" for name in names]


def _head(result: DoctorResult) -> str:
    where = "local AWS" if result.local else "no account"
    if result.account and result.region:
        where = place(result.local, result.account, result.region)
    what = f"{result.service} in " if result.service else ""
    return f"gitops-scaffold {result.version}, {what}{where}"


def _lines(one: Checked, width: int) -> Iterator[str]:
    begin = f"  {_WORDS[one.state]:<{_STATE}}  {one.name:<{width}}  "
    below = " " * len(begin)
    sentence = f"{begin}{one_line(one.sentence)}"
    # Programs read lines. A fix is never wrapped, since a command in it can be pasted.
    columns = max(shutil.get_terminal_size().columns, _NARROWEST) - 1 if sys.stdout.isatty() else len(sentence)
    yield from textwrap.wrap(sentence, columns, subsequent_indent=below, break_on_hyphens=False)
    if one.fix:
        yield f"{below}{one_line(one.fix)}"
