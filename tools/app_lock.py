"""Writes the lock file of the generated application, for every answer that adds packages: `python tools/app_lock.py`.

npm locks the packages of each answer, from the versions that are locked already. What an answer adds stands between
conditions in one template, so that the others are locked once and for all answers alike.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from jinja2 import Environment

APP = Path(__file__).resolve().parent.parent / "template" / "app"
LOCK = APP / "package-lock.json.jinja"
#: The answers that add packages: what each is without and with them, and the condition of the latter.
OPTIONS = {
    "database": ("none", "postgres", "database == 'postgres'"),
    "observability": ("off", "full", "observability != 'off'"),
}

_PACKAGE = '    "node_modules/'
_END_OF_PACKAGE = ("    },\n", "    }\n")
_JINJA = Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)  # noqa: S701 JSON, no HTML


def render(template: str, on: tuple[str, ...] = ()) -> str:
    """A template of the application with some of the options."""
    answers = {name: with_it if name in on else without for name, (without, with_it, _) in OPTIONS.items()}
    return _JINJA.from_string(template).render(answers)


def lock(on: tuple[str, ...]) -> str:
    """The lock file that npm writes for some of the options."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "package.json").write_text(render((APP / "package.json.jinja").read_text(), on))
        (place / "package-lock.json").write_text(render(LOCK.read_text(), on))
        (place / ".npmrc").write_text((APP / ".npmrc").read_text())
        command = ["npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--silent"]
        subprocess.run(command, cwd=place, check=True)
        return (place / "package-lock.json").read_text()


def parts(text: str) -> Iterator[str]:
    """The packages of a lock file, and its other lines."""
    package = ""
    for line in text.splitlines(keepends=True):
        if package or line.startswith(_PACKAGE):
            package += line
        if not package:
            yield line
        elif line in _END_OF_PACKAGE:
            yield package
            package = ""


def merged(locks: Mapping[tuple[str, ...], str]) -> str:
    """One template for lock files of all combinations of options.

    Raises:
        ValueError: An option does more than to add packages.
    """
    base = set(parts(locks[()]))
    alone = {name: set(parts(locks[(name,)])) for name in OPTIONS}

    def condition(part: str) -> str:
        if part in base:
            return ""
        return " or ".join(OPTIONS[name][2] for name in OPTIONS if part in alone[name])

    written = []
    for one, group in itertools.groupby(parts(locks[tuple(OPTIONS)]), condition):
        text = "".join(group)
        written.append(f"{{% if {one} %}}\n{text}{{% endif %}}\n" if one else text)
    template = "".join(written)
    wrong = [on for on, text in locks.items() if render(template, on) != text]
    if wrong:
        raise ValueError(f"the lock files with {wrong} differ by more than packages that are added")
    return template


def combinations() -> list[tuple[str, ...]]:
    """All combinations of options."""
    return [found for count in range(len(OPTIONS) + 1) for found in itertools.combinations(OPTIONS, count)]


def main() -> int:
    """Write the template."""
    LOCK.write_text(merged({on: lock(on) for on in combinations()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
