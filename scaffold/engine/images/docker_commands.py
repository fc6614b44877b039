"""What the `docker` of builds does alike with and without a container engine: choosing a command, and signing in."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence

from scaffold.engine.images.needs_engine import BuildFailed
from scaffold.engine.images.store import Store

#: Runs a command with its arguments, and returns its exit code.
Command = Callable[[Sequence[str]], int]


def call(commands: Mapping[tuple[str, ...], Command], words: Sequence[str]) -> int | None:
    """Run a command line, and return its exit code; None if it begins with none of the commands."""
    for names, command in commands.items():
        if tuple(words[: len(names)]) == names:
            return command(words[len(names) :])
    return None


def login(parser: argparse.ArgumentParser, store: Store, words: Sequence[str]) -> int:
    """Keep a password for a registry. It is not checked before it is used.

    Args:
        parser: Without arguments yet; it says what is wrong with the call.
    """
    parser.add_argument("--username", "-u", required=True)
    parser.add_argument("--password-stdin", action="store_true", required=True)
    parser.add_argument("registry", nargs="?")
    options = parser.parse_args(words)
    password = sys.stdin.read().strip()
    if not password:
        raise BuildFailed("password is empty")
    store.sign_in(options.registry or "docker.io", options.username, password)
    print("Login Succeeded")
    return 0


def exit_code(code: int) -> int:
    """The exit code of a process as a shell has it: 128 and the number of the signal that ended it."""
    return code if code >= 0 else 128 - code
