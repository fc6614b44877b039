"""Releases of the small pipeline: what is observed of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from . import line
from .account import said
from .git import Repository
from .queues import Queue
from .sandbox import Sandbox
from .stacks import Stack, parameters, template
from .verdicts import Unavailable

#: The reason of a stop, as the plan of a newer release gives it.
REASON = "The newer release of a probe replaces it."


class Releases:
    """The small pipeline and its executions, in the order in which the scenario makes them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.name = sandbox.name("line")
        self.executions: dict[str, str] = {}
        #: GetPipelineState, by the moment in which it was read.
        self.states: dict[str, dict[str, dict[str, Any]]] = {}
        self.seconds_to_stop = 0.0
        self.restarted = False
        #: Why the rollback was refused, if the disabled transition is the reason.
        self.refusal_of_rollback = ""

    @property
    def steps(self) -> dict[str, Callable[[], None]]:
        """The steps of the scenario, by their milestones."""
        return {
            "created": self._create,
            "waiting": self._wait_for_approval,
            "stopped": self._stop,
            "released": self._release,
            "updated": self._update,
            "rolled back": self._roll_back,
        }

    @property
    def _client(self) -> Any:
        return self._sandbox.client("codepipeline")

    def _create(self) -> None:
        self.repository = Repository.create(self._sandbox, "releases")
        capabilities = {"Capabilities": ["CAPABILITY_IAM"]}
        text = line.surroundings(self._sandbox, self.repository.name)
        self.made = Stack.create(self._sandbox, "surroundings", text, None, **capabilities).outputs
        self.events = Queue(self._sandbox, self.made["Url"])
        self.target = Stack.create(self._sandbox, "target", template(), RoleARN=self.made["Deployment"])
        self._commit("maybe", timeout=60)
        # New roles can be assumed once all servers know them.
        self._sandbox.settle(15)
        text = (self.repository.folder / "line.json").read_text("utf-8")
        self.stack = Stack.create(self._sandbox, "line", text, RoleARN=self.made["Deployment"])

    def _commit(self, changed: str, timeout: int) -> None:
        """Push a commit that says whether it changes something, and what the pipeline is."""
        files = {
            "changed.txt": f"{changed}\n",
            "line.json": line.pipeline(self._sandbox, self.repository.name, self.made, timeout),
            "line-configuration.json": line.configuration(self._sandbox, Digest="unknown"),
            "target.json": line.target(),
            "target-configuration.json": line.configuration(self._sandbox, Empty=""),
        }
        for name, text in files.items():
            (self.repository.folder / name).write_text(text, "utf-8")
        self.repository.commit(f"Changed: {changed}")
        self.repository.push()

    def _wait_for_approval(self) -> None:
        """The first execution, which the creation of the pipeline starts, and a second one behind it."""
        self.executions["first"] = self._sandbox.wait(self._newest, "the start of the new pipeline", 120)
        self._wait_in(line.APPROVE, "first")
        self.states["waiting"] = self.stages()
        self.executions["second"] = self._start()

        def queued() -> bool:
            return self._status("second", line.CHECK) == "Succeeded"

        self._sandbox.wait(queued, "the end of the check of the second execution", 600)
        self._sandbox.settle(10)
        self.states["queued"] = self.stages()

    def _stop(self) -> None:
        """Abandon the first execution as the plan of a newer release does."""
        began = time.monotonic()
        self.stages()
        self._client.stop_pipeline_execution(
            pipelineName=self.name, pipelineExecutionId=self.executions["first"], abandon=True, reason=REASON
        )
        self.seconds_to_stop = time.monotonic() - began
        self._wait_for_end("first")

    def _release(self) -> None:
        self._wait_in(line.APPROVE, "second")
        self._approve()
        self._finish("second")

    def _update(self) -> None:
        """A commit that changes the pipeline, and needs no approval."""
        self._commit("no", timeout=61)
        self.executions["updating"] = self._start()

        def skipped() -> bool:
            # Entered by a later stage, or ended.
            return self._status("updating", line.UPDATE) != "" or self._ended("updating") != ""

        self._sandbox.wait(skipped, "the end of the check of the third execution", 600)
        self.states["skipped"] = self.stages()
        self._wait_for_end("updating")

        def following() -> str:
            newest = self._newest()
            return "" if newest == self.executions["updating"] else newest

        try:
            self.executions["restarted"] = self._sandbox.wait(following, "the restart of the execution", 180)
            self.restarted = True
        except Unavailable:
            self.executions["restarted"] = self._start()
        self._finish("restarted")

    def _roll_back(self) -> None:
        """A rollback of the last stage, whose inbound transition is disabled."""
        self.executions["newest"] = self._start()
        self._finish("newest")
        self._client.disable_stage_transition(
            pipelineName=self.name, stageName=line.DEPLOY, transitionType="Inbound", reason="A probe rolls back"
        )
        try:
            answer = self._client.rollback_stage(
                pipelineName=self.name, stageName=line.DEPLOY, targetPipelineExecutionId=self.executions["restarted"]
            )
        except ClientError as error:
            if "transition" not in said(error).lower():
                raise
            self.refusal_of_rollback = said(error)
            return
        self.executions["rollback"] = answer["pipelineExecutionId"]

        def seen() -> bool:
            return bool(self._status("rollback", line.DEPLOY)) or self._waits("rollback", line.DEPLOY)

        self._sandbox.wait(seen, "the start of the rollback", 180)
        self._sandbox.settle(30)
        self.states["rolled back"] = self.stages()

    def change_digest(self) -> tuple[str, list[str]]:
        """Change a parameter of the pipeline's stack: the status, and the executions that have started since."""
        before = self._list()
        status = self.stack.update(Parameters=parameters({"Digest": "another"}))
        self._sandbox.settle(60)
        return status, [one for one in self._list() if one not in before]

    def stages(self) -> dict[str, dict[str, Any]]:
        """The state of each stage."""
        return {one["stageName"]: one for one in self._client.get_pipeline_state(name=self.name)["stageStates"]}

    def stage_events(self, stage: str, execution: str) -> list[str]:
        """The states of a stage in an execution, as EventBridge has told them."""
        return [
            detail["state"]
            for kind, detail in self._details()
            if kind.endswith("Stage Execution State Change")
            and (detail["stage"], detail["execution-id"]) == (stage, self.executions[execution])
        ]

    def pipeline_events(self, execution: str) -> list[dict[str, Any]]:
        """The events of an execution as a whole."""
        return [
            detail
            for kind, detail in self._details()
            if kind.endswith("Pipeline Execution State Change") and detail["execution-id"] == self.executions[execution]
        ]

    def _details(self) -> list[tuple[str, dict[str, Any]]]:
        events = sorted((json.loads(one) for one in self.events.messages()), key=lambda one: str(one["time"]))
        return [(one["detail-type"], one["detail"]) for one in events]

    def attempts(self, stage: str, execution: str) -> list[str]:
        """The statuses of the action of a stage in an execution, as ListActionExecutions has them."""
        pages = self._client.get_paginator("list_action_executions").paginate(
            pipelineName=self.name, filter={"pipelineExecutionId": self.executions[execution]}
        )
        found = [one for page in pages for one in page["actionExecutionDetails"] if one["stageName"] == stage]
        return [one["status"] for one in sorted(found, key=lambda one: str(one["startTime"]))]

    def status(self, execution: str) -> str:
        """The status of an execution."""
        answer = self._client.get_pipeline_execution(
            pipelineName=self.name, pipelineExecutionId=self.executions[execution]
        )
        return str(answer["pipelineExecution"]["status"])

    def _list(self) -> list[str]:
        answer = self._client.list_pipeline_executions(pipelineName=self.name)
        return [one["pipelineExecutionId"] for one in answer["pipelineExecutionSummaries"]]

    def _newest(self) -> str:
        return next(iter(self._list()), "")

    def _start(self) -> str:
        return str(self._client.start_pipeline_execution(name=self.name)["pipelineExecutionId"])

    def _status(self, execution: str, stage: str) -> str:
        """The status of a stage whose latest execution it is."""
        latest = self.stages()[stage].get("latestExecution", {})
        return str(latest["status"]) if latest.get("pipelineExecutionId") == self.executions[execution] else ""

    def _waits(self, execution: str, stage: str) -> bool:
        waiting = self.stages()[stage].get("inboundExecutions", [])
        return any(one["pipelineExecutionId"] == self.executions[execution] for one in waiting)

    def _wait_in(self, stage: str, execution: str) -> None:
        def look() -> bool:
            if ended := self._ended(execution):
                raise Unavailable(f"the {execution} execution of the small pipeline ended before {stage}: {ended}")
            return self._status(execution, stage) == "InProgress"

        self._sandbox.wait(look, f"the entry of the {execution} execution into {stage}", 900)

    def _ended(self, execution: str) -> str:
        status = self.status(execution)
        return "" if status in ("InProgress", "Stopping") else status

    def _wait_for_end(self, execution: str) -> str:
        return self._sandbox.wait(lambda: self._ended(execution), f"the end of the {execution} execution", 900)

    def _finish(self, execution: str) -> None:
        if (ended := self._wait_for_end(execution)) != "Succeeded":
            raise Unavailable(f"the {execution} execution of the small pipeline ended with {ended}")

    def _approve(self) -> None:
        def token() -> str:
            (action,) = self.stages()[line.APPROVE]["actionStates"]
            return str(action.get("latestExecution", {}).get("token", ""))

        result = {"summary": "A probe", "status": "Approved"}
        self._client.put_approval_result(
            pipelineName=self.name,
            stageName=line.APPROVE,
            actionName=line.APPROVE,
            result=result,
            token=self._sandbox.wait(token, "the start of the approval", 60),
        )
