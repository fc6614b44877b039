"""Buildspecs: what is read, what CodeBuild refuses, and what is not rehearsed."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scaffold.engine.builds.buildspec import Files, InvalidBuildspec, NotRehearsed, Phase, parse
from tests.kits import generate

PHASES = "phases: {build: {commands: [make]}}\n"


def test_everything_that_is_rehearsed() -> None:
    spec = parse(
        """
version: 0.2
env:
  shell: bash
  variables: {LEVEL: 010, ON: on}
  parameter-store: {TOKEN: /shop/token}
  secrets-manager: {PASSWORD: "shop:password:AWSCURRENT"}
  exported-variables: [IMAGE_URI]
phases:
  install:
    runtime-versions: {python: 3.13}
  build:
    on-failure: ABORT
    commands: [make, "true"]
    finally: [make clean]
reports:
  unit: {files: ["**/*.xml"], base-directory: out, file-format: JUNITXML}
artifacts: {files: [a, b/**/*], base-directory: dist, name: site, discard-paths: yes}
cache: {paths: [node_modules/**/*]}
"""
    )
    assert spec.shell == "bash"
    assert spec.variables == {"LEVEL": "010", "ON": "on"}  # YAML's types are not CodeBuild's.
    assert spec.parameters == {"TOKEN": "/shop/token"}
    assert spec.secrets == {"PASSWORD": "shop:password:AWSCURRENT"}
    assert spec.exported == ("IMAGE_URI",)
    assert spec.phases == {"install": Phase(), "build": Phase(("make", "true"), ("make clean",), "ABORT")}
    assert spec.reports == {"unit": Files(("**/*.xml",), "out", format="JUNITXML")}
    assert spec.artifacts == Files(("a", "b/**/*"), "dist", discard_paths=True, name="site")
    assert spec.notes == ("cache",)


def test_the_kits_own(tmp_path: Path) -> None:
    text = (generate(tmp_path / "service") / "config/buildspecs/checks.yml").read_text()
    assert parse(text).phases["build"].commands == (
        'python3 "config/scripts/$CHECK.py"',
        '[[ -z ${PROTECTED:-} ]] || { EXPORTS=$(python3 config/scripts/protection.py) && eval "$EXPORTS"; }',
        "[[ ${INFRASTRUCTURE:-no} == no ]] || python3 config/scripts/infrastructure_checks.py",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 0.3\n" + PHASES, "Invalid buildspec version '0.3'"),
        (PHASES, "Invalid buildspec version ''"),
        ("version: 0.2\n", "Expected phases to be a mapping"),
        ("- a\n", "Expected buildspec to be a mapping"),
        ("version: 0.2\nphases: {deploy: {commands: [make]}}\n", "Unknown key phases.deploy"),
        ("version: 0.2\nphases: {build: {command: [make]}}\n", "Unknown key phases.build.command"),
        ("version: 0.2\nphases: {build: {commands: make}}\n", "Expected phases.build.commands to be a sequence"),
        (
            "version: 0.2\nphases: {build: {commands: [{echo: a}]}}\n",
            "Expected phases.build.commands[0] to be of string type: found subkeys instead",
        ),
        ("version: 0.2\nphases: {build: {finally: [make]}}\n", "phases.build has no commands"),
        (
            "version: 0.2\nphases: {build: {commands: [make], on-failure: STOP}}\n",
            "Invalid value 'STOP' of phases.build.on-failure",
        ),
        ("version: 0.2\nenv: {variables: {1A: b}}\n" + PHASES, "Invalid variable name '1A' in env.variables"),
        ("version: 0.2\nreports: {unit: {file-format: JUNITXML}}\n" + PHASES, "reports.unit has no files"),
        ("version: 0.2\nphases: [", "Error parsing YAML file"),
    ],
)
def test_what_codebuild_refuses(text: str, message: str) -> None:
    with pytest.raises(InvalidBuildspec) as refused:
        parse(text)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("version: 0.1\n" + PHASES, "buildspec version 0.1"),
        ("version: 0.2\nrun-as: root\n" + PHASES, "run-as of a buildspec"),
        ("version: 0.2\nbatch: {}\n" + PHASES, "batch of a buildspec"),
        ("version: 0.2\nenv: {shell: powershell.exe}\n" + PHASES, "shell powershell.exe"),
        ("version: 0.2\nenv: {git-credential-helper: yes}\n" + PHASES, "env.git-credential-helper of a buildspec"),
        ("version: 0.2\nphases: {build: {commands: [a], on-failure: RETRY-2}}\n", "on-failure RETRY-2"),
        (
            "version: 0.2\nreports: {c: {files: [a], file-format: NUNITXML}}\n" + PHASES,
            "reports in the format NUNITXML",
        ),
        (
            "version: 0.2\nartifacts: {files: [a], secondary-artifacts: {}}\n" + PHASES,
            "artifacts.secondary-artifacts of a buildspec",
        ),
    ],
)
def test_what_is_not_rehearsed(text: str, what: str) -> None:
    with pytest.raises(NotRehearsed) as refused:
        parse(text)
    assert str(refused.value) == f"not rehearsed: {what}"


WORDS = (
    "version: 0.2",
    "phases",
    "build",
    "commands",
    "env",
    "variables",
    "reports",
    "artifacts",
    "files",
    "a",
    "true",
    "~",
    "1",
)
values = st.recursive(
    st.sampled_from(WORDS),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(WORDS), below, max_size=4),
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(("phases", "env", "reports", "artifacts", "cache", "run-as")), values))
def test_any_document_is_read_or_refused(document: object) -> None:
    text = "version: 0.2\n" + yaml.safe_dump(document)
    with contextlib.suppress(InvalidBuildspec, NotRehearsed):
        parse(text)


@pytest.mark.slow
@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidBuildspec, NotRehearsed):
        parse(text)
