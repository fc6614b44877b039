"""What a container of a task definition runs: its command, variables, secrets and health check."""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.engine.tasks.images import CannotStart, Image
from scaffold.engine.tasks.processes import HealthCheck, Program

#: The stop timeout of a container that has none.
STOP_SECONDS = 30
_SHELL = "/bin/sh"
_INTERVAL, _TIMEOUT, _RETRIES = 30, 5, 3

# What a container may have. Everything else is not rehearsed, unless it is empty or off.
_REHEARSED = (
    *("command", "cpu", "dockerLabels", "entryPoint", "environment", "essential", "healthCheck", "hostname", "image"),
    *("linuxParameters", "logConfiguration", "memory", "memoryReservation", "name", "portMappings"),
    *("readonlyRootFilesystem", "secrets", "startTimeout", "stopTimeout", "ulimits", "user", "versionConsistency"),
    "workingDirectory",
)
_LINUX = ("capabilities", "initProcessEnabled")
#: The directory for temporary files, which is the only one that a process can have a volume for.
TEMPORARY = "/tmp"  # noqa: S108
# Where the agent of ECS Exec writes on AWS.
_AGENT = ("/managed-agents", "/var/lib/amazon/ssm", "/var/log/amazon/ssm")


def mounts(container: dict[str, Any], volumes: Sequence[dict[str, Any]]) -> list[str]:
    """The directories of a container that are empty volumes on the disk of its task.

    Args:
        volumes: Those of the task definition.

    Raises:
        CannotStart: It mounts another one, or one that it may only read.
    """
    empty = {one["name"] for one in volumes if not any(value for key, value in one.items() if key != "name")}
    points = container.get("mountPoints") or []
    if not all(one.get("sourceVolume") in empty and not one.get("readOnly") for one in points):
        raise CannotStart("CannotStartContainerError: not rehearsed: mountPoints of a container")
    return [one["containerPath"] for one in points]


def check(container: dict[str, Any], volumes: Sequence[dict[str, Any]] = ()) -> None:
    """Refuse a container with something that ECS would do and that is not done here.

    Args:
        volumes: Those of the task definition.

    Raises:
        CannotStart: It has.
    """
    mounts(container, volumes)
    linux = container.get("linuxParameters") or {}
    refused = [name for name, value in container.items() if value and name not in (*_REHEARSED, "mountPoints")]
    refused += [name for name, value in linux.items() if value and name not in _LINUX]
    if refused:
        raise CannotStart(f"CannotStartContainerError: not rehearsed: {refused[0]} of a container")


def read_secrets(container: dict[str, Any], clients: Any) -> dict[str, str]:
    """The values of a container's secrets, from Secrets Manager and Parameter Store.

    Args:
        clients: Makes a boto3 client of a service.

    Raises:
        CannotStart: A secret cannot be read.
    """
    return {secret["name"]: _secret(secret["valueFrom"], clients) for secret in container.get("secrets", [])}


def _secret(source: str, clients: Any) -> str:
    try:
        if not source.startswith("arn:") or ":ssm:" in source:
            name = source.partition(":parameter")[2] if source.startswith("arn:") else source
            # ECS calls this operation, also for one parameter, and its roles need the permission for it.
            found = clients("ssm").get_parameters(Names=[name], WithDecryption=True)["Parameters"]
            if not found:
                raise CannotStart(f"ResourceInitializationError: unable to retrieve secret {name}: there is none")
            return str(found[0]["Value"])
        # arn:aws:secretsmanager:region:account:secret:name-suffix:json-key:version-stage:version-id
        parts = source.split(":")
        arn, (key, stage, version) = ":".join(parts[:7]), [*parts[7:], "", "", ""][:3]
        chosen = {name: value for name, value in (("VersionStage", stage), ("VersionId", version)) if value}
        text = clients("secretsmanager").get_secret_value(SecretId=arn, **chosen)["SecretString"]
        return str(json.loads(text)[key] if key else text)
    except (ClientError, BotoCoreError, KeyError, ValueError) as error:
        raise CannotStart(
            f"ResourceInitializationError: unable to retrieve secret {source.rpartition(':')[2]}: {_reason(error)}"
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response["Error"].get("Code", "error"))
    return "it has no such key" if isinstance(error, (KeyError, ValueError)) else "the service does not answer"


def program_of(
    container: dict[str, Any],
    image: Image,
    variables: dict[str, str],
    node: str | None,
    ports: dict[int, int],
    volumes: Sequence[dict[str, Any]] = (),
) -> Program:
    """What a container runs as a process.

    Args:
        container: The container's definition.
        variables: Variables that ECS sets, and secrets.
        node: The path of Node.
        ports: The ports that the process gets in place of its containerPorts, where it shares the host's network.
        volumes: Those of the task definition.

    Raises:
        CannotStart: The image has no command, or another runtime, or the container has something that is not rehearsed.
    """
    check(container, volumes)
    if other := [place for place in mounts(container, volumes) if place not in (TEMPORARY, *_AGENT)]:
        raise CannotStart(f"CannotStartContainerError: the volume at {other[0]} needs a container engine")
    config = image.config
    entry = container.get("entryPoint") or config.get("Entrypoint") or []
    command = container.get("command") or (config.get("Cmd") or [] if not container.get("entryPoint") else [])
    environment = dict(pair.partition("=")[::2] for pair in config.get("Env") or [])
    environment |= {one["name"]: one.get("value", "") for one in container.get("environment", [])} | variables
    for given, own in ports.items():
        if environment.get("PORT", str(given)) == str(given):
            environment["PORT"] = str(own)
    if node:  # For health checks in a shell.
        environment["PATH"] = os.pathsep.join([str(Path(node).parent), environment.get("PATH", os.defpath)])
    folder = PurePosixPath(container.get("workingDirectory") or config.get("WorkingDir") or "/")
    if not folder.is_absolute():
        raise CannotStart(f"CannotStartContainerError: the working directory {folder} is not an absolute path")
    return Program(
        command=_on_host([*entry, *command], image.root, node, container["image"]),
        environment=environment,
        folder=str(image.root / posixpath.normpath(folder).lstrip("/")),
        stop_timeout=float(container.get("stopTimeout", STOP_SECONDS)),
        health=health_check(
            container.get("healthCheck"),
            lambda words: _on_port(
                words if words[0] == _SHELL else _on_host(words, image.root, node, container["image"]), ports
            ),
        ),
    )


def _on_host(command: list[str], root: Path, node: str | None, name: str) -> list[str]:
    """The command with the host's Node in place of the image's, and with paths in the unpacked image."""
    if not command:
        raise CannotStart(f"CannotStartContainerError: {name} has no command")
    if PurePosixPath(command[0]).name != "node":
        raise CannotStart(
            f"CannotStartContainerError: {name} starts {command[0]}, which needs a container engine; "
            "without one, local AWS runs node only"
        )
    if node is None:
        raise CannotStart(
            "CannotStartContainerError: Node is not installed; install it with: pip install 'gitops-scaffold[local]'"
        )
    inside = [str(root / word[1:]) if word.startswith("/") and (root / word[1:]).exists() else word for word in command]
    return [node, *inside[1:]]


def _on_port(command: list[str], ports: dict[int, int]) -> list[str]:
    """The command of a health check with the ports that the process has in place of the container's."""
    for given, own in ports.items():
        command = [re.sub(rf"\b(127\.0\.0\.1|localhost):{given}\b", rf"\g<1>:{own}", word) for word in command]
    return command


def health_check(check: dict[str, Any] | None, within: Callable[[list[str]], list[str]]) -> HealthCheck | None:
    """The health check of a container.

    Args:
        check: Its definition.
        within: Returns the command that runs a command in the container.
    """
    kind, *words = (check or {}).get("command") or ["NONE"]
    if check is None or kind == "NONE":
        return None
    if kind == "CMD-SHELL":
        words = [_SHELL, "-c", *words]
    elif kind != "CMD":
        words = [kind, *words]
    return HealthCheck(
        within(words),
        float(check.get("interval", _INTERVAL)),
        float(check.get("timeout", _TIMEOUT)),
        int(check.get("retries", _RETRIES)),
        float(check.get("startPeriod", 0)),
    )
