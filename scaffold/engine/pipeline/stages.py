"""What happens in a stage: its conditions, and its actions by RunOrder."""

from __future__ import annotations

from scaffold.engine.pipeline import conditions
from scaffold.engine.pipeline.draft import Draft
from scaffold.engine.pipeline.jobs import Assignment, Document, Failed, Location, Outcome
from scaffold.engine.pipeline.messages import RunAction
from scaffold.engine.pipeline.state import BEFORE_ENTRY, ON_SUCCESS, ActionRun, Execution, StageRun
from scaffold.engine.pipeline.variables import Unresolvable, namespaces_of, resolve

#: Lengths to which CodePipeline shortens names in the keys of artifacts.
_PIPELINE_LENGTH, _ARTIFACT_LENGTH = 20, 10


def enter(draft: Draft, execution: Execution) -> StageRun:
    """Let an execution enter the stage that it waits for. A rollback evaluates no condition before its entry."""
    name = execution.stage["name"]
    run = execution.stages[name] = StageRun(name, draft.next())
    execution.waiting = False
    draft.set_stage_status(execution, run, "InProgress")
    if execution.kind != "ROLLBACK":
        conditions.begin(draft, execution, run, BEFORE_ENTRY)
    return run


def restart(draft: Draft, execution: Execution, run: StageRun, mode: str) -> None:
    """Start a stage again, with the actions that have not succeeded, or with all of them."""
    succeeded = {action.name for action in execution.attempt(run) if action.status == "Succeeded"}
    if mode == "ALL_ACTIONS":
        succeeded = set()
    run.attempt = {name: identifier for name, identifier in run.attempt.items() if name in succeeded}
    run.sequence, run.checking = draft.next(), ""
    failed_before_entry = BEFORE_ENTRY in run.conditions and run.conditions[BEFORE_ENTRY].status != "Succeeded"
    run.conditions = {kind: one for kind, one in run.conditions.items() if kind == BEFORE_ENTRY}
    draft.set_stage_status(execution, run, "InProgress", resumed=True)
    if failed_before_entry:
        conditions.begin(draft, execution, run, BEFORE_ENTRY)


def continue_actions(draft: Draft, execution: Execution, run: StageRun) -> str | None:
    """Start the next actions, if those of lower RunOrder have succeeded.

    Returns:
        Succeeded or Failed if the stage's actions have ended so, Stopped if an execution that is stopping starts no
        further ones, or None while one is in progress.
    """
    declared: list[Document] = execution.declaration.stages[execution.position]["actions"]
    while True:
        current = {action.name: action for action in execution.attempt(run)}
        statuses = [action.status for action in current.values()]
        if "InProgress" in statuses:
            return None
        if any(status != "Succeeded" for status in statuses):
            return "Failed"
        missing = [action for action in declared if action["name"] not in current]
        if not missing:
            return "Succeeded"
        if execution.status == "Stopping":
            return "Stopped"
        order = min(action.get("runOrder", 1) for action in missing)
        for action in missing:
            if action.get("runOrder", 1) == order:
                _start(draft, execution, run, action)


def _start(draft: Draft, execution: Execution, run: StageRun, declared: Document) -> None:
    sequence = draft.next()
    identifier = execution.derive(run.stage, declared["name"], sequence)
    action = ActionRun(identifier, run.stage, declared, sequence, draft.now, draft.now)
    execution.actions.append(action)
    run.attempt[action.name] = identifier
    action.inputs = {
        one["name"]: execution.artifacts[one["name"]]
        for one in declared.get("inputArtifacts", [])
        if one["name"] in execution.artifacts
    }
    missing = [one["name"] for one in declared.get("inputArtifacts", []) if one["name"] not in action.inputs]
    try:
        action.configuration = resolve(declared.get("configuration", {}), namespaces_of(execution))
    except Unresolvable:
        message = f"because one or more variables could not be resolved: Action name={action.name}"
        return _fail(draft, execution, action, f"An action in this pipeline failed {message}")
    if missing:
        return _fail(draft, execution, action, f"The input artifact {missing[0]} was not stored by any action")
    for index, one in enumerate(declared.get("outputArtifacts", [])):
        action.outputs[one["name"]] = _location(draft, execution, action, one["name"], index)
    if declared["actionTypeId"]["category"] == "Approval":
        action.token = execution.derive("token", sequence)
    draft.set_action_status(execution, action, "InProgress")
    names = draft.state.name, declared.get("region", draft.state.region), execution.identifier, run.stage
    assignment = Assignment(
        identifier,
        *names,
        declared,
        action.configuration,
        action.inputs,
        action.outputs,
        _store(draft, execution, action).get("encryptionKey", {}).get("id", ""),
        execution.overrides.get(action.name, ""),
        action.token,
        {name: execution.commits[name] for name in action.inputs if name in execution.commits},
        declared.get("roleArn") or draft.state.declaration.get("roleArn", ""),
    )
    draft.effects.append(RunAction(assignment))
    return None


def end_action(draft: Draft, execution: Execution, action: ActionRun, outcome: Outcome) -> None:
    """Record how an action has ended. The outcome of an abandoned action changes nothing."""
    if action.status != "InProgress":
        return None
    action.updated_by = outcome.updated_by
    if isinstance(outcome, Failed):
        action.error, action.summary = outcome, outcome.summary
        return draft.set_action_status(execution, action, "Failed")
    action.summary, action.variables, action.revision = outcome.summary, outcome.variables, outcome.revision
    action.outputs = {name: location for name, location in action.outputs.items() if name in outcome.written}
    execution.artifacts.update(action.outputs)
    namespace = action.declaration.get("namespace")
    if namespace:
        execution.namespaces[namespace] = dict(outcome.variables)
    if outcome.revision:
        execution.revisions[action.name] = outcome.revision
        execution.commits |= dict.fromkeys(action.outputs, outcome.revision.identifier)
    return draft.set_action_status(execution, action, "Succeeded")


def _fail(draft: Draft, execution: Execution, action: ActionRun, message: str) -> None:
    draft.set_action_status(execution, action, "InProgress")
    end_action(draft, execution, action, Failed("ActionConfigurationError", message))


def check_success(draft: Draft, execution: Execution, run: StageRun) -> bool:
    """Start to evaluate the condition on success, once. Returns whether there is one."""
    return ON_SUCCESS not in run.conditions and conditions.begin(draft, execution, run, ON_SUCCESS)


def _store(draft: Draft, execution: Execution, action: ActionRun) -> Document:
    region = action.declaration.get("region", draft.state.region)
    stores: Document = execution.declaration.get("artifactStores", {})
    found: Document = stores.get(region) or execution.declaration.get("artifactStore", {})
    return found


def _location(draft: Draft, execution: Execution, action: ActionRun, name: str, index: int) -> Location:
    unique = execution.derive("artifact", action.sequence, index)[:7]
    key = f"{draft.state.name[:_PIPELINE_LENGTH]}/{name[:_ARTIFACT_LENGTH]}/{unique}"
    return Location(_store(draft, execution, action).get("location", ""), key)
