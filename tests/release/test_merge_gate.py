"""A merge that changes what decides about releases waits for a person: the kit's own pipeline on local AWS."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from scaffold.core.git import git
from scaffold.service import names
from scaffold.service.service import read
from scaffold.service.stack_kinds import CHECKS, StackId
from tests.deploy.services import commit, run, unused_name
from tests.release.rehearsals import small_service

# Each merge is a release, which takes half a minute on a busy machine.
pytestmark = pytest.mark.timeout(1800)
# The releases of these tests end after the pipeline's update of itself.
NO_BUILD = "version: 0.2\nphases: {build: {commands: ['false']}}\n"
INTEGRATION_TESTS = "config/tests/integration"
INTEGRATION_TEST = "config__tests__integration__service.test_mjs"
ENDED = ("Succeeded", "Failed", "Stopped", "Cancelled")


class Merges:
    """A deployed service, and commits that are merged into its main.

    Attributes:
        root: The clone.
        base: The commit that is deployed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.app = read(root).app_name
        self.base = commit(root, config__buildspecs__build_yml=NO_BUILD, **{INTEGRATION_TEST: "import 'node:test';\n"})
        run(root)
        self.pipeline = boto3.Session().client("codepipeline", region_name="us-east-1")
        self._cloudformation = boto3.Session().client("cloudformation", region_name="us-east-1")
        self.ended(self.base)

    def merge(self, change: Callable[[Path], Any]) -> str:
        """Put main at the deployed commit and a change of it, in place of whatever is there."""
        git("reset", "--hard", "--quiet", self.base, cwd=self.root)
        change(self.root)
        made = commit(self.root)
        git("push", "--quiet", "--force", "origin", f"HEAD:{names.BRANCH}", cwd=self.root, env=dict(os.environ))
        return made

    def asked(self, made: str) -> str | None:
        """What a person is asked about a commit; None where its release has got past the gate without, or failed."""

        def find() -> str | bool:
            for one in self._actions(made):
                if one["stageName"] == names.GATE_APPROVAL_STAGE:
                    return str(one["input"]["resolvedConfiguration"]["CustomData"])
                if one["stageName"] == names.SELF_UPDATE_STAGE:
                    return True
            return [one["status"] for one in self.executions(made)][:1] == ["Failed"]

        found = eventually(find)
        return found if isinstance(found, str) else None

    def answer(self, made: str, status: str) -> None:
        """Decide, and wait for the end of the execution."""

        def token() -> str | None:
            (state,) = [one for one in self._states() if one["stageName"] == names.GATE_APPROVAL_STAGE]
            found: str | None = state["actionStates"][0].get("latestExecution", {}).get("token")
            return found

        self.pipeline.put_approval_result(
            pipelineName=self.app,
            stageName=names.GATE_APPROVAL_STAGE,
            actionName="Approval",
            token=eventually(token),
            result={"status": status, "summary": "Seen"},
        )
        self.ended(made)

    def failed(self, made: str) -> list[str]:
        """The actions of a commit's release that have failed."""
        return [one["actionName"] for one in self._actions(made) if one["status"] == "Failed"]

    def log(self, made: str, action: str) -> str:
        """The log of a build of a commit's release."""
        (build,) = [one["output"]["executionResult"] for one in self._actions(made) if one["actionName"] == action]
        group, stream = f"/{self.app}/pipeline/checks", build["externalExecutionId"].rpartition(":")[2]
        logs = boto3.Session().client("logs", region_name="us-east-1")
        events = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]
        return "\n".join(event["message"] for event in events)

    def deployed(self) -> str:
        """The commit that the gate compares with."""
        (stack,) = self._cloudformation.describe_stacks(StackName=StackId(CHECKS).name(self.app))["Stacks"]
        return {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}[names.SOURCE_COMMIT]

    def stages(self) -> list[str]:
        """The stages of the pipeline that is deployed."""
        return [one["stageName"] for one in self._states()]

    def executions(self, made: str) -> list[dict[str, Any]]:
        """The executions of a commit, the newest first."""
        found = self.pipeline.list_pipeline_executions(pipelineName=self.app)["pipelineExecutionSummaries"]
        return [one for one in found if made in [revision["revisionId"] for revision in one["sourceRevisions"]]]

    def _states(self) -> list[dict[str, Any]]:
        states: list[dict[str, Any]] = self.pipeline.get_pipeline_state(name=self.app)["stageStates"]
        return states

    def _actions(self, made: str) -> list[dict[str, Any]]:
        return [
            action
            for one in self.executions(made)
            for action in self.pipeline.list_action_executions(
                pipelineName=self.app, filter={"pipelineExecutionId": one["pipelineExecutionId"]}
            )["actionExecutionDetails"]
        ]

    def ended(self, made: str) -> None:
        """Wait until the newest execution of a commit has ended."""
        assert eventually(lambda: [one["status"] in ENDED for one in self.executions(made)][:1] == [True]), made


def eventually(check: Callable[[], Any]) -> Any:
    """What a function returns, once it is true."""
    end = time.monotonic() + 300
    while not (found := check()):
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.5)
    return found


@pytest.fixture
def merges(aws: None, tmp_path: Path, request: pytest.FixtureRequest) -> Merges:
    environments = getattr(request, "param", "dev,prod")
    return Merges(small_service(tmp_path / "service", app_name=unused_name(), environments=environments))


def edited(path: str, old: str, new: str) -> Callable[[Path], None]:
    """A change that replaces a text of a file wherever it occurs."""

    def change(root: Path) -> None:
        text = (root / path).read_text()
        assert old in text
        (root / path).write_text(text.replace(old, new))

    return change


def moved(old: str, new: str) -> Callable[[Path], None]:
    """A change that moves a file or a folder."""
    return lambda root: git("mv", old, new, cwd=root)


def linked(root: Path) -> None:
    (root / "infrastructure").rename(root / "elsewhere")
    (root / "infrastructure").symlink_to("elsewhere")


PIPELINE = "infrastructure/pipeline.yaml"


def linked_tests(root: Path) -> None:
    (root / "config/tests").rename(root / "elsewhere")
    (root / "config/tests").symlink_to("../elsewhere")


def harmless(root: Path) -> None:
    """A change of the application with its integration tests."""
    edited("app/src/main.mjs", "createServer", "createServer ")(root)
    edited(f"{INTEGRATION_TESTS}/service.test.mjs", "node", "node ")(root)
    (root / INTEGRATION_TESTS / "another.test.mjs").write_text("import 'node:test';\n")


HOSTILE = {
    "an approval deleted": edited(PIPELINE, "Category: Approval, Owner: AWS, Provider: Manual", "Category: Test"),
    "prod from another template": edited(PIPELINE, "Source::infrastructure/service.yaml", "Source::app/service.yaml"),
    "another deploy role": edited(PIPELINE, "-dev-deploy", "-prod-deploy"),
    "the gate removed": edited(PIPELINE, "        - Name: Gate\n", "        - Name: Other\n"),
    "an approval that is always skipped": edited(PIPELINE, "Operator: NE, Value: 'no'", "Operator: EQ, Value: 'x'"),
    "the gate's script edited": edited(
        "infrastructure/checks.yaml", "changed, text = bool(paths)", "changed, text = False"
    ),
    "more permissions for builds": edited("infrastructure/build.yaml", "ecr:PutImage", "ecr:*"),
    "a check edited": edited("config/scripts/strategy_gate.py", "OPEN, ", "OPEN,  "),
    "a buildspec edited": edited("config/buildspecs/checks.yml", "python3", "true || python3"),
    "a check shadowed by a module": lambda root: (root / "config/scripts/json.py").write_text("evil\n"),
    "the runner of the integration tests edited": edited("config/scripts/isolated_tests.py", "CI", "HOME"),
    "more permissions for integration tests": edited("infrastructure/tests.yaml", "kms:Decrypt", "kms:*"),
    "a link among the integration tests": lambda root: (root / INTEGRATION_TESTS / "scripts").symlink_to(
        "../../scripts"
    ),
    "the integration tests as a link": linked_tests,
    "the scripts moved": moved("config/scripts", "scripts"),
    "the pipeline moved": moved(PIPELINE, "infrastructure/elsewhere.yaml"),
    "the folder as a link": linked,
}


BREAK_THE_PREFLIGHT = {"a check shadowed by a module", "the scripts moved", "the folder as a link"}
MORE_PERMISSIONS = edited("infrastructure/permissions.yaml", "logs:*LogEvents", "logs:*Log*")


@pytest.mark.slow
def test_a_release_that_needs_more_permissions_waits_for_a_deployment(merges: Merges) -> None:
    """The first release has continued: `scaffold deploy` has prepared the stacks of its environments."""
    made = merges.merge(MORE_PERMISSIONS)
    merges.ended(made)
    (execution,) = merges.executions(made)
    assert merges.failed(made) == ["Preflight"]
    run(merges.root)
    given = {"pipelineExecutionId": execution["pipelineExecutionId"], "retryMode": "FAILED_ACTIONS"}
    merges.pipeline.retry_stage_execution(pipelineName=merges.app, stageName=names.GATE_STAGE, **given)
    assert merges.asked(made) is None


SUPPRESSED = edited(
    "infrastructure/service.yaml", "    Properties:\n", "    Properties:\n      # checkov:skip=CKV_AWS_333\n"
)


@pytest.mark.slow
def test_templates_are_checked_before_anything_is_deployed_from_them_and_only_if_they_differ(merges: Merges) -> None:
    """Nobody is asked: the release goes no further."""
    same = merges.merge(harmless)
    merges.ended(same)
    assert (merges.deployed(), "nfrastructure checks" in merges.log(same, "Preflight")) == (same, False)

    made = merges.merge(SUPPRESSED)
    merges.ended(made)
    assert (merges.failed(made), merges.deployed()) == (["Preflight"], same)
    assert "needs a reason" in merges.log(made, "Preflight")

    other = merges.merge(edited("infrastructure/service.yaml", "Description: ", "Description: The "))
    assert merges.asked(other) is None
    assert "cfn-lint is not rehearsed" in merges.log(other, "Preflight")


@pytest.mark.slow
@pytest.mark.parametrize("merges", ["prod"], indirect=True)
def test_a_change_of_the_pipeline_waits_for_a_person(merges: Merges) -> None:
    """From the first release on; `scaffold deploy` does not ship what was rejected."""
    assert merges.asked(merges.base) is None
    assert merges.deployed() == merges.base

    hostile = merges.merge(HOSTILE["the gate removed"])
    assert "infrastructure/pipeline.yaml" in (merges.asked(hostile) or "")
    merges.answer(hostile, "Rejected")
    assert (merges.deployed(), "Gate" in merges.stages()) == (merges.base, True)
    steps = {step.name: step.action for step in run(merges.root).steps}
    assert (steps[f"{merges.app}-checks"], steps[f"{merges.app}-pipeline"]) == ("none", "none")
    assert merges.deployed() == merges.base


@pytest.mark.slow
def test_a_change_of_the_application_does_not_wait_and_changes_are_compared_with_what_is_deployed(
    merges: Merges,
) -> None:
    """A rejected change is not deployed, an approved one is."""
    made = merges.merge(harmless)
    assert merges.asked(made) is None
    merges.ended(made)
    assert merges.deployed() == made

    hostile = merges.merge(HOSTILE["the gate removed"])
    assert "infrastructure/pipeline.yaml" in (merges.asked(hostile) or "")
    merges.answer(hostile, "Rejected")
    assert merges.deployed() == made
    steps = {step.name: step.action for step in run(merges.root).steps}
    assert (steps[f"{merges.app}-checks"], steps[f"{merges.app}-pipeline"]) == ("none", "none")
    assert merges.deployed() == made

    approved = merges.merge(edited(PIPELINE, "Name: StrategyGate", "Name: FirstGate"))
    assert f"since {made}" in (merges.asked(approved) or "")
    merges.answer(approved, "Approved")
    # The pipeline has updated itself, and starts again with the same commit.
    assert eventually(lambda: len(merges.executions(approved)) == 2)
    merges.ended(approved)
    assert merges.deployed() == approved
    newest = merges.executions(approved)[0]["pipelineExecutionId"]
    actions = merges.pipeline.list_action_executions(pipelineName=merges.app, filter={"pipelineExecutionId": newest})
    assert names.GATE_APPROVAL_STAGE not in {one["stageName"] for one in actions["actionExecutionDetails"]}


@pytest.mark.slow
def test_a_hostile_merge_waits_for_a_person(merges: Merges) -> None:
    """Unless it breaks the preflight too, which stops its release."""
    for what, change in HOSTILE.items():
        made = merges.merge(change)
        asked = merges.asked(made)
        if asked is None:
            assert (merges.failed(made), what in BREAK_THE_PREFLIGHT) == (["Preflight"], True), what
            continue
        assert asked.startswith(f"Commit {made} changes how "), what
        merges.answer(made, "Rejected")
    assert merges.deployed() == merges.base
