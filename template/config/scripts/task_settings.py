#!/usr/bin/env python3
"""Write the variables and secrets of config/environments/ into the task definitions.

    task_settings.py [--check]

CloudFormation deploys the task definitions as they are in Git, so that a review, a plan and a rollback see the same
text. This script writes the lines of each infrastructure/<environment>/task-definition.yaml that come from
config/environments/<environment>.env and config/environments/secrets.json. With --check it writes nothing;
contract.py does the same in each build. Exit codes: 0 written, or as it should be; 1 something is wrong, said in two
lines: what, and the remedy.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from aws_cli import Problem as Unsafe
from source_files import ROOT, exists, text

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
# A task definition has at most 64 KiB, and a template that is planned 51,200 bytes.
MOST_BYTES, MOST_TEMPLATE_BYTES = 32_768, 51_200
# The inline policies of a role have at most 10,240 characters, and the task execution role has one of its own.
MOST_POLICY_CHARACTERS = 8_000
BEGIN, END = "# Written by `make task-settings` from ", "# End of what `make task-settings` writes."
CONTAINER, LIST = "        - Name: app", "          Environment:"
ROLE = re.compile(
    r"ExecutionRoleArn: (?P<role>!ImportValue '(?P<app>[a-z0-9-]+)-(?P<environment>[a-z0-9]+)-environment-\w+')"
)
VARIABLE = re.compile(r"- Name: '?(\w+)'?")


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


def quoted(value: str) -> str:
    """A value in YAML, as ASCII: CloudFormation shows other characters of a template as question marks."""
    if value.isascii():
        return "'" + value.replace("'", "''") + "'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(one if one.isascii() else f"\\U{ord(one):08x}" for one in escaped) + '"'


def without_settings(file: str, definition: str) -> list[str]:
    """The lines of a task definition that this script has not written.

    Raises:
        Wrong: One of its blocks does not end.
    """
    kept: list[str] = []
    begin = end = None
    for line in definition.split("\n"):
        if line.lstrip().startswith(BEGIN):
            begin, end = line, None
        elif begin is None and not (end == f"  {END}" and not line):  # A resource has an empty line after it.
            kept.append(line)
        if begin is not None and line.lstrip() == END:
            begin = None
        end = line
    if begin is not None:
        raise Wrong(
            f"{file} lacks the line {END!r} after {begin.strip()!r}.",
            "Add it after the lines that `make task-settings` had written, or restore the file from Git.",
        )
    return kept


def with_settings(file: str, definition: str, given: dict[str, str], own: list[Secret]) -> str:
    """A task definition with the variables and secrets.

    Args:
        file: Its path.
        definition: Its text.

    Raises:
        Wrong: It does not have the lines to which they belong, or sets one of these variables itself.
    """
    lines = without_settings(file, definition)
    if not given and not own:
        return "\n".join(lines)
    container = lines.index(CONTAINER) if CONTAINER in lines else len(lines)
    start = lines.index(LIST, container) + 1 if LIST in lines[container:] else 0
    role = ROLE.search(definition)
    if not start or role is None or "Outputs:" not in lines:
        raise Wrong(
            f"{file} lacks the container app with its list Environment, its ExecutionRoleArn or its Outputs.",
            f"Restore them as they were generated: `git log -p -- {file}` shows them.",
        )
    end = next(number for number in range(start, len(lines)) if not lines[number].startswith(" " * 12))
    taken = {found for line in lines[start:end] for found in VARIABLE.findall(line)}
    environment = role["environment"]
    for name in (*given, *(one.name for one in own)):
        if name in taken:
            raise Wrong(
                f"{file} has the variable {name}, and so has {FOLDER}/.",
                "Delete it in the task definition, or there.",
            )
        taken.add(name)
    arns = {one: arn_of(one, role["app"], environment) for one in own}
    written = [*variable_lines(environment, given), *secret_lines(arns)]
    outputs = lines.index("Outputs:")
    policy = policy_lines(file, role["role"], arns) if own else []
    return "\n".join([*lines[:end], *written, *lines[end:outputs], *policy, *lines[outputs:]])


def arn_of(secret: Secret, app: str, environment: str) -> str:
    """The ARN of a secret as text of Fn::Sub; Secrets Manager adds a hyphen and six characters."""
    place = "ssm:${AWS::Region}:${AWS::AccountId}:parameter/"
    if secret.store == SECRETS_MANAGER:
        place = "secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:"
    return f"arn:${{AWS::Partition}}:{place}{app}/{environment}/{secret.name}"


def block(indent: str, source: str, lines: Iterable[str]) -> Iterator[str]:
    """Lines between the two comments by which this script finds them again."""
    yield f"{indent}{BEGIN}{source}."
    yield from (f"{indent}{line}" for line in lines)
    yield indent + END


def variable_lines(environment: str, given: dict[str, str]) -> Iterator[str]:
    """The variables, as further items of the list."""
    items = (line for name, value in given.items() for line in (f"- Name: '{name}'", f"  Value: {quoted(value)}"))
    yield from block(" " * 12, f"{FOLDER}/{environment}.env", items) if given else ()


def secret_lines(arns: dict[Secret, str]) -> Iterator[str]:
    """The secrets of the container, and labels that change with their values: only a new task reads a new value."""
    used = {secret: arn for secret, arn in arns.items() if secret.version is not None}
    if used:
        pairs = (
            line for one, arn in used.items() for line in (f"  - Name: '{one.name}'", f"    ValueFrom: !Sub {arn}")
        )
        labels = (f"  secret.{one.name}: '{one.version}'" for one in used)
        about = "# A change of a number starts new tasks: only these read a rotated value."
        yield from block(" " * 10, SECRETS, ["Secrets:", *pairs, about, "DockerLabels:", *labels])


def policy_lines(file: str, role: str, arns: dict[Secret, str]) -> Iterator[str]:
    """The policy of the task execution role. A task of an earlier revision needs what is retired.

    Raises:
        Wrong: It would be too long.
    """
    lines = [
        "SecretsPolicy:",
        "  Type: AWS::IAM::Policy",
        "  Metadata:",
        "    Description: Permission to read the secrets of the tasks",
        "  Properties:",
        "    PolicyName: secrets",
        "    Roles:",
        f"      - !Select [3, !Split [/, {role}]]",
        "    PolicyDocument:",
        "      Version: '2012-10-17'",
        "      Statement:",
    ]
    for store, sid, action, key, ending in (
        (PARAMETER_STORE, "Parameters", "ssm:GetParameters", "PARAMETER_ARN", ""),
        (SECRETS_MANAGER, "Secrets", "secretsmanager:GetSecretValue", "SecretARN", "-??????"),
    ):
        own = [f"{arn}{ending}" for secret, arn in arns.items() if secret.store == store]
        if own:
            lines += [f"        - Sid: {sid}", "          Effect: Allow", f"          Action: {action}"]
            lines += ["          Resource:", *(f"            - !Sub {arn}" for arn in own)]
            lines += ["        # The keys are those of AWS for this store.", f"        - Sid: Decrypt{sid}"]
            lines += ["          Effect: Allow", "          Action: kms:Decrypt"]
            lines += ["          Resource: !Sub arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/*"]
            lines += ["          Condition:", f"            {'StringLike' if ending else 'StringEquals'}:"]
            lines += [f"              kms:EncryptionContext:{key}:", *(f"                - !Sub {arn}" for arn in own)]
    if sum(len(arn) + len("'',-??????") for arn in arns.values()) * 2 > MOST_POLICY_CHARACTERS:
        raise Wrong(
            f"{file} would have {len(arns)} secrets, for which the policy of the role that reads them has no room.",
            "Store several values as the JSON of one secret.",
        )
    yield from block("  ", SECRETS, lines)
    yield ""


def settled(root: Path) -> Iterator[tuple[str, str, str]]:
    """The task definitions: path, text, and text with all settings.

    Raises:
        Wrong: A setting is wrong.
    """
    known = environments(root)
    if exists(FOLDER, root):
        for path in sorted((root / FOLDER).iterdir()):
            if path.suffix == ".env" and path.stem not in known:
                raise Wrong(
                    f"{FOLDER}/{path.name} is of an environment that this service does not have.",
                    f"Delete or rename it; the environments are {', '.join(known)}.",
                )
    listed = secrets(root, known)
    for environment in known:
        file = f"infrastructure/{environment}/task-definition.yaml"
        given = variables(root, environment)
        definition = text(file, root)
        wanted = with_settings(file, definition, given, listed[environment])
        if len(wanted.encode()) > MOST_TEMPLATE_BYTES:
            raise Wrong(
                f"{file} would have more than {MOST_TEMPLATE_BYTES:,} bytes, which no plan can read.",
                f"Shorten {FOLDER}/{environment}.env: a file of the image can hold large settings.",
            )
        yield file, definition, wanted


def problem(root: Path) -> tuple[str, str] | None:
    """What is wrong with the settings of a source, and the remedy; None for nothing."""
    try:
        for file, definition, wanted in settled(root):
            if definition != wanted:
                return f"{file} does not have the settings of {FOLDER}/.", "Run `make task-settings`, and commit it."
    except Wrong as wrong:
        happened, remedy = wrong.args
        return happened, remedy
    except (Unsafe, OSError, ValueError) as error:
        happened, _, remedy = str(error).partition("; ")
        return f"The settings of the tasks cannot be read: {happened}.", f"{remedy or 'Restore the file'}.".capitalize()
    return None


def main() -> int:
    found = None
    if sys.argv[1:] == ["--check"]:
        found = problem(ROOT)
    else:
        try:
            for file, definition, wanted in list(settled(ROOT)):
                if definition != wanted:
                    (ROOT / file).write_text(wanted, "utf-8", newline="\n")
                    print(f"Written: {file}.")
        except Wrong as wrong:
            found = wrong.args
        except (Unsafe, OSError, ValueError) as error:
            found = (f"The settings of the tasks cannot be read: {error}.", "Restore the file.")
    if found:
        print(*found, sep="\n", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
