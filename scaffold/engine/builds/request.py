"""What a build is to do: a project with the overrides of StartBuild. In the form of CodeBuild's API, without AWS."""

from __future__ import annotations

import copy
from typing import Any

Document = dict[str, Any]

# The override, and the property of a build that it replaces.
_REPLACED = {
    "secondarySourcesOverride": ("secondarySources",),
    "artifactsOverride": ("artifacts",),
    "cacheOverride": ("cache",),
    "logsConfigOverride": ("logsConfig",),
    "serviceRoleOverride": ("serviceRole",),
    "encryptionKeyOverride": ("encryptionKey",),
    "timeoutInMinutesOverride": ("timeoutInMinutes",),
    "queuedTimeoutInMinutesOverride": ("queuedTimeoutInMinutes",),
    "sourceTypeOverride": ("source", "type"),
    "sourceLocationOverride": ("source", "location"),
    "buildspecOverride": ("source", "buildspec"),
    "environmentTypeOverride": ("environment", "type"),
    "imageOverride": ("environment", "image"),
    "computeTypeOverride": ("environment", "computeType"),
    "privilegedModeOverride": ("environment", "privilegedMode"),
}
_OTHERS = ("projectName", "sourceVersion", "environmentVariablesOverride", "idempotencyToken")
_COPIED = (
    *("source", "secondarySources", "artifacts", "cache", "environment", "serviceRole", "timeoutInMinutes"),
    *("queuedTimeoutInMinutes", "encryptionKey", "logsConfig", "sourceVersion"),
)
SOURCES = ("S3", "CODECOMMIT", "NO_SOURCE", "CODEPIPELINE")

# What a project may have. Everything else is not rehearsed, unless it is empty or off.
_PROJECT = (
    *_COPIED,
    *(
        "arn",
        "badge",
        "buildBatchConfig",
        "created",
        "description",
        "lastModified",
        "name",
        "projectVisibility",
        "tags",
    ),
)
_ENVIRONMENT = (
    *("computeType", "environmentVariables", "image", "imagePullCredentialsType", "privilegedMode", "type"),
    "registryCredential",  # For the image, which is not used.
)
_ENVIRONMENT_TYPES = ("LINUX_CONTAINER", "ARM_CONTAINER")
_SOURCE = ("buildspec", "location", "sourceIdentifier", "type")
_ARTIFACTS = ("location", "name", "namespaceType", "packaging", "path", "type")


class Refused(Exception):
    """StartBuild refuses the request."""


def session_name(identifier: str) -> str:
    """The name of the session in which a build has assumed its role."""
    return f"AWSCodeBuild-{identifier.rpartition(':')[2]}"


def artifact_key(artifacts: Document) -> str:
    """The key of an archive in its bucket, or the prefix of the files."""
    return "/".join(filter(None, [artifacts.get("path", "").strip("/"), artifacts.get("name", "").strip("/")]))


def combine(project: Document, given: Document) -> Document:
    """The properties of a build.

    Raises:
        Refused: An override is not rehearsed, or there is no such source.
    """
    for name in given:
        if name not in _REPLACED and name not in _OTHERS:
            raise Refused(f"not rehearsed: {name} of StartBuild")
    build = {key: copy.deepcopy(project[key]) for key in _COPIED if key in project}
    for name, path in _REPLACED.items():
        if name in given:
            place = build
            for key in path[:-1]:
                place = place.setdefault(key, {})
            place[path[-1]] = given[name]
    if "sourceVersion" in given:
        build["sourceVersion"] = given["sourceVersion"]
    _check(project, build)
    environment = build.setdefault("environment", {})
    variables = {one["name"]: one for one in environment.get("environmentVariables", [])}
    variables |= {one["name"]: one for one in given.get("environmentVariablesOverride", [])}
    environment["environmentVariables"] = list(variables.values())
    kind = build.get("source", {}).get("type", "NO_SOURCE")
    if kind not in SOURCES:
        raise Refused(f"not rehearsed: sources of the type {kind}")
    if kind == "CODEPIPELINE":
        raise Refused("A project whose source is CODEPIPELINE is built by its pipeline, or with a source override")
    if kind in ("S3", "CODECOMMIT") and not build["source"].get("location"):
        raise Refused(f"A source of the type {kind} needs a location")
    if kind == "S3" and build["source"]["location"].endswith("/"):
        raise Refused("not rehearsed: a folder as the source of a build")
    artifacts = build.setdefault("artifacts", {"type": "NO_ARTIFACTS"})
    if artifacts["type"] == "CODEPIPELINE":  # The pipeline is not there to take them.
        build["artifacts"] = {"type": "NO_ARTIFACTS"}
    elif artifacts["type"] == "S3" and not artifacts.get("location"):
        raise Refused("Artifacts of the type S3 need a location")
    elif artifacts.get("namespaceType", "NONE") != "NONE":
        raise Refused("not rehearsed: the namespace BUILD_ID of artifacts")
    return build


def _check(project: Document, build: Document) -> None:
    """Refuse what a build would have on AWS, and not here."""
    environment, artifacts = build.get("environment", {}), build.get("artifacts", {})
    sources = [build.get("source", {}), *build.get("secondarySources", [])]
    for what, given, allowed in (
        ("a project", project, _PROJECT),
        ("a project's environment", environment, _ENVIRONMENT),
        ("artifacts", artifacts, _ARTIFACTS),
        *(("a source", source, _SOURCE) for source in sources),
    ):
        for name, value in given.items():
            if value and name not in allowed and not _is_off(value):
                raise Refused(f"not rehearsed: {name} of {what}")
    kind = environment.get("type", _ENVIRONMENT_TYPES[0])
    if kind not in _ENVIRONMENT_TYPES:
        raise Refused(f"not rehearsed: the environment type {kind}")
    if not _is_off(build.get("logsConfig", {}).get("s3Logs") or {"status": "DISABLED"}):
        raise Refused("not rehearsed: s3Logs of a project")


def _is_off(value: Any) -> bool:
    """Whether a setting only says that it is not used."""
    return isinstance(value, dict) and (
        value.get("status") == "DISABLED" or all(inner is False for inner in value.values())
    )
