"""CodeCommit source actions: the commit of a branch as an artifact."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from scaffold.engine.executors.artifacts import ArtifactProblem, Artifacts
from scaffold.engine.pipeline.jobs import Failed, Job, Outcome, Progress, Revision, Succeeded


@dataclass(frozen=True)
class Commit:
    """A commit. The dates are in ISO 8601."""

    identifier: str
    authored: str
    committed: str
    message: str


class SourceUnavailable(Exception):
    """A repository, branch or commit does not exist. The text is for people."""


class SourceDenied(Exception):
    """The role lacks a permission. The text is for people."""


class SourceControl(Protocol):
    """What CodePipeline gets from CodeCommit without its public API."""

    def head(self, region: str, repository: str, branch: str) -> str:
        """The commit id of a branch."""

    def commit(self, region: str, repository: str, commit: str) -> Commit:
        """Describe a commit."""

    def archive(self, region: str, repository: str, commit: str) -> bytes:
        """The files of a commit as a ZIP archive."""


class CodeCommitSource:
    """Stores the files of a branch's head, or of the commit that the execution was started for.

    Args:
        source: The repositories.
        artifacts: Where the files are stored.
    """

    def __init__(self, source: SourceControl, artifacts: Artifacts) -> None:
        self._source = source
        self._artifacts = artifacts

    def __call__(self, job: Job) -> Outcome:
        """Execute a source action."""
        given, assignment = job.assignment.configuration, job.assignment
        repository, branch = given["RepositoryName"], given["BranchName"]
        output = given.get("OutputArtifactFormat", "CODE_ZIP")
        if output != "CODE_ZIP":
            return Failed("ActionConfigurationError", f"not rehearsed: OutputArtifactFormat {output}")
        try:
            wanted = assignment.revision or self._source.head(assignment.region, repository, branch)
            commit = self._source.commit(assignment.region, repository, wanted)
            archive = self._source.archive(assignment.region, repository, commit.identifier)
            for name in assignment.outputs:
                self._artifacts.store(assignment, name, archive)
        except SourceDenied as error:
            return Failed("PermissionError", str(error))
        except (SourceUnavailable, ArtifactProblem) as error:
            return Failed("RevisionUnavailable", str(error))
        job.report(Progress(identifier=commit.identifier))
        variables = {
            "RepositoryName": repository,
            "BranchName": branch,
            "AuthorDate": commit.authored,
            "CommitterDate": commit.committed,
            "CommitId": commit.identifier,
            "CommitMessage": commit.message,
        }
        created = datetime.fromisoformat(commit.committed).timestamp()
        revision = Revision(commit.identifier, commit.message, _console(assignment.region, repository, commit), created)
        return Succeeded(commit.message, variables, tuple(assignment.outputs), revision)


def _console(region: str, repository: str, commit: Commit) -> str:
    console = f"https://{region}.console.aws.amazon.com/codesuite/codecommit"
    return f"{console}/repositories/{repository}/commit/{commit.identifier}?region={region}"
