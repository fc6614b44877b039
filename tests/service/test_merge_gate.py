"""The merge gate asks a person about each commit that changes what decides about releases.

Its script is part of the stack `checks`, not of the source that it judges. What it cannot compare counts as changed.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.infrastructure.stacks import parse
from tests.kits import ROOT

DEPLOYED, SOURCE = "0123456789" * 4, "abcdef0123" * 4
BUILDSPEC: dict[str, Any] = yaml.safe_load(
    parse(re.sub(r"\{[{%].*?[%}]\}", "", (ROOT / "template/infrastructure/checks.yaml.jinja").read_text()))[
        "Resources"
    ]["GateProject"]["Properties"]["Source"]["BuildSpec"]
)
COMMANDS: list[str] = BUILDSPEC["phases"]["build"]["commands"]
(SCRIPT,) = [command.split("<<'END'\n")[1].removesuffix("END\n") for command in COMMANDS if "<<'END'" in command]
PROGRAM = compile(SCRIPT, "gate", "exec")


def difference(path: str, kind: str = "M", mode: str = "100644") -> dict[str, Any]:
    """A difference, as CodeCommit returns it."""
    blob = {"blobId": "1" * 40, "path": path, "mode": mode}
    sides = {"A": ["afterBlob"], "D": ["beforeBlob"], "M": ["beforeBlob", "afterBlob"]}[kind]
    return {"changeType": kind, **dict.fromkeys(sides, blob)}


class Gate:
    """The gate's script with a response of CodeCommit, and its calls."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.infrastructure = ""

    def judge(self, answer: object = None, *, error: str = "", raised: Exception | None = None, **given: str) -> str:
        """What it exports, as `CHANGED SUMMARY`; INFRASTRUCTURE is in `infrastructure`."""

        def aws(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
            assert options["timeout"] > 0
            self.calls.append(command)
            if raised:
                raise raised
            output = answer if isinstance(answer, str) else json.dumps(answer)
            return subprocess.CompletedProcess(command, 254 if error else 0, "" if error else output, error)

        output = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(output):
            for name, value in {
                "DEPLOYED_COMMIT": DEPLOYED,
                "SOURCE_COMMIT": SOURCE,
                "REPOSITORY_NAME": "app",
                **given,
            }.items():
                patch.setenv(name, value)
            patch.setattr(subprocess, "run", aws)
            exec(PROGRAM, {})
        export, changed, infrastructure, summary = shlex.split(output.getvalue())
        assert export == "export"
        self.infrastructure = infrastructure.removeprefix("INFRASTRUCTURE=")
        return f"{changed.removeprefix('CHANGED=')} {summary.removeprefix('SUMMARY=')}"

    def changed(self, *paths: str) -> str:
        """What it exports where these paths differ."""
        return self.judge({"differences": [difference(path) for path in paths]})


@pytest.mark.parametrize(
    "path",
    [
        "infrastructure/pipeline.yaml",
        "infrastructure/pipeline.json",
        "infrastructure/build.yaml",
        "infrastructure/build.json",
        "infrastructure/checks.yaml",
        "infrastructure/checks.json",
        "infrastructure/events.yaml",
        "infrastructure/events.json",
        "infrastructure/plans.yaml",
        "infrastructure/plans.json",
        "infrastructure/releases.yaml",
        "infrastructure/releases.json",
        "infrastructure/tests.yaml",
        "infrastructure/tests.json",
        "infrastructure",  # as a link, a submodule or a file
        "config",
        "config/scripts/plan_release.py",
        "config/buildspecs/build.yml",
        "config/policies/scan-policy.toml",
        "config/policies/load-test.toml",
        "config/new\nline",
        "config/environments",  # as a link, a submodule or a file
        "config/environments/../scripts/smoke_test.py",
        "config/tests",  # as a link, a submodule or a file
        "config/tests/",
        "config/Tests/integration/a.test.mjs",
        "config/tests.py",
        "config/tests2/a.test.mjs",
        "config/tests/../scripts/smoke_test.py",
        "config/tests/./../scripts/smoke_test.py",
        "config/tests//a.test.mjs",
        "config/tests/..\\scripts\\smoke_test.py",
        "x/../infrastructure/pipeline.yaml",
        "./config/scripts/strategy_gate.py",
        "infrastructure//pipeline.yaml",
        "infrastructure\\pipeline.yaml",
    ],
)
@pytest.mark.parametrize("kind", ["A", "D", "M"])
def test_what_decides_about_releases_is_asked_about(path: str, kind: str) -> None:
    answer = Gate().judge({"differences": [difference("app/src/main.js"), difference(path, kind)]})
    shown = re.sub(r"[^\w/._-]", "?", path)
    assert answer == f"yes since {DEPLOYED}: {shown}"


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "app/Dockerfile",
        "app/config/settings.json",
        "config/tests/integration/service.test.mjs",
        "config/tests/integration/new\nline.test.mjs",
        "config/tests/package.json",
        "config/environments/prod.env",
        "config/environments/secrets.json",
        "config/tests/load/locustfile.py",
        "configuration.md",
        "infrastructure/prod/task-definition.yaml",
        "infrastructure/service.yaml",
        "infrastructure/prod/pipeline.json",
        "docs/infrastructure/pipeline.yaml",
        "infrastructure/pipelines.yaml",
    ],
)
def test_nothing_else_is_asked_about(path: str) -> None:
    gate = Gate()
    assert gate.changed(path) == f"no since {DEPLOYED}: "
    assert gate.infrastructure == ("yes" if path.startswith("infrastructure/") else "no")


def test_infrastructure_is_checked_where_it_or_its_judges_differ_and_in_doubt() -> None:
    for path in ("infrastructure", "config/policies/infrastructure-policy.toml", "x/../infrastructure/service.yaml"):
        gate = Gate()
        gate.changed(path)
        assert gate.infrastructure == "yes", path
    in_doubt, first = Gate(), Gate()
    in_doubt.judge(error="AccessDenied")
    first.judge(DEPLOYED_COMMIT=SOURCE)
    assert (in_doubt.infrastructure, first.infrastructure) == ("yes", "no")


@pytest.mark.parametrize("mode", ["120000", "160000", "40000", "", None])
@pytest.mark.parametrize("kind", ["A", "D", "M"])
@pytest.mark.parametrize("path", ["config/tests/integration/a", "config/environments/dev.env"])
def test_among_tests_and_settings_only_files_are_not_asked_about(path: str, mode: str | None, kind: str) -> None:
    """A link, a submodule, or what CodeCommit says nothing of."""
    one = difference(path, kind, "100755")
    assert Gate().judge({"differences": [one]}) == f"no since {DEPLOYED}: "
    for side in {"beforeBlob", "afterBlob"} & set(one):
        changed = {key: value for key, value in {**one[side], "mode": mode}.items() if value is not None}
        assert Gate().judge({"differences": [{**one, side: changed}]}) == f"yes since {DEPLOYED}: {path}"


def test_both_names_of_a_moved_file_count() -> None:
    away = {**difference("app/x", "A"), **difference("config/x", "D"), "changeType": "M"}
    assert Gate().judge({"differences": [away]}) == f"yes since {DEPLOYED}: config/x"


def test_the_pipeline_is_named_before_its_scripts_however_many_there_are() -> None:
    paths = [f"config/{number:03}" for number in range(500)]
    summary = "infrastructure/pipeline.yaml, config/000, config/001, config/002, 497 more"
    assert Gate().changed(*paths, "infrastructure/pipeline.yaml") == f"yes since {DEPLOYED}: {summary}"


def test_the_first_release_is_not_compared() -> None:
    gate = Gate()
    assert gate.judge(DEPLOYED_COMMIT=SOURCE) == f"no since {SOURCE}: "
    assert gate.calls == []


def test_commits_are_compared_by_their_ids() -> None:
    gate = Gate()
    gate.changed()
    ((*command, before_option, before, after_option, after),) = gate.calls
    assert command == ["aws", "codecommit", "get-differences", "--output", "json", "--repository-name", "app"]
    assert (before_option, before) == ("--before-commit-specifier", DEPLOYED)
    assert (after_option, after) == ("--after-commit-specifier", SOURCE)


class TestCountsAsChanged:
    """Whatever cannot be compared, with the reason."""

    @pytest.mark.parametrize("commit", ["unknown", "", "main", "HEAD", "0" * 39, "A" * 40])
    def test_after_a_commit_that_is_unknown(self, commit: str) -> None:
        gate = Gate()
        expected = "yes it could not be compared: the commit that was deployed last is unknown"
        assert gate.judge({"differences": []}, DEPLOYED_COMMIT=commit) == expected
        assert gate.calls == []

    def test_an_error_in_the_words_of_aws(self) -> None:
        error = "\nAn error occurred (CommitDoesNotExistException) when calling the GetDifferences operation: no\n"
        assert Gate().judge(error=error) == f"yes it could not be compared: {error.strip()}"

    @pytest.mark.parametrize(
        "answer",
        [
            "",
            "no JSON",
            [],
            {},
            {"differences": None},
            {"differences": [{"afterBlob": {}}]},
            {"differences": [], "NextToken": "more"},
        ],
    )
    def test_an_unexpected_response(self, answer: object) -> None:
        assert Gate().judge(answer).startswith("yes it could not be compared: ")

    def test_a_difference_without_a_path(self) -> None:
        for one in ({"changeType": "M"}, "config"):
            assert Gate().judge({"differences": [one]}) == f"yes since {DEPLOYED}: "

    @pytest.mark.parametrize(
        "raised", [subprocess.TimeoutExpired("aws", 600), FileNotFoundError(2, "No such file", "aws")]
    )
    def test_a_call_that_ends_with(self, raised: Exception) -> None:
        assert Gate().judge(raised=raised).startswith("yes it could not be compared: ")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300), max_size=12))
def test_a_summary_fits_into_an_approval_and_holds_nothing_that_is_evaluated(names: list[str]) -> None:
    answer = Gate().changed(*(f"config/{name}" for name in names))
    assert answer.startswith("yes " if names else "no ")
    assert re.fullmatch(r"(yes|no) [\w ./:,()?-]{0,600}", answer, re.ASCII)


def test_the_source_cannot_reach_the_gate(tmp_path: Path) -> None:
    """The commands of the buildspec in a folder full of programs, modules and settings of the same names."""
    source, programs = tmp_path / "source", tmp_path / "programs"
    for folder in (source / ".aws", source / "bin", programs):
        folder.mkdir(parents=True)
    evil = "import os; os.write(1, b'export CHANGED=no SUMMARY=evil\\n'); os._exit(0)\n"
    for name in (
        "json.py",
        "subprocess.py",
        "re.py",
        "sitecustomize.py",
        "usercustomize.py",
        "bin/python3",
        "aws",
        "python3",
    ):
        (source / name).write_text(
            evil if name.endswith(".py") else "#!/bin/sh\necho 'export CHANGED=no SUMMARY=evil'\n"
        )
        (source / name).chmod(0o755)
    (source / ".python-version").write_text("../bin\n")
    (source / ".aws" / "config").write_text("[default]\ncli_pager = false\nendpoint_url = http://127.0.0.1:9\n")
    (source / "buildspec.yml").write_text("version: 0.2\n")
    (source / ".env").write_text("CHANGED=no\n")
    answer = json.dumps({"differences": [difference("config/scripts/$(touch evil)")]})
    (programs / "aws").write_text(f"#!/bin/sh\necho {shlex.quote(answer)}\n")
    (programs / "python3").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    variables = {
        "PATH": os.pathsep.join([str(programs), os.defpath]),
        "DEPLOYED_COMMIT": DEPLOYED,
        "SOURCE_COMMIT": SOURCE,
        "REPOSITORY_NAME": "app",
        "TMPDIR": str(tmp_path),
    }
    script = "\n".join([*COMMANDS, 'env | grep -E "^(CHANGED|SUMMARY)=" | sort'])
    done = subprocess.run(
        ["bash", "-ec", script], cwd=source, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    summary = f"since {DEPLOYED}: config/scripts/?(touch evil)"
    assert done.stdout.splitlines() == [f"yes, {summary}", "CHANGED=yes", f"SUMMARY={summary}"]
    assert not (source / "evil").exists()


def test_a_gate_that_breaks_stops_the_release() -> None:
    """Its build fails where the script ends without an answer."""
    broken = [command.replace("import json", "import no_module") for command in COMMANDS]
    done = subprocess.run(["bash", "-ec", "\n".join(broken)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "export" not in done.stdout


def test_a_gate_without_an_answer_stops_the_release(tmp_path: Path) -> None:
    """CodePipeline skips the approval where the variable of its rule does not exist."""
    (tmp_path / "python3").write_text("#!/bin/sh\n")
    (tmp_path / "python3").chmod(0o755)
    variables = {"PATH": os.pathsep.join([str(tmp_path), os.defpath]), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-ec", "\n".join(COMMANDS)], env=variables, capture_output=True, text=True, check=False
    )
    assert (done.returncode != 0, done.stdout) == (True, "")


def test_the_gate_installs_nothing_and_exports_its_answer() -> None:
    assert set(BUILDSPEC["phases"]) == {"build"}
    assert COMMANDS[0] == "cd /"
    assert BUILDSPEC["env"] == {"shell": "bash", "exported-variables": ["CHANGED", "INFRASTRUCTURE", "SUMMARY"]}
