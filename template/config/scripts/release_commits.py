"""The commits and tags of the service's CodeCommit repository."""

from __future__ import annotations

import os
import subprocess
import tempfile

from aws_calls import call
from aws_cli import Problem

GIT_SECONDS = 600
MOST_SUBJECTS = 100
LONGEST_SUBJECT = 200
# The helper is part of the AWS CLI. It signs the path, which Git states only if told to; the host is that of the clone
# URL, which CodeCommit gives.
SETTINGS = {
    "credential.helper": '!f() { test "$1" != get || aws codecommit credential-helper get --ignore-host-check; }; f',
    "credential.useHttpPath": "true",
    "http.followRedirects": "false",
}


class Clone:
    """A bare clone of main, for the time of a `with` block.

    Args:
        app: The name of the service, and of its repository.
    """

    def __init__(self, app: str) -> None:
        self._app = app
        self._folder = tempfile.TemporaryDirectory()

    def __enter__(self) -> Clone:
        try:
            repository = call("codecommit", "get-repository", repositoryName=self._app)
            self._url = str(repository["repositoryMetadata"]["cloneUrlHttp"])
            branch = ("--single-branch", "--branch", "main", "--no-tags")
            self._run("clone", "--quiet", "--bare", "--template=", *branch, self._url, self._folder.name)
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

    def _has(self, commit: str) -> bool:
        try:
            self._run("cat-file", "-e", f"{commit}^{{commit}}")
        except Problem:
            return False
        return True

    def _run(self, operation: str, *words: str) -> str:
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
                text=True,
                errors="replace",
                timeout=GIT_SECONDS,
                check=False,
            )
        except FileNotFoundError as error:
            raise Problem("Git is not installed; install it") from error
        except subprocess.TimeoutExpired as error:
            raise Problem(f"`git {operation}` timed out after {GIT_SECONDS} s; retry the stage") from error
        if done.returncode:
            said = " ".join(done.stderr.split()).rstrip(".") or f"it ended with {done.returncode}"
            first = "run `scaffold deploy`, which updates the permissions" if "403" in said else "fix this"
            raise Problem(f"`git {operation}` failed: {said}; {first}, then retry the stage")
        return done.stdout
