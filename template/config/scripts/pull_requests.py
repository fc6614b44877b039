"""Pull requests of CodeCommit, and the builds of CodeBuild that test and plan them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from aws_calls import call, pages

DESTINATION = "refs/heads/main"
# What is done for each of them, by the end of the project's name.
TESTS, PLAN = KINDS = ("pr-tests", "pr-plan")
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
    """A build that tests or plans a pull request.

    Attributes:
        kind: Which of them, as the end of its project's name.
        request: The number of the pull request.
        revision: That of the pull request when the build was started; empty for a build that a person has started.
        seconds: How long it took; zero while it is running.
        log: Log group and log stream, as CodeBuild names them.
    """

    id: str
    kind: str
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
    """The builds of pull requests, the newest of a kind first, as far as the last 100 builds of a project are some."""
    known: list[Build] = []
    for kind in KINDS:
        ids = call("codebuild", "list-builds-for-project", projectName=f"{app}-{kind}").get("ids", [])
        found = call("codebuild", "batch-get-builds", ids=ids).get("builds", []) if ids else []
        described = {one["id"]: build_of(one, kind) for one in found}
        known += [described[one] for one in ids if one in described and described[one].request]
    return known


def build_of(found: dict[str, Any], kind: str) -> Build:
    """A build of a kind as CodeBuild describes it."""
    logs, status = found.get("logs", {}), found["buildStatus"]
    variables = found.get("environment", {}).get("environmentVariables", [])
    given = {one["name"]: one["value"] for one in variables}
    number = given.get("PULL_REQUEST", "")
    seconds = sum(phase.get("durationInSeconds", 0) for phase in found.get("phases", []))
    return Build(
        found["id"],
        kind,
        number if re.fullmatch("[0-9]+", number) else "",
        given.get("REVISION", ""),
        # The source of a plan is main.
        found.get("sourceVersion", "") if kind == TESTS else given.get("COMMIT", ""),
        status,
        0 if status == RUNNING else seconds,
        logs.get("deepLink", ""),
        (logs.get("groupName", ""), logs.get("streamName", "")),
    )
