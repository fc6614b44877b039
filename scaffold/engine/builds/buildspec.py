"""Reads a buildspec, version 0.2, as CodeBuild does.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from scaffold.engine.builds import coverage

PHASES = ("install", "pre_build", "build", "post_build")
SHELLS = {"": "sh", "/bin/sh": "sh", "sh": "sh", "bash": "bash"}

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ENV = ("shell", "variables", "parameter-store", "secrets-manager", "exported-variables")
_PHASE = ("commands", "finally", "on-failure", "runtime-versions")
_REPORT = ("files", "base-directory", "discard-paths", "file-format")
_ARTIFACTS = ("files", "base-directory", "discard-paths", "name")
# CodeBuild knows these too; they are not rehearsed.
_NOT_REHEARSED = {
    "": ("run-as", "proxy", "batch"),
    "env": ("git-credential-helper",),
    "phase": ("run-as", "steps"),
    "artifacts": ("exclude-paths", "enable-symlinks", "s3-prefix", "secondary-artifacts"),
}


class InvalidBuildspec(Exception):
    """CodeBuild refuses the buildspec, with the status code YAML_FILE_ERROR."""


class NotRehearsed(Exception):
    """CodeBuild does something that the engine does not."""

    def __init__(self, what: str) -> None:
        super().__init__(f"not rehearsed: {what}")


@dataclass(frozen=True)
class Phase:
    """The commands of a phase.

    Attributes:
        on_failure: `ABORT`, `CONTINUE`, or empty where the buildspec says nothing.
    """

    commands: tuple[str, ...] = ()
    final_commands: tuple[str, ...] = ()
    on_failure: str = ""


@dataclass(frozen=True)
class Files:
    """Files that are collected after the phases, as patterns relative to a directory.

    Attributes:
        name: Of artifacts.
        format: Of a report.
    """

    patterns: tuple[str, ...]
    base_directory: str = ""
    discard_paths: bool = False
    name: str = ""
    format: str = ""


@dataclass(frozen=True)
class Buildspec:
    """A buildspec.

    Attributes:
        parameters: The names of Systems Manager parameters, by variable.
        secrets: The references to secrets, `id:json-key:version-stage:version-id`, by variable.
        notes: What the engine ignores; CodeBuild uses it, with no effect on the result of a build.
    """

    shell: str = "sh"
    variables: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    exported: tuple[str, ...] = ()
    phases: Mapping[str, Phase] = field(default_factory=dict)
    reports: Mapping[str, Files] = field(default_factory=dict)
    artifacts: Files | None = None
    notes: tuple[str, ...] = ()


def parse(text: str) -> Buildspec:
    """Read a buildspec.

    Raises:
        InvalidBuildspec: CodeBuild refuses it.
        NotRehearsed: It uses something that the engine does not do.
    """
    try:
        # Without types: `on`, `0.2` and `010` are the texts that they are for CodeBuild.
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506
    except yaml.YAMLError as error:
        raise InvalidBuildspec(f"Error parsing YAML file: {' '.join(str(error).split())}") from error
    root = _mapping(document, "buildspec")
    version = _text(root.get("version", ""), "version")
    if version != "0.2":
        if version == "0.1":
            raise NotRehearsed("buildspec version 0.1")
        raise InvalidBuildspec(f"Invalid buildspec version {version!r}")
    _check_keys(root, ("version", "env", "phases", "reports", "artifacts", "cache"), "", "")
    env = _mapping(root.get("env", {}), "env")
    _check_keys(env, _ENV, "env", "env.")
    shell = _text(env.get("shell", ""), "env.shell")
    if shell not in SHELLS:
        raise NotRehearsed(f"shell {shell}")
    phases = _phases(root)
    return Buildspec(
        shell=SHELLS[shell],
        variables=_variables(env, "variables"),
        parameters=_variables(env, "parameter-store"),
        secrets=_variables(env, "secrets-manager"),
        exported=_texts(env.get("exported-variables", []), "env.exported-variables"),
        phases=phases,
        reports=_reports(root),
        artifacts=_artifacts(root),
        notes=("cache",) if "cache" in root else (),
    )


def _phases(root: Mapping[str, Any]) -> dict[str, Phase]:
    given = _mapping(root.get("phases"), "phases")
    _check_keys(given, PHASES, "phases", "phases.")
    found = {}
    for name, value in given.items():
        phase = _mapping(value, f"phases.{name}")
        _check_keys(phase, _PHASE, "phase", f"phases.{name}.")
        on_failure = _text(phase.get("on-failure", ""), f"phases.{name}.on-failure")
        if on_failure.startswith("RETRY"):
            raise NotRehearsed(f"on-failure {on_failure}")
        if on_failure not in ("", "ABORT", "CONTINUE"):
            raise InvalidBuildspec(f"Invalid value {on_failure!r} of phases.{name}.on-failure")
        commands, final = (_texts(phase.get(key, []), f"phases.{name}.{key}") for key in ("commands", "finally"))
        if not commands and "runtime-versions" not in phase:
            raise InvalidBuildspec(f"phases.{name} has no commands")
        found[name] = Phase(commands, final, on_failure)
    return found


def _reports(root: Mapping[str, Any]) -> dict[str, Files]:
    found = {}
    for name, value in _mapping(root.get("reports", {}), "reports").items():
        report = _mapping(value, f"reports.{name}")
        _check_keys(report, _REPORT, "reports", f"reports.{name}.")
        file_format = _text(report.get("file-format", "JUNITXML"), f"reports.{name}.file-format")
        if file_format.upper() not in ("JUNITXML", *coverage.FORMATS):
            raise NotRehearsed(f"reports in the format {file_format}")
        found[name] = replace(_files(report, f"reports.{name}"), format=file_format.upper())
    return found


def _artifacts(root: Mapping[str, Any]) -> Files | None:
    if "artifacts" not in root:
        return None
    artifacts = _mapping(root["artifacts"], "artifacts")
    _check_keys(artifacts, _ARTIFACTS, "artifacts", "artifacts.")
    return _files(artifacts, "artifacts")


def _files(given: Mapping[str, Any], where: str) -> Files:
    patterns = _texts(given.get("files", []), f"{where}.files")
    if not patterns:
        raise InvalidBuildspec(f"{where} has no files")
    discard = _text(given.get("discard-paths", "no"), f"{where}.discard-paths")
    base = _text(given.get("base-directory", ""), f"{where}.base-directory")
    return Files(patterns, base, discard == "yes", _text(given.get("name", ""), f"{where}.name"))


def _variables(env: Mapping[str, Any], key: str) -> dict[str, str]:
    variables = _mapping(env.get(key, {}), f"env.{key}")
    for name in variables:
        if not _NAME.fullmatch(name):
            raise InvalidBuildspec(f"Invalid variable name {name!r} in env.{key}")
    return {name: _text(value, f"env.{key}.{name}") for name, value in variables.items()}


def _check_keys(given: Mapping[str, Any], known: tuple[str, ...], kind: str, prefix: str) -> None:
    for key in given:
        if key in _NOT_REHEARSED.get(kind, ()):
            raise NotRehearsed(f"{prefix}{key} of a buildspec")
        if key not in known:
            raise InvalidBuildspec(f"Unknown key {prefix}{key}")


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidBuildspec(f"Expected {where} to be a mapping")
    return value


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise InvalidBuildspec(f"Expected {where} to be a sequence")
    return tuple(_text(item, f"{where}[{index}]") for index, item in enumerate(value))


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise InvalidBuildspec(f"Expected {where} to be of string type: found subkeys instead")
    return value
