"""What runs is scanned again on local AWS, and people get a message."""

from __future__ import annotations

import json
import os
import shutil
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.deploy.services import all_stacks, client, commit, run, unused_name
from tests.release.rehearsals import small_service
from tests.release.services import decide, release
from tests.release.test_merge_gate import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
EXPRESS = {"bom-ref": "found-1", "name": "express", "version": "5.0.0", "purl": "pkg:npm/express@5.0.0"}
FIX = {"name": "amazon:inspector:sbom_scanner:fixed_version:found-1", "value": "5.0.1"}
FINDING = {
    "id": "CVE-2026-1",
    "ratings": [{"severity": "critical"}],
    "affects": [{"ref": "found-1"}],
    "properties": [FIX],
}


def control(path: str, document: Any = None) -> dict[str, Any]:
    """Ask local AWS itself."""
    data = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(
        f"{os.environ['AWS_ENDPOINT_URL']}/_local/{path}", data, method="GET" if data is None else "PUT"
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def test_findings_of_what_runs_reach_people_and_so_does_a_scan_that_fails(aws: None, tmp_path: Path) -> None:
    """The release itself was clean; its roles do the rest. The schedule is not waited for."""
    app = unused_name()
    answers = {"scan_gate": "high", "customize": True, "scan_engine": "sbom", "nightly_scan": True, "approval": "none"}
    service = small_service(tmp_path / "service", app_name=app, **answers)
    assert release(service).exit_code == 0
    codebuild = boto3.Session(region_name="us-east-1").client("codebuild")

    def scan() -> str:
        build = codebuild.start_build(projectName=f"{app}-scan")["build"]["id"]

        def ended() -> str | None:
            (found,) = codebuild.batch_get_builds(ids=[build])["builds"]
            return str(found["buildStatus"]) if found["buildComplete"] else None

        return str(eventually(ended))

    def messages(words: str) -> list[str]:
        found = [one["message"] for one in control("messages")["messages"] if f":{app}-notifications" in one["topic"]]
        return [text for text in found if words in text]

    assert scan() == "SUCCEEDED"
    assert not messages("finding")
    control("sbom-scans", {"vulnerabilities": [FINDING], "components": [EXPRESS]})
    assert scan() == "SUCCEEDED"
    (text,) = eventually(lambda: messages("1 finding would stop a release of what runs in live"))
    assert "- CRITICAL CVE-2026-1 in express 5.0.0; fixed in 5.0.1: update the package in app/" in text
    control("sbom-scans", {"error": "AccessDeniedException"})
    assert scan() == "FAILED"
    assert eventually(lambda: messages(f"the build {app}-scan, which scans what runs, ended with FAILED"))
    control("sbom-scans", {})

    # A release that was taken back leaves its image there, and the service on the one before.
    chosen = {"StackName": f"{app}-live-task-definition"}
    (stack,) = client("cloudformation").describe_stacks(**chosen)["Stacks"]
    parameters = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
    parameters["ImageUri"] = f"{parameters['ImageUri'].partition('@')[0]}@sha256:{'0' * 64}"
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    client("cloudformation").update_stack(**chosen, UsePreviousTemplate=True, Parameters=given)
    client("cloudformation").get_waiter("stack_update_complete").wait(**chosen, WaiterConfig={"Delay": 1})
    assert scan() == "SUCCEEDED"

    # The release without the stack gets past the pipeline of before, which updates the stack, and then it is deleted.
    off = small_service(tmp_path / "off", app_name=app, **{**answers, "nightly_scan": False})
    for path in (service / "infrastructure").glob("scans.*"):
        path.unlink()
    for name in ("pipeline.yaml", "pipeline.json"):
        shutil.copy(off / "infrastructure" / name, service / "infrastructure" / name)
    commit(service)
    waiting = release(service)
    assert [(one.name, one.reason) for one in waiting.left_stacks] == [(f"{app}-scans", "pipeline")]
    assert waiting.release
    assert waiting.release.waiting == "Approve-Gate"
    decide(service, yes=True, execution=waiting.release.execution)
    done = release(service)
    assert done.exit_code == 0
    assert run(service).left_stacks == ()
    assert f"{app}-scans" not in {one["StackName"] for one in all_stacks()}
