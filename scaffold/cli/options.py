"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ServiceDirectory = Annotated[
    Path, typer.Argument(metavar="DIRECTORY", help="The service's repository.", show_default="the current directory")
]
Profile = Annotated[str | None, typer.Option(metavar="NAME", help="The AWS profile to use.", show_default=False)]
Plan = Annotated[bool, typer.Option("--plan", help="Show what would change and change nothing; exit 10 on changes.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
