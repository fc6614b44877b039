"""What a person should know about a service that was just generated."""

from __future__ import annotations

from pathlib import Path

from scaffold.core.git import unset_identity
from scaffold.kit.urls import only_here
from scaffold.service.service import ANSWERS_FILE


def advice(source: str, folder: Path) -> list[str]:
    """What will not work later, each with its remedy.

    Args:
        source: The kit's address, as the service records it.
        folder: The service's repository.
    """
    found = []
    if only_here(source):
        found.append(
            f"The kit {source} exists on this machine only, so `scaffold update` will work nowhere else. Push it to a "
            f"Git repository, and set `_src_path` in {ANSWERS_FILE} to the URL of that repository."
        )
    if unset := unset_identity(folder):
        commands = " and ".join(f"`git config --global {setting} VALUE`" for setting in unset)
        found.append(
            f"{' and '.join(unset)} of Git {'is' if len(unset) == 1 else 'are'} not set, so the author of the first "
            f"commit is a placeholder. Before you commit, run {commands}."
        )
    return found
