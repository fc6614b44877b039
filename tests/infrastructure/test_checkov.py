"""Every finding of checkov is fixed, or suppressed with a reason beside the resource."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.variants import ALL_ANSWERS, FEW, pairwise
from tests.kits import ROOT
from tests.service.conftest import run_script

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

# checkov pins boto3, so it has an environment of its own.
CHECKOV = ROOT / ".venv-checkov/bin/checkov"
SCRIPT = "config/scripts/infrastructure_checks.py"
OPTIONS = ["--skip-download", "--enable-secret-scan-all-files", "--quiet", "--compact", "--output", "json"]
SUPPRESSION = re.compile(r"checkov:skip=(?P<check>\w+)(?::(?P<reason>.*))?")
INFRASTRUCTURE = ("cloudformation", "dockerfile")

Findings = Counter[tuple[str, str]]  # file and check: one for each resource


def failed(folder: Path, *frameworks: str) -> Findings:
    """The checks that the files in a folder fail."""
    assert CHECKOV.exists(), "checkov is not installed: run `make checkov`"
    offline = {"CKV_SKIP_PACKAGE_UPDATE_CHECK": "true"}
    done = subprocess.run(
        [CHECKOV, "--directory", folder, "--framework", *frameworks, *OPTIONS],
        env=os.environ | offline,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    parsed = json.loads(done.stdout)
    found: Findings = Counter()
    for report in parsed if isinstance(parsed, list) else [parsed]:
        assert report.get("summary", report)["parsing_errors"] == 0
        found.update((one["file_path"], one["check_id"]) for one in report.get("results", {}).get("failed_checks", []))
    return found


def texts(folder: Path) -> dict[str, str]:
    return {f"/{path.relative_to(folder)}": path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def problems(folder: Path, scratch: Path) -> dict[str, Any]:
    """What is wrong with the suppressions in a folder of templates and Dockerfiles.

    checkov skips a suppressed check without running it, so whether a suppression is needed shows only without it.
    """
    suppressions = [(path, match) for path, text in texts(folder).items() for match in SUPPRESSION.finditer(text)]
    for path, text in texts(folder).items():
        bare = scratch / path[1:]
        bare.parent.mkdir(parents=True, exist_ok=True)
        bare.write_text(SUPPRESSION.sub("", text))
    return {
        "unsuppressed": failed(folder, *INFRASTRUCTURE),
        "unneeded": Counter((path, match["check"]) for path, match in suppressions) - failed(scratch, *INFRASTRUCTURE),
        "without reason": [match[0] for _, match in suppressions if len((match["reason"] or "").split()) < 3],
    }


NO_PROBLEMS: dict[str, Any] = {"unsuppressed": Counter(), "unneeded": Counter(), "without reason": []}


def copy_distinct(services: list[Path], destination: Path, *patterns: str) -> Path:
    """Copy the files that match, each content once: most files are the same for all answers."""
    seen: set[bytes] = set()
    for service in services:
        for source in (path for pattern in patterns for path in service.glob(pattern) if path.is_file()):
            if (content := source.read_bytes()) not in seen:
                seen.add(content)
                target = destination / service.name / source.relative_to(service)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
    return destination


@pytest.fixture(scope="session")
def services(generated: Callable[..., Path]) -> list[Path]:
    return [generated(**answers) for answers in (*FEW.values(), ALL_ANSWERS, *pairwise())]


@pytest.fixture(scope="session")
def few(services: list[Path]) -> list[Path]:
    """With every option, in fewer combinations."""
    return services[: len(FEW) + 1]


def test_findings_are_fixed_or_suppressed_over_all_pairs(services: list[Path], tmp_path: Path) -> None:
    scanned = copy_distinct(services, tmp_path, "infrastructure/**/*.yaml", "app/Dockerfile")
    assert failed(scanned, *INFRASTRUCTURE) == Counter()


def test_each_suppression_is_needed_and_has_a_reason(few: list[Path], tmp_path: Path) -> None:
    scanned = copy_distinct(few, tmp_path / "scanned", "infrastructure/**/*.yaml", "app/Dockerfile")
    assert any(SUPPRESSION.search(text) for text in texts(scanned).values())
    assert problems(scanned, tmp_path / "bare") == NO_PROBLEMS


def test_only_the_dockerfile_is_taken_for_one_and_no_file_for_a_secret(few: list[Path], tmp_path: Path) -> None:
    assert failed(copy_distinct(few, tmp_path, "**/*"), "dockerfile", "secrets") == Counter()


def test_all_suppressions_are_on_the_list_of_the_service(services: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for service in services:
        done = run_script(
            monkeypatch, service / SCRIPT, lambda command, **_: subprocess.CompletedProcess(command, 0), {}
        )
        assert done.returncode == 0, done.stdout


TOPIC = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n    Properties:\n"
OPEN, ENCRYPTED = "      DisplayName: open\n", "      KmsMasterKeyId: alias/own\n"


def test_faults_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "scanned"
    folder.mkdir()
    (folder / "fixed.yaml").write_text(TOPIC + ENCRYPTED)
    (folder / "suppressed.yaml").write_text(TOPIC + "      # checkov:skip=CKV_AWS_26:Every message is public\n" + OPEN)
    (folder / "new.yaml").write_text(TOPIC + OPEN)
    (folder / "unneeded.yaml").write_text(TOPIC + "      # checkov:skip=CKV_AWS_26:It was open once\n" + ENCRYPTED)
    (folder / "elsewhere.yaml").write_text("# checkov:skip=CKV_AWS_26:Not beside the resource\n" + TOPIC + OPEN)
    (folder / "silent.yaml").write_text(TOPIC + "      # checkov:skip=CKV_AWS_26\n" + OPEN)
    assert problems(folder, tmp_path / "bare") == {
        "unsuppressed": Counter({("/new.yaml", "CKV_AWS_26"): 1, ("/elsewhere.yaml", "CKV_AWS_26"): 1}),
        "unneeded": Counter({("/unneeded.yaml", "CKV_AWS_26"): 1}),
        "without reason": ["checkov:skip=CKV_AWS_26"],
    }


def test_a_secret_is_found(tmp_path: Path) -> None:
    key = "AKIA" + "Z7VRSQ5TJN2WQMRH"
    (tmp_path / "deploy.sh").write_text(f'export AWS_ACCESS_KEY_ID="{key}"\n')
    assert ("/deploy.sh", "CKV_SECRET_2") in failed(tmp_path, "secrets")
