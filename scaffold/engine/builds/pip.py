"""The `pip3` of builds: for the infrastructure checks, programs in place of tools that take minutes to install.

pip3 install [OPTION…] --target FOLDER [OPTION…]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

#: What the requirements of the infrastructure checks install.
TOOLS = ("cfn-lint", "checkov")


def call(words: Sequence[str]) -> int:
    """Do what pip was called for, and return the exit code."""
    if "install" not in words or "--target" not in words[:-1]:
        print(f"pip3 {' '.join(words[:1])}: not rehearsed", file=sys.stderr)
        return 1
    programs = Path(words[words.index("--target") + 1], "bin")
    programs.mkdir(parents=True, exist_ok=True)
    for name in TOOLS:
        program = programs / name
        program.write_text(f"#!/bin/sh\necho '{name} is not rehearsed: it has checked nothing.'\n")
        program.chmod(0o755)
    return 0


def main() -> int:
    """Answer a call with the arguments of this process."""
    return call(sys.argv[1:])
