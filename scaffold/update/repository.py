"""The service's Git repository: where it is, and how Git runs there."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from scaffold.core.git import ISOLATED, clean_environment, git_bytes

# Mode and object of a file, by path. Paths are bytes: a repository may have names in any encoding.
Entry = tuple[bytes, bytes]
Entries = dict[bytes, Entry]

# GIT_* variables that lead to programs, configuration and repositories of the user. All others change results.
_KEPT = ("GIT_CONFIG_", "GIT_SSH", "GIT_ASKPASS", "GIT_EXEC_PATH", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_")
# Settings with which the same three trees have the same merge on every machine. Merge drivers and filters that
# .gitattributes names run as they are configured.
_FIXED = (
    *ISOLATED,
    *("-c", "core.safecrlf=false"),
    *("-c", "core.fileMode=true"),
    *("-c", "core.symlinks=true"),
    *("-c", "core.ignoreCase=false"),
    *("-c", "core.splitIndex=false"),
    *("-c", "core.untrackedCache=false"),
    *("-c", "core.fsync=none"),
    *("-c", "submodule.recurse=false"),
    *("-c", "merge.default=text"),
    *("-c", "merge.conflictStyle=merge"),
    *("-c", "merge.directoryRenames=false"),
    *("-c", "merge.renames=true"),
    *("-c", "merge.renameLimit=32767"),
    *("-c", "diff.renameLimit=32767"),
    *("-c", "diff.algorithm=histogram"),
)
# The end of remedies.
AGAIN = "then run the same command again."


@dataclass(frozen=True)
class Repository:
    """The repository that a service is in.

    Attributes:
        top: The work tree.
        git_dir: The directory with its index.
        objects: The directory of its objects.
        prefix: The service's path inside the work tree, with a slash at the end; empty at the top.
    """

    top: Path
    git_dir: Path
    objects: Path
    prefix: bytes

    def as_user(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        accepted: Collection[int] = (0,),
    ) -> bytes:
        """Run Git with the user's configuration, as `git status` in the work tree does."""
        arguments = ("-c", f"core.hooksPath={os.devnull}", *arguments)
        return git_bytes(*arguments, cwd=self.top, env=self._environment(env or {}), stdin=stdin, accepted=accepted)

    def run(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        cwd: Path | None = None,
        accepted: Collection[int] = (0,),
    ) -> bytes:
        """Run Git so that no configuration of the user's decides about the result.

        Args:
            env: Variables to set.
            cwd: The work tree, if it is not that of the repository.
        """
        work_tree = cwd or self.top
        place = {"GIT_DIR": str(self.git_dir), "GIT_WORK_TREE": str(work_tree), "GIT_ATTR_NOSYSTEM": "1"}
        environment = self._environment({**place, **(env or {})})
        return git_bytes(*_FIXED, *arguments, cwd=work_tree, env=environment, stdin=stdin, accepted=accepted)

    def path(self, name: bytes) -> Path:
        """A file of the work tree."""
        return self.top / os.fsdecode(name)

    def setting(self, key: str) -> str:
        """A true-or-false setting of the user; empty where it is not set."""
        return self.as_user("config", "--type=bool", "--get", key, accepted=(0, 1)).decode().strip()

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        kept = {
            name: value
            for name, value in clean_environment().items()
            if not name.startswith("GIT_") or name.startswith((*_KEPT, "GIT_TERMINAL_PROMPT"))
        }
        fixed = {"GIT_LITERAL_PATHSPECS": "1", "GIT_NO_REPLACE_OBJECTS": "1", "GIT_OPTIONAL_LOCKS": "0"}
        return {**kept, **fixed, **more}
