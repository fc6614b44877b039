"""What CloudFormation's validation finds before a deployment is shown: by the plan, and as the reason of a failure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scaffold.core.errors import ScaffoldError
from scaffold.service.service import read
from scaffold.views.deploy import text
from tests.deploy.services import FOUNDATION, MORE, PIPELINE, Wire, client, commit, foundation_stack, run

REASON = "Resource of type 'AWS::SNS::Topic' with identifier 'orders' already exists."
PATH = "/Resources/More/Properties/TopicName"


def finding(mode: str = "WARN", **more: str) -> dict[str, Any]:
    """An event of a validation, as in DescribeEvents."""
    return {
        "EventId": "1",
        "OperationId": "2",
        "EventType": "VALIDATION_ERROR",
        "LogicalResourceId": "More",
        "Timestamp": datetime(2026, 1, 1, tzinfo=UTC),
        "ValidationName": "NAME_CONFLICT_VALIDATION",
        "ValidationStatus": "FAILED",
        "ValidationFailureMode": mode,
        "ValidationPath": PATH,
        "ValidationStatusReason": REASON,
        **more,
    }


def finds(*events: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Let DescribeEvents return events: local AWS records none for change sets."""
    return lambda parsed: parsed.update(OperationEvents=list(events))


@pytest.fixture
def changed(deployed: Path) -> Path:
    """A deployed service with a change that is not deployed yet."""
    commit(deployed, infrastructure__pipeline_yaml=PIPELINE + MORE)
    return deployed


def test_a_warning_is_shown_and_stops_nothing(changed: Path, wire: Wire, capsys: pytest.CaptureFixture[str]) -> None:
    wire.touched["DescribeEvents"] = finds(
        finding(), finding(), finding(ValidationStatus="SKIPPED", LogicalResourceId="X")
    )
    planned = run(changed, plan=True)
    assert text(planned).count(f"warning of CloudFormation: More at {PATH}: {REASON.rstrip('.')}") == 1
    (step,) = [step for step in planned.document()["steps"] if step["warnings"]]
    assert step["type"] == "stack"
    assert step["warnings"][0]["path"] == PATH
    assert run(changed).document()["steps"] == planned.document()["steps"]
    assert f"validation warns of More at {PATH}" in capsys.readouterr().err


@pytest.mark.parametrize("status", ["FAILED", pytest.param("CREATE_COMPLETE", marks=pytest.mark.slow)])
def test_a_failure_stops_plan_and_deployment_with_path_and_reason(changed: Path, wire: Wire, status: str) -> None:
    """Its reason is CloudFormation's, not the sentence that leads to another API."""

    def describe(parsed: dict[str, Any]) -> None:
        parsed |= {
            "Status": status,
            "StatusReason": "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. "
            "To troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure information.",
        }

    wire.touched["DescribeChangeSet"] = describe
    wire.touched["DescribeEvents"] = finds(finding(ValidationPath="/Resources/Logs"), finding("FAIL"))
    for plan in (True, False):
        with pytest.raises(ScaffoldError) as caught:
            run(changed, plan=plan)
        assert f"More at {PATH}: {REASON}" in caught.value.happened
        assert "/Resources/Logs" not in caught.value.happened
        assert "DescribeEvents" not in caught.value.happened
    assert [call for call in wire.calls if call == "cloudformation:ExecuteChangeSet"] == []


@pytest.mark.parametrize(
    "code",
    ["AccessDenied", *(pytest.param(code, marks=pytest.mark.slow) for code in ("InvalidAction", "ValidationError"))],
)
def test_without_the_api_nothing_changes(changed: Path, wire: Wire, code: str) -> None:
    planned = run(changed, plan=True).document()
    wire.refuse("DescribeEvents", code, "no")
    assert run(changed, plan=True).document() == planned
    assert run(changed).document()["steps"] == planned["steps"]


def test_a_failed_change_set_without_findings_has_its_own_reason(changed: Path, wire: Wire) -> None:
    wire.touched["DescribeChangeSet"] = lambda parsed: parsed.update(Status="FAILED", StatusReason="No export named X.")
    wire.refuse("DescribeEvents", "AccessDenied", "no")
    with pytest.raises(ScaffoldError, match="No export named X"):
        run(changed, plan=True)


def test_a_creation_that_fails_its_validation_names_path_and_reason(service: Path) -> None:
    """Its events only say that there are errors; local AWS validates the names of buckets as AWS does."""
    bucket = f"{read(service).app_name}-exists"
    client("s3").create_bucket(Bucket=bucket)
    named = f"  Named: {{Type: AWS::S3::Bucket, Properties: {{BucketName: {bucket}}}}}\n"
    commit(service, infrastructure__foundation_yaml=FOUNDATION.replace("Outputs:", named + "Outputs:"))
    with pytest.raises(ScaffoldError) as caught:
        run(service)
    stack = foundation_stack(read(service).app_name)
    assert f"{stack} could not be created, because of Named at /Resources/Named: " in caught.value.happened
    assert "Delete or rename the existing resource" in caught.value.remedy


@pytest.mark.slow
def test_findings_of_an_earlier_operation_explain_no_failure(changed: Path, wire: Wire) -> None:
    def fail(parsed: dict[str, Any]) -> None:
        for event in parsed["StackEvents"]:
            if event["ResourceStatus"] == "UPDATE_COMPLETE" and event["PhysicalResourceId"] == event["StackId"]:
                event["ResourceStatus"] = "UPDATE_ROLLBACK_COMPLETE"

    def later(parsed: dict[str, Any]) -> None:
        if "cloudformation:ExecuteChangeSet" in wire.calls:
            parsed["OperationEvents"] = [finding("FAIL")]

    wire.touched |= {"DescribeStackEvents": fail, "DescribeEvents": later}
    with pytest.raises(ScaffoldError) as caught:
        run(changed)
    assert PATH not in caught.value.happened
    assert "it is UPDATE_ROLLBACK_COMPLETE" in caught.value.happened
