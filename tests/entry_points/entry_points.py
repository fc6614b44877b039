"""The three entry points of the kit behind one signature: answers in, the directory of a service out."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import copier
import yaml
from pytest_cookies.plugin import Cookies

from scaffold.commands import new
from scaffold.commands.new import NewOptions
from scaffold.console.console import Console
from tests.kits import ROOT

SHORT = set(json.loads((ROOT / "cookiecutter.json").read_text("utf-8")))
Answers = Mapping[str, Any]


def text(value: Any) -> str:
    """An answer as a user types it."""
    return (
        value
        if isinstance(value, str)
        else yaml.safe_dump(value, default_flow_style=True, width=1000).partition("\n...")[0].strip()
    )


def cookiecutter_context(answers: Answers) -> dict[str, str]:
    """The same answers, where cookiecutter takes them."""
    extra = {name: value for name, value in answers.items() if name not in SHORT}
    short = {name: text(value) for name, value in answers.items() if name in SHORT}
    return short | ({"extra": yaml.safe_dump(extra, default_flow_style=True, width=1000)} if extra else {})


def through_copier(destination: Path, answers: Answers, kit: Path) -> Path:
    """`copier copy`."""
    copier.run_copy(str(kit), destination, data=dict(answers), defaults=True, quiet=True)
    return destination


def through_cookiecutter(cookies: Cookies, answers: Answers, kit: Path) -> Path:
    """`cookiecutter`, baked by pytest-cookies."""
    result = cookies.bake(extra_context=cookiecutter_context(answers), template=str(kit))
    assert result.exception is None, result.exception
    return result.project_path


def through_scaffold(destination: Path, answers: Answers, kit: Path | None) -> Path:
    """`scaffold new`."""
    data = {name: text(value) for name, value in answers.items()}
    options = NewOptions(destination, data, defaults=True, kit=str(kit) if kit else None, deploy=False)
    new.run(options, Console())
    return destination


def tree(service: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of a service with its executable bit and its bytes, without Git's own."""
    found = {}
    for path in sorted(service.rglob("*")):
        name = path.relative_to(service).as_posix()
        if path.is_file() and not name.startswith(".git/"):
            found[name] = (path.stat().st_mode & stat.S_IXUSR, path.read_bytes())
    return found
