"""The files of a service as its commits have them."""

from __future__ import annotations

import io
from functools import cached_property

from scaffold.core.git import clean_environment, git, git_bytes
from scaffold.core.git_failures import GitFailed
from scaffold.service.service import Service
from scaffold.service.stack_kinds import StackId

_FOLDER = "infrastructure"


class CommittedFiles:
    """The templates and configuration files of a service in its commits."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._texts: dict[str, dict[str, str]] = {}

    @cached_property
    def head(self) -> str:
        """The commit that is checked out."""
        return git("rev-parse", "HEAD", cwd=self._service.root)

    def template(self, stack: StackId, commit: str) -> str | None:
        """The text of a stack's template; None where the commit has none, or declares no such stack.

        An environment whose folder has neither template nor configuration file of a kind has no such stack, unless
        the environments share both.
        """
        *own, template, configuration = (path in self._of(commit) for path in self.paths(stack))
        if stack.environment and not any(own) and not (template and configuration):
            return None
        return self._first(stack, commit, ".yaml")

    def configuration(self, stack: StackId, commit: str) -> str | None:
        """The text of a stack's configuration file; None where the commit has none."""
        return self._first(stack, commit, ".json")

    @staticmethod
    def paths(stack: StackId) -> list[str]:
        """Where the files of a stack may be, those of its environment first."""
        folders = [f"{_FOLDER}/{stack.environment}", _FOLDER] if stack.environment else [_FOLDER]
        return [f"{folder}/{stack.kind.name}{ending}" for folder in folders for ending in (".yaml", ".json")]

    def _first(self, stack: StackId, commit: str, ending: str) -> str | None:
        texts = self._of(commit)
        return next((texts[path] for path in self.paths(stack) if path.endswith(ending) and path in texts), None)

    def _of(self, commit: str) -> dict[str, str]:
        """The texts of all files of a commit by their paths, read at once; none where the clone lacks the commit."""
        if commit not in self._texts:
            self._texts[commit] = self._read(commit)
        return self._texts[commit]

    def _read(self, commit: str) -> dict[str, str]:
        root = self._service.root
        try:
            listed = git("ls-tree", "-r", "-z", commit, "--", _FOLDER, cwd=root)
        except GitFailed:
            return {}
        entries = [entry.partition("\t") for entry in listed.split("\0") if entry]
        objects = {path: about.split()[2] for about, _, path in entries if about.split()[1] == "blob"}
        asked = "".join(f"{one}\n" for one in objects.values()).encode()
        answer = io.BytesIO(git_bytes("cat-file", "--batch", cwd=root, env=clean_environment(), stdin=asked))
        texts = {}
        for path in objects:
            _, kind, *size = answer.readline().split()
            if kind == b"blob":
                content = io.BytesIO(answer.read(int(size[0])))
                # With any line breaks, as the files of the work tree are read.
                texts[path] = io.TextIOWrapper(content, "utf-8", "replace").read().removesuffix("\n")
                answer.readline()
        return texts
