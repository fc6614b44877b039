"""The API of pull requests themselves: they are created, described, edited and closed."""

from __future__ import annotations

import time

from scaffold.local.protocol import Call, Document, ServiceError
from scaffold.local.services.approval_rules import ApprovalRuleTemplates
from scaffold.local.services.pull_requests.history import merge_base
from scaffold.local.services.pull_requests.model import ApprovalRule, PullRequest
from scaffold.local.services.pull_requests.pages import page
from scaffold.local.services.pull_requests.pools import applies_to
from scaffold.local.services.pull_requests.store import PullRequests
from scaffold.local.services.pull_requests.tokens import Tokens
from scaffold.local.services.repositories import Repositories, Repository

_MOST_OPEN = 1000


class PullRequestOperations:
    """The operations."""

    def __init__(self, requests: PullRequests, repositories: Repositories, templates: ApprovalRuleTemplates) -> None:
        self._requests = requests
        self._repositories = repositories
        self._templates = templates
        self._tokens = Tokens()

    def create_pull_request(self, call: Call) -> Document:
        """Create a pull request, with the approval rules of the repository's templates."""
        number = self._tokens.once(call, lambda: self._create(call).identifier)
        return {"pullRequest": self._requests.named(call.region, number).document()}

    def get_pull_request(self, call: Call) -> Document:
        """Describe a pull request."""
        return {"pullRequest": self._named(call).document()}

    def list_pull_requests(self, call: Call) -> Document:
        """List the ids of a repository's pull requests, the oldest first."""
        wanted = call.parameters
        repository = self._repositories.named(call.region, wanted["repositoryName"])
        found = [
            one.identifier
            for one in self._requests.of(repository)
            if wanted.get("authorArn", one.author) == one.author
            and wanted.get("pullRequestStatus", one.status) == one.status
        ]
        return page("pullRequestIds", found, call)

    def update_pull_request_title(self, call: Call) -> Document:
        """Replace the title of an open pull request."""
        request = self._open(call)
        request.title = _title(call.parameters)
        return self._edited(request)

    def update_pull_request_description(self, call: Call) -> Document:
        """Replace the description of an open pull request."""
        request = self._open(call)
        request.description = call.parameters["description"]
        return self._edited(request)

    def update_pull_request_status(self, call: Call) -> Document:
        """Close a pull request. One that is closed stays so."""
        request, status = self._named(call), call.parameters["pullRequestStatus"]
        if status == "OPEN" and not request.is_open:
            raise ServiceError(
                "InvalidPullRequestStatusUpdateException", "The only valid update of the status is from OPEN to CLOSED"
            )
        if status == "CLOSED" and request.is_open:
            self._requests.close(request, call.caller)
        return {"pullRequest": request.document()}

    def _create(self, call: Call) -> PullRequest:
        given = call.parameters
        title = _title(given)
        target = _target(given["targets"])
        repository = self._repositories.named(call.region, target["repositoryName"])
        if sum(one.is_open for one in self._requests.of(repository)) >= _MOST_OPEN:
            raise ServiceError(
                "MaximumOpenPullRequestsExceededException", f"At most {_MOST_OPEN} pull requests can be open"
            )
        source, source_commit = _branch(repository, target["sourceReference"])
        given_destination = target.get("destinationReference") or repository.default_branch()
        destination, commit = _branch(repository, given_destination or "")
        if source == destination:
            raise ServiceError(
                "SourceAndDestinationAreSameException", "The source and the destination must be different branches"
            )
        rules = [
            ApprovalRule(one.name, one.content, one.identifier, call.caller)
            for one in self._templates.of(repository)
            if applies_to(one.content, destination)
        ]
        made = self._requests.add(
            call.region,
            lambda number: PullRequest(
                identifier=number,
                repository=repository,
                author=call.caller,
                title=title,
                description=given.get("description", ""),
                source=source,
                destination=destination,
                source_commit=source_commit,
                destination_commit=commit,
                merge_base=merge_base(repository, commit, source_commit),
                token=given.get("clientRequestToken", ""),
                rules=tuple(rules),
            ),
        )
        what = (
            f"User: {call.caller}. Event: Created. The pull request was created with the following information: "
            f"Pull Request ID as {made.identifier} and title as {title}."
        )
        self._requests.tell(made, "pullRequestCreated", call.caller, what)
        return made

    def _named(self, call: Call) -> PullRequest:
        return self._requests.named(call.region, call.parameters["pullRequestId"])

    def _open(self, call: Call) -> PullRequest:
        return self._requests.open_one(call.region, call.parameters["pullRequestId"])

    @staticmethod
    def _edited(request: PullRequest) -> Document:
        request.last_activity = time.time()
        return {"pullRequest": request.document()}


def _title(given: Document) -> str:
    if not given["title"]:
        raise ServiceError("TitleRequiredException", "A pull request title is required")
    return str(given["title"])


def _target(targets: list[Document]) -> Document:
    """The one target that a pull request has."""
    if not targets:
        raise ServiceError("TargetsRequiredException", "An array of target objects is required")
    if len({target["repositoryName"] for target in targets}) > 1:
        raise ServiceError(
            "MultipleRepositoriesInPullRequestException", "A pull request cannot include more than one repository"
        )
    if len(targets) > 1:
        raise ServiceError("InvalidTargetsException", "A pull request has one target")
    return targets[0]


def _branch(repository: Repository, reference: str) -> tuple[str, str]:
    """The full name and the tip of a branch that is given by its short or full name."""
    if not reference:
        raise ServiceError("ReferenceNameRequiredException", "A reference name is required")
    full = reference if reference.startswith("refs/") else f"refs/heads/{reference}"
    branches = {f"refs/heads/{name}": commit for name, commit in repository.branches().items()}
    if full in branches:
        return full, branches[full]
    if full.startswith("refs/tags/"):
        raise ServiceError("ReferenceTypeNotSupportedException", f"{reference} is not a branch")
    raise ServiceError("ReferenceDoesNotExistException", f"{reference} does not exist")
