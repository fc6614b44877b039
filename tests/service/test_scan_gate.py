"""The scan gate opens only for complete findings that the policy allows, and fails closed."""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.pauses import skip_pauses
from tests.service import aws_stand_in
from tests.service.conftest import HERE

DIGEST = "sha256:" + "d" * 64
OPEN, FINDINGS, USAGE, UNJUDGED = 0, 1, 2, 3
NOT_FOUND = {"error": "ScanNotFoundException"}
# ECR's errors for start-image-scan: for the second scan of a day, and with enhanced scanning.
ONCE_A_DAY = {"error": "LimitExceededException"}
ENHANCED_REGISTRY = {"error": "ValidationException"}


def basic(
    *severities: str, status: str = "COMPLETE", completed_at: Any = 1_700_000_000.5, **more: Any
) -> dict[str, Any]:
    """ECR's response for a basic scan with one finding for each severity."""
    findings = [
        {
            "name": f"CVE-2026-{number}",
            "severity": severity,
            "attributes": [{"key": "package_name", "value": "zlib"}, {"key": "package_version", "value": "1.3"}],
        }
        for number, severity in enumerate(severities, 1)
    ]
    counts = {severity: severities.count(severity) for severity in severities}
    return {
        "imageScanStatus": {"status": status, "description": "because"},
        "imageScanFindings": {
            "findings": findings,
            "findingSeverityCounts": counts,
            "imageScanCompletedAt": completed_at,
        },
        **more,
    }


def enhanced(*severities: str, status: str = "ACTIVE") -> dict[str, Any]:
    """ECR's response for a scan by Amazon Inspector."""
    findings = [
        {
            "severity": severity,
            "fixAvailable": "YES",
            "packageVulnerabilityDetails": {
                "vulnerabilityId": f"CVE-2026-{number}",
                "vulnerablePackages": [{"name": "express", "version": "5.0.0", "fixedInVersion": "5.0.1"}],
            },
        }
        for number, severity in enumerate(severities, 1)
    ]
    counts = {severity: severities.count(severity) for severity in severities}
    return {
        "imageScanStatus": {"status": status},
        "imageScanFindings": {"enhancedFindings": findings, "findingSeverityCounts": counts},
    }


def state(status: str, description: str = "") -> dict[str, Any]:
    return {"imageScanStatus": {"status": status, "description": description}}


class Gate:
    """The gate of a generated service, with the fake `aws` command."""

    def __init__(self, service: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.service = service
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.policy_file = folder / "scan-policy.toml"
        self.pauses: list[float] = []
        self.policy()

    def policy(self, threshold: str = "critical", more: str = "", minutes: float = 0.5) -> None:
        self.policy_file.write_text(f'threshold = "{threshold}"\ntimeout_minutes = {minutes}\n{more}\n')

    def allow(self, identifier: str, expires: Any, threshold: str = "critical", minutes: float = 0.5) -> None:
        more = f'[[exceptions]]\nid = "{identifier}"\nreason = "we do not parse XML"\nexpires = {expires}\n'
        self.policy(threshold, more, minutes)

    def answers(
        self, *answers: dict[str, Any], start: dict[str, Any] | None, earlier: dict[str, Any] | None
    ) -> list[str]:
        """Write ECR's responses, and return the arguments of the gate."""
        describe = [earlier or NOT_FOUND, *answers]
        documents = {"start-image-scan": [start or {}], "describe-image-scan-findings": describe}
        (self.folder / "answers.json").write_text(json.dumps(documents))
        (self.folder / "calls.jsonl").unlink(missing_ok=True)
        words = ["--repository", "orders", "--digest", DIGEST, "--policy", str(self.policy_file)]
        return [*words, "--poll-seconds", "0.01", "--findings", str(self.folder / "findings.json")]

    def run(
        self,
        *answers: dict[str, Any],
        start: dict[str, Any] | None = None,
        earlier: dict[str, Any] | None = None,
        poll_seconds: float | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the gate in this process with these responses of ECR; the last one repeats.

        Args:
            poll_seconds: The pauses are noted and not made; None for short ones that are made.
        """
        words = self.answers(*answers, start=start, earlier=earlier)
        words += [] if poll_seconds is None else ["--poll-seconds", str(poll_seconds)]
        output, errors = io.StringIO(), io.StringIO()
        loaded = set(sys.modules)
        with (
            self.monkeypatch.context() as patch,
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
        ):
            patch.setattr(sys, "argv", ["scan_gate", *words])
            patch.setattr(sys, "path", list(sys.path))
            patch.setattr(subprocess, "run", self.stand_in)
            if poll_seconds is not None:
                self.pauses = skip_pauses(patch)
            with pytest.raises(SystemExit) as ended:
                runpy.run_path(str(self.service / "config/scripts/scan_gate"), run_name="__main__")
        for name in set(sys.modules) - loaded:
            del sys.modules[name]
        return subprocess.CompletedProcess(words, int(str(ended.value.code)), output.getvalue(), errors.getvalue())

    def stand_in(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        assert command[0] == "aws"
        assert options["timeout"] > 0
        return subprocess.CompletedProcess(command, *aws_stand_in.answer(self.folder, command[1:]))

    def call(self, *words: object, path: str = "/nowhere") -> subprocess.CompletedProcess[str]:
        """Run the gate in a subprocess."""
        command = [sys.executable, "-B", self.service / "config/scripts/scan_gate", *words]
        return subprocess.run(
            list(map(str, command)), env={"PATH": path}, capture_output=True, text=True, check=False, timeout=60
        )

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "calls.jsonl").read_text().splitlines()]


@pytest.fixture
def gate(generated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(generated, tmp_path, monkeypatch)


def closed(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Assert that the gate closed with one sentence."""
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stderr.startswith("Scan gate closed: ")
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith(".\n")
    assert "open" not in done.stdout
    for word in words:
        assert word in done.stderr


def opened(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stderr) == (OPEN, ""), done.stdout + done.stderr
    assert done.stdout.endswith("Scan gate open.\n")


class TestBasicScans:
    def test_a_clean_image_passes(self, gate):
        opened(gate.run(basic()))

    def test_every_call_is_for_the_digest(self, gate):
        opened(gate.run(basic()))
        assert [call[1] for call in gate.calls] == [
            "describe-image-scan-findings",
            "start-image-scan",
            "describe-image-scan-findings",
        ]
        for call in gate.calls:
            assert call[call.index("--image-id") + 1] == f"imageDigest={DIGEST}"
            assert call[call.index("--repository-name") + 1] == "orders"

    def test_it_waits_for_the_scan(self, gate):
        done = gate.run(NOT_FOUND, state("PENDING"), state("IN_PROGRESS"), state("IN_PROGRESS"), basic("LOW"))
        opened(done)
        assert done.stdout.count("the scan is IN_PROGRESS") == 1

    def test_it_asks_less_and_less_often_while_the_scan_runs(self, gate):
        opened(gate.run(*[state("IN_PROGRESS")] * 6, basic(), poll_seconds=10))
        assert gate.pauses == [1, 2, 4, 8, 10, 10]

    @pytest.mark.parametrize(
        ("threshold", "severity", "code"),
        [
            ("critical", "CRITICAL", FINDINGS),
            ("critical", "HIGH", OPEN),
            ("high", "CRITICAL", FINDINGS),
            ("high", "HIGH", FINDINGS),
            ("high", "MEDIUM", OPEN),
            ("medium", "MEDIUM", FINDINGS),
            ("medium", "LOW", OPEN),
            ("low", "LOW", FINDINGS),
            ("low", "INFORMATIONAL", OPEN),
            ("critical", "UNDEFINED", OPEN),
            ("high", "UNDEFINED", FINDINGS),
            ("high", "UNTRIAGED", FINDINGS),
        ],
    )
    def test_the_threshold_decides(self, gate, threshold, severity, code):
        gate.policy(threshold)
        assert gate.run(basic(severity)).returncode == code

    def test_unscored_findings_count_as_the_policy_says(self, gate):
        gate.policy("critical", 'unscored_counts_as = "critical"')
        closed(gate.run(basic("UNDEFINED")), FINDINGS)

    def test_the_table_is_readable(self, gate):
        gate.allow("CVE-2026-2", "2999-12-31", threshold="high")
        done = gate.run(basic("HIGH", "CRITICAL", "LOW", "LOW", "CRITICAL"))
        closed(done, FINDINGS, "2 findings not allowed (CVE-2026-5, CVE-2026-1)", "exception with an expiry date")
        table = done.stdout[done.stdout.index("SEVERITY") :]
        assert table == (
            "SEVERITY  FINDING     PACKAGE  VERSION  FIXED IN  VERDICT\n"
            "CRITICAL  CVE-2026-2  zlib     1.3      -         allowed until 2999-12-31: we do not parse XML\n"
            "CRITICAL  CVE-2026-5  zlib     1.3      -         STOPS THE RELEASE\n"
            "HIGH      CVE-2026-1  zlib     1.3      -         STOPS THE RELEASE\n"
            "Below the threshold: 2 LOW.\n"
        )

    def test_all_pages_count(self, gate):
        first = basic("LOW", nextToken="page-2")
        last = basic("CRITICAL")
        first["imageScanFindings"]["findingSeverityCounts"] = {"LOW": 1, "CRITICAL": 1}
        closed(gate.run(first, last), FINDINGS)
        assert gate.calls[-1][-4:] == ["--next-token", "page-2", "--output", "json"]

    def test_endless_pages_close_it(self, gate):
        closed(gate.run(basic("LOW", nextToken="again")), UNJUDGED, "endless number of pages")

    def test_fewer_findings_than_ecr_counts_close_it(self, gate):
        gate.allow("CVE-2026-1", "2999-12-31", minutes=0.005)
        short = basic("CRITICAL")
        short["imageScanFindings"]["findingSeverityCounts"] = {"CRITICAL": 2}
        closed(gate.run(short), UNJUDGED, "ECR counts 2 CRITICAL findings, but returns 1")


class TestOnceADay:
    def test_the_previous_findings_are_evaluated_and_their_age_is_shown(self, gate):
        moment = datetime.now(UTC) - timedelta(hours=5)
        for completed_at in (moment.timestamp(), moment.isoformat()):
            done = gate.run(basic("CRITICAL", completed_at=completed_at), start=ONCE_A_DAY)
            closed(done, FINDINGS)
            assert f"of the scan of {moment:%Y-%m-%d %H:%M} UTC, 5.0 hours ago" in done.stdout

    def test_an_unknown_age_is_shown_as_unknown(self, gate):
        done = gate.run(basic(completed_at="yesterday"), start=ONCE_A_DAY)
        opened(done)
        assert "of the scan of an unknown time" in done.stdout

    def test_a_scan_that_started_at_the_push_is_waited_for(self, gate):
        opened(gate.run(state("IN_PROGRESS"), basic(), start=ONCE_A_DAY))

    def test_previous_findings_do_not_count_once_a_new_scan_has_started(self, gate):
        old, new = basic(completed_at=1.0), basic("CRITICAL", completed_at=2.0)
        closed(gate.run(old, new, earlier=old), FINDINGS)


class TestEnhancedScans:
    def test_enhanced_findings_count(self, gate):
        done = gate.run(enhanced("CRITICAL"), start=ENHANCED_REGISTRY)
        closed(done, FINDINGS)
        assert "CRITICAL  CVE-2026-1  express  5.0.0    5.0.1     STOPS THE RELEASE" in done.stdout

    def test_late_findings_count(self, gate):
        first, more = enhanced("LOW"), enhanced("LOW", "CRITICAL")
        closed(gate.run(first, first, more, start=ENHANCED_REGISTRY), FINDINGS)

    def test_findings_after_an_empty_list_count(self, gate):
        none = enhanced(status="COMPLETE")
        closed(gate.run(*[none] * 5, enhanced("CRITICAL", status="COMPLETE"), start=ENHANCED_REGISTRY), FINDINGS)

    @pytest.mark.parametrize("status", ["ACTIVE", "COMPLETE"])
    def test_an_empty_list_passes_once_it_is_stable(self, gate, status):
        opened(gate.run(enhanced(status=status), start=ENHANCED_REGISTRY))
        assert len(gate.calls) == 2 + 6

    def test_findings_that_may_be_incomplete_have_the_whole_time(self, gate):
        opened(gate.run(state("PENDING"), enhanced("LOW"), start=ENHANCED_REGISTRY, poll_seconds=10))
        assert gate.pauses == [1, 10, 10]

    def test_a_status_without_findings_is_not_enough(self, gate):
        gate.policy(minutes=0.005)
        for status in ("ACTIVE", "COMPLETE"):
            closed(
                gate.run(state(status), start=ENHANCED_REGISTRY),
                UNJUDGED,
                "its findings are not available",
                "0.005 minutes",
            )

    def test_findings_without_a_fix_pass_if_the_policy_says_so(self, gate):
        gate.policy(more="only_fixed = true")
        answer = enhanced("CRITICAL", "CRITICAL")
        first, second = answer["imageScanFindings"]["enhancedFindings"]
        first["fixAvailable"] = second["fixAvailable"] = "NO"
        done = gate.run(answer, start=ENHANCED_REGISTRY)
        opened(done)
        assert "Without a fix, which only_fixed lets pass: 2." in done.stdout
        second["fixAvailable"] = "YES"
        closed(gate.run(answer, start=ENHANCED_REGISTRY), FINDINGS, "CVE-2026-2")
        del second["fixAvailable"]
        closed(gate.run(answer, start=ENHANCED_REGISTRY), UNJUDGED, "whether CVE-2026-2 can be fixed")

    def test_basic_scans_cannot_tell_which_findings_have_a_fix(self, gate):
        gate.policy(more="only_fixed = true")
        closed(gate.run(basic()), UNJUDGED, "only_fixed", "answer scan_engine with sbom")

    def test_every_package_of_a_finding_is_shown(self, gate):
        answer = enhanced("CRITICAL")
        details = answer["imageScanFindings"]["enhancedFindings"][0]["packageVulnerabilityDetails"]
        details["vulnerablePackages"] = [{"name": "a", "version": "1"}, {"name": "b", "version": "2"}]
        done = gate.run(answer, start=ENHANCED_REGISTRY)
        closed(done, FINDINGS)
        assert [line.split()[2] for line in done.stdout.splitlines() if "CVE-2026-1" in line] == ["a", "b"]

    def test_a_finding_without_id_still_counts(self, gate):
        answer = enhanced("CRITICAL")
        del answer["imageScanFindings"]["enhancedFindings"][0]["packageVulnerabilityDetails"]
        closed(gate.run(answer, start=ENHANCED_REGISTRY), FINDINGS, "(no id)")


class TestUnknownResponsesCloseIt:
    @pytest.mark.parametrize(
        "status",
        [
            *("FAILED", "UNSUPPORTED_IMAGE", "SCAN_ELIGIBILITY_EXPIRED", "FINDINGS_UNAVAILABLE"),
            *("LIMIT_EXCEEDED", "IMAGE_ARCHIVED", "IMAGE_SIZE_EXCEEDED", "SOMETHING_NEW", ""),
        ],
    )
    def test_a_status_other_than_success(self, gate, status):
        closed(gate.run(basic(status=status)), UNJUDGED, f"ended with the status {status}", "because")

    def test_a_severity_that_ecr_does_not_document(self, gate):
        closed(gate.run(basic("APOCALYPTIC")), UNJUDGED, "'APOCALYPTIC'")

    def test_a_count_of_such_a_severity(self, gate):
        answer = basic()
        answer["imageScanFindings"]["findingSeverityCounts"] = {"APOCALYPTIC": 1}
        closed(gate.run(answer), UNJUDGED, "'APOCALYPTIC'")

    def test_no_severity(self, gate):
        answer = basic("CRITICAL")
        del answer["imageScanFindings"]["findings"][0]["severity"]
        closed(gate.run(answer), UNJUDGED, "unknown format (KeyError: 'severity')")

    @pytest.mark.parametrize("answer", [{}, {"imageScanStatus": {}}, {"imageScanStatus": []}])
    def test_a_response_without_status(self, gate, answer):
        closed(gate.run(answer), UNJUDGED, "unknown format")

    @pytest.mark.parametrize(
        "findings", [[], {"findings": [{}]}, {"findings": "x"}, {"findingSeverityCounts": {"LOW": "x"}}]
    )
    def test_findings_of_an_unknown_format(self, gate, findings):
        answer = basic() | {"imageScanFindings": findings or ["?"]}
        closed(gate.run(answer), UNJUDGED, "unknown format")

    @pytest.mark.parametrize("raw", ["", "Service Unavailable", "[]", "null"])
    def test_a_response_that_is_not_an_object(self, gate, raw):
        closed(gate.run({"raw": raw}), UNJUDGED, "describe-image-scan-findings")

    def test_no_scan_in_time(self, gate):
        gate.policy(minutes=0.005)
        began = time.monotonic()
        for answer, words in ((state("PENDING"), "the scan is PENDING"), (NOT_FOUND, "there is no scan")):
            closed(gate.run(answer), UNJUDGED, "timed out after 0.005 minutes", words)
        assert time.monotonic() - began < 20

    @pytest.mark.parametrize("error", ["AccessDeniedException", "ImageNotFoundException", "ServerException"])
    def test_an_error_when_findings_are_read(self, gate, error):
        closed(gate.run({"error": error}), UNJUDGED, "does not return the findings", error)

    @pytest.mark.parametrize("error", ["AccessDeniedException", "UnsupportedImageTypeException", "ServerException"])
    def test_an_error_when_the_scan_is_started(self, gate, error):
        closed(gate.run(basic(), start={"error": error}), UNJUDGED, "does not scan the image", error)

    def test_no_aws_command(self, gate):
        closed(
            gate.call(*gate.answers(start=None, earlier=None)), UNJUDGED, "The AWS CLI is not installed; install it."
        )

    def test_wrong_usage(self, gate):
        assert gate.call("--digest", DIGEST).returncode == USAGE


def test_the_command(gate):
    aws = gate.folder / "bin" / "aws"
    aws.parent.mkdir()
    aws.write_text(f"#!/bin/sh\nexec '{sys.executable}' -I '{HERE / 'aws_stand_in.py'}' '{gate.folder}' \"$@\"\n")
    aws.chmod(0o755)
    path = f"{aws.parent}{os.pathsep}{os.environ['PATH']}"
    opened(gate.call(*gate.answers(basic("HIGH"), start=None, earlier=None), path=path))
    closed(gate.call(*gate.answers(basic("CRITICAL"), start=None, earlier=None), path=path), FINDINGS)
    closed(gate.call(*gate.answers(state("FAILED"), start=None, earlier=None), path=path), UNJUDGED)


def today() -> date:
    """The date of this moment, since a test run may pass midnight."""
    return datetime.now(UTC).date()


class TestExceptions:
    def test_it_is_valid_on_its_expiry_date(self, gate):
        gate.allow("CVE-2026-1", today())
        opened(gate.run(basic("CRITICAL")))

    def test_it_is_invalid_after_its_expiry_date(self, gate):
        yesterday = today() - timedelta(days=1)
        gate.allow("CVE-2026-1", yesterday)
        done = gate.run(basic("CRITICAL"))
        closed(done, FINDINGS, "CVE-2026-1")
        assert f"its exception expired on {yesterday}" in done.stdout

    def test_it_allows_no_other_finding(self, gate):
        gate.allow("CVE-2026-2", today())
        done = gate.run(basic("CRITICAL"))
        closed(done, FINDINGS)
        assert "The exception for CVE-2026-2 matches no finding of this image: delete it." in done.stdout

    def test_an_expired_exception_without_a_finding_is_only_reported(self, gate):
        gate.allow("CVE-2026-2", "2020-01-01")
        done = gate.run(basic())
        opened(done)
        assert "The exception for CVE-2026-2 has expired and matches no finding" in done.stdout


class TestPolicies:
    def test_a_symbolic_link_closes_it(self, gate):
        elsewhere = gate.policy_file.rename(gate.policy_file.with_name("elsewhere.toml"))
        gate.policy_file.symlink_to(elsewhere)
        closed(gate.run(NOT_FOUND), UNJUDGED, "scan-policy.toml is a symbolic link, or in a folder that is one.")

    GOOD = '[[exceptions]]\nid = "CVE-1"\nreason = "r"\nexpires = 2999-01-01\n'

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "threshold must be one of low, medium, high, critical"),
            ('threshold = "off"', "threshold must be one of"),
            ('threshold = "CRITICAL"', "threshold must be one of"),
            ("threshold = [", "is not valid TOML"),
            ('threshold = "low"\ntreshold = "low"', "'treshold' is not a setting"),
            ('threshold = "low"\nunscored_counts_as = "none"', "unscored_counts_as must be one of"),
            ('threshold = "low"\ntimeout_minutes = 0', "timeout_minutes must be a number"),
            ('threshold = "low"\ntimeout_minutes = 30.5', "timeout_minutes must be a number above 0 and up to 30"),
            ('threshold = "low"\ntimeout_minutes = true', "timeout_minutes must be a number"),
            ('threshold = "low"\ntimeout_minutes = "20"', "timeout_minutes must be a number"),
            ('threshold = "low"\nonly_fixed = "yes"', "only_fixed must be true or false"),
            ('threshold = "low"\nexceptions = "CVE-1"', "exceptions must be a list"),
            ('threshold = "low"\nexceptions = ["CVE-1"]', "needs id, reason and expires"),
            ('threshold = "low"\n[exceptions]\nid = "CVE-1"', "exceptions must be a list"),
            (f'threshold = "low"\n{GOOD.replace("expires", "expire")}', "needs id, reason and expires"),
            (f'threshold = "low"\n{GOOD}package = "zlib"', "and nothing else"),
            (f'threshold = "low"\n{GOOD.replace("CVE-1", " ")}', "the id of an exception must be text"),
            (
                f'threshold = "low"\n{GOOD.replace(chr(34) + "r" + chr(34), "1")}',
                "the reason of an exception must be text",
            ),
            (
                f'threshold = "low"\n{GOOD.replace("2999-01-01", chr(34) + "2999-01-01" + chr(34))}',
                "must expire on a date",
            ),
            (f'threshold = "low"\n{GOOD.replace("2999-01-01", "2999-01-01T00:00:00Z")}', "must expire on a date"),
            (f'threshold = "low"\n{GOOD}{GOOD}', "two exceptions for CVE-1"),
        ],
    )
    def test_an_invalid_policy_closes_it(self, gate, text, words):
        gate.policy_file.write_text(text)
        closed(gate.run(basic()), UNJUDGED, words)
        assert not (gate.folder / "calls.jsonl").exists()

    def test_a_missing_policy_closes_it(self, gate):
        gate.policy_file.unlink()
        closed(gate.run(basic()), UNJUDGED, "cannot be read: No such file or directory")

    def test_an_exception_can_be_appended_to_the_generated_policy(self, gate):
        generated = (gate.service / "config/policies/scan-policy.toml").read_text()
        gate.policy_file.write_text(generated + self.GOOD.replace("CVE-1", "CVE-2026-1"))
        opened(gate.run(basic("CRITICAL")))


@pytest.mark.parametrize("severities", [(), ("LOW", "CRITICAL", "HIGH")])
def test_the_findings_are_written_open_or_closed(gate: Gate, severities: tuple[str, ...]) -> None:
    done = gate.run(basic(*severities))
    assert done.returncode == (FINDINGS if severities else OPEN)
    document = json.loads((gate.folder / "findings.json").read_text())
    found = document.pop("findings")
    assert date.fromisoformat(document.pop("date")) <= today()
    assert document == {"image": f"orders@{DIGEST}", "engine": "basic", "threshold": "critical"}
    assert [one["severity"] for one in found] == ["CRITICAL", "HIGH", "LOW"][: len(severities)]
    if found:
        assert found[0]["verdict"] == "STOPS THE RELEASE"
        assert found[1] == {
            "id": "CVE-2026-3", "severity": "HIGH", "package": "zlib", "version": "1.3", "fixed_in": "",
            "fixable": None, "ecosystem": "", "verdict": "below the threshold",
        }  # fmt: skip
