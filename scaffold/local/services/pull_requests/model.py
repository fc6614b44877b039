"""Pull requests, their approval rules and comments, in the form of CodeCommit's API."""

from __future__ import annotations

import hashlib
import secrets
import time
import uuid
from dataclasses import dataclass, field

from scaffold.local.protocol import Document
from scaffold.local.services.repositories import Repository


@dataclass(frozen=True)
class ApprovalRule:
    """An approval rule that a template has created.

    Attributes:
        origin: The id of the template, whose name the rule has.
    """

    name: str
    content: str
    origin: str
    author: str
    created: float = field(default_factory=time.time)
    identifier: str = field(default_factory=lambda: str(uuid.uuid4()))

    def document(self) -> Document:
        """The rule as the API describes it."""
        return {
            "approvalRuleId": self.identifier,
            "approvalRuleName": self.name,
            "approvalRuleContent": self.content,
            "ruleContentSha256": hashlib.sha256(self.content.encode()).hexdigest(),
            "creationDate": self.created,
            "lastModifiedDate": self.created,
            "lastModifiedUser": self.author,
            "originApprovalRuleTemplate": {
                "approvalRuleTemplateId": self.origin,
                "approvalRuleTemplateName": self.name,
            },
        }


@dataclass(frozen=True)
class Merge:
    """How a pull request was merged.

    Attributes:
        option: Such as FAST_FORWARD_MERGE.
        commit: The merge commit; empty for a fast-forward merge.
    """

    option: str
    by: str
    commit: str = ""


@dataclass
class Revision:
    """A state of the source branch, with the approvals that it has.

    Attributes:
        approvers: The ARNs of the callers that approve it.
        overrider: The ARN of the caller that has overridden the rules; empty for none.
    """

    identifier: str = field(default_factory=lambda: secrets.token_hex(32))
    approvers: list[str] = field(default_factory=list)
    overrider: str = ""


@dataclass
class PullRequest:
    """One pull request.

    Attributes:
        author: The ARN of the caller that has created it.
        source: The full name of the branch with the changes.
        destination: The full name of the branch to merge them into.
        destination_commit: The tip of the destination, since its end the one before it.
        merge_base: What both branches have in common; empty for nothing.
        revisions: By their ids, the newest last.
    """

    identifier: str
    repository: Repository
    author: str
    title: str
    description: str
    source: str
    destination: str
    source_commit: str
    destination_commit: str
    merge_base: str
    token: str
    rules: tuple[ApprovalRule, ...]
    is_open: bool = True
    merge: Merge | None = None
    created: float = field(default_factory=time.time)
    last_activity: float = field(default_factory=time.time)
    revisions: dict[str, Revision] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.add_revision()

    @property
    def status(self) -> str:
        """The status, as the API has it."""
        return "OPEN" if self.is_open else "CLOSED"

    @property
    def revision(self) -> Revision:
        """The current revision."""
        return self.revisions[next(reversed(self.revisions))]

    def add_revision(self) -> None:
        """Begin a revision without approvals."""
        new = Revision()
        self.revisions[new.identifier] = new

    def document(self) -> Document:
        """The pull request as the API describes it."""
        optional = {"description": self.description, "clientRequestToken": self.token}
        return {
            "pullRequestId": self.identifier,
            "title": self.title,
            "lastActivityDate": self.last_activity,
            "creationDate": self.created,
            "pullRequestStatus": self.status,
            "authorArn": self.author,
            "pullRequestTargets": [self._target()],
            "revisionId": self.revision.identifier,
            "approvalRules": [rule.document() for rule in self.rules],
            **{key: value for key, value in optional.items() if value},
        }

    def _target(self) -> Document:
        merge: Document = {"isMerged": self.merge is not None}
        if self.merge:
            merge |= {"mergedBy": self.merge.by, "mergeOption": self.merge.option}
            merge |= {"mergeCommitId": self.merge.commit} if self.merge.commit else {}
        return {
            "repositoryName": self.repository.name,
            "sourceReference": self.source,
            "destinationReference": self.destination,
            "destinationCommit": self.destination_commit,
            "sourceCommit": self.source_commit,
            "mergeMetadata": merge,
            **({"mergeBase": self.merge_base} if self.merge_base else {}),
        }


@dataclass
class Comment:
    """One comment.

    Attributes:
        before: The commit that another one is compared with; empty for none.
        number: The pull request's; empty for a comment on commits only.
    """

    repository: Repository
    before: str
    after: str
    number: str
    author: str
    content: str
    token: str
    created: float = field(default_factory=time.time)
    modified: float = field(default_factory=time.time)
    identifier: str = field(default_factory=lambda: str(uuid.uuid4()))

    def document(self) -> Document:
        """The comment as the API describes it."""
        return {
            "commentId": self.identifier,
            "content": self.content,
            "creationDate": self.created,
            "lastModifiedDate": self.modified,
            "authorArn": self.author,
            "deleted": False,
            "callerReactions": [],
            "reactionCounts": {},
            **({"clientRequestToken": self.token} if self.token else {}),
        }

    @property
    def place(self) -> Document:
        """What it is about."""
        optional = {"pullRequestId": self.number, "beforeCommitId": self.before}
        given = {key: value for key, value in optional.items() if value}
        return {"repositoryName": self.repository.name, "afterCommitId": self.after, **given}
