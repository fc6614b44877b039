"""What is said of pipelines has the form of botocore's model of CodePipeline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.validate import ParamValidator

from scaffold.engine.pipeline import describe
from scaffold.engine.pipeline.jobs import Failed, Progress, Revision, Succeeded
from scaffold.engine.pipeline.messages import ActionProgressed, Approve, Retry, SetTransition, Stop
from scaffold.local.protocol import service_model
from tests.engine.pipeline.driver import Driver, action, condition, drive, stage


def problems(shape: Shape, value: Any, where: str = "") -> Iterator[str]:
    """Unknown members and values, which botocore's validator does not look for."""
    if isinstance(shape, StructureShape):
        yield from (f"{where}.{key} is unknown" for key in value if key not in shape.members)
        for key, member in shape.members.items():
            if key in value:
                yield from problems(member, value[key], f"{where}.{key}")
    elif isinstance(shape, ListShape):
        for item in value:
            yield from problems(shape.member, item, where)
    elif isinstance(shape, MapShape):
        for item in value.values():
            yield from problems(shape.value, item, where)
    elif value not in (shape.metadata.get("enum") or [value]):
        yield f"{where} is {value}"


@pytest.fixture(scope="module")
def driven() -> Driver:
    """A pipeline in which everything has happened at least once."""
    checks = condition("beforeEntry", "FAIL", "r") | condition("onSuccess", "ROLLBACK", "s")
    approval = action("Approval", provider="Manual", configuration={"ExternalEntityLink": "https://x"})
    deploy = action("Deploy", 2, namespace="D", inputArtifacts=["Source"], outputArtifacts=["Out"], roleArn="arn:r")
    run = drive(stage("Test", approval, deploy, **checks), stage("Prod", action("Last")))
    for name, met in (("good", Succeeded("ok")), ("bad", Failed("RuleFailed", "different"))):
        revision = Revision("abc", "A commit", "https://commit", 1.0)
        run.start(name, source=False)
        run.end(name, "Source", Succeeded("ok", {"CommitId": "abc"}, ("Source",), revision))
        run.check(name, "r", Succeeded("ok"))
        run.tell(Approve("Test", "Approval", run.latest(name, "Approval").token, True, "yes", "arn:me"))
        run.end(name, "Deploy", Failed("JobFailed", "It broke.", "broken"))
        run.tell(Retry(run.ids[name], "Test", "FAILED_ACTIONS"))
        progress = Progress("id", "working", "https://stack", "arn:log")
        run.tell(ActionProgressed(run.ids[name], run.latest(name, "Deploy").identifier, progress))
        run.end(name, "Deploy", Succeeded("ok", {"Url": "x"}, ("Out",)))
        run.check(name, "s", met)
    run.tell(Stop(run.ids["good"], reason="enough"))
    run.tell(SetTransition("Prod", "Inbound", "closed"))
    for name in ("third", "fourth"):
        run.start(name)
    return run


def described(driven: Driver) -> dict[str, list[Any]]:
    state, executions = driven.state, list(driven.state.executions.values())
    return {
        "StageState": describe.pipeline_state(state),
        "PipelineExecutionSummary": [describe.execution_summary(one) for one in executions],
        "PipelineExecution": [describe.execution_detail(state, one) for one in executions],
        "ActionExecutionDetail": [detail for one in executions for detail in describe.action_details(one)],
        "RuleExecutionDetail": [detail for one in executions for detail in describe.rule_details(one)],
    }


@pytest.mark.parametrize(
    "name",
    ["StageState", "PipelineExecutionSummary", "PipelineExecution", "ActionExecutionDetail", "RuleExecutionDetail"],
)
def test_what_is_described_has_the_form_of_the_api(driven: Driver, name: str) -> None:
    shape = service_model("codepipeline").shape_for(name)
    documents = described(driven)[name]
    assert documents
    for document in documents:
        report = ParamValidator().validate(document, shape)
        assert not report.has_errors(), report.generate_report()
        assert list(problems(shape, document, name)) == []
