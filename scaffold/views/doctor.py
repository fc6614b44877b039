"""What the checks have found, as text."""

from __future__ import annotations

import re
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
_COMMAND = re.compile(r"`[^`]*`")
_NO_BREAK = "\0"


def text(result: DoctorResult) -> str:
    """The result in several lines, each fix below what it fixes."""
    lines = [_head(result)]
    for subject, title in _TITLES.items():
        if found := [one for one in result.checks if one.subject == subject]:
            lines += ["", title]
            lines += [line for one in found for line in _lines(one)]
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


def _lines(one: Checked) -> Iterator[str]:
    begin = f"  {_WORDS[one.state]:<{_STATE}}  "
    below = " " * len(begin)
    yield from _wrapped(f"{one.name}: {one.sentence}", begin, below)
    if one.fix:
        yield from _wrapped(one.fix, below, below)


def _wrapped(text: str, first: str, others: str) -> list[str]:
    """Text in lines as long as the terminal, which break no command between backticks: it can be pasted."""
    whole = _COMMAND.sub(lambda command: command[0].replace(" ", _NO_BREAK), one_line(text))
    # Programs read one line each.
    columns = max(shutil.get_terminal_size().columns, _NARROWEST) - 1 if sys.stdout.isatty() else sys.maxsize
    lines = textwrap.wrap(
        whole, columns, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace(_NO_BREAK, " ") for line in lines]
