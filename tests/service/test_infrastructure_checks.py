"""Templates that break a rule, or hide that they do, stop a release before it changes anything."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.test_checkov import CHECKOV
from tests.infrastructure.variants import FEW
from tests.kits import ROOT, generate
from tests.service.conftest import replace_by_link, run_script

Done = subprocess.CompletedProcess
TEMPLATE = "infrastructure/service.yaml"
SCRIPT = "config/scripts/infrastructure_checks.py"


@pytest.fixture
def judge(service: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done[str]]:
    """Run the checks with tools that end with these exit codes; `calls` has what was run."""

    def judge(**codes: int) -> Done[str]:
        def tool(command: list[str], **_: Any) -> Done[str]:
            name = Path(command[0]).name.replace("-", "_")
            calls.append([name, *command[1:]])
            return Done(command, codes.get(name, 0))

        calls.clear()
        return run_script(monkeypatch, service / SCRIPT, tool, {})

    calls: list[list[str]] = []
    judge.calls = calls  # type: ignore[attr-defined]
    return judge


def test_all_checks_see_all_templates(service: Path, judge: Any) -> None:
    assert judge().returncode == 0
    pip, lint, checkov = judge.calls
    assert (pip[0], "--require-hashes" in pip) == ("pip3", True)
    templates = {str(path) for path in (service / "infrastructure").rglob("*.yaml")}
    assert templates <= set(lint)
    assert templates <= set(checkov)
    assert lint[lint.index("--append-rules") + 1] == str(service / "config/rules")


def test_each_of_them_stops_the_release(judge: Any) -> None:
    both = judge(cfn_lint=2, checkov=1)
    assert (both.returncode, "cfn-lint, checkov failed, as said above" in both.stderr) == (1, True)
    broken = judge(pip3=1)
    assert (broken.returncode, "so that nothing was checked; retry the stage" in broken.stderr) == (3, True)


@pytest.mark.parametrize(
    ("comment", "words"),
    [
        ("checkov:skip=CKV_AWS_333:The tasks need their addresses", "does not list the suppression of CKV_AWS_333"),
        ("checkov:skip=CKV_AWS_333", "needs a reason"),
        ("checkov:skip=CKV_AWS_333:no", "needs a reason"),
    ],
)
def test_a_new_suppression_needs_a_reason_and_a_change_of_config(
    service: Path, judge: Any, comment: str, words: str
) -> None:
    (service / TEMPLATE).write_text((service / TEMPLATE).read_text() + f"# {comment}\n")
    done = judge()
    assert (done.returncode, words in done.stdout) == (1, True)
    assert "suppressions failed" in done.stderr


def test_templates_and_rules_are_no_links(service: Path, judge: Any, tmp_path: Path) -> None:
    replace_by_link(service / "config/rules", tmp_path, leads_to_it=True)
    assert (judge().returncode, judge.calls) == (3, [])
    (service / "config/rules").unlink()
    (tmp_path / "elsewhere").rename(service / "config/rules")
    replace_by_link(service / TEMPLATE, tmp_path, leads_to_it=True)
    done = judge()
    assert (done.returncode, judge.calls) == (3, [])
    assert f"{TEMPLATE} is a symbolic link" in done.stderr


def versions(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)", path.read_text(), re.MULTILINE))


def test_services_use_the_tools_that_the_kit_is_tested_with() -> None:
    theirs = versions(ROOT / "template/config/requirements/infrastructure.txt")
    assert theirs["cfn-lint"] == versions(ROOT / "requirements/dev.txt")["cfn-lint"]
    assert theirs["checkov"] == versions(ROOT / "requirements/checkov.txt")["checkov"]
    wanted = versions(ROOT / "template/config/requirements/infrastructure.in")
    assert wanted == {name: theirs[name] for name in ("cfn-lint", "checkov")}


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real tools, as if they had been installed from the requirements."""
    assert CHECKOV.exists(), "checkov is not installed: run `make checkov`"
    folder = tmp_path_factory.mktemp("tools")
    (folder / "bin").mkdir()
    lint = Path(sys.executable).parent / "cfn-lint"
    for program in (lint, CHECKOV):
        target = folder / "bin" / program.name
        target.write_text(f'#!/bin/sh\nunset PYTHONPATH\nexec {shlex.quote(str(program))} "$@"\n')
        target.chmod(0o755)
    requirements = (ROOT / "template/config/requirements/infrastructure.txt").read_text()
    (folder / "requirements.txt").write_text(requirements)
    return folder


def check(service: Path, tools: Path) -> Done[str]:
    command = [sys.executable, service / SCRIPT, "--tools", tools]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("answers", list(FEW.values())[3:4], ids=list(FEW)[3:4])
def test_generated_templates_pass_the_services_own_checks(tmp_path: Path, tools: Path, answers: dict[str, Any]) -> None:
    done = check(generate(tmp_path / "service", **answers), tools)
    assert done.returncode == 0, done.stdout + done.stderr


FAULTS = {
    "a property that does not exist": ("TargetType: ip", "TargetTypo: ip", "E3002"),
    "a target group for instances": ("TargetType: ip", "TargetType: instance", "E9003"),
    "a role without a boundary": ("      PermissionsBoundary:", "      Description:", "E9001"),
}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_fault_in_a_template_is_found(service: Path, tools: Path) -> None:
    environment = service / "infrastructure/environment.yaml"
    good = environment.read_text()
    for what, (old, new, rule) in FAULTS.items():
        assert old in good, what
        environment.write_text(good.replace(old, new))
        done = check(service, tools)
        assert (done.returncode, rule in done.stdout) == (1, True), (what, done.stdout, done.stderr)
    environment.write_text(good)
    topic = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n    Properties:\n      DisplayName: open\n"
    (service / "infrastructure/topic.yaml").write_text(topic)
    (service / ".checkov.yaml").write_text("skip-check: [CKV_AWS_26]\n")
    (service / ".cfnlintrc").write_text("ignore_checks: [E]\n")
    done = check(service, tools)
    assert (done.returncode, "CKV_AWS_26" in done.stdout) == (1, True), done.stdout + done.stderr
    assert "checkov failed" in done.stderr
