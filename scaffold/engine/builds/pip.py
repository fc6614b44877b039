"""The `pip3` of builds: for the infrastructure checks, programs in place of tools that take minutes to install.

pip3 SETTINGS install [OPTION…] --target FOLDER [OPTION…]        SETTINGS is the settings.json of the build's `docker`
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scaffold.engine.downloads import for_pip

# Those of the tools that are installed: Renovate calls them.
_INSTALLED = "config/renovate/requirements.txt"
#: What the requirements of the infrastructure checks install.
TOOLS = ("cfn-lint", "checkov")


def call(settings: Mapping[str, Any], words: Sequence[str]) -> int:
    """Do what pip was called for, and return the exit code.

    Args:
        settings: Those of the build's `docker`.
        words: Its arguments.
    """
    if _INSTALLED in words:
        variables = {**os.environ, **for_pip(settings["downloads"])}
        return subprocess.run([sys.executable, "-m", "pip", *words], env=variables, check=False).returncode
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
    path, *words = sys.argv[1:]
    return call(json.loads(Path(path).read_text()), words)
