"""The bare Git repository of each CodeCommit repository."""

from __future__ import annotations

import re
import shutil
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from scaffold.core.git import git
from scaffold.local.protocol import ACCOUNT, Document, ServiceError

_INITIAL_BRANCH = "main"
_ISOLATED = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}


@dataclass
class Repository:
    """One repository: its description in the API, and its path on disk."""

    name: str
    region: str
    path: Path
    description: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    created: float = field(default_factory=time.time)
    identifier: str = field(default_factory=lambda: str(uuid.uuid4()))
    _default_branch: str | None = None
    _reported: dict[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """The repository's Amazon Resource Name."""
        return f"arn:aws:codecommit:{self.region}:{ACCOUNT}:{self.name}"

    def git(self, *arguments: str, **variables: str) -> str:
        """Run Git in the repository, without system and user configuration, with environment variables."""
        return git(*arguments, cwd=self.path, env=_ISOLATED | variables)

    def branches(self) -> dict[str, str]:
        """The commit id of each branch."""
        lines = self.git("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads").splitlines()
        return dict(line.rsplit(" ", 1) for line in lines)

    def reference_changes(self) -> list[Document]:
        """The changes of branches and tags since the last call, as the details of CodeCommit's events."""
        format_ = "--format=%(refname) %(objectname)"
        lines = self.git("for-each-ref", format_, "refs/heads", "refs/tags").splitlines()
        before, after = self._reported, dict(line.rsplit(" ", 1) for line in lines)
        self._reported = after
        return [
            _reference_change(name, before.get(name), after.get(name))
            for name in sorted(before | after)
            if before.get(name) != after.get(name)
        ]

    def default_branch(self) -> str | None:
        """The first branch ever pushed, or None before. Git refuses to delete the branch that HEAD points to."""
        self.choose_default_branch()
        return self._default_branch

    def choose_default_branch(self) -> None:
        """Make the first branch ever pushed the default branch, as CodeCommit does."""
        if self._default_branch is None and (branches := self.branches()):
            chosen = _INITIAL_BRANCH if _INITIAL_BRANCH in branches else min(branches)
            self.git("symbolic-ref", "HEAD", f"refs/heads/{chosen}")
            self._default_branch = chosen


def _reference_change(name: str, old: str | None, new: str | None) -> Document:
    kind = "referenceDeleted" if new is None else "referenceUpdated" if old else "referenceCreated"
    detail: Document = {
        "event": kind,
        "referenceType": "branch" if name.startswith("refs/heads/") else "tag",
        "referenceName": name.split("/", 2)[2],
        "referenceFullName": name,
    }
    return detail | ({"commitId": new} if new else {}) | ({"oldCommitId": old} if old else {})


class Repositories:
    """All repositories, by region and name.

    Args:
        root: The directory of the Git repositories.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._all: dict[tuple[str, str], Repository] = {}

    def create(self, region: str, name: str) -> Repository:
        """Create an empty repository. The name must not exist in the region."""
        path = self.root / region / f"{name}.git"
        path.mkdir(parents=True)
        repository = Repository(name, region, path)
        # Without a template: the machine's own may have hooks.
        repository.git("init", "--quiet", "--bare", f"--initial-branch={_INITIAL_BRANCH}", "--template=", ".")
        self._all[region, name] = repository
        return repository

    def find(self, region: str, name: str) -> Repository | None:
        """Find a repository by name, or None."""
        return self._all.get((region, name))

    def named(self, region: str, name: str) -> Repository:
        """A repository by name.

        Raises:
            ServiceError: There is none.
        """
        found = self.find(region, name)
        if found is None:
            raise ServiceError("RepositoryDoesNotExistException", f"{name} does not exist")
        return found

    def in_region(self, region: str) -> list[Repository]:
        """A region's repositories, sorted by name."""
        return sorted((r for r in self._all.values() if r.region == region), key=lambda r: r.name)

    def regions(self) -> set[str]:
        """The regions with repositories."""
        return {region for region, _ in self._all}

    def by_arn(self, arn: str) -> Repository | None:
        """Find a repository by ARN, or None."""
        match = re.fullmatch(r"arn:aws:codecommit:([a-z0-9-]+):\d{12}:(.+)", arn)
        return self.find(match[1], match[2]) if match else None

    def delete(self, repository: Repository) -> None:
        """Delete a repository, on disk too."""
        del self._all[repository.region, repository.name]
        shutil.rmtree(repository.path, ignore_errors=True)
