"""What `scaffold rehearse` checks before anything starts, and what it shows."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scaffold.aws import scan_findings
from scaffold.aws.pipeline_state import ActionRun
from scaffold.commands import rehearse
from scaffold.commands.rehearse import RehearseOptions
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.git import git
from scaffold.core.isolation import isolated
from scaffold.deployment import pipeline_names
from scaffold.deployment.registry_failures import Unreached
from scaffold.deployment.rehearsal import FailedAction, RehearsalResult, RehearsedAction, RehearsedStage
from scaffold.deployment.release_tree import duration, lines, seconds
from scaffold.deployment.status import EnvironmentStatus
from scaffold.service.clone import clone
from scaffold.service.service import read
from scaffold.views.rehearse import text
from tests.deploy.services import commit, make_service
from tests.kits import generate
from tests.release.rehearsals import trap
from tests.release.services import PIPELINE

NOW = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
UNREACHED = Unreached("npm", "npm.example", "no host", in_container=True)


@pytest.fixture
def service(tmp_path: Path) -> Path:
    root = make_service(tmp_path / "orders")
    commit(root, infrastructure__pipeline_yaml=PIPELINE)
    return root


def refused(root: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> ScaffoldError:
    """The error of a rehearsal for which no local AWS may start."""

    def start(*_: Any, **__: Any) -> Any:
        raise AssertionError("local AWS was started")

    monkeypatch.setattr(rehearse, "running_local_aws", start)
    with pytest.raises(ScaffoldError) as error:
        rehearse.run(RehearseOptions(root, **options), Console(), lambda _: [], lambda _: 0)
    return error.value


@pytest.mark.slow
def test_an_unknown_stage_or_action_is_refused_with_the_known_ones(
    service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = refused(service, monkeypatch, until="test")
    assert (stage.exit_code, stage.remedy) == (2, "Its stages are Source, Build, Dev, Prod.")
    action = refused(service, monkeypatch, fail="Prod/Build")
    assert (action.exit_code, "Build/Build, Dev/Environment, Prod/Approval" in action.remedy) == (2, True)


@pytest.mark.parametrize(
    ("fault", "happened", "remedy"),
    [
        ("stage=exit", "has no environment 'stage'", "the environments are dev, prod."),
        ("exit", "has no environment 'exit'", "Write --fault ENVIRONMENT=FAULT"),
        ("prod=errors:20", "--fault prod=errors:20 names no fault", "errors:20%, latency:2s, exit or unhealthy"),
    ],
)
def test_a_fault_that_cannot_be_injected_is_refused(
    service: Path, monkeypatch: pytest.MonkeyPatch, fault: str, happened: str, remedy: str
) -> None:
    error = refused(service, monkeypatch, faults=("dev=latency:1s", fault))
    assert (error.exit_code, happened in error.happened, remedy in error.remedy) == (2, True, True), error


def test_only_commits_are_rehearsed(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (service / "notes.txt").write_text("later")
    error = refused(service, monkeypatch)
    assert (error.exit_code, error.happened) == (1, "There are uncommitted changes: notes.txt.")
    assert "only commits are rehearsed" in error.remedy


def test_an_existing_vpc_is_refused(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = {
        "environment": {"VpcId": "vpc-1", "PublicSubnetIds": "subnet-1"},
        "service": {"SubnetIds": "subnet-1"},
    }
    (service / "infrastructure" / "prod").mkdir(exist_ok=True)
    for kind, given in parameters.items():
        (service / "infrastructure" / "prod" / f"{kind}.json").write_text(json.dumps({"Parameters": given}))
    commit(service)
    assert refused(service, monkeypatch).happened == "prod is in the existing VPC vpc-1, which is not in local AWS."


def test_builds_in_a_vpc_are_refused(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(service, **{"infrastructure__build-vpc_yaml": "Resources: {}\n"})
    error = refused(service, monkeypatch)
    assert error.happened == "Images are built in an existing VPC, which is not in local AWS."
    assert "the answer build_network is none" in error.remedy


def test_a_shallow_clone_is_refused(service: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git("clone", "-q", "--depth=1", f"file://{service}", "shallow", cwd=tmp_path)
    assert "shallow" in refused(tmp_path / "shallow", monkeypatch).happened


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("{", "it is not JSON"),
        ("[]", "neither findings nor enhancedFindings"),
        ('{"imageScanFindings": {}}', "neither findings nor enhancedFindings"),
        ('{"imageScanFindings": 1}', "neither findings nor enhancedFindings"),
        ('{"findings": {}}', "findings is not a list"),
        ('{"findings": [1]}', "number 1 of its findings is not an object"),
        ('{"findings": [{"severity": "LOW"}]}', "has no name"),
        ('{"findings": [{"name": "CVE-1", "severity": "low"}]}', "has a severity that is none of"),
        ('{"findings": [{"name": "CVE-1", "severity": []}]}', "has a severity that is none of"),
        ('{"findings": [{"name": "CVE-1", "severity": "LOW", "attributes": ["a"]}]}', "has attributes that"),
        ('{"enhancedFindings": [{"severity": "LOW"}]}', "number 1 of its enhancedFindings has no packageVulner"),
        (
            '{"enhancedFindings": [{"severity": "LOW", "packageVulnerabilityDetails": {"vulnerabilityId": "C", '
            '"vulnerablePackages": [1]}}]}',
            "has vulnerablePackages that",
        ),
    ],
)
def test_a_file_that_has_no_findings(tmp_path: Path, document: str, why: str) -> None:
    path = tmp_path / "findings.json"
    path.write_text(document)
    with pytest.raises(UsageError) as error:
        scan_findings.read(path)
    assert why in error.value.happened
    assert "docs/local-aws.md" in error.value.remedy


def test_findings_are_read_as_ecr_prints_them(tmp_path: Path) -> None:
    path = tmp_path / "findings.json"
    basic = {"name": "CVE-1", "severity": "HIGH", "attributes": [{"key": "package_name", "value": "openssl"}]}
    path.write_text(json.dumps({"findings": [basic]}))
    assert scan_findings.read(path) == {"findings": [basic]}
    enhanced = {"severity": "UNTRIAGED", "packageVulnerabilityDetails": {"vulnerabilityId": "CVE-2"}}
    answer = {"findingSeverityCounts": {"UNTRIAGED": 1}, "enhancedFindings": [enhanced], "findings": []}
    path.write_text(json.dumps({"registryId": "1", "imageScanFindings": answer}))
    assert scan_findings.read(path) == {"enhancedFindings": [enhanced]}
    with pytest.raises(UsageError, match="cannot be read"):
        scan_findings.read(tmp_path / "missing.json")


def test_findings_are_read_as_amazon_inspector_prints_them(tmp_path: Path) -> None:
    path = tmp_path / "findings.json"
    finding = {"id": "CVE-1", "ratings": [{"severity": "high"}], "affects": [{"ref": "comp-1"}]}
    component = {"bom-ref": "comp-1", "name": "express"}
    for document in (
        {"sbom": {"vulnerabilities": [finding], "components": [component]}},
        {"vulnerabilities": [finding]},
    ):
        path.write_text(json.dumps(document))
        listed = [component] if "sbom" in document else []
        assert scan_findings.read_report(path) == {"vulnerabilities": [finding], "components": listed}
    for wrong, why in (
        ({"findings": []}, "it has no list of vulnerabilities"),
        ({"vulnerabilities": [1]}, "vulnerabilities is not a list of objects"),
        ({"vulnerabilities": [], "components": {}}, "components is not a list of objects"),
        ({"vulnerabilities": [{}]}, "number 1 of its vulnerabilities has no id"),
        ({"vulnerabilities": [{"id": "CVE-1", "ratings": ["high"]}]}, "has ratings that are no list"),
    ):
        path.write_text(json.dumps(wrong))
        with pytest.raises(UsageError) as error:
            scan_findings.read_report(path)
        assert why in error.value.happened
        assert "aws inspector-scan scan-sbom" in error.value.remedy


def test_findings_for_a_service_without_scans_are_refused(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = refused(service, monkeypatch, scan_findings=service / "findings.json")
    assert (error.exit_code, "scans no images" in error.happened) == (2, True)


@pytest.mark.slow
def test_the_names_of_the_kits_pipeline_are_known(tmp_path: Path) -> None:
    stages = pipeline_names.declared(read(generate(tmp_path / "orders", environments="dev,live")))
    assert stages
    first = ["Source", "Gate", "Approve-Gate", "SelfUpdate", "Build"]
    assert list(stages) == [*first, "Dev", "Plan-Live", "Approve-Live", "Live"]
    own = ("Build", "Checks", "PullRequests", "Plans", "Releases", "Tests", "Events", "Pipeline")
    assert stages["SelfUpdate"] == own
    assert stages["Live"][-3:] == ("Service", "Tests", "Release")


@pytest.mark.parametrize(
    "changed",
    [
        ("- Name: Dev\n", "- Name: !Ref AppName\n"),
        ("- Name: Dev\n", "- Name: {Ref: AppName}\n"),
        ("            - Name: Approval\n", "            - Name: !Sub 'Approval'\n"),
        ("      Stages:\n", "      Stages: !Ref Stages\n      Others:\n"),
        ("AWS::CodePipeline::Pipeline", "AWS::SNS::Topic"),
    ],
    ids=str,
)
def test_names_that_functions_decide_about_are_not_known(service: Path, changed: tuple[str, str]) -> None:
    assert PIPELINE.count(changed[0]) == 1
    commit(service, infrastructure__pipeline_yaml=PIPELINE.replace(*changed))
    assert pipeline_names.declared(read(service)) is None


def test_a_clone_is_main_at_the_commit_and_changes_nothing(service: Path, tmp_path: Path) -> None:
    git("tag", "v1", cwd=service)
    git("remote", "add", "origin", "https://example.com/orders.git", cwd=service)
    git("switch", "-q", "-c", "change", cwd=service)
    head = commit(service, "A change", notes_txt="new\n")
    before = {path: path.read_bytes() for path in (service / ".git").rglob("*") if path.is_file()}
    copy = clone(read(service), head, tmp_path / "copy")
    assert before == {path: path.read_bytes() for path in (service / ".git").rglob("*") if path.is_file()}
    assert git("rev-parse", "main", "HEAD", cwd=copy.root).splitlines() == [head, head]
    assert git("status", "--porcelain", cwd=copy.root) == git("remote", cwd=copy.root) == ""
    assert git("tag", cwd=copy.root) == "v1"
    assert (copy.root / "notes.txt").read_text() == "new\n"


def test_a_partial_clone_gets_nothing_from_its_remote(service: Path, tmp_path: Path) -> None:
    git("config", "uploadpack.allowFilter", "true", cwd=service)
    git("clone", "-q", "--filter=blob:none", "--no-checkout", f"file://{service}", "partial", cwd=tmp_path)
    partial = tmp_path / "partial"
    (partial / ".copier-answers.yml").write_bytes((service / ".copier-answers.yml").read_bytes())
    with trap() as (address, connections):
        git("config", "remote.origin.url", f"http://{address}/orders.git", cwd=partial)
        with pytest.raises(ScaffoldError, match="cannot be accessed"):
            clone(read(partial), git("rev-parse", "HEAD", cwd=partial), tmp_path / "copy")
    assert connections == []


def test_only_harmless_variables_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = {"AWS_PROFILE": "prod", "AWS_BEARER_TOKEN_BEDROCK": "x", "GIT_SSH_COMMAND": "ssh", "NPM_TOKEN": "secret"}
    for name, value in planted.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with isolated(tmp_path, {"PATH": "/bin", "AWS_REGION": "eu-west-1"}):
        inside = dict(os.environ)
    assert not set(planted) & set(inside)
    assert (inside["HOME"], inside["PATH"], inside["AWS_REGION"]) == (str(tmp_path), "/bin", "eu-west-1")
    assert inside["DOCKER_CONFIG"].startswith(str(tmp_path))
    assert dict(os.environ) == before


def test_remedies_are_for_the_users_repository(service: Path, tmp_path: Path) -> None:
    own, copy = read(service), read(make_service(tmp_path / "copy"))
    told = rehearse._remedy(f"Change it, then run `{copy.enter} && scaffold deploy`.", copy, own)
    assert told == f"Change it, then run `{own.enter} && scaffold rehearse`."
    told = rehearse._remedy("Run `scaffold repair dev --skip Task`, then `scaffold deploy`.", copy, own)
    assert told == f"Fix the cause with a commit, then rehearse again: `{own.enter} && scaffold rehearse`."
    assert rehearse._remedy("Fix app/Dockerfile.", copy, own) == "Fix app/Dockerfile."


def ran(stage: str, name: str, status: str, started: float, length: float, **more: Any) -> ActionRun:
    start = NOW + timedelta(seconds=started)
    given: dict[str, Any] = {"category": "Deploy", "reason": "", "variables": {}} | more
    ended = None if status == "InProgress" else start + timedelta(seconds=length)
    return ActionRun(stage, name, status=status, started=start, ended=ended, **given)


def test_a_release_as_lines() -> None:
    runs = [
        ran("Build", "Build", "Succeeded", 0, 65, category="Build"),
        ran("Dev", "Service", "InProgress", 65, 0),
        ran("Dev", "Alarms", "Failed", 66, 3, reason="it\nbroke"),
        ran("Prod", "Approval", "InProgress", 70, 0, category="Approval"),
    ]
    assert lines(runs, redrawn=True, now=NOW + timedelta(seconds=72)) == [
        "Build  1 min 05 s",
        "  ✓ Build  1 min 05 s",
        "Dev  7 s",
        "  … Service  7 s",
        "  ✗ Alarms  3 s: it broke",
        "Prod  2 s",
        "  … Approval  2 s: waits for approval",
    ]
    # Without a terminal a line is never the line of another stage, and an action in progress has one line.
    assert lines(runs, redrawn=False) == [
        "✓ Build: Build  1 min 05 s",
        "… Dev: Service",
        "✗ Dev: Alarms  3 s: it broke",
        "… Prod: Approval: waits for approval",
    ]


def test_durations() -> None:
    assert [duration(length) for length in (0, 0.4, 59.6, 125)] == ["0 s", "0 s", "1 min 00 s", "2 min 05 s"]
    unknown = ActionRun("Build", "Build", "Build", "InProgress", "", {})
    assert seconds([unknown]) is None
    assert seconds([]) is None
    assert seconds([ran("Dev", "A", "Succeeded", 0, 2), ran("Dev", "B", "Succeeded", 5, 3)]) == 8


def rehearsed(**more: Any) -> RehearsalResult:
    dev = EnvironmentStatus(
        "dev", False, "http://127.0.0.1:1", "v1", None, "v1", None, COMMIT, 0, None, (), None, {}
    )  # fmt: skip
    prod = EnvironmentStatus("prod", True, None, None, None, None, None, None, None, None, (), None, {})
    stages = (
        RehearsedStage("Dev", "Succeeded", 12.3, (RehearsedAction("Service", "Succeeded", 12.3),)),
        RehearsedStage("Prod", None, None, ()),
    )
    given: dict[str, Any] = {
        "service": "orders",
        "region": "us-east-1",
        "local": True,
        "commit": COMMIT,
        "outcome": "succeeded",
        "execution": "1",
        "until": None,
        "waiting": None,
        "failed": None,
        "seconds": 61,
        "stages": stages,
        "environments": (dev, prod),
    }
    return RehearsalResult(**given | more)


def test_the_result_says_what_runs_and_what_was_not_rehearsed() -> None:
    shown = text(rehearsed(until="Dev"))
    for words in (
        "Rehearsal of orders, commit 0123456: the stage Dev has succeeded after 1 min 01 s.",
        "  Dev   Succeeded, 1 action  12 s",
        "  Prod  not entered",
        "  url      http://127.0.0.1:1",
        "  version  v1 answers",
        "  commit   0123456",
        "prod (production)\n  url      none: nothing was released",
        "Local AWS has ended",
        "without a container engine",
        "docs/rehearsal.md",
    ):
        assert words in shown, shown
    assert "Local AWS has ended" not in text(rehearsed(kept=True))


def test_the_result_shows_what_people_would_have_got() -> None:
    shown = text(rehearsed(messages=("orders: a release waits for approval.\nhttps://", 'ALARM: "orders-prod-5xx"')))
    assert "\n  orders: a release waits for approval. https://\n" in shown
    assert '\n  ALARM: "orders-prod-5xx"\n' in shown
    assert "topic" not in text(rehearsed())


def test_the_result_says_which_alarms_were_not_exercised() -> None:
    sent: dict[str, Any] = {"requests": 12, "failed_requests": 1}
    shown = text(rehearsed(**sent, alarms_without_data=("orders-prod-memory", "orders-prod-latency")))
    assert "  traffic  12 requests sent during the release, 1 failed" in shown
    assert "  alarms   without enough data, so not exercised: orders-prod-memory, orders-prod-latency" in shown
    assert "not exercised" not in text(rehearsed(**sent, alarms_without_data=()))
    assert "traffic" not in text(rehearsed())


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ({}, 0, "released in every environment after 1 min 01 s"),
        ({"outcome": "failed"}, 1, "commit 0123456: failed after 1 min 01 s."),
        ({"outcome": "waiting", "waiting": "Prod"}, 11, "waits for approval in the stage Prod"),
        (
            {"outcome": "failed", "failed": FailedAction("Dev", "Test", "no\nluck", ("one", "\x1b[2Jtwo"))},
            1,
            "The action Test of the stage Dev failed: no luck\nIts last lines:\n  one\n  \\x1b[2Jtwo",
        ),
        (
            {"outcome": "failed", "failed": FailedAction("Build", "Build", "no", ("one",), UNREACHED)},
            1,
            "\n  one\nWhat they say: npm could not reach npm.example (no host).\nWithout a container engine, a build "
            "needs the npm registry only: `SCAFFOLD_CONTAINER_ENGINE=none scaffold rehearse`.\n",
        ),
    ],
)
def test_each_outcome_has_a_text_an_exit_code_and_a_document(more: dict[str, Any], code: int, words: str) -> None:
    result = rehearsed(**more)
    assert result.exit_code == code
    assert words in text(result)
    document = json.loads(json.dumps(result.document()))
    assert (document["schema_version"], document["command"]) == (1, "rehearse")
