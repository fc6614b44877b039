"""The branches of environments move forward on main only, and what is merged is approved in the pipeline."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from scaffold.core.git import git
from tests.infrastructure.stacks import parse
from tests.kits import IDENTITY, ROOT, generate
from tests.service.conftest import import_from, run_script
from tests.service.test_complete_release import Service

TEMPLATE = re.sub(r"\{[{%].*?[%}]\}", "", (ROOT / "template/infrastructure/releases.yaml.jinja").read_text())
BUILDSPEC: dict[str, Any] = yaml.safe_load(
    parse(TEMPLATE)["Resources"]["BranchesProject"]["Properties"]["Source"]["BuildSpec"]
)
(COMMAND,) = BUILDSPEC["phases"]["build"]["commands"]
PROGRAM = compile(COMMAND.split("<<'END'\n")[1].removesuffix("END\n"), "branches", "exec")
COMMIT, OTHER = "1" * 40, "2" * 40


class Waiting:
    """The script with a release of `COMMIT` that waits for live, and for the merge gate."""

    def __init__(self) -> None:
        self.head = OTHER
        self.base = OTHER
        self.number = "7"
        self.request: dict[str, Any] = {"pullRequestStatus": "OPEN", "pullRequestTargets": [{}]}
        self.error = ""
        self.next = False
        self.uat_waits = False
        self.results: list[dict[str, Any]] = []

    def stage(self, name: str, *, waits: bool = True) -> dict[str, Any]:
        latest = {"status": "InProgress", "token": f"token-{name}"} if waits else {"status": "Succeeded"}
        action = {"actionName": "Approval", "latestExecution": latest}
        return {"stageName": name, "latestExecution": {"pipelineExecutionId": "e"}, "actionStates": [action]}

    def run(self, *, waits: bool = True) -> str:
        variables = {"BASE": self.base, "COMMIT": COMMIT, "NUMBER": self.number}
        opened = {"stageName": "Plan-Live", "actionName": "PullRequest", "output": {"outputVariables": variables}}
        states = [
            self.stage("Approve-Gate"),
            self.stage("Approve-Uat", waits=self.uat_waits),
            self.stage("Approve-Live", waits=waits),
        ]
        answers: dict[str, Any] = {
            "get-pipeline-state": {"stageStates": states},
            # None of the stage Plan-Uat.
            "list-action-executions": {"actionExecutionDetails": [opened]},
            "get-branch": {"branch": {"commitId": self.head}},
            "get-pull-request": {"pullRequest": self.request},
            "put-approval-result": {},
        }

        def aws(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
            assert options["timeout"] > 0
            if command[2] == "put-approval-result":
                self.results.append(json.loads(command[command.index("--cli-input-json") + 1]))
                states[-1] = self.stage("Approve-Live", waits=False)
                if self.next and self.head != COMMIT:
                    # Another release waits by now, and its merge was refused a build.
                    states[-1], self.head = self.stage("Approve-Live"), COMMIT
                    answers["get-branch"] = {"branch": {"commitId": COMMIT}}
                if self.error:
                    return subprocess.CompletedProcess(command, 254, "", self.error)
            return subprocess.CompletedProcess(command, 0, json.dumps(answers[command[2]]), "")

        output = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(output):
            patch.setenv("APP_NAME", "app")
            patch.setenv("ENVIRONMENTS", "uat,live")
            patch.setattr(subprocess, "run", aws)
            exec(PROGRAM, {})
        return output.getvalue()

    @property
    def result(self) -> tuple[str, str]:
        """The stage of the only decision, with its status."""
        (found,) = self.results
        assert found["token"] == f"token-{found['stageName']}"
        return found["stageName"], found["result"]["status"]


def test_a_release_that_its_branch_leads_to_is_approved() -> None:
    waiting = Waiting()
    waiting.head = COMMIT
    merge = {"isMerged": True, "mergedBy": "arn:aws:sts::1:assumed-role/Leads/ada"}
    waiting.request = {"pullRequestStatus": "CLOSED", "pullRequestTargets": [{"mergeMetadata": merge}]}
    waiting.run()
    assert waiting.result == ("Approve-Live", "Approved")
    assert "Leads/ada merged pull request 7" in waiting.results[0]["result"]["summary"]


def test_a_release_whose_pull_request_is_open_waits() -> None:
    waiting = Waiting()
    assert "waits for pull request 7" in waiting.run()
    assert waiting.results == []


def test_a_release_whose_pull_request_is_closed_is_rejected() -> None:
    waiting = Waiting()
    waiting.request["pullRequestStatus"] = "CLOSED"
    waiting.run()
    assert waiting.result == ("Approve-Live", "Rejected")


def test_it_looks_again_after_a_decision() -> None:
    """CodeBuild may have refused the build of what has happened meanwhile."""
    waiting = Waiting()
    waiting.request["pullRequestStatus"], waiting.next = "CLOSED", True
    waiting.run()
    assert [one["result"]["status"] for one in waiting.results] == ["Rejected", "Approved"]


@pytest.mark.parametrize("status", ["OPEN", "CLOSED"])
def test_a_release_whose_branch_was_moved_elsewhere_is_rejected_with_the_remedy(status: str) -> None:
    """Its pull request may be no fast-forward any more, and it would wait for days."""
    waiting = Waiting()
    waiting.head = "3" * 40
    # CodeCommit closes it if the branch has its commit now.
    waiting.request["pullRequestStatus"] = status
    waiting.run()
    assert waiting.result == ("Approve-Live", "Rejected")
    summary = waiting.results[0]["result"]["summary"]
    assert f"env/live was moved to {waiting.head}, and not to this release. Release again" in summary
    # What was opened before there was a base waits.
    unknown = Waiting()
    unknown.head, unknown.base = "3" * 40, "unknown"
    unknown.run()
    assert unknown.results == []


def test_the_first_commit_and_the_merge_gate_are_approved_by_people_only() -> None:
    waiting = Waiting()
    waiting.head, waiting.number = COMMIT, "none"
    assert "waits for an approval" in waiting.run()
    assert waiting.run(waits=False) == ""
    assert waiting.results == []


def test_a_decision_that_somebody_else_was_faster_with_is_no_failure() -> None:
    waiting = Waiting()
    waiting.head = COMMIT
    waiting.error = "An error occurred (ApprovalAlreadyCompletedException) when calling the PutApprovalResult operation"
    waiting.run()
    waiting.error = "An error occurred (AccessDeniedException) when calling the PutApprovalResult operation"
    with pytest.raises(SystemExit):
        waiting.run()


def test_an_environment_that_cannot_be_decided_keeps_no_other_from_it() -> None:
    waiting = Waiting()
    waiting.head, waiting.uat_waits = COMMIT, True
    with pytest.raises(SystemExit, match=r"^uat: IndexError"):
        waiting.run()
    assert waiting.result == ("Approve-Live", "Approved")


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    answers = {"promotion": "branches", "auto_promote": "staging"}
    return generate(tmp_path_factory.mktemp("branches") / "service", **answers) / "config" / "scripts"


@pytest.fixture
def repository(local: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Service:
    for name, value in local.items():
        monkeypatch.setenv(name, value)
    return Service("branches", tmp_path, local)


class Made:
    """A repository with commits on main, the last of which is proposed for live."""

    def __init__(self, folder: Path, commits: int) -> None:
        self._folder, self.output = folder / "repository", folder / "output"
        self.calls: list[str] = []
        git("init", "--quiet", "--initial-branch=main", str(self._folder), cwd=folder)
        for number in range(commits):
            self.git("commit", "--quiet", "--allow-empty", "--message", str(number))
        self.commits = self.git("rev-list", "--reverse", "main").split()

    def git(self, *words: str) -> str:
        return git(*words, cwd=self._folder, env=IDENTITY)

    def head(self, branch: str) -> str:
        return self.git("rev-parse", f"refs/heads/{branch}")

    def propose(self, scripts: Path, monkeypatch: pytest.MonkeyPatch, changed: str) -> Any:
        run = subprocess.run

        def aws(command: list[str], **options: Any) -> subprocess.CompletedProcess[Any]:
            if command[0] == "git":
                return run(command, **options)
            self.calls.append(command[2])
            answers = {
                "get-repository": {"repositoryMetadata": {"cloneUrlHttp": self._folder.as_uri()}},
                "list-pull-requests": {"pullRequestIds": []},
                "create-pull-request": {"pullRequest": {"pullRequestId": "7"}},
            }
            return subprocess.CompletedProcess(command, 0, json.dumps(answers[command[2]]), "")

        given = {"APP_NAME": "app", "CHANGED": changed, "COMMIT": self.commits[-1], "ENVIRONMENT_NAME": "live"}
        given |= {"OUTPUT": str(self.output), "RELEASE_NAME": "r"}
        return run_script(monkeypatch, scripts / "open_pull_request.py", aws, given)


@pytest.mark.parametrize(("changed", "waits"), [("no", "no"), ("yes", "yes")])
def test_a_release_that_changes_nothing_does_not_wait(
    scripts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str, waits: str
) -> None:
    """Its branch is where the entry check wants it, and nobody has a pull request to look at."""
    made = Made(tmp_path, commits=2)
    first, second = made.commits
    done = made.propose(scripts, monkeypatch, changed)
    assert (done.returncode, done.stderr) == (0, "")
    assert made.head("env/live") == (second if changed == "no" else first)
    assert f"export WAITS={waits}\n" in made.output.read_text()
    assert ("create-pull-request" in made.calls) is (changed == "yes")
    assert (f"Moved env/live to {second}." in done.stdout) is (changed == "no")


@pytest.mark.parametrize("changed", ["no", "yes"])
@pytest.mark.parametrize("forked_at", [0, 1, 2, None])
def test_a_branch_that_has_left_main_is_led_back(
    scripts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forked_at: int | None, changed: str
) -> None:
    """It keeps no release away, nor does it decide about one: that waits for its pull request as before."""
    made = Made(tmp_path, commits=3)
    released = made.commits[2]
    start = made.commits[forked_at] if forked_at is not None else ""
    tree = made.git("rev-parse", "main^{tree}")
    elsewhere = made.git("commit-tree", *(["-p", start] if start else []), "-m", "Elsewhere", tree)
    made.git("update-ref", "refs/heads/env/live", elsewhere)
    done = made.propose(scripts, monkeypatch, changed)
    assert (done.returncode, done.stderr) == (0, "")
    back = made.commits[min(forked_at or 0, 1)]
    assert f"env/live led to {elsewhere}, which is not on main: led it back to {back}, and kept" in done.stdout
    assert made.head("env/live") == (released if changed == "no" else back)
    assert made.head(f"candidate/live-{elsewhere[:12]}") == elsewhere
    if changed == "yes":
        exported = {"WAITS": "yes", "COMMIT": released, "NUMBER": "7", "BASE": back}
        assert made.output.read_text() == "".join(f"export {name}={value}\n" for name, value in exported.items())


@pytest.mark.slow
def test_a_branch_moves_forward_on_main_only(
    repository: Service, scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_from(monkeypatch, scripts)
    import environment_branches  # type: ignore[import-not-found]

    first, second, third = (repository.build(f"20260131-110{one}-0123456789ab", str(one)) for one in range(3))
    with environment_branches.Branches(repository.name) as branches:
        # It begins at the first commit.
        assert branches.is_behind("env/live", second)
        assert branches.head("env/live") == first
        branches.move("env/live", second)
        assert not branches.is_behind("env/live", second)
        assert branches.is_behind("env/live", third)
        branches.move("env/live", third)
        with pytest.raises(Exception, match="moves only forward; release a newer commit"):
            branches.is_behind("env/live", second)
        # Nothing moves it back, whatever was looked at before.
        with pytest.raises(Exception, match="git push"):
            branches.move("env/live", first)
        branches.replace("candidate/live", third)
        branches.replace("candidate/live", first)
        repository.git("checkout", "--quiet", "-b", "elsewhere", first)
        repository.git("commit", "--quiet", "--allow-empty", "--message", "Elsewhere")
        elsewhere = repository.git("rev-parse", "HEAD")
        repository.git("push", "--quiet", "--force", repository.url, f"{elsewhere}:refs/heads/env/live")
        assert branches.is_behind("env/live", third)
        assert branches.head("env/live") == first
        assert branches.head(f"candidate/live-{elsewhere[:12]}") == elsewhere
        with pytest.raises(Exception, match=f"the commit {elsewhere} is not on main"):
            branches.is_behind("env/other", elsewhere)


@pytest.mark.parametrize("script", ["move_branch.py", "open_pull_request.py"])
def test_a_step_without_its_variables_is_a_usage_error(
    scripts: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    done = run_script(monkeypatch, scripts / script, lambda *_, **__: pytest.fail("AWS was called"), {})
    assert (done.returncode, done.stderr[:4]) == (2, "Set ")
