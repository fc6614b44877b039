"""Emulates CodePipeline's API: it stores pipelines and validates their structure. `codepipeline_runs` runs them."""

from __future__ import annotations

import copy
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from scaffold.local.protocol import ACCOUNT, AwsService, Call, Document, ServiceError
from scaffold.local.services.pipeline_structure import check_structure

NOT_RUN = "Local AWS stores pipelines but does not run them."


@dataclass
class Pipeline:
    """One pipeline with its tags, executions and disabled transitions."""

    declaration: Document
    region: str
    tags: dict[str, str] = field(default_factory=dict)
    created: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)
    executions: list[Document] = field(default_factory=list)
    disabled_transitions: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """The pipeline's Amazon Resource Name."""
        return f"arn:aws:codepipeline:{self.region}:{ACCOUNT}:{self.declaration['name']}"

    def record_execution(self, trigger: str) -> str:
        """Record an execution, in status Stopped.

        Args:
            trigger: The trigger type in CodePipeline's API.

        Returns:
            The execution's id.
        """
        now = time.time()
        execution = {
            "pipelineExecutionId": str(uuid.uuid4()),
            "status": "Stopped",
            "statusSummary": NOT_RUN,
            "startTime": now,
            "lastUpdateTime": now,
            "pipelineVersion": self.declaration["version"],
            "trigger": {"triggerType": trigger, "triggerDetail": f"arn:aws:iam::{ACCOUNT}:root"},
            "executionMode": self.declaration["executionMode"],
            "executionType": "STANDARD",
        }
        self.executions.insert(0, execution)
        return str(execution["pipelineExecutionId"])


class CodePipeline(AwsService):
    """Pipelines. Executions are only recorded."""

    name = "codepipeline"

    def __init__(self) -> None:
        self._all: dict[tuple[str, str], Pipeline] = {}

    def tags_of(self, arn: str) -> dict[str, str]:
        """The tags of a pipeline; none if it does not exist."""
        return next((pipeline.tags for pipeline in self._all.values() if pipeline.arn == arn), {})

    def create_pipeline(self, call: Call) -> Document:
        """Create a pipeline and record its first execution."""
        declaration = _completed(call.parameters["pipeline"])
        if (call.region, declaration["name"]) in self._all:
            raise ServiceError(
                "PipelineNameInUseException", f"A pipeline with the name '{declaration['name']}' already exists"
            )
        self._check(declaration)
        tags = {tag["key"]: tag["value"] for tag in call.parameters.get("tags", [])}
        pipeline = self._all[call.region, declaration["name"]] = Pipeline(declaration, call.region, tags)
        self._created(pipeline)
        self._start(pipeline, "CreatePipeline", call)
        return {"pipeline": declaration, "tags": _tag_list(tags)}

    def get_pipeline(self, call: Call) -> Document:
        """Describe a pipeline's structure."""
        pipeline = self._pipeline(call)
        if call.parameters.get("version", pipeline.declaration["version"]) != pipeline.declaration["version"]:
            raise ServiceError(
                "PipelineVersionNotFoundException", "Local AWS stores only the latest version of a pipeline"
            )
        metadata = {"pipelineArn": pipeline.arn, "created": pipeline.created, "updated": pipeline.updated}
        return {"pipeline": pipeline.declaration, "metadata": metadata}

    def update_pipeline(self, call: Call) -> Document:
        """Replace a pipeline's structure, and increment its version."""
        declaration = _completed(call.parameters["pipeline"])
        pipeline = self._named(call.region, declaration["name"])
        self._check(declaration)
        declaration["version"] = pipeline.declaration["version"] + 1
        pipeline.declaration, pipeline.updated = declaration, time.time()
        self._updated(pipeline)
        return {"pipeline": declaration}

    def delete_pipeline(self, call: Call) -> Document:
        """Delete a pipeline. No error if it does not exist."""
        pipeline = self._all.pop((call.region, call.parameters["name"]), None)
        if pipeline:
            self._deleted(pipeline)
        return {}

    def get_pipeline_state(self, call: Call) -> Document:
        """Describe the stages and actions, with their latest executions."""
        pipeline = self._pipeline(call)
        return {
            "pipelineName": pipeline.declaration["name"],
            "pipelineVersion": pipeline.declaration["version"],
            "created": pipeline.created,
            "updated": pipeline.updated,
            "stageStates": self._stage_states(pipeline),
        }

    def disable_stage_transition(self, call: Call) -> Document:
        """Disable the inbound or outbound transition of a stage."""
        self._set_transition(call, call.parameters["reason"])
        return {}

    def enable_stage_transition(self, call: Call) -> Document:
        """Enable the inbound or outbound transition of a stage."""
        self._set_transition(call, None)
        return {}

    def start_pipeline_execution(self, call: Call) -> Document:
        """Start an execution."""
        return {"pipelineExecutionId": self._start(self._pipeline(call), "StartPipelineExecution", call)}

    def stop_pipeline_execution(self, call: Call) -> Document:
        """Refuse, since every execution is stopped already."""
        self._execution(self._pipeline(call, "pipelineName"), call)
        raise ServiceError("PipelineExecutionNotStoppableException", f"The execution is stopped already. {NOT_RUN}")

    def list_pipeline_executions(self, call: Call) -> Document:
        """List a pipeline's executions, the newest first."""
        executions = self._pipeline(call, "pipelineName").executions[: call.parameters.get("maxResults", 100)]
        return {
            "pipelineExecutionSummaries": [
                {key: value for key, value in execution.items() if key != "pipelineVersion"} for execution in executions
            ]
        }

    def list_action_executions(self, call: Call) -> Document:
        """List no action, since none runs."""
        self._pipeline(call, "pipelineName")
        return {"actionExecutionDetails": []}

    def list_tags_for_resource(self, call: Call) -> Document:
        """List a pipeline's tags."""
        return {"tags": _tag_list(self._by_arn(call).tags)}

    def tag_resource(self, call: Call) -> Document:
        """Add or update tags of a pipeline."""
        self._by_arn(call).tags.update({tag["key"]: tag["value"] for tag in call.parameters["tags"]})
        return {}

    def untag_resource(self, call: Call) -> Document:
        """Remove tags from a pipeline."""
        for key in call.parameters["tagKeys"]:
            self._by_arn(call).tags.pop(key, None)
        return {}

    def _pipeline(self, call: Call, parameter: str = "name") -> Pipeline:
        return self._named(call.region, call.parameters[parameter])

    def _named(self, region: str, name: str) -> Pipeline:
        if (region, name) not in self._all:
            raise ServiceError(
                "PipelineNotFoundException", f"Account '{ACCOUNT}' does not have a pipeline with name '{name}'"
            )
        return self._all[region, name]

    def _by_arn(self, call: Call) -> Pipeline:
        for pipeline in self._all.values():
            if pipeline.arn == call.parameters["resourceArn"]:
                return pipeline
        raise ServiceError("ResourceNotFoundException", f"{call.parameters['resourceArn']} does not exist")

    def _check(self, declaration: Document) -> None:
        """Refuse the structure of a pipeline."""
        check_structure(declaration)

    def _created(self, pipeline: Pipeline) -> None:
        """Prepare a new pipeline."""

    def _updated(self, pipeline: Pipeline) -> None:
        """React to the new structure of a pipeline."""

    def _deleted(self, pipeline: Pipeline) -> None:
        """React to the deletion of a pipeline."""

    def _start(self, pipeline: Pipeline, trigger: str, _call: Call) -> str:
        """Record an execution."""
        return pipeline.record_execution(trigger)

    def _stage_states(self, pipeline: Pipeline) -> list[Document]:
        disabled = pipeline.disabled_transitions
        return [
            {
                "stageName": stage["name"],
                "inboundExecutions": [],
                "inboundTransitionState": _transition(disabled.get((stage["name"], "Inbound"))),
                "actionStates": [{"actionName": action["name"]} for action in stage["actions"]],
            }
            for stage in pipeline.declaration["stages"]
        ]

    def _set_transition(self, call: Call, reason: str | None) -> None:
        pipeline = self._pipeline(call, "pipelineName")
        stage = call.parameters["stageName"]
        if stage not in [s["name"] for s in pipeline.declaration["stages"]]:
            raise ServiceError("StageNotFoundException", f"There is no stage {stage}")
        transition = (stage, call.parameters["transitionType"])
        pipeline.disabled_transitions.pop(transition, None)
        if reason is not None:
            pipeline.disabled_transitions[transition] = reason

    @staticmethod
    def _execution(pipeline: Pipeline, call: Call) -> Document:
        identifier = call.parameters["pipelineExecutionId"]
        for execution in pipeline.executions:
            if execution["pipelineExecutionId"] == identifier:
                return execution
        raise ServiceError("PipelineExecutionNotFoundException", f"There is no execution {identifier}")


def _completed(declaration: Document) -> Document:
    """Add CodePipeline's defaults to a declaration."""
    completed: dict[str, Any] = {"version": 1, "executionMode": "SUPERSEDED", "pipelineType": "V1"}
    completed |= copy.deepcopy(declaration)
    for stage in completed["stages"]:
        for action in stage["actions"]:
            action.setdefault("runOrder", 1)
            for key in ("inputArtifacts", "outputArtifacts"):
                action.setdefault(key, [])
            action.setdefault("configuration", {})
    return completed


def _transition(disabled_reason: str | None) -> Document:
    return {"enabled": False, "disabledReason": disabled_reason} if disabled_reason else {"enabled": True}


def _tag_list(tags: dict[str, str]) -> list[Document]:
    return [{"key": key, "value": value} for key, value in sorted(tags.items())]
