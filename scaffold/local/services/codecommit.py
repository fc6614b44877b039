"""Emulates CodeCommit's API, over real Git repositories."""

from __future__ import annotations

import re
from collections.abc import Callable

from botocore import xform_name

from scaffold.local.protocol import ACCOUNT, AwsService, Call, Document, ServiceError
from scaffold.local.services.approval_rules import ApprovalRuleTemplates
from scaffold.local.services.differences import get_differences
from scaffold.local.services.folders import get_folder
from scaffold.local.services.pull_requests.approvals import ApprovalOperations
from scaffold.local.services.pull_requests.comments import CommentOperations
from scaffold.local.services.pull_requests.merges import MergeOperations
from scaffold.local.services.pull_requests.requests import PullRequestOperations
from scaffold.local.services.pull_requests.store import PullRequests
from scaffold.local.services.repositories import Repositories, Repository

# The name of a parameter that is not valid, in the message about it.
_INVALID = re.compile(
    r"(?:^Invalid length for parameter |at '(?:[\w\[\]]+\.)*)"
    r"(?P<name>repositoryName|title|description|pullRequestStatus|approvalState|overrideStatus)\b"
)


class CodeCommit(AwsService):
    """Repositories, their branches and tags; the other parts of the API are classes of their own.

    Args:
        repositories: The repositories on disk.
        git_address: The host and port of the Git endpoint, for clone URLs.
        pull_requests: Their pull requests.
    """

    name = "codecommit"

    def __init__(self, repositories: Repositories, git_address: str, pull_requests: PullRequests) -> None:
        self.repositories = repositories
        self.git_address = git_address
        self.approval_rules = ApprovalRuleTemplates(repositories)
        self.pull_requests = pull_requests
        self._parts: tuple[object, ...] = (
            self,
            self.approval_rules,
            PullRequestOperations(pull_requests, repositories, self.approval_rules),
            ApprovalOperations(pull_requests),
            CommentOperations(pull_requests, repositories),
            MergeOperations(pull_requests, repositories),
        )

    def method(self, operation: str) -> Callable[[Call], Document] | None:
        """The method for an operation, here or of a part of the API."""
        name = xform_name(operation)
        found: Callable[[Call], Document] | None = next(
            (getattr(part, name) for part in self._parts if hasattr(part, name)), None
        )
        return found

    def check_input(self, call: Call) -> None:
        """Validate the input. Many parameters have exceptions of their own."""
        try:
            super().check_input(call)
        except ServiceError as error:
            invalid = _INVALID.search(error.message)
            if invalid:
                name = invalid["name"]
                raise ServiceError(f"Invalid{name[0].upper()}{name[1:]}Exception", error.message) from error
            raise

    def create_repository(self, call: Call) -> Document:
        """Create an empty repository."""
        name = call.parameters["repositoryName"]
        if name.endswith(".git"):
            raise ServiceError("InvalidRepositoryNameException", "A repository name must not end in .git")
        if self.repositories.find(call.region, name):
            raise ServiceError("RepositoryNameExistsException", f"Repository named {name} already exists")
        repository = self.repositories.create(call.region, name)
        repository.description = call.parameters.get("repositoryDescription")
        repository.tags = dict(call.parameters.get("tags", {}))
        return {"repositoryMetadata": self._metadata(repository)}

    def get_repository(self, call: Call) -> Document:
        """Describe a repository."""
        return {"repositoryMetadata": self._metadata(self._repository(call))}

    def list_repositories(self, call: Call) -> Document:
        """List a region's repositories."""
        found = self.repositories.in_region(call.region)
        return {"repositories": [{"repositoryName": r.name, "repositoryId": r.identifier} for r in found]}

    def delete_repository(self, call: Call) -> Document:
        """Delete a repository. No error if it does not exist."""
        repository = self.repositories.find(call.region, call.parameters["repositoryName"])
        if repository is None:
            return {}
        self.approval_rules.disassociate_all(repository)
        self.pull_requests.forget(repository)
        self.repositories.delete(repository)
        return {"repositoryId": repository.identifier}

    def list_tags_for_resource(self, call: Call) -> Document:
        """List a repository's tags."""
        return {"tags": self._by_arn(call).tags}

    def tag_resource(self, call: Call) -> Document:
        """Add or update tags of a repository."""
        self._by_arn(call).tags.update(call.parameters["tags"])
        return {}

    def get_branch(self, call: Call) -> Document:
        """Describe a branch."""
        if "branchName" not in call.parameters:
            raise ServiceError("BranchNameRequiredException", "A branch name is required")
        name = call.parameters["branchName"]
        return {"branch": {"branchName": name, "commitId": self._commit_of_branch(self._repository(call), name)}}

    def get_differences(self, call: Call) -> Document:
        """List the files that differ between two commits."""
        return get_differences(self._repository(call), call.parameters)

    def get_folder(self, call: Call) -> Document:
        """List a folder at a commit."""
        return get_folder(self._repository(call), call.parameters)

    def _repository(self, call: Call) -> Repository:
        if "repositoryName" not in call.parameters:
            raise ServiceError("RepositoryNameRequiredException", "A repository name is required")
        return self.repositories.named(call.region, call.parameters["repositoryName"])

    def _by_arn(self, call: Call) -> Repository:
        repository = self.repositories.by_arn(call.parameters["resourceArn"])
        if repository is None:
            raise ServiceError("RepositoryDoesNotExistException", f"{call.parameters['resourceArn']} does not exist")
        return repository

    @staticmethod
    def _commit_of_branch(repository: Repository, name: str) -> str:
        commit = repository.branches().get(name)
        if commit is None:
            raise ServiceError("BranchDoesNotExistException", f"{name} does not exist")
        return commit

    def _metadata(self, repository: Repository) -> Document:
        described = {
            "accountId": ACCOUNT,
            "repositoryId": repository.identifier,
            "repositoryName": repository.name,
            "Arn": repository.arn,
            "creationDate": repository.created,
            "lastModifiedDate": repository.created,
            "cloneUrlHttp": f"https://{self.git_address}/v1/repos/{repository.name}",
            "cloneUrlSsh": f"ssh://git-codecommit.{repository.region}.amazonaws.com/v1/repos/{repository.name}",
        }
        optional = {"repositoryDescription": repository.description, "defaultBranch": repository.default_branch()}
        return described | {key: value for key, value in optional.items() if value}
