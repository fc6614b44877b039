"""The kit's own history: one commit a release, holding nothing but the kit's files.

Services record the commit they were generated from, and updates start from it. The same content
and the same releases therefore give the same commits everywhere: in a wheel, in a checkout, on
every machine. Whoever reads this history never sees the checkout's own commits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from scaffold.core.git import git, isolated_git
from scaffold.core.git_failures import GitFailed

BRANCH = "kit"
_KIT_PATHS = ("copier.yml", "cookiecutter.json", "hooks", "includes", "template", ".gitattributes")
_RELEASE_TAG = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
_NO_HISTORY_TIME = 1767225600  # 2026-01-01, for sources that come without Git


def write_history(root: Path, version: str, repository: Path) -> str:
    """Create a bare repository with the kit's history.

    Args:
        root: The checkout, or the unpacked sources.
        version: The package's version, which is the kit's.
        repository: Where the repository is created; nothing may be there.

    Returns:
        The commit of the kit as it stands in `root`; the branch `kit` points to it.

    Raises:
        GitFailed: Git cannot read the checkout or write the repository.
    """
    repository.mkdir(parents=True)
    isolated_git("init", "--quiet", "--bare", "--object-format=sha1", "--template=", ".", cwd=repository)
    builder = _Builder(root, repository)
    tag = f"v{version}"
    parent: str | None = None
    for release in builder.releases():
        parent = builder.commit(builder.committed_tree(release), builder.time_of(release), parent, release)
        builder.set("tags", release, parent)

    released = builder.has(tag)
    tree = builder.standing_tree()
    if parent is None or not released or tree != builder.tree_of(parent):
        # What is not released yet has the name it will have; what changed since counts as a later version.
        tag = f"{tag}.post1" if released else tag
        time = builder.time_of("HEAD") if builder.head else _NO_HISTORY_TIME
        parent = builder.commit(tree, time, parent, tag)
        builder.set("tags", tag, parent)
    builder.set("heads", BRANCH, parent)
    return parent


def write_bundle(root: Path, version: str, bundle: Path, workspace: Path) -> None:
    """Write the kit's history to a Git bundle.

    Args:
        root: The checkout, or the unpacked sources.
        version: The package's version.
        bundle: The file to write.
        workspace: An empty directory for intermediate files.
    """
    repository = workspace / "history.git"
    write_history(root, version, repository)
    # One thread, so that the same objects are packed into the same bytes.
    isolated_git("-c", "pack.threads=1", "bundle", "create", "--quiet", str(bundle.resolve()), "--all", cwd=repository)


def kit_entries(root: Path) -> list[str]:
    """The names at the top of a checkout that belong to the kit, as far as they exist.

    Args:
        root: The checkout.
    """
    doors = sorted(path.name for path in root.glob("{{*") if path.is_dir())
    return [name for name in (*_KIT_PATHS, *doors) if (root / name).exists()]


class _Builder:
    """Writes commits into a bare repository that borrows the objects of the checkout while it does."""

    def __init__(self, root: Path, repository: Path) -> None:
        self._root = root
        self._repository = repository
        self._tags: set[str] = set()
        self.head = ""
        if (root / ".git").exists():
            objects = root / self._source("rev-parse", "--git-path", "objects")
            (repository / "objects" / "info").mkdir(exist_ok=True)
            (repository / "objects" / "info" / "alternates").write_text(f"{objects.resolve()}\n", "utf-8")
            with suppress(GitFailed):  # a repository without commits
                self.head = self._source("rev-parse", "--verify", "--quiet", "HEAD")

    def releases(self) -> list[str]:
        """The tags of the releases that led to this checkout, oldest first."""
        if not self.head:
            return []
        tags = self._source("tag", "--merged", "HEAD", "--list", "v*").splitlines()
        numbered = [(tuple(map(int, match.groups())), tag) for tag in tags if (match := _RELEASE_TAG.fullmatch(tag))]
        return [tag for _, tag in sorted(numbered) if self.holds_kit(tag)]

    def holds_kit(self, revision: str) -> bool:
        """Whether a commit of the checkout has questions at all."""
        return bool(self._source("ls-tree", "--name-only", revision, "--", "copier.yml"))

    def has(self, tag: str) -> bool:
        """Whether a tag was set."""
        return tag in self._tags

    def set(self, kind: str, name: str, commit: str) -> None:
        """Point a tag or branch to a commit."""
        self._tags |= {name} if kind == "tags" else set()
        self._own("update-ref", f"refs/{kind}/{name}", commit)

    def time_of(self, revision: str) -> int:
        """When a commit of the checkout was made, in seconds."""
        return int(self._source("log", "-1", "--no-show-signature", "--format=%ct", revision))

    def tree_of(self, commit: str) -> str:
        """The tree of a commit written here."""
        return self._own("rev-parse", f"{commit}^{{tree}}")

    def committed_tree(self, revision: str) -> str:
        """The kit's part of a commit of the checkout, as a tree."""
        top = self._source("ls-tree", "--name-only", "-z", revision).split("\0")
        names = [name for name in top if name in _KIT_PATHS or name.startswith("{{")]
        return self._tree_of_entries(self._source("ls-tree", "-z", revision, "--", *names) if names else "")

    def standing_tree(self) -> str:
        """The kit's part of the checkout's files as they stand, committed or not, ignored ones left out."""
        env = {"GIT_DIR": str(self._repository), "GIT_WORK_TREE": str(self._root)}
        env |= {"GIT_INDEX_FILE": str(self._repository / "standing-index")}
        committed = []
        if self.head:
            self._own("read-tree", self.head, cwd=self._root, env=env)
            committed = self._source("ls-tree", "--name-only", "-z", "HEAD").split("\0")
        names = sorted({*kit_entries(self._root), *(name for name in committed if name in _KIT_PATHS)})
        self._own("add", "--all", "--", *names, cwd=self._root, env=env)
        tree = self._own("write-tree", cwd=self._root, env=env)
        return self._tree_of_entries(self._own("ls-tree", "-z", tree, "--", *names))

    def commit(self, tree: str, time: int, parent: str | None, subject: str) -> str:
        """Write a commit whose every byte follows from its arguments."""
        env: dict[str, str] = {}
        for role in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{role}_NAME": "gitops-scaffold", f"GIT_{role}_EMAIL": "kit@gitops-scaffold.invalid"}
            env |= {f"GIT_{role}_DATE": f"{time} +0000"}
        parents = ("-p", parent) if parent else ()
        return self._own("commit-tree", tree, *parents, "-m", f"gitops-scaffold {subject}", env=env)

    def _tree_of_entries(self, listing: str) -> str:
        return self._own("mktree", "-z", stdin=listing)

    def _source(self, *arguments: str) -> str:
        # Whoever may import this package from the checkout may read its history, whoever owns the folder.
        return git("-c", "safe.directory=*", *arguments, cwd=self._root)

    def _own(
        self, *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, stdin: str = ""
    ) -> str:
        literal = {"GIT_LITERAL_PATHSPECS": "1", **(env or {})}
        return isolated_git(*arguments, cwd=cwd or self._repository, env=literal, stdin=stdin)
