"""The conditions of a stage: before its entry, on success and on failure."""

from __future__ import annotations

from scaffold.engine.pipeline.draft import Draft
from scaffold.engine.pipeline.jobs import Assignment, Document, Outcome, Succeeded
from scaffold.engine.pipeline.messages import RunRule
from scaffold.engine.pipeline.state import ConditionRun, Execution, RuleRun, StageRun
from scaffold.engine.pipeline.variables import Unresolvable, namespaces_of, resolve

#: The code of a rule that was evaluated and is not met. With any other one it was not evaluated.
_NOT_MET = "RuleFailed"


def declared(stage: Document, kind: str) -> Document | None:
    """The condition of a stage, of which there is at most one of each kind, or None."""
    conditions = stage.get(kind, {}).get("conditions", [])
    return conditions[0] if conditions else None


def begin(draft: Draft, execution: Execution, run: StageRun, kind: str) -> bool:
    """Start to evaluate a condition. Returns whether the stage has one."""
    condition = declared(execution.declaration.stage(run.stage) or {}, kind)
    if condition is None:
        return False
    run.checking = kind
    made = run.conditions[kind] = ConditionRun(draft.now)
    for rule in condition.get("rules", []):
        identifier = execution.derive(run.stage, kind, rule["name"], draft.next())
        rule_run = RuleRun(identifier, rule["name"], draft.now, draft.now)
        made.rules.append(rule_run)
        try:
            configuration = resolve(rule.get("configuration", {}), namespaces_of(execution))
        except Unresolvable as error:
            rule_run.status, rule_run.errored = "Failed", True
            rule_run.summary = f"The variable {error} could not be resolved"
            continue
        inputs = {
            artifact["name"]: execution.artifacts[artifact["name"]]
            for artifact in rule.get("inputArtifacts", [])
            if artifact["name"] in execution.artifacts
        }
        names = draft.state.name, draft.state.region, execution.identifier, run.stage
        role = rule.get("roleArn") or draft.state.declaration.get("roleArn", "")
        made_for = Assignment(identifier, *names, rule, configuration, inputs, role=role, condition=kind)
        draft.effects.append(RunRule(made_for))
    return True


def record(draft: Draft, run: StageRun, identifier: str, outcome: Outcome) -> None:
    """Record how a rule has ended. The outcome of a rule of an earlier evaluation changes nothing."""
    for rule in run.conditions[run.checking].rules if run.checking else []:
        if rule.identifier == identifier and rule.status == "InProgress":
            rule.updated = draft.now
            if isinstance(outcome, Succeeded):
                rule.status, rule.summary = "Succeeded", outcome.summary
            else:
                rule.status, rule.summary, rule.errored = "Failed", outcome.message, outcome.code != _NOT_MET


def verdict(run: StageRun) -> ConditionRun | None:
    """The condition that is evaluated now with its final status, or None while a rule is evaluated.

    It is Errored if a rule could not be evaluated: then its result does not apply, since it is not known whether the
    condition is met.
    """
    condition = run.conditions[run.checking]
    if any(rule.status == "InProgress" for rule in condition.rules):
        return None
    failed = [rule for rule in condition.rules if rule.status != "Succeeded"]
    errored = any(rule.errored for rule in failed)
    condition.status = "Errored" if errored else "Failed" if failed else "Succeeded"
    condition.summary = "; ".join(f"Rule {rule.name}: {rule.summary}" for rule in failed)
    return condition
