"""The part of the AWS CLI that the scripts of builds need.

    aws SERVICE OPERATION [--OPTION VALUE…] [--query EXPRESSION] [--output json|text]
    aws SERVICE OPERATION --cli-input-json DOCUMENT --no-paginate [--output json]
    aws inspector-scan scan-sbom --sbom file://FILE --output-format CYCLONE_DX_1_5
    aws s3api put-object --bucket BUCKET --key KEY --body FILE
    aws s3api get-object FILE --bucket BUCKET --key KEY
    aws codecommit credential-helper get --ignore-host-check

Anything else is left to the machine's AWS CLI; where there is none, it is an error that says so.
"""

from __future__ import annotations

import base64
import datetime
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import jmespath  # type: ignore[import-untyped]
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError
from botocore.model import ListShape, Shape, StructureShape

from scaffold.engine.builds.git_credentials import credential_helper

_SERVICES = (
    *("cloudformation", "cloudwatch", "codebuild", "codecommit", "codepipeline", "ecr", "ecr-public", "elbv2", "logs"),
    *("ecs", "inspector-scan", "rds", "s3api", "secretsmanager", "ssm", "sts"),
)
# The clients of services that the AWS CLI names otherwise.
_CLIENTS = {"s3api": "s3"}
_GLOBAL = ("region", "query", "output", "no-paginate")
_DOCUMENT = "cli-input-json"
_FLAGS = ("no-paginate",)


#: Values of these forms are read by the AWS CLI, from files or as JSON.
_FROM_FILE = "file://"
_READ_BY_CLI = (_FROM_FILE, "fileb://", "[", "{")

#: Makes a client of a service; takes the name of the region too, which is None where the call names none.
CreateClient = Callable[[str, str | None], Any]


class Unknown(Exception):
    """The call is none of those that are known here."""


@dataclass(frozen=True)
class Answer:
    """What a call prints, and its exit code."""

    code: int
    output: str = ""
    error: str = ""


def main() -> int:
    """Run the call of this process's command line with its environment, and return the exit code."""
    words = sys.argv[1:]
    if words[:2] == ["codecommit", "credential-helper"]:
        return credential_helper(words[2:])
    try:
        answer = call(words, lambda service, region: botocore.session.Session().create_client(service, region))
    except Unknown as error:
        print(f"aws {' '.join(words)}: {error}. Install the AWS CLI, 2.13 or newer.", file=sys.stderr)
        return 252
    sys.stdout.write(answer.output)
    sys.stderr.write(answer.error)
    return answer.code


def call(words: list[str], create_client: CreateClient) -> Answer:
    """Make a call as the AWS CLI does.

    Raises:
        Unknown: It is none of those that are known here.
    """
    try:
        return Answer(0, _call(words, create_client))
    except ClientError as error:
        return Answer(254, error=f"\n{error}\n")
    except BotoCoreError as error:
        return Answer(255, error=f"\n{error}\n")


def _call(words: list[str], create_client: CreateClient) -> str:
    if len(words) < 2 or words[0] not in _SERVICES:
        raise Unknown(f"only calls of {', '.join(_SERVICES)} work without the AWS CLI")
    service, operation, *rest = words
    # The file that an object is written to has no option.
    file = _file(rest.pop(0)) if operation == "get-object" and rest else None
    options = _options(rest)
    client = create_client(_CLIENTS.get(service, service), options.get("region", [None])[0])
    if operation == "get-login-password":
        data = client.get_authorization_token()["authorizationData"]
        token = (data[0] if isinstance(data, list) else data)["authorizationToken"]
        return base64.b64decode(token).decode().partition(":")[2] + "\n"
    names = {xform_name(name, "-"): name for name in client.meta.service_model.operation_names}
    if operation not in names:
        raise Unknown(f"there is no operation {operation}")
    shape: Any = client.meta.service_model.operation_model(names[operation]).input_shape
    members = {xform_name(name, "-"): name for name in shape.members}
    given = _document(options.get(_DOCUMENT, ["{}"])[0])
    for name, values in options.items():
        if name == _DOCUMENT:
            continue
        if name in members:
            given[members[name]] = _value(shape.members[members[name]], values)
        elif name not in _GLOBAL:
            raise Unknown(f"there is no option --{name}")
    method = xform_name(names[operation])
    if client.can_paginate(method) and "no-paginate" not in options:
        answer = client.get_paginator(method).paginate(**given).build_full_result()
    else:
        answer = getattr(client, method)(**given)
    answer.pop("ResponseMetadata", None)
    if file:
        file.write_bytes(answer.pop("Body").read())
    return _text(answer, options.get("query", [""])[0], options.get("output", ["json"])[0])


def _options(words: list[str]) -> dict[str, list[str]]:
    """The values of each option."""
    options: dict[str, list[str]] = {}
    current: list[str] | None = None
    for word in words:
        if word.startswith("--"):
            name, sign, value = word[2:].partition("=")
            current = options.setdefault(name, [])
            current += [value] if sign else []
        elif current is None:
            raise Unknown(f"{word} belongs to no option")
        else:
            current.append(word)
    if empty := [name for name, values in options.items() if not values and name not in _FLAGS]:
        raise Unknown(f"--{empty[0]} has no value")
    return options


def _document(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Unknown(f"--{_DOCUMENT} is not valid JSON") from error
    if not isinstance(found, dict):
        raise Unknown(f"--{_DOCUMENT} is not a JSON object")
    return found


def _file(name: str) -> Path:
    """A file that a call reads or writes. A process that makes calls of others does not know their folders."""
    if not Path(name).is_absolute():
        raise Unknown(f"the path {name} is not absolute")
    return Path(name)


def _value(shape: Shape, values: list[str]) -> Any:
    if isinstance(shape, StructureShape) and shape.is_document_type and values[0].startswith(_FROM_FILE):
        return _document(_file(values[0].removeprefix(_FROM_FILE)).read_text("utf-8"))
    if any(value.startswith(_READ_BY_CLI) for value in values):
        raise Unknown("a value is read from a file or as JSON")
    if isinstance(shape, ListShape):
        return [_value(shape.member, [value]) for value in values]
    if len(values) > 1:
        raise Unknown("an option has several values")
    if isinstance(shape, StructureShape):
        parts = [part.partition("=") for part in values[0].split(",")]
        if not all(name in shape.members and shape.members[name].type_name == "string" for name, _, _ in parts):
            raise Unknown(f"{values[0]} is not known")
        return {name: value for name, _, value in parts}
    if shape.type_name in ("integer", "long"):
        if not values[0].isdecimal():
            raise Unknown(f"{values[0]} is not known")
        return int(values[0])
    if shape.type_name == "blob" and shape.serialization.get("streaming"):
        return _file(values[0]).read_bytes()
    if shape.type_name != "string":
        raise Unknown(f"values of the type {shape.type_name} are not known")
    return values[0]


def _text(answer: Any, query: str, output: str) -> str:
    found = jmespath.search(query, answer) if query else answer
    if output == "json":
        return "" if found == {} else json.dumps(found, indent=4, default=_time) + "\n"
    if output == "text" and (found is None or isinstance(found, (str, int, float))):
        return f"{found}\n"
    raise Unknown(f"the output {output} of this result is not known")


def _time(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
