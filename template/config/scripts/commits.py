"""The commits, files and tags of the service's CodeCommit repository."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from aws_calls import call
from aws_cli import Problem

GIT_SECONDS = 600
MOST_SUBJECTS = 100
LONGEST_SUBJECT = 200
REGULAR = ("100644", "100755")
MOST_FILES, LARGEST_FILE = 500, 1_000_000
USUAL_PATH = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*)*", re.ASCII)
# The helper is part of the AWS CLI. It signs the path, which Git states only if told to; the host is that of the clone
# URL, which CodeCommit gives.
SETTINGS = {
    "credential.helper": '!f() { test "$1" != get || aws codecommit credential-helper get --ignore-host-check; }; f',
    "credential.useHttpPath": "true",
    "http.followRedirects": "false",
}


class NotMergeable(Problem):
    """A commit cannot be merged into main as it is."""


class Clone:
    """A bare clone of main, for the time of a `with` block. Nothing is checked out.

    Args:
        app: The name of the service, and of its repository.
        others: Whether it has the other branches, too.
    """

    def __init__(self, app: str, others: bool = False) -> None:
        self._app = app
        self._branches = () if others else ("--single-branch", "--branch", "main")
        self._folder = tempfile.TemporaryDirectory()

    def __enter__(self) -> Clone:
        try:
            repository = call("codecommit", "get-repository", repositoryName=self._app)
            self._url = str(repository["repositoryMetadata"]["cloneUrlHttp"])
            chosen = (*self._branches, "--no-tags")
            self._run("clone", "--quiet", "--bare", "--template=", *chosen, self._url, self._folder.name)
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def push_tag(self, tag: str, commit: str) -> None:
        """Tag a commit in the repository. A tag that exists is never moved.

        Raises:
            Problem: The tag exists and leads to another commit, or cannot be pushed.
        """
        reference = f"refs/tags/{tag}"
        try:
            self._run("push", "--quiet", self._url, f"{commit}:{reference}")
        except Problem:
            there = self._run("ls-remote", self._url, reference).split("\t")[0]
            if not there:
                raise
            if there != commit:
                raise Problem(
                    f"the tag {tag} leads to {there}, but the release is of commit {commit}; find out who has pushed"
                    " it, delete it, then retry the stage"
                ) from None

    def subjects(self, old: str | None, new: str) -> list[str]:
        """The first lines of the messages of the commits that `new` has and `old` has not, the newest first.

        Without an old commit, or with one that main no longer has, those up to the new one.
        """
        revisions = [new]
        if old is not None and self._has(old):
            revisions.append(f"^{old}")
        limit = f"--max-count={MOST_SUBJECTS}"
        log = self._run("log", "--no-merges", "--format=%s", limit, "--end-of-options", *revisions, "--")
        return [line[:LONGEST_SUBJECT] for line in log.split("\n") if line]

    def merged(self, commit: str) -> str:
        """The tree of main once a commit is merged.

        Raises:
            NotMergeable: No branch has the commit, or it conflicts with main.
            Problem: Git fails.
        """
        if not self._has(commit):
            raise NotMergeable(f"no branch has the commit {commit}; push it again")
        written = self._run("merge-tree", "--write-tree", "refs/heads/main", commit, conflicts=True)
        tree, *conflicts = written.rstrip("\n").split("\n")
        if conflicts:
            raise NotMergeable("it conflicts with main; merge main into its branch")
        return tree

    def extract(self, revision: str, folder: str, into: Path) -> None:
        """Write the files in a folder of a commit or tree.

        Links, submodules, large files, and paths that have other characters than usual are left out.

        Raises:
            Problem: There are too many files.
        """
        listed = self._run("ls-tree", "-r", "-z", "--long", "--full-tree", revision, "--", f"{folder}/")
        rows = [(what.split(), path) for what, _, path in (row.partition("\t") for row in listed.split("\0") if row)]
        usual = [row for row in rows if row[0][0] in REGULAR and USUAL_PATH.fullmatch(row[1])]
        if len(usual) > MOST_FILES:
            raise Problem(f"{folder} has more than {MOST_FILES} files; remove some")
        for (_, _, blob, size), path in usual:
            if int(size) <= LARGEST_FILE:
                place = into / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(self._output("cat-file", "blob", blob))

    def _has(self, commit: str) -> bool:
        try:
            self._run("cat-file", "-e", f"{commit}^{{commit}}")
        except Problem:
            return False
        return True

    def _run(self, operation: str, *words: str, conflicts: bool = False) -> str:
        return self._output(operation, *words, conflicts=conflicts).decode("utf-8", "replace")

    def _output(self, operation: str, *words: str, conflicts: bool = False) -> bytes:
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        place = () if operation == "clone" else ("--git-dir", self._folder.name)
        environment = {
            **os.environ,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C.UTF-8",
        }
        try:
            done = subprocess.run(
                ["git", *settings, *place, operation, *words],
                env=environment,
                capture_output=True,
                timeout=GIT_SECONDS,
                check=False,
            )
        except FileNotFoundError as error:
            raise Problem("Git is not installed; install it") from error
        except subprocess.TimeoutExpired as error:
            raise Problem(f"`git {operation}` timed out after {GIT_SECONDS} s; retry the stage") from error
        # Of a merge, 1 says that it has conflicts.
        if done.returncode > conflicts:
            said = (
                " ".join(done.stderr.decode("utf-8", "replace").split()).rstrip(".")
                or f"it ended with {done.returncode}"
            )
            first = "run `scaffold deploy`, which updates the permissions" if "403" in said else "fix this"
            raise Problem(f"`git {operation}` failed: {said}; {first}, then retry the stage")
        return done.stdout
