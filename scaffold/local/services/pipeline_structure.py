"""CodePipeline's rules about a pipeline's structure, beyond the types of its fields."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from scaffold.local.protocol import Document, ServiceError

#: How errors name each kind of condition, and its results.
_RESULTS = {
    "beforeEntry": ("beforeEntry", ("FAIL", "SKIP")),
    "onSuccess": ("onSuccess", ("FAIL", "ROLLBACK")),
    "onFailure": ("a condition of onFailure", ("ROLLBACK",)),
}

#: The results of a stage's failure without a condition.
_FAILURE_RESULTS = ("RETRY", "ROLLBACK")

#: The rules of conditions that may skip a stage.
_SKIPPING_RULES = ("LambdaInvoke", "VariableCheck")

#: What a pipeline that runs may have, and the configuration of its sources.
_PIPELINE = (
    *("artifactStore", "artifactStores", "executionMode", "name", "pipelineType", "roleArn", "stages", "variables"),
    "version",
)
_CODECOMMIT = ("BranchName", "OutputArtifactFormat", "PollForSourceChanges", "RepositoryName")

_REFERENCE = re.compile(r"#\{((?P<namespace>[A-Za-z0-9@_-]+)\.[A-Za-z0-9@_-]+)\}")
_UNKNOWN_NAMESPACE = (
    "Valid format for a pipeline execution variable reference is a namespace and a key separated by a period (.). "
    "The following pipeline execution variables are referencing a namespace that does not exist."
)


def check_structure(declaration: Document) -> None:
    """Validate the structure of a pipeline, given in the form of the API.

    Raises:
        ServiceError: The first problem found.
    """
    for code, problem in _problems(declaration):
        raise ServiceError(code, problem)


def check_rehearsed(declaration: Document) -> None:
    """Refuse a pipeline with something that would start it or change its source on AWS, and not here.

    Raises:
        ServiceError: The first problem found.
    """
    for name, value in declaration.items():
        if value and name not in _PIPELINE:
            raise ServiceError("InvalidStructureException", f"not rehearsed: {name} of a pipeline")
    for action in (action for stage in declaration["stages"] for action in stage["actions"]):
        if action["actionTypeId"]["provider"] != "CodeCommit":
            continue
        where, given = f"Action '{action['name']}'", action["configuration"]
        for name in given:
            if name not in _CODECOMMIT:
                raise ServiceError("InvalidActionDeclarationException", f"{where}: not rehearsed: {name} of a source")
        if given.get("OutputArtifactFormat", "CODE_ZIP") != "CODE_ZIP":
            text = f"OutputArtifactFormat {given['OutputArtifactFormat']}"
            raise ServiceError("InvalidActionDeclarationException", f"{where}: not rehearsed: {text}")
        if given.get("PollForSourceChanges", "true").lower() != "false":
            text = "PollForSourceChanges, which is true by default; set it to false and start the pipeline with a rule"
            raise ServiceError("InvalidActionDeclarationException", f"{where}: not rehearsed: {text}")


def _problems(declaration: Document) -> Iterator[tuple[str, str]]:
    stages = declaration["stages"]
    if len(stages) < 2:
        yield "InvalidStructureException", f"Pipeline has {len(stages)} stage(s). There should be a minimum of 2 stages"
    if ("artifactStore" in declaration) == ("artifactStores" in declaration):
        yield "InvalidStructureException", "Pipeline should have exactly one of artifactStore and artifactStores"
    if declaration["pipelineType"] == "V1":
        for key in ("triggers", "variables"):
            if declaration.get(key):
                yield "InvalidStructureException", f"Pipelines of type V1 have no {key}"
        if declaration["executionMode"] != "SUPERSEDED":
            yield "InvalidStructureException", "Pipelines of type V1 support the execution mode SUPERSEDED only"
    for name in _repeated(stage["name"] for stage in stages):
        yield "InvalidStructureException", f"Stage name '{name}' is used more than once"
    for index, stage in enumerate(stages):
        if not stage["actions"]:
            yield "InvalidStageDeclarationException", f"Stage '{stage['name']}' has no actions"
        for name in _repeated(action["name"] for action in stage["actions"]):
            yield "InvalidStageDeclarationException", f"Action name '{name}' is used more than once in a stage"
        for action in stage["actions"]:
            if (action["actionTypeId"]["category"] == "Source") != (index == 0):
                yield (
                    "InvalidStructureException",
                    f"Action '{action['name']}' in stage '{stage['name']}': source actions belong "
                    "in the first stage, and no other actions do",
                )
    yield from _condition_problems(declaration)
    yield from _artifact_problems(stages)
    yield from _reference_problems(stages)


def _condition_problems(declaration: Document) -> Iterator[tuple[str, str]]:
    """Problems of what a stage does before its entry, on success and on failure. A stage is retried once at most."""
    for index, stage in enumerate(declaration["stages"]):
        where = f"Stage '{stage['name']}'"
        conditions = [key for key in _RESULTS if key in stage]
        if conditions and declaration["pipelineType"] == "V1":
            yield "InvalidStageDeclarationException", f"{where}: pipelines of type V1 have no {conditions[0]}"
        declared = [(key, one) for key in conditions for one in stage[key].get("conditions", [])]
        failure = stage.get("onFailure", {})
        results = [(_RESULTS[key][0], one.get("result"), _RESULTS[key][1]) for key, one in declared]
        results.append(("onFailure", failure.get("result"), _FAILURE_RESULTS))
        for what, result, possible in results:
            if result is not None and result not in possible:
                text = f"{where}: the result of {what} must be {' or '.join(possible)}, not {result}"
                yield "InvalidStageDeclarationException", text
        for rule in (rule for _, one in declared if one.get("result") == "SKIP" for rule in one.get("rules", [])):
            if rule["ruleTypeId"]["provider"] not in _SKIPPING_RULES:
                text = f"{where}: the result SKIP needs rules of {' or '.join(_SKIPPING_RULES)}"
                yield "InvalidStageDeclarationException", f"{text}, not {rule['ruleTypeId']['provider']}"
        if failure.get("result") == "RETRY" and failure.get("conditions"):
            text = f"{where}: a stage with a condition of onFailure cannot be retried automatically"
            yield "InvalidStageDeclarationException", text
        if "retryConfiguration" in failure and failure.get("result") != "RETRY":
            yield "InvalidStageDeclarationException", f"{where}: retryConfiguration needs the result RETRY"
        if "ROLLBACK" in [result for _, result, _ in results]:
            if index == 0:
                yield "InvalidStageDeclarationException", f"{where}: a stage with source actions cannot be rolled back"
            if declaration["executionMode"] == "PARALLEL":
                message = "pipelines with the execution mode PARALLEL cannot be rolled back"
                yield "InvalidStageDeclarationException", f"{where}: {message}"


def _artifact_problems(stages: list[Document]) -> Iterator[tuple[str, str]]:
    produced: set[str] = set()
    namespaces: set[str] = set()
    for stage in stages:
        orders = sorted({action["runOrder"] for action in stage["actions"]})
        for order in orders:
            actions = [action for action in stage["actions"] if action["runOrder"] == order]
            for action in actions:
                for artifact in action["inputArtifacts"]:
                    if artifact["name"] not in produced:
                        yield (
                            "InvalidActionDeclarationException",
                            f"Action '{action['name']}' takes artifact '{artifact['name']}', "
                            "which no earlier action produces",
                        )
            for action in actions:
                for artifact in action["outputArtifacts"]:
                    if artifact["name"] in produced:
                        yield (
                            "InvalidActionDeclarationException",
                            f"Artifact '{artifact['name']}' is produced by more than one action",
                        )
                    produced.add(artifact["name"])
                namespace = action.get("namespace")
                if namespace in namespaces:
                    yield "InvalidActionDeclarationException", f"Namespace '{namespace}' is used more than once"
                if namespace:
                    namespaces.add(namespace)


def _reference_problems(stages: list[Document]) -> Iterator[tuple[str, str]]:
    """Variables of namespaces that no earlier action has."""
    known = {"codepipeline", "variables"}
    for stage in stages:
        for order in sorted({action["runOrder"] for action in stage["actions"]}):
            actions = [action for action in stage["actions"] if action["runOrder"] == order]
            for action in actions:
                for key, value in action["configuration"].items():
                    for reference in _REFERENCE.finditer(value):
                        if reference["namespace"] not in known:
                            where = f"StageName=[{stage['name']}], ActionName=[{action['name']}]"
                            what = f"ActionConfigurationKey=[{key}], VariableReferenceText=[{reference[1]}]"
                            yield "InvalidActionDeclarationException", f"{_UNKNOWN_NAMESPACE} {where}, {what}"
            known |= {action["namespace"] for action in actions if "namespace" in action}


def _repeated(names: Iterator[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
