"""Releases that branches promote, from a commit of main to production, with the roles of the templates."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scaffold.core.git import git
from scaffold.deployment.approval import Rejection
from scaffold.deployment.follow import ReleaseFailed
from scaffold.service import project_names
from scaffold.service.service import read
from scaffold.views import releases as releases_view
from scaffold.views import status as status_view
from tests.deploy.services import client, commit
from tests.release.rehearsals import APPLICATION, small_service
from tests.release.services import decide, look, release, stage

# Several releases, each with builds.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def until(what: str, holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 300
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


class Promoted:
    """A service whose environments follow branches; staging by itself."""

    def __init__(self, root: Path) -> None:
        answers = {"environments": "dev,staging,live", "promotion": "branches", "auto_promote": "staging"}
        self.root = small_service(root, app_name="promoted", **answers)
        self.app = read(self.root).app_name

    def head(self, branch: str) -> str:
        found = client("codecommit").get_branch(repositoryName=self.app, branchName=branch)
        return str(found["branch"]["commitId"])

    def waiting(self) -> Any:
        """Release, until the release waits for production."""
        found = release(self.root).release
        assert found
        assert found.waiting == "Approve-Live"
        return found

    def open_requests(self) -> list[str]:
        listed = client("codecommit").list_pull_requests(repositoryName=self.app, pullRequestStatus="OPEN")
        return list(listed["pullRequestIds"])

    def request(self) -> dict[str, Any]:
        """The only open pull request."""
        (number,) = self.open_requests()
        found: dict[str, Any] = client("codecommit").get_pull_request(pullRequestId=number)["pullRequest"]
        return found

    def approval(self) -> dict[str, Any]:
        """The newest execution of production's approval."""
        (action,) = stage(self.app, "Approve-Live")["actionStates"]
        found: dict[str, Any] = action["latestExecution"]
        return found

    def builds(self) -> int:
        return len(client("codebuild").list_builds_for_project(projectName=project_names.build(self.app))["ids"])

    def move(self, branch: str, to: str) -> None:
        """Move a branch by force, as somebody without branch protection can."""
        git("push", "-q", "--force", "origin", f"{to}:refs/heads/{branch}", cwd=self.root)


def test_branches_promote_releases(aws: None, tmp_path: Path) -> None:
    service = Promoted(tmp_path / "promoted")
    # The first commit, to which no pull request can lead.
    first = service.waiting()
    assert service.open_requests() == []
    decide(service.root, environment="live", yes=True, execution=first.execution)
    assert release(service.root).exit_code == 0
    assert service.head("env/staging") == service.head("env/live") == first.commit

    # From feature to production twice, with one build each: once by merging, once by `scaffold approve`.
    for number, merge in enumerate((True, False), start=2):
        commit(service.root, app__src__main_mjs=f"{APPLICATION}// {number}\n")
        waiting = service.waiting()
        assert service.head("env/staging") == waiting.commit
        assert service.head("env/live") != waiting.commit
        request = service.request()
        (target,) = request["pullRequestTargets"]
        assert (target["destinationReference"], target["sourceCommit"]) == ("refs/heads/env/live", waiting.commit)
        if merge:
            client("codecommit").merge_pull_request_by_fast_forward(
                pullRequestId=request["pullRequestId"], repositoryName=service.app
            )
            until("the merge has not approved the release", lambda: service.approval()["status"] == "Succeeded")
            assert f"merged pull request {request['pullRequestId']}" in service.approval()["summary"]
        else:
            decided = decide(service.root, environment="live", yes=True, execution=waiting.execution)
            assert f"pull request {request['pullRequestId']}" in "\n".join(releases_view.describe(decided.release))
        assert release(service.root).exit_code == 0
        assert service.head("env/live") == waiting.commit
        assert service.builds() == number
    assert "env/live leads to" in status_view.text(look(service.root))

    # A release that changes nothing moves the branch, and waits for nobody.
    released = commit(service.root, notes_txt="No file of a stack\n")
    assert release(service.root).exit_code == 0
    assert (service.head("env/live"), service.open_requests()) == (released, [])

    # A pull request that is closed rejects the release.
    commit(service.root, app__src__main_mjs=f"{APPLICATION}// closed\n")
    waiting = service.waiting()
    number = service.request()["pullRequestId"]
    client("codecommit").update_pull_request_status(pullRequestId=number, pullRequestStatus="CLOSED")
    until("closing has not rejected the release", lambda: service.approval()["status"] == "Failed")
    assert f"Pull request {number} was closed" in service.approval()["summary"]

    # A release that is rejected closes its pull request.
    commit(service.root, app__src__main_mjs=f"{APPLICATION}// rejected\n")
    waiting = service.waiting()
    decide(service.root, Rejection, environment="live", yes=True, execution=waiting.execution)
    assert service.open_requests() == []

    # An approval without the merge does not release.
    commit(service.root, notes_txt="The same image\n")
    service.waiting()
    client("codepipeline").put_approval_result(
        pipelineName=service.app, stageName="Approve-Live", actionName="Approval", token=service.approval()["token"],
        result={"status": "Approved", "summary": "Without the pull request"},
    )  # fmt: skip
    with pytest.raises(ReleaseFailed, match="in the action PlanCheck of the stage Live"):
        release(service.root)
    assert service.head("env/live") == released

    # Nor does a branch that somebody has moved elsewhere: the release that waits is rejected, and the next one leads
    # the branch back.
    commit(service.root, app__src__main_mjs=f"{APPLICATION}// moved\n")
    service.waiting()
    # From the commit before: a branch that has the release's commit would close its pull request.
    git("switch", "-q", "-c", "elsewhere", "main~1", cwd=service.root)
    elsewhere = commit(service.root, notes_txt="Not on main\n")
    service.move("env/live", elsewhere)
    git("switch", "-q", "main", cwd=service.root)
    until("the move has not rejected the release", lambda: service.approval()["status"] == "Failed")
    assert f"env/live was moved to {elsewhere}" in service.approval()["summary"]
    text = status_view.text(look(service.root))
    assert f"The branch env/live leads to {elsewhere[:7]}, but the last release" in text
    commit(service.root, app__src__main_mjs=f"{APPLICATION}// led back\n")
    service.waiting()
    assert service.head(f"candidate/live-{elsewhere[:12]}") == elsewhere
    client("codecommit").merge_pull_request_by_fast_forward(
        pullRequestId=service.request()["pullRequestId"], repositoryName=service.app
    )
    until("the merge has not approved the release", lambda: service.approval()["status"] == "Succeeded")
    assert release(service.root).exit_code == 0
