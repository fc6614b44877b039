"""What somebody meant who typed an unknown command or option. Nothing that deletes or decides is guessed."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

# Names that other tools have for a command of this one.
_ELSEWHERE = {
    "apply": "scaffold deploy",
    "create": "scaffold new",
    "delete": "scaffold destroy",
    "diff": "scaffold deploy --plan",
    "down": "scaffold destroy",
    "generate": "scaffold new",
    "help": "scaffold --help",
    "init": "scaffold new",
    "list": "scaffold env list",
    "plan": "scaffold deploy --plan",
    "promote": "scaffold approve",
    "remove": "scaffold destroy",
    "rm": "scaffold destroy",
    "up": "scaffold deploy",
    "upgrade": "scaffold update",
    "version": "scaffold --version",
}
# A typing error must not lead to one of these, which delete something or decide for others.
_DANGEROUS = {"approve", "destroy", "override", "reject", "remove", "rollback", "rotate", "--yes", "--all-actions"}
# How alike a misspelt option has to be. Less would suggest --environment for --event.
_SIMILAR = 0.75


def command_like(word: str, commands: Iterable[str]) -> str:
    """The sentence about the command that was meant; empty where nothing is near enough."""
    if known := _ELSEWHERE.get(word):
        return f"It is `{known}` here."
    near = _safe(get_close_matches(word, list(commands), 1, 0.6))
    return f"Did you mean `scaffold {near}`?" if near else ""


def subcommand_like(word: str, subcommands: Iterable[str]) -> str:
    """The sentence about the subcommand that was meant; empty where nothing is near enough."""
    near = _safe(get_close_matches(word, list(subcommands), 1, 0.6))
    return f"Did you mean `{near}`?" if near else ""


def option_like(word: str, options: Iterable[str]) -> str:
    """The sentence about the option that was abbreviated or misspelt; empty where nothing is near enough."""
    known = list(options)
    begun = [name for name in known if name.startswith(word)]
    near = _safe(begun[:1] if begun else get_close_matches(word, known, 1, _SIMILAR))
    return f"Did you mean {near}?" if near else ""


def _safe(found: list[str]) -> str:
    """The best match, unless it is dangerous: then nothing, since the second best is not what was meant."""
    return found[0] if found and found[0] not in _DANGEROUS else ""
