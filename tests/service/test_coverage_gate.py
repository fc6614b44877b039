"""Tests that cover too little stop an image; without a report, nothing is judged."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.kits import generate
from tests.service.conftest import run_script

LINE = '<line number="{}" hits="{}"/>'


def report(hits: list[int]) -> str:
    lines = "".join(LINE.format(number, count) for number, count in enumerate(hits))
    methods = f"<methods><method><lines>{LINE.format(1, 0)}</lines></method></methods>"
    classes = f"<classes><class>{methods}<lines>{lines}</lines></class></classes>"
    return f"<coverage><packages><package>{classes}</package></packages></coverage>"


@pytest.fixture(scope="module")
def covered_service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("covered") / "service", coverage_threshold=80)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (report([1] * 8 + [0] * 2), 0, "the tests cover 80 % of the lines (8 of 10), and 80 % are wanted"),
        (report([1] * 7 + [0] * 3), 1, "the tests cover 70 % of the lines (7 of 10), and config/policies/"),
        (report([1] * 79999 + [0] * 20001), 1, "the tests cover 79.99 % of the lines (79999 of 100000)"),
        (report([]), 3, "the coverage report has no lines"),
        ("<testsuites/>", 3, "the coverage report has no lines"),
        ("TN:", 3, "is not in Cobertura's format"),
        (None, 3, "let the stage test write /app/reports/coverage.xml"),
    ],
)
def test_the_threshold_is_met_or_the_gate_is_closed(
    covered_service: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, code: int, words: str
) -> None:
    path = tmp_path / "coverage.xml"
    if text is not None:
        path.write_text(text)
    script = covered_service / "config/scripts/coverage_gate.py"
    done = run_script(monkeypatch, script, subprocess.run, {}, [str(path)])
    assert (done.returncode, words in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr


def test_the_threshold_is_the_answer_and_judged_before_the_push(covered_service: Path, generated: Path) -> None:
    policy = tomllib.loads((covered_service / "config/policies/coverage-policy.toml").read_text())
    assert policy == {"threshold": 80}
    script = (covered_service / "config/scripts/build_image.sh").read_text()
    assert script.index("coverage_gate.py") < script.index("build_and_push()")
    for name in ("config/scripts/build_image.sh", "config/buildspecs/build.yml", "infrastructure/pull-requests.yaml"):
        assert "coverage" not in (generated / name).read_text().lower(), name
