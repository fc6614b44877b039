"""What CodePipeline gets from CodeCommit without its public API: a commit with its files as a ZIP archive."""

from __future__ import annotations

import tempfile
from pathlib import Path

from scaffold.core.git_failures import GitFailed
from scaffold.engine.executors.source import Commit, SourceDenied, SourceUnavailable
from scaffold.local.permissions.actor import Actor
from scaffold.local.permissions.guard import Denied
from scaffold.local.protocol import ACCOUNT
from scaffold.local.services.repositories import Repositories, Repository

#: Git's archives would leave out or change files by attributes of the repository, which CodeCommit does not read.
_ATTRIBUTES = "* -export-ignore -export-subst\n"


class SourceArchives:
    """The commits of the repositories. Its methods may be used from any thread.

    Args:
        repositories: The repositories on disk.
        actor: Who reads them.
    """

    def __init__(self, repositories: Repositories, actor: Actor) -> None:
        self._repositories = repositories
        self._actor = actor

    def head(self, region: str, repository: str, branch: str) -> str:
        """The commit id of a branch.

        Raises:
            SourceUnavailable: There is no such repository or branch.
            SourceDenied: Permission is missing.
        """
        self._require(region, repository, "codecommit:GetBranch")
        head = self._found(region, repository).branches().get(branch)
        if head is None:
            raise SourceUnavailable(f"No branch [{branch}] found in the CodeCommit repository {repository}")
        return head

    def commit(self, region: str, repository: str, commit: str) -> Commit:
        """Describe a commit.

        Raises:
            SourceUnavailable: It does not exist.
            SourceDenied: Permission is missing.
        """
        self._require(region, repository, "codecommit:GetCommit")
        try:
            found = self._found(region, repository).git(
                "show", "-s", "--format=%H%n%aI%n%cI%n%B", f"{commit}^{{commit}}"
            )
        except GitFailed as error:
            raise SourceUnavailable(f"The commit {commit} does not exist in the repository {repository}") from error
        identifier, authored, committed, message = f"{found}\n\n\n".split("\n", 3)
        return Commit(identifier, authored, committed, message.strip())

    def archive(self, region: str, repository: str, commit: str) -> bytes:
        """The files of a commit as a ZIP archive.

        Raises:
            SourceDenied: Permission is missing.
        """
        self._require(region, repository, "codecommit:UploadArchive", "codecommit:GetUploadArchiveStatus")
        found = self._found(region, repository)
        attributes = found.path / "info" / "attributes"
        attributes.parent.mkdir(exist_ok=True)
        attributes.write_text(_ATTRIBUTES)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "source.zip"
            found.git("archive", "--format=zip", f"--output={file}", commit)
            return file.read_bytes()

    def _require(self, region: str, repository: str, *actions: str) -> None:
        try:
            self._actor.require(region, f"arn:aws:codecommit:{region}:{ACCOUNT}:{repository}", *actions)
        except Denied as error:
            raise SourceDenied(
                "The service role or action role doesn't have the permissions required to access the AWS CodeCommit "
                f"repository named {repository}. Update the IAM role permissions, and then try again. Error: {error}"
            ) from error

    def _found(self, region: str, repository: str) -> Repository:
        found = self._repositories.find(region, repository)
        if found is None:
            raise SourceUnavailable(f"The CodeCommit repository {repository} does not exist in {region}")
        return found
