"""The scan gate with an SBOM opens only for findings of Amazon Inspector that the policy allows, and fails closed."""

from __future__ import annotations

import hashlib
import io
import json
import runpy
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.service.conftest import import_from, run_script

DIGEST = "sha256:" + "d" * 64
OPEN, FINDINGS, USAGE, UNJUDGED = 0, 1, 2, 3
PROPERTY = "amazon:inspector:sbom_scanner"
# A package of npm, one of Debian that the image has installed, and one of its base image.
EXPRESS = {"bom-ref": "comp-1", "name": "express", "version": "5.0.0", "purl": "pkg:npm/express@5.0.0"}
CURL = {"bom-ref": "comp-2", "name": "curl", "purl": "pkg:deb/debian/curl@8.14.1-2?arch=amd64"}
OPENSSL = {"bom-ref": "comp-3", "name": "openssl", "purl": "pkg:deb/debian/openssl@3.5.4-1?distro=trixie"}
COMPONENTS = [EXPRESS, CURL, OPENSSL]
SBOM = {"bomFormat": "CycloneDX", "specVersion": "1.5", "components": COMPONENTS}


def vulnerability(component: dict[str, str], *severities: str, fix: str = "9.9.9", **more: Any) -> dict[str, Any]:
    """A vulnerability with a rating for each severity, and the likelihood of an attack."""
    ratings = [
        {"source": {"name": name}, "severity": one} for name, one in zip(("NVD", "GITHUB"), severities, strict=False)
    ]
    reference = component["bom-ref"]
    return {
        "id": f"CVE-{component['name']}",
        "ratings": [*ratings, {"source": {"name": "EPSS"}, "severity": "none", "method": "other"}],
        "affects": [{"ref": reference}],
        "properties": [{"name": f"{PROPERTY}:fixed_version:{reference}", "value": fix}] if fix else [],
        **more,
    }


def report(*vulnerabilities: dict[str, Any], **counts: int) -> dict[str, Any]:
    """Amazon Inspector's answer."""
    numbers = [{"name": f"{PROPERTY}:{name}_vulnerabilities", "value": str(counts[name])} for name in counts]
    found = {"metadata": {"properties": numbers}, "components": COMPONENTS, "vulnerabilities": list(vulnerabilities)}
    return {"sbom": {"bomFormat": "CycloneDX", "specVersion": "1.5", **found}}


class Gate:
    """The gate of a service with the engine sbom, with programs and calls in place of the real ones."""

    def __init__(self, service: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scripts = service / "config/scripts/scan_gate"
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.calls: list[list[str]] = []
        self.variables: dict[str, str] = {}
        # What the program writes, or raises.
        self.sbom: Any = SBOM
        self.program = "/usr/bin/inspector-sbomgen"
        self.policy()

    def policy(self, threshold: str = "critical", more: str = "") -> None:
        (self.folder / "scan-policy.toml").write_text(f'threshold = "{threshold}"\n{more}\n')

    def run(self, answer: Any) -> subprocess.CompletedProcess[str]:
        """Run the gate.

        Args:
            answer: What Amazon Inspector answers: a document, a text, an error's code, or an exception.
        """

        def command(words: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
            self.calls.append(words)
            assert options["timeout"] > 0
            if words[0] != "aws":
                self.variables = options["env"]
                return self._make(words)
            if words[1] == "ecr":
                return subprocess.CompletedProcess(words, 0, "secret\n", "")
            if isinstance(answer, Exception):
                raise answer
            if isinstance(answer, str) and answer.endswith("Exception"):
                return subprocess.CompletedProcess(words, 254, "", f"\nAn error occurred ({answer}) when calling: no\n")
            return subprocess.CompletedProcess(words, 0, answer if isinstance(answer, str) else json.dumps(answer), "")

        files = {name: self.folder / name for name in ("sbom.json", "findings.json", "junit.xml")}
        arguments = ["--repository", "orders", "--digest", DIGEST, "--policy", str(self.folder / "scan-policy.toml")]
        for option, name in (("--sbom", "sbom.json"), ("--findings", "findings.json"), ("--report", "junit.xml")):
            arguments += [option, str(files[name])]
        with self.monkeypatch.context() as patch:
            patch.setattr("shutil.which", lambda name: self.program if name == "inspector-sbomgen" else None)
            patch.setattr(sys, "path", [str(self.scripts), *sys.path])
            loaded = set(sys.modules)
            done = run_script(
                patch, self.scripts / "__main__.py", command, {"REPOSITORY_URI": "registry/orders"}, arguments
            )
        for name in set(sys.modules) - loaded:
            del sys.modules[name]
        return done

    def _make(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        if isinstance(self.sbom, Exception):
            raise self.sbom
        if isinstance(self.sbom, int):
            return subprocess.CompletedProcess(words, self.sbom, "", "INFO\nERROR: no such image\n")
        file = Path(words[words.index("--outfile") + 1])
        if self.sbom is not None:
            file.write_text(self.sbom if isinstance(self.sbom, str) else json.dumps(self.sbom))
        return subprocess.CompletedProcess(words, 0, "", "")


@pytest.fixture
def gate(generated_custom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(generated_custom, tmp_path, monkeypatch)


def closed(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Assert that the gate closed with one sentence."""
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stderr.startswith("Scan gate closed: ")
    assert (done.stderr.count("\n"), done.stderr[-2:]) == (1, ".\n")
    for word in words:
        assert word in done.stderr


def opened(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stderr) == (OPEN, ""), done.stdout + done.stderr


def allow(day: Any, name: str) -> str:
    return f'[[exceptions]]\nid = "CVE-{name}"\nreason = "not reachable"\nexpires = {day}\n'


def test_the_image_is_named_by_its_digest_and_the_password_is_in_no_command_line(gate: Gate) -> None:
    opened(gate.run(report(critical=0)))
    _, make, scan = gate.calls
    assert make[:4] == [gate.program, "container", "--image", f"registry/orders@{DIGEST}"]
    file = str(gate.folder / "sbom.json")
    assert scan[:7] == [
        "aws",
        "inspector-scan",
        "scan-sbom",
        "--sbom",
        f"file://{file}",
        "--output-format",
        "CYCLONE_DX_1_5",
    ]
    assert gate.variables["INSPECTOR_SBOMGEN_PASSWORD"] == "secret"
    assert "secret" not in str(gate.calls)
    assert json.loads(Path(file).read_text()) == SBOM


@pytest.mark.parametrize("component", COMPONENTS, ids=["npm package", "Debian package", "base image"])
def test_a_critical_finding_closes_it_until_a_dated_exception_and_from_the_day_after_again(
    gate: Gate, component: dict[str, str]
) -> None:
    answer = report(vulnerability(component, "critical"), critical=1)
    closed(gate.run(answer), FINDINGS, f"1 finding not allowed (CVE-{component['name']})")
    today = datetime.now(UTC).date()
    gate.policy(more=allow(today + timedelta(days=1), component["name"]))
    opened(gate.run(answer))
    gate.policy(more=allow(today - timedelta(days=1), component["name"]))
    done = gate.run(answer)
    closed(done, FINDINGS, f"CVE-{component['name']}")
    assert f"its exception expired on {today - timedelta(days=1)}" in done.stdout


def test_the_table_names_package_kind_version_and_fix(gate: Gate) -> None:
    gate.policy("high")
    done = gate.run(report(vulnerability(EXPRESS, "high"), vulnerability(CURL, "critical", fix=""), high=1, critical=1))
    closed(done, FINDINGS)
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "CRITICAL CVE-curl curl (deb) 8.14.1-2 - STOPS THE RELEASE" in lines
    assert "HIGH CVE-express express (npm) 5.0.0 9.9.9 STOPS THE RELEASE" in lines


def test_the_report_has_a_test_for_each_finding_and_one_for_the_others(gate: Gate) -> None:
    gate.policy("high", allow("2999-01-01", "curl"))
    bad = vulnerability(OPENSSL, "high", id="CVE-\x00<odd>")
    gate.run(report(vulnerability(EXPRESS, "low"), vulnerability(CURL, "critical"), bad))
    suite = ElementTree.parse(gate.folder / "junit.xml").getroot()[0]
    assert suite.attrib == {"name": "findings", "tests": "3", "failures": "1", "skipped": "1"}
    found = {case.get("name"): [one.tag for one in case] for case in suite}
    assert found == {
        "CRITICAL CVE-curl curl (deb) 8.14.1-2": ["skipped"],
        "HIGH CVE-?<odd> openssl (deb) 3.5.4-1": ["failure"],
        "1 other findings": [],
    }
    findings = json.loads((gate.folder / "findings.json").read_text())
    assert (findings["engine"], len(findings["findings"])) == ("sbom", 3)


def test_more_findings_than_a_report_takes_are_counted(gate: Gate) -> None:
    many = [vulnerability(EXPRESS, "critical", id=f"CVE-{number}") for number in range(600)]
    closed(gate.run(report(*many)), FINDINGS, "600 findings")
    suite = ElementTree.parse(gate.folder / "junit.xml").getroot()[0]
    assert (len(suite), suite[-1].get("name"), suite[-1][0].get("message")) == (
        500, "101 other findings", "101 of them stop the release",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ratings", "code"),
    [
        (["low", "critical"], FINDINGS),
        (["critical", "none"], FINDINGS),
        (["high"], OPEN),
        (["none"], OPEN),
        (["info"], OPEN),
        (["unknown"], OPEN),  # counts as high
        ([], OPEN),
        (["apocalyptic", "low"], UNJUDGED),
    ],
)
def test_the_highest_rating_counts(gate: Gate, ratings: list[str], code: int) -> None:
    assert gate.run(report(vulnerability(EXPRESS, *ratings))).returncode == code


@pytest.mark.parametrize("ratings", [["unknown"], []])
def test_findings_without_a_rating_count_as_the_policy_says(gate: Gate, ratings: list[str]) -> None:
    gate.policy("high")
    closed(gate.run(report(vulnerability(EXPRESS, *ratings))), FINDINGS)


def test_a_finding_counts_for_each_component_and_without_one(gate: Gate) -> None:
    both = vulnerability(EXPRESS, "critical", affects=[{"ref": "comp-1"}, {"ref": "comp-2"}])
    closed(gate.run(report(both)), FINDINGS, "2 findings not allowed")
    closed(gate.run(report(vulnerability(EXPRESS, "critical", affects=[]))), FINDINGS, "1 finding not allowed")


def test_findings_without_a_fix_pass_if_the_policy_says_so(gate: Gate) -> None:
    gate.policy(more="only_fixed = true")
    opened(
        gate.run(
            report(vulnerability(CURL, "critical", fix=""), vulnerability(OPENSSL, "critical", fix="NotAvailable"))
        )
    )
    assert "has no fix" in (gate.folder / "findings.json").read_text()
    closed(gate.run(report(vulnerability(CURL, "critical"))), FINDINGS)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("AccessDeniedException", "Amazon Inspector does not scan the SBOM: an error occurred (AccessDeniedException)"),
        ("ThrottlingException", "ThrottlingException"),
        ("ValidationException", "ValidationException"),
        (subprocess.TimeoutExpired("aws", 120), "timed out after 120 s"),
        (FileNotFoundError(), "the AWS CLI is not installed"),
        ("", "unknown format"),
        ("Service Unavailable", "unknown format"),
        ("null", "unknown format"),
        ({}, "unknown format (KeyError: 'sbom')"),
        ({"sbom": None}, "unknown format"),
        ({"sbom": {"bomFormat": "SPDX"}}, "unknown format"),
        ({"sbom": {"bomFormat": "CycloneDX"}}, "neither vulnerabilities nor their number"),
        ({"sbom": {"bomFormat": "CycloneDX", "vulnerabilities": ["?"]}}, "unknown format"),
        ({"sbom": {"bomFormat": "CycloneDX", "vulnerabilities": [{"ratings": "high"}]}}, "unknown format"),
        (report(critical=1), "counts 1 findings of the severity critical or above, but returns 0"),
    ],
)
def test_an_answer_that_is_missing_malformed_or_incomplete_closes_it(gate: Gate, answer: Any, words: str) -> None:
    closed(gate.run(answer), UNJUDGED, words)


@pytest.mark.parametrize(
    ("sbom", "words"),
    [
        (1, "cannot make the SBOM: ERROR: no such image"),
        (subprocess.TimeoutExpired("inspector-sbomgen", 1200), "not complete after 1200 seconds"),
        (PermissionError(13, "Permission denied"), "does not run: Permission denied"),
        (None, "The SBOM cannot be read (FileNotFoundError)"),
        ("{", "The SBOM cannot be read (JSONDecodeError)"),
        ([], "not in CycloneDX's JSON format"),
        ({"bomFormat": "SPDX", "components": COMPONENTS}, "not in CycloneDX's JSON format"),
        ({**SBOM, "components": []}, "has no components"),
        ({**SBOM, "components": [EXPRESS] * 5001}, "scans at most 5000"),
    ],
)
def test_an_sbom_that_is_missing_malformed_or_late_closes_it(gate: Gate, sbom: Any, words: str) -> None:
    (gate.folder / "sbom.json").write_text(json.dumps(SBOM))  # of another image
    gate.sbom = sbom
    closed(gate.run(report(critical=0)), UNJUDGED, words)
    assert "scan-sbom" not in str(gate.calls)


@pytest.fixture
def site() -> Iterator[tuple[str, dict[str, bytes]]]:
    """A web site, with its files."""
    files: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = files.get(self.path)
            self.send_response(200 if content else 404)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", files
        server.shutdown()


@pytest.fixture
def download(
    gate: Gate, site: tuple[str, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> Callable[[bytes, str], Path]:
    """Downloads the program from the site, which has this content, and is pinned to that checksum."""

    def get(content: bytes, checksum: str) -> Path:
        address, files = site
        files["/1.17.5/amd64"] = content
        monkeypatch.setattr("platform.machine", lambda: "x86_64")
        import_from(monkeypatch, gate.scripts.parent)
        import_from(monkeypatch, gate.scripts)
        loaded = set(sys.modules)
        module = runpy.run_path(str(gate.scripts / "sbom.py"))
        for name in set(sys.modules) - loaded:
            del sys.modules[name]
        function = module["_download"]
        function.__globals__.update(ADDRESS=f"{address}/{{version}}/{{architecture}}", CHECKSUMS={"amd64": checksum})
        path: Path = function(gate.folder)
        return path

    return get


def archive(name: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as opened_archive:
        # Without the time: workers of pytest-xdist have to collect the same tests.
        opened_archive.writestr(zipfile.ZipInfo(name), "#!/bin/sh\n")
        opened_archive.writestr(zipfile.ZipInfo("inspector-sbomgen-1.17.5/LICENSE"), "")
    return packed.getvalue()


def test_the_program_is_downloaded_and_checked(download: Callable[[bytes, str], Path]) -> None:
    packed = archive("inspector-sbomgen-1.17.5/linux/amd64/inspector-sbomgen")
    program = download(packed, hashlib.sha256(packed).hexdigest())
    assert (program.read_text(), program.stat().st_mode & 0o777) == ("#!/bin/sh\n", 0o700)


@pytest.mark.parametrize(
    ("content", "checksum", "words"),
    [
        (archive("inspector-sbomgen"), "0" * 64, "does not have the SHA-256 checksum 000"),
        (b"", "0" * 64, "cannot be downloaded: HTTP Error 404"),
        (b"no archive", hashlib.sha256(b"no archive").hexdigest(), "is no archive with the program"),
        (archive("other"), hashlib.sha256(archive("other")).hexdigest(), "is no archive with the program"),
    ],
)
def test_another_program_closes_the_gate(
    gate: Gate, download: Callable[[bytes, str], Path], content: bytes, checksum: str, words: str
) -> None:
    with pytest.raises(Exception, match=r"127\.0\.0\.1") as refused:
        download(content, checksum)
    assert (type(refused.value).__name__, words in str(refused.value)) == ("GateClosed", True)
    assert not (gate.folder / "inspector-sbomgen").exists()
