"""The files of a service as its commits have them."""

from __future__ import annotations

from functools import cached_property

from scaffold.core.git import git
from scaffold.core.git_failures import GitFailed
from scaffold.service.service import Service
from scaffold.service.stack_kinds import StackId

_FOLDER = "infrastructure"


class CommittedFiles:
    """The templates and configuration files of a service in its commits."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._paths: dict[str, set[str]] = {}
        self._texts: dict[tuple[str, str], str] = {}

    @cached_property
    def head(self) -> str:
        """The commit that is checked out."""
        return git("rev-parse", "HEAD", cwd=self._service.root)

    def template(self, stack: StackId, commit: str) -> str | None:
        """The text of a stack's template; None where the commit has none, or declares no such stack.

        An environment whose folder has neither template nor configuration file of a kind has no such stack, unless
        the environments share both.
        """
        *own, template, configuration = (self._has(commit, path) for path in self.paths(stack))
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
        found = (path for path in self.paths(stack) if path.endswith(ending) and self._has(commit, path))
        path = next(found, None)
        return None if path is None else self._text(commit, path)

    def _has(self, commit: str, path: str) -> bool:
        if commit not in self._paths:
            try:
                listed = git("ls-tree", "-r", "-z", "--name-only", commit, "--", _FOLDER, cwd=self._service.root)
            except GitFailed:  # the clone lacks the commit
                listed = ""
            self._paths[commit] = set(listed.split("\0"))
        return path in self._paths[commit]

    def _text(self, commit: str, path: str) -> str:
        key = commit, path
        if key not in self._texts:
            self._texts[key] = git("cat-file", "blob", f"{commit}:./{path}", cwd=self._service.root)
        return self._texts[key]
