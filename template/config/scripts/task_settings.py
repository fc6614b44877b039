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

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from aws_cli import Problem as Unsafe
from environment_files import (
    FOLDER,
    PARAMETER_STORE,
    SECRETS,
    SECRETS_MANAGER,
    Secret,
    Wrong,
    environments,
    secrets,
    variables,
)
from source_files import ROOT, exists, text

# No plan can read a larger template.
MOST_TEMPLATE_BYTES = 51_200
# The inline policies of a role have at most 10,240 characters, and the task execution role has one of its own.
MOST_POLICY_CHARACTERS = 8_000
BEGIN, END = "# Written by `make task-settings` from ", "# End of what `make task-settings` writes."
CONTAINER, LIST = "        - Name: app", "          Environment:"
ROLE = re.compile(
    r"ExecutionRoleArn: (?P<role>!ImportValue '(?P<app>[a-z0-9-]+)-(?P<environment>[a-z0-9]+)-environment-\w+')"
)
VARIABLE = re.compile(r"- \{?Name: '?(\w+)'?")


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
