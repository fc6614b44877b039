"""The options of `scaffold cost`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Json, ServiceDirectory
from scaffold.console.console import Console


def cost(
    directory: ServiceDirectory = Path(),
    traffic: Annotated[
        str | None,
        typer.Option(metavar="low|high", help="Count traffic to production, too.", show_default="no traffic"),
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Another answer, to see what it adds or saves; repeatable."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Estimate what a service costs a month.

    By environment and resource, by the list prices in the service's kit. Answers that would
    cost less follow. AWS is not asked, and nothing is changed.

    \b
    Examples:
      scaffold cost --traffic high
      scaffold cost --compare egress=nat_gateway

    \b
    Exit codes: 0 estimated; 1 failed; 2 an option or an answer is wrong; 130 Ctrl-C.
    """
    from scaffold.commands.cost import CostOptions, run
    from scaffold.kit.answers import split_pairs
    from scaffold.views.cost import text

    console = Console(json=as_json)
    given = split_pairs(compare or [], "--compare", "egress=nat_gateway")
    return console.render(run(CostOptions(directory, traffic, given)), text)
