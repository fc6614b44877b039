"""What config/environments/ says: the variables of each environment, and the list of the secrets."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from source_files import exists, text

FOLDER = "config/environments"
SECRETS = f"{FOLDER}/secrets.json"
PARAMETER_STORE, SECRETS_MANAGER = "parameter-store", "secrets-manager"
STORES = (PARAMETER_STORE, SECRETS_MANAGER)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
# What ECS or the kit sets itself, and what would be credentials.
TAKEN = re.compile(r"PORT|APP_(NAME|ENVIRONMENT|VERSION)|ECS_.*|AWS_(CONTAINER_.*|EXECUTION_ENV|(DEFAULT_)?REGION)")
SECRET = re.compile(
    r"AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN)|(.*_)?(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY)",
    re.IGNORECASE,
)
# A task definition has at most 64 KiB.
MOST_BYTES = 32_768


class Wrong(Exception):
    """What is wrong, and the remedy; a sentence each."""


class Secret(NamedTuple):
    """A secret of one environment.

    Attributes:
        version: How often its value was set; None where the tasks get it no more, and may still read it.
    """

    name: str
    store: str
    version: int | None


def environments(root: Path) -> list[str]:
    """The environments of this source."""
    return sorted(path.parent.name for path in root.glob("infrastructure/*/task-definition.yaml"))


def variables(root: Path, environment: str) -> dict[str, str]:
    """The variables of an environment, by name.

    Raises:
        Wrong: A line is wrong.
    """
    file = f"{FOLDER}/{environment}.env"
    if not exists(file, root):
        return {}
    found: dict[str, str] = {}
    for number, line in enumerate(text(file, root).removeprefix("\ufeff").split("\n"), 1):
        line = line.removesuffix("\r")
        if not line.strip() or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        where = f"{file}:{number}"
        if not equals or not NAME.fullmatch(name):
            raise Wrong(
                f"{where} is not NAME=value with a name of letters, digits and underscores.",
                "Write one variable on each line, for example LOG_LEVEL=debug.",
            )
        check_name(where, name)
        if SECRET.fullmatch(name):
            raise Wrong(
                f"{where}: {name} is the name of a secret, and the values of this file are readable in Git.",
                f"Delete the line, and run `scaffold secret set {name} --env {environment}`.",
            )
        if name in found:
            raise Wrong(f"{where}: {name} is set twice.", "Delete one of the lines.")
        check_value(where, name, value)
        found[name] = value
    size = sum(len(name.encode()) + len(value.encode()) for name, value in found.items())
    if size > MOST_BYTES:
        raise Wrong(
            f"{file} has variables of {size:,} bytes, and {MOST_BYTES:,} fit into a task definition.",
            "Let the application read large settings from a file of its image, or from a bucket.",
        )
    return found


def check_name(where: str, name: str) -> None:
    """Refuse the name of a variable that others set.

    Raises:
        Wrong: It is one.
    """
    if TAKEN.fullmatch(name):
        raise Wrong(f"{where}: {name} is set by the task definition or by ECS.", "Choose another name.")


def check_value(where: str, name: str, value: str) -> None:
    """Refuse a value that would mean something else in the task.

    Raises:
        Wrong: It would.
    """
    if not value.isprintable():
        raise Wrong(
            f"{where}: the value of {name} has a character that is not printable.",
            "Delete it, and encode a value that needs it, for example with Base64.",
        )
    if value != value.strip():
        raise Wrong(f"{where}: the value of {name} begins or ends with a space.", "Delete the space.")
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        raise Wrong(f"{where}: the quotes would be a part of the value of {name}.", "Delete them; spaces need none.")
    if "{{resolve:" in value:
        raise Wrong(
            f"{where}: CloudFormation would replace what {name} has in {{{{resolve:…}}}}, and show it to many.",
            f"Delete the line, and run `scaffold secret set {name}`.",
        )


def secrets(root: Path, known: list[str]) -> dict[str, list[Secret]]:
    """The secrets of each environment.

    Args:
        known: The environments.

    Raises:
        Wrong: The list is wrong.
    """
    found: dict[str, list[Secret]] = {environment: [] for environment in known}
    for name, entry in sorted(read_list(root).items()):
        where = f"{SECRETS}: {name}"
        if not NAME.fullmatch(name):
            raise Wrong(
                f"{SECRETS} has a name that is not of letters, digits and underscores.",
                "Name each secret like the variable that the application reads.",
            )
        check_name(SECRETS, name)
        given = entry if isinstance(entry, dict) else {}
        used, retired = given.get("environments"), given.get("retired", [])
        if (
            set(given) - {"retired"} != {"store", "environments"}
            or given["store"] not in STORES
            or not isinstance(used, dict)
            or not all(type(version) is int and version > 0 for version in used.values())
            or not isinstance(retired, list)
        ):
            raise Wrong(
                f'{where} is not {{"store": "{PARAMETER_STORE}" or "{SECRETS_MANAGER}", "environments": {{…}}}}, '
                "where each environment has a number.",
                "Correct it; `scaffold secret set` writes such entries.",
            )
        for environment in (*used, *retired):
            if environment not in known:
                raise Wrong(
                    f"{where} names the environment {environment!r}, which this service does not have.",
                    f"Delete it there; the environments are {', '.join(known)}.",
                )
            if environment in used and environment in retired:
                raise Wrong(f"{where} has {environment} twice.", 'Delete it from "retired" or from "environments".')
            found[environment].append(Secret(name, given["store"], used.get(environment)))
    return found


def read_list(root: Path) -> dict[str, Any]:
    """The list of the secrets; empty where there is none.

    Raises:
        Wrong: It is not a JSON object, or names a secret twice.
    """
    if not exists(SECRETS, root):
        return {}
    try:
        found = json.loads(text(SECRETS, root), object_pairs_hook=unique)
    except ValueError as error:
        raise Wrong(f"{SECRETS} cannot be read: {error}.", "Correct it, or restore it from Git.") from error
    if not isinstance(found, dict):
        raise Wrong(f"{SECRETS} is not a JSON object.", "Correct it, or restore it from Git.")
    return found


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, whose keys may not repeat."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found
