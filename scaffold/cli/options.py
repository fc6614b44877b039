"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ServiceDirectory = Annotated[
    Path, typer.Argument(metavar="DIRECTORY", help="The service's repository.", show_default="the current directory")
]
Profile = Annotated[str | None, typer.Option(metavar="PROFILE", help="The AWS profile to use.", show_default=False)]
Plan = Annotated[
    bool,
    typer.Option("--plan", "--dry-run", help="Show what would change and change nothing; exit 10 on changes."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Root = Annotated[
    Path, typer.Option(metavar="DIRECTORY", help="The service's repository.", show_default="the current directory")
]
ReleasedTo = Annotated[
    str | None,
    typer.Argument(metavar="ENV", help="The environment that it waits for.", show_default="the only one that waits"),
]
Message = Annotated[str, typer.Option(metavar="TEXT", help="What others read about the decision.", show_default=False)]
Execution = Annotated[
    str | None, typer.Option(metavar="ID", help="The pipeline execution that it has to be.", show_default=False)
]
KitSource = Annotated[
    str | None,
    typer.Option(metavar="SOURCE", help="The kit: a folder, a Git URL, git+codecommit::…", show_default="embedded"),
]
KitVersion = Annotated[str | None, typer.Option(metavar="REF", help="The kit's tag or commit.", show_default="newest")]
