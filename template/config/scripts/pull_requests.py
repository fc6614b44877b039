"""Pull requests of CodeCommit, and the builds of CodeBuild that test them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from aws_calls import call, pages

DESTINATION = "refs/heads/main"
RUNNING, STOPPED, SUCCEEDED = "IN_PROGRESS", "STOPPED", "SUCCEEDED"


@dataclass(frozen=True)
class PullRequest:
    """An open pull request to main.

    Attributes:
        revision: What an approval applies to; it differs after each push to the branch.
        commit: The newest commit of the branch.
        destination: The commit of main that it is compared with.
    """

    number: str
    revision: str
    commit: str
    destination: str


@dataclass(frozen=True)
class Build:
    """A build that tests a pull request.

    Attributes:
        request: The number of the pull request.
        revision: That of the pull request when the build was started; empty for a build that a person has started.
        seconds: How long it took; zero while it is running.
        log: Log group and log stream, as CodeBuild names them.
    """

    id: str
    request: str
    revision: str
    commit: str
    status: str
    seconds: int
    link: str
    log: tuple[str, str]

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.status == RUNNING


def pull_request(app: str, number: str) -> PullRequest | None:
    """A pull request; None where it is closed, or none to main of this service."""
    found = call("codecommit", "get-pull-request", pullRequestId=number)["pullRequest"]
    # CodeCommit's pull requests have one target.
    (target,) = found["pullRequestTargets"]
    wanted = ("OPEN", app, DESTINATION)
    if (found["pullRequestStatus"], target["repositoryName"], target["destinationReference"]) != wanted:
        return None
    return PullRequest(number, found["revisionId"], target["sourceCommit"], target["destinationCommit"])


def open_requests(app: str) -> list[str]:
    """The numbers of the open pull requests, the newest first, whatever branch they are to."""
    listed = pages("codecommit", "list-pull-requests", repositoryName=app, pullRequestStatus="OPEN")
    return sorted((number for page in listed for number in page.get("pullRequestIds", [])), key=int, reverse=True)


def builds(app: str) -> list[Build]:
    """The builds that test pull requests, the newest first, as far as the project's last 100 do."""
    ids = call("codebuild", "list-builds-for-project", projectName=f"{app}-pr-tests").get("ids", [])
    if not ids:
        return []
    found = call("codebuild", "batch-get-builds", ids=ids).get("builds", [])
    described = {one["id"]: build_of(one) for one in found}
    return [described[one] for one in ids if one in described and described[one].request]


def build_of(found: dict[str, Any]) -> Build:
    """A build as CodeBuild describes it."""
    logs, status = found.get("logs", {}), found["buildStatus"]
    variables = found.get("environment", {}).get("environmentVariables", [])
    given = {one["name"]: one["value"] for one in variables}
    number = given.get("PULL_REQUEST", "")
    seconds = sum(phase.get("durationInSeconds", 0) for phase in found.get("phases", []))
    return Build(
        found["id"],
        number if re.fullmatch("[0-9]+", number) else "",
        given.get("REVISION", ""),
        found.get("sourceVersion", ""),
        status,
        0 if status == RUNNING else seconds,
        logs.get("deepLink", ""),
        (logs.get("groupName", ""), logs.get("streamName", "")),
    )
