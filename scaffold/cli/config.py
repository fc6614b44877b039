"""The options of `scaffold config`."""

from __future__ import annotations

from scaffold.cli.options import Json
from scaffold.console.console import Console


def config(as_json: Json = False) -> int:
    """Show the defaults for new services, and where they come from.

    They are in ~/.config/gitops-scaffold/config.toml, with the keys `kit`, `kit_version` and
    answers below `[answers]`; the variables SCAFFOLD_KIT, SCAFFOLD_KIT_VERSION and
    SCAFFOLD_ANSWER_NAME, such as SCAFFOLD_ANSWER_AWS_REGION, have precedence. All of them are
    checked by the rules of the kit. With `kit_notice = false`, or SCAFFOLD_KIT_NOTICE=off, no
    command in a service says that its kit has a newer version.

    \b
    Examples:
      scaffold config
      scaffold config --json
    """
    from scaffold.commands.config import run
    from scaffold.views.config import text

    return Console(json=as_json).render(run(), text)
