"""How much a command says, and whether in colour: `--quiet`, `--verbose`, `--no-color` and their variables."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TextIO


@dataclass
class _Preferences:
    quiet: bool = False
    verbose: bool = False


_chosen = _Preferences()


def be_quiet() -> None:
    """Leave out progress and notes; warnings, errors and results remain."""
    _chosen.quiet = True


def be_verbose() -> None:
    """Show also the calls of AWS, the kit in use, and how long each takes."""
    _chosen.verbose = True


def use_no_color() -> None:
    """Use no colour, here, in the libraries that draw, and in programs that are started."""
    os.environ["NO_COLOR"] = "1"
    os.environ.pop("FORCE_COLOR", None)


def reset() -> None:
    """Say as much as without options."""
    _chosen.quiet = _chosen.verbose = False


def quiet() -> bool:
    """Whether progress is left out."""
    return _chosen.quiet


def verbose() -> bool:
    """Whether details are shown."""
    return _chosen.verbose


def coloured(stream: TextIO) -> bool:
    """Whether to write colours: NO_COLOR forbids them, FORCE_COLOR asks for them; else a terminal that is not dumb gets
    them. An empty variable counts as unset.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()


def mark(symbol: str, plain: str) -> str:
    """A symbol, or plain text where stderr cannot show it."""
    return symbol if _can_encode(symbol) else plain


def _can_encode(text: str) -> bool:
    try:
        text.encode(sys.stderr.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
