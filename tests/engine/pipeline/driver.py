"""Drives the model of a pipeline: says what happens, and reads what the model asks for."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from scaffold.engine.events import Event
from scaffold.engine.pipeline.jobs import Failed, Outcome, Revision, Succeeded
from scaffold.engine.pipeline.machine import step
from scaffold.engine.pipeline.messages import (
    ActionEnded,
    Announce,
    EndJob,
    Message,
    Rollback,
    RuleEnded,
    RunAction,
    RunRule,
    Start,
)
from scaffold.engine.pipeline.state import Declaration, Execution, PipelineState

OK = Succeeded()
BROKEN = Failed("JobFailed", "It broke.")


def action(name: str, order: int = 1, provider: str = "CloudFormation", **more: Any) -> dict[str, Any]:
    """An action, with inputs and outputs given as lists of names."""
    categories = {"CodeCommit": "Source", "CodeBuild": "Build", "Manual": "Approval"}
    for key in ("inputArtifacts", "outputArtifacts"):
        more[key] = [{"name": one} for one in more.get(key, [])]
    kind = {"category": categories.get(provider, "Deploy"), "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": kind, "runOrder": order, "configuration": {}} | more


def stage(stage_name: str, *actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": stage_name, "actions": list(actions)} | more


def condition(kind: str, result: str, *rules: str, **configuration: str) -> dict[str, Any]:
    """The conditions of one kind, as a stage declares them."""
    rule_type = {"category": "Rule", "owner": "AWS", "provider": "VariableCheck", "version": "1"}
    made = [{"name": name, "ruleTypeId": rule_type, "configuration": configuration} for name in rules]
    return {kind: {"conditions": [{"result": result, "rules": made}]}}


SOURCE = stage("Source", action("Source", provider="CodeCommit", namespace="Source", outputArtifacts=["Source"]))


def pipeline(*stages: dict[str, Any], mode: str = "QUEUED", version: int = 1, **more: Any) -> dict[str, Any]:
    """A pipeline whose first stage is Source."""
    store = {"type": "S3", "location": "artifacts"}
    given = {"name": "shop", "version": version, "executionMode": mode, "pipelineType": "V2", "artifactStore": store}
    return given | {"stages": [SOURCE, *stages]} | more


@dataclass
class Driver:
    """One pipeline, its executions by short names, and everything that the model has asked for."""

    state: PipelineState
    effects: list[Any] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)
    now: float = 1000.0

    def tell(self, message: Message) -> None:
        """Let something happen, a second after the last thing."""
        self.now += 1
        self.state, effects = step(self.state, message, self.now)
        self.effects += effects

    def start(self, name: str, source: bool = True, **more: Any) -> Execution:
        """Start an execution, and let its source action succeed."""
        self.ids[name] = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        self.tell(Start(self.ids[name], "StartPipelineExecution", **more))
        if source:
            commit = f"commit-of-{name}"
            revision = Revision(commit, "A commit", "", 1.0)
            self.end(name, "Source", Succeeded("", {"CommitId": commit}, ("Source",), revision))
        return self[name]

    def end(self, name: str, action_name: str, outcome: Outcome = OK) -> None:
        """Let an action in progress end."""
        (found,) = [one for one in self[name].actions if (one.name, one.status) == (action_name, "InProgress")]
        self.tell(ActionEnded(self.ids[name], found.identifier, outcome))

    def check(self, name: str, rule: str, outcome: Outcome = OK) -> None:
        """Let the latest evaluation of a rule end."""
        asked = [one.assignment for one in self.effects if isinstance(one, RunRule)]
        latest = [one for one in asked if (one.execution, one.declaration["name"]) == (self.ids[name], rule)][-1]
        self.tell(RuleEnded(self.ids[name], latest.stage, latest.identifier, outcome))

    def roll_back(self, name: str, stage_name: str, target: str) -> Execution:
        """Roll a stage back to an execution."""
        self.ids[name] = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        self.tell(Rollback(self.ids[name], stage_name, self.ids[target]))
        return self[name]

    def __getitem__(self, name: str) -> Execution:
        return self.state.executions[self.ids[name]]

    def running(self, name: str) -> list[str]:
        """The names of an execution's actions in progress."""
        return [one.name for one in self[name].actions if one.status == "InProgress"]

    def latest(self, name: str, action_name: str) -> Any:
        """The latest execution of an action."""
        return [one for one in self[name].actions if one.name == action_name][-1]

    def last(self) -> Execution:
        """The execution that was started last."""
        return list(self.state.executions.values())[-1]

    def assigned(self, action_name: str) -> Any:
        """What an executor was last asked to do for an action."""
        asked = [one.assignment for one in self.effects if isinstance(one, RunAction)]
        return [one for one in asked if one.declaration["name"] == action_name][-1]

    def ended(self) -> set[str]:
        """The action and rule executions whose outcome no longer matters."""
        return {one.identifier for one in self.effects if isinstance(one, EndJob)}

    def events(self, subject: str = "Pipeline", name: str | None = None) -> list[str]:
        """The states of the events on pipelines, stages (with their name) or actions (with their name)."""
        kept = [one for one in self.announced(subject) if name is None or one.detail["execution-id"] == self.ids[name]]
        key = subject.lower()
        return [
            f"{one.detail[key]} {one.detail['state']}" if subject != "Pipeline" else one.detail["state"] for one in kept
        ]

    def announced(self, subject: str) -> list[Event]:
        """The events on pipelines, stages or actions."""
        events: list[Event] = [one.event for one in self.effects if isinstance(one, Announce)]
        return [one for one in events if one.detail_type == f"CodePipeline {subject} Execution State Change"]


def drive(*stages: dict[str, Any], **more: Any) -> Driver:
    """A pipeline without executions."""
    return Driver(PipelineState("us-east-1", "000000000000", Declaration(pipeline(*stages, **more))))
