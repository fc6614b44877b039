"""Bare Git repositories on disk, one for each CodeCommit repository."""

from __future__ import annotations

import re
import shutil
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from scaffold.core.git import git
from scaffold.local.protocol import ACCOUNT

_ISOLATED = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}


@dataclass
class Repository:
    """One repository: what the API knows of it, and where Git keeps it."""

    name: str
    region: str
    path: Path
    description: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    created: float = field(default_factory=time.time)
    identifier: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def arn(self) -> str:
        """The repository's Amazon Resource Name."""
        return f"arn:aws:codecommit:{self.region}:{ACCOUNT}:{self.name}"

    def git(self, *arguments: str) -> str:
        """Run Git in the repository, free of the machine's settings."""
        return git(*arguments, cwd=self.path, env=_ISOLATED)

    def branches(self) -> dict[str, str]:
        """The commit of each branch."""
        lines = self.git("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads").splitlines()
        return dict(line.rsplit(" ", 1) for line in lines)

    def default_branch(self) -> str | None:
        """The branch that HEAD names, once it exists."""
        name = self.git("symbolic-ref", "--short", "HEAD")
        return name if name in self.branches() else None

    def settle_default_branch(self) -> None:
        """Make the first branch that was ever pushed the default one, as CodeCommit does."""
        branches = self.branches()
        if branches and self.default_branch() is None:
            self.git("symbolic-ref", "HEAD", f"refs/heads/{min(branches)}")


class Repositories:
    """All repositories, by region and name.

    Args:
        root: The directory that holds them.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._all: dict[tuple[str, str], Repository] = {}

    def create(self, region: str, name: str) -> Repository:
        """Create an empty repository.

        Args:
            region: The region it belongs to.
            name: Its name, which must not exist there.
        """
        path = self.root / region / f"{name}.git"
        path.mkdir(parents=True)
        repository = Repository(name, region, path)
        # An empty template: the machine's own may hold hooks.
        repository.git("init", "--quiet", "--bare", "--initial-branch=main", "--template=", ".")
        self._all[region, name] = repository
        return repository

    def find(self, region: str, name: str) -> Repository | None:
        """The repository of that name in a region, or None."""
        return self._all.get((region, name))

    def in_region(self, region: str) -> list[Repository]:
        """A region's repositories by name."""
        return sorted((r for r in self._all.values() if r.region == region), key=lambda r: r.name)

    def regions(self) -> set[str]:
        """The regions that have a repository."""
        return {region for region, _ in self._all}

    def by_arn(self, arn: str) -> Repository | None:
        """The repository of an ARN, or None."""
        match = re.fullmatch(r"arn:aws:codecommit:([a-z0-9-]+):\d{12}:(.+)", arn)
        return self.find(match[1], match[2]) if match else None

    def delete(self, repository: Repository) -> None:
        """Remove a repository and its objects."""
        del self._all[repository.region, repository.name]
        shutil.rmtree(repository.path, ignore_errors=True)
