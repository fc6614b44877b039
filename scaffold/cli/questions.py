"""The options of `scaffold questions`."""

from __future__ import annotations

from scaffold.cli.options import Json, KitSource, KitVersion
from scaffold.console.console import Console


def questions(kit: KitSource = None, kit_version: KitVersion = None, as_json: Json = False) -> int:
    """List the questions of a kit.

    Shows what each one asks, which answers it takes and its default. The names are those of
    `--data NAME=VALUE` and of answers files.

    \b
    Examples:
      scaffold questions
      scaffold questions --kit ../our-kit --json
    """
    from scaffold.commands.questions import run
    from scaffold.views.questions import text

    return Console(json=as_json).render(run(kit, kit_version), text)
