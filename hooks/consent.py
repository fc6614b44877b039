"""Whether a person asked for the deployment: `deploy` in a default_context answers for every kit that has the question.

cookiecutter does not tell its hooks where an answer comes from, so its configuration and command line are read again.
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import yaml


def withheld() -> str:
    """The configuration file that answers `deploy`, unless cookiecutter's command line does too; empty for none."""
    words = command_line()
    if any(word.startswith("deploy=") for word in words):
        return ""
    return next((str(path) for path in configurations(words) if answers_deploy(path)), "")


def command_line() -> list[str]:
    """The words of the command that runs this hook; empty where the system does not show them."""
    try:
        return [os.fsdecode(word) for word in Path(f"/proc/{os.getppid()}/cmdline").read_bytes().split(b"\0")]
    except OSError:
        return []


def configurations(words: list[str]) -> list[Path]:
    """The files in which cookiecutter looks for a default_context."""
    option = "--config-file"
    named = [after for word, after in pairwise(words) if word == option]
    named += [word.partition("=")[2] for word in words if word.startswith(f"{option}=")]
    # While hooks run, cookiecutter's current folder is not the user's.
    user = os.environ.get("PWD", "")
    standard = (os.environ.get("COOKIECUTTER_CONFIG", ""), "~/.cookiecutterrc")
    return [Path(user, os.path.expanduser(name)) for name in (*named, *standard) if name]  # noqa: PTH111


def answers_deploy(path: Path) -> bool:
    """Whether a configuration file answers the question."""
    try:
        configuration = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return False
    defaults = configuration.get("default_context") if isinstance(configuration, dict) else None
    return isinstance(defaults, dict) and "deploy" in defaults
