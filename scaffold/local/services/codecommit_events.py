"""The events that CodeCommit sends to EventBridge.

https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html
"""

from __future__ import annotations

import time
from collections.abc import Callable

from scaffold.engine.events import Event
from scaffold.local.protocol import Document
from scaffold.local.services.pull_requests.model import Comment, PullRequest
from scaffold.local.services.repositories import Repository

#: Takes each event.
Publish = Callable[[Event], None]


def reference_changed(repository: Repository, change: Document, caller: str) -> Event:
    """The event of a branch or tag.

    Args:
        change: One of `Repository.reference_changes`, with what a merge adds to it.
    """
    common = {"repositoryName": repository.name, "repositoryId": repository.identifier, "callerUserArn": caller}
    return _event("CodeCommit Repository State Change", repository, common | change)


def pull_request_changed(request: PullRequest, event: str, caller: str, what: str, **more: str) -> Event:
    """The event of a pull request.

    Args:
        event: Such as `pullRequestCreated`.
        what: What has happened, in the words of the notification.
        more: What only this event has.
    """
    repository, number = request.repository, request.identifier
    detail = {
        "author": request.author,
        "callerUserArn": caller,
        "creationDate": _readable(request.created),
        "destinationCommit": request.destination_commit,
        "destinationReference": request.destination,
        "event": event,
        "isMerged": str(request.merge is not None),
        "lastModifiedDate": _readable(request.last_activity),
        "notificationBody": (
            f"A pull request event occurred in the following AWS CodeCommit repository: {repository.name}. {what} "
            f"For more information, go to the AWS CodeCommit console {_page(repository, f'pull-requests/{number}')}"
        ),
        "pullRequestId": number,
        "pullRequestStatus": "Open" if request.is_open else "Closed",
        "repositoryNames": [repository.name],
        "revisionId": request.revision.identifier,
        "sourceCommit": request.source_commit,
        "sourceReference": request.source,
        "title": request.title,
        **({"description": request.description} if request.description else {}),
        **more,
    }
    return _event("CodeCommit Pull Request State Change", repository, detail)


def comment_changed(comment: Comment, caller: str, change: str) -> Event:
    """The event of a comment.

    Args:
        change: `Created` or `Updated`.
    """
    repository, number = comment.repository, comment.number
    if number:
        kind, page, where = "Pull Request", f"pull-requests/{number}/activity", f"Pull Request: {number}"
    else:
        page = f"compare/{comment.before}/.../{comment.after}"
        kind, where = "Commit", f"comment ID: {comment.identifier}"
    did = "made a comment" if change == "Created" else "updated a comment or replied to a comment"
    detail = {
        **comment.place,
        "callerUserArn": caller,
        "commentId": comment.identifier,
        "event": f"commentOn{kind.replace(' ', '')}{change}",
        "notificationBody": (
            f"A comment event occurred in the following AWS CodeCommit repository: {repository.name}. The user "
            f"{caller} {did}. The comment was made on the following {where}. For more information, go to the AWS "
            f"CodeCommit console {_page(repository, page)}"
        ),
        "repositoryId": repository.identifier,
    }
    return _event(f"CodeCommit Comment on {kind}", repository, detail)


def _event(kind: str, repository: Repository, detail: Document) -> Event:
    return Event("aws.codecommit", kind, repository.region, detail, (repository.arn,), time.time())


def _page(repository: Repository, path: str) -> str:
    region = repository.region
    host = f"https://{region}.console.aws.amazon.com"
    return f"{host}/codesuite/codecommit/repositories/{repository.name}/{path}?region={region}"


def _readable(seconds: float) -> str:
    """A time as in CodeCommit's events, such as `Wed Nov 06 19:10:58 UTC 2019`."""
    return time.strftime("%a %b %d %H:%M:%S UTC %Y", time.gmtime(seconds))
