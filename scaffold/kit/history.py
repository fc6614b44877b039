"""The history of the embedded kit: one commit for each release, with the kit's files only.

Services record the commit they were generated from, and updates start from it. The same content
and the same releases therefore give the same commits in a wheel, in a checkout and on every machine.
The checkout's own commits are not in this history.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from scaffold.core.git import git, isolated_git
from scaffold.core.git_failures import GitFailed

BRANCH = "kit"
_KIT_PATHS = ("CHANGELOG.md", "copier.yml", "cookiecutter.json", "hooks", "includes", "template", ".gitattributes")
_RELEASE_TAG = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
_NO_HISTORY_TIME = 1767225600  # 2026-01-01, for sources that come without Git


def write_history(root: Path, version: str, repository: Path) -> str:
    """Create a bare repository with the kit's history.

    Args:
        root: The checkout, or the unpacked sources.
        version: The package's version, which is the kit's.
        repository: The path of the repository, which does not exist yet.

    Returns:
        The commit of the files in `root`; the branch `kit` points to it.

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
    tree = builder.working_tree()
    if parent is None or not released or tree != builder.tree_of(parent):
        # An unreleased kit has its coming version; one that changed after its release is a later version.
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
        version: The package's version, which is the kit's.
        bundle: The file to write.
        workspace: An empty directory for intermediate files.
    """
    repository = workspace / "history.git"
    write_history(root, version, repository)
    # One thread, so that the same objects are packed into the same bytes.
    isolated_git("-c", "pack.threads=1", "bundle", "create", "--quiet", str(bundle.resolve()), "--all", cwd=repository)


def kit_entries(root: Path) -> list[str]:
    """The files and folders of a checkout's top level that belong to the kit."""
    templates = sorted(path.name for path in root.glob("{{*") if path.is_dir())
    return [name for name in (*_KIT_PATHS, *templates) if (root / name).exists()]


class _Builder:
    """Writes commits to a bare repository that has the checkout as its alternate object database."""

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
        """The tags of the releases that HEAD contains, oldest first."""
        if not self.head:
            return []
        tags = self._source("tag", "--merged", "HEAD", "--list", "v*").splitlines()
        numbered = [(tuple(map(int, match.groups())), tag) for tag in tags if (match := _RELEASE_TAG.fullmatch(tag))]
        return [tag for _, tag in sorted(numbered) if self.has_kit(tag)]

    def has_kit(self, revision: str) -> bool:
        """Whether a commit of the checkout has a kit."""
        return bool(self._source("ls-tree", "--name-only", revision, "--", "copier.yml"))

    def has(self, tag: str) -> bool:
        """Whether a tag was set."""
        return tag in self._tags

    def set(self, kind: str, name: str, commit: str) -> None:
        """Point a tag or branch to a commit."""
        self._tags |= {name} if kind == "tags" else set()
        self._own("update-ref", f"refs/{kind}/{name}", commit)

    def time_of(self, revision: str) -> int:
        """The committer date of a commit of the checkout, in seconds."""
        return int(self._source("log", "-1", "--no-show-signature", "--format=%ct", revision))

    def tree_of(self, commit: str) -> str:
        """The tree object of a commit in this repository."""
        return self._own("rev-parse", f"{commit}^{{tree}}")

    def committed_tree(self, revision: str) -> str:
        """Tree object of the kit's files in a commit of the checkout."""
        top = self._source("ls-tree", "--name-only", "-z", revision).split("\0")
        names = [name for name in top if name in _KIT_PATHS or name.startswith("{{")]
        return self._tree_of_entries(self._source("ls-tree", "-z", revision, "--", *names) if names else "")

    def working_tree(self) -> str:
        """Tree object of the working tree's kit files, tracked or not, without ignored ones."""
        env = {"GIT_DIR": str(self._repository), "GIT_WORK_TREE": str(self._root)}
        env |= {"GIT_INDEX_FILE": str(self._repository / "working-tree-index")}
        committed = []
        if self.head:
            self._own("read-tree", self.head, cwd=self._root, env=env)
            committed = self._source("ls-tree", "--name-only", "-z", "HEAD").split("\0")
        names = sorted({*kit_entries(self._root), *(name for name in committed if name in _KIT_PATHS)})
        self._own("add", "--all", "--", *names, cwd=self._root, env=env)
        tree = self._own("write-tree", cwd=self._root, env=env)
        return self._tree_of_entries(self._own("ls-tree", "-z", tree, "--", *names))

    def commit(self, tree: str, time: int, parent: str | None, subject: str) -> str:
        """Write a commit that depends on its arguments alone."""
        env: dict[str, str] = {}
        for role in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{role}_NAME": "gitops-scaffold", f"GIT_{role}_EMAIL": "kit@gitops-scaffold.invalid"}
            env |= {f"GIT_{role}_DATE": f"{time} +0000"}
        parents = ("-p", parent) if parent else ()
        return self._own("commit-tree", tree, *parents, "-m", f"gitops-scaffold {subject}", env=env)

    def _tree_of_entries(self, listing: str) -> str:
        return self._own("mktree", "-z", stdin=listing)

    def _source(self, *arguments: str) -> str:
        # A user who can import this package from the checkout can read its history, even if another user owns it.
        return git("-c", "safe.directory=*", *arguments, cwd=self._root)

    def _own(
        self, *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, stdin: str = ""
    ) -> str:
        literal = {"GIT_LITERAL_PATHSPECS": "1", **(env or {})}
        return isolated_git(*arguments, cwd=cwd or self._repository, env=literal, stdin=stdin)
