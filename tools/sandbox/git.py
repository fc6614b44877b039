"""Git with CodeCommit, as the account's caller."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .account import Account
from .sandbox import Sandbox
from .verdicts import Unavailable

_IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "sandbox"), ("EMAIL", "sandbox@example.com"))
}


def environment(account: Account) -> dict[str, str]:
    """The variables of child processes: the same credentials and region, and programs of this Python first."""
    programs = Path(sys.executable).parent
    # No hook, signature or alias of the user's: only commits of the run are made.
    plain = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0"}
    kept = {**os.environ, **_IDENTITY, **plain}
    region = {"AWS_REGION": account.region, "AWS_DEFAULT_REGION": account.region}
    return kept | region | {"PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"}


class Repository:
    """A clone of a repository of the run."""

    def __init__(self, account: Account, folder: Path) -> None:
        self._environment = environment(account)
        self.folder = folder

    def git(self, *arguments: str) -> str:
        """Run Git: what it prints.

        Raises:
            Unavailable: It has failed.
        """
        command = ["git", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False, timeout=300
        )
        if done.returncode:
            raise Unavailable(f"git {arguments[0]} failed: {' '.join(done.stderr.split())}")
        return done.stdout.strip()

    @classmethod
    def create(cls, sandbox: Sandbox, subject: str) -> Repository:
        """Create a CodeCommit repository, and a clone of it. Both are empty."""
        account, name = sandbox.account, sandbox.name(subject)
        sandbox.state.record("repository", name)
        account.client("codecommit").create_repository(repositoryName=name, tags=sandbox.tag_map)
        made = cls(account, sandbox.state.folder / name)
        made.folder.mkdir(parents=True)
        made.git("init", "--quiet", "--initial-branch=main")
        made.git("remote", "add", "origin", f"codecommit::{account.region}://{name}")
        return made

    def as_role(self, account: Account) -> Repository:
        """The same clone, with the credentials of a role.

        Args:
            account: One that has assumed it.
        """
        made, keys = Repository(account, self.folder), account.boto.get_credentials()
        given = {"ACCESS_KEY_ID": keys.access_key, "SECRET_ACCESS_KEY": keys.secret_key, "SESSION_TOKEN": keys.token}
        made._environment |= {f"AWS_{name}": str(value) for name, value in given.items()}
        made._environment.pop("AWS_PROFILE", None)
        return made

    @property
    def name(self) -> str:
        """The name of the CodeCommit repository."""
        return self.folder.name

    def commit(self, message: str, **files: str) -> str:
        """Write files, with two underscores for a dot in their names, and commit everything: the commit's id."""
        for name, text in files.items():
            (self.folder / name.replace("__", ".")).write_text(text, "utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def push(self, *references: str) -> None:
        """Push main, or other references."""
        self.git("push", "--quiet", "origin", *(references or ("HEAD:main",)))
