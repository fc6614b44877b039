"""The argument of `scaffold completion`."""

from __future__ import annotations

from typing import Annotated

import typer

from scaffold.core.errors import UsageError


def completion(
    shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish", help="The shell.", show_default=False)],
) -> int:
    """Print what completes commands in a shell.

    Commands, options, environments, profiles, and the questions of the embedded kit with their
    choices. To have it in every shell, add the first line to ~/.bashrc, the second one to
    ~/.zshrc after compinit, or the third one to ~/.config/fish/config.fish.

    \b
    Examples:
      source <(scaffold completion bash)
      source <(scaffold completion zsh)
      scaffold completion fish | source
    """
    from scaffold.completion.scripts import SCRIPTS

    if shell not in SCRIPTS:
        raise UsageError(
            f"There is no completion for {shell}.",
            f"Name one of {', '.join(SCRIPTS)}, as in `scaffold completion bash`.",
        )
    print(SCRIPTS[shell], end="")
    return 0
