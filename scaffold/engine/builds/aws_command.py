"""The part of the AWS CLI that the scripts of builds need, for machines without the AWS CLI.

    aws SERVICE OPERATION [--OPTION VALUE…] [--query EXPRESSION] [--output json|text]
    aws SERVICE OPERATION --cli-input-json DOCUMENT --no-paginate [--output json]
    aws s3api get-object FILE --bucket BUCKET --key KEY
    aws codecommit credential-helper get --ignore-host-check

Anything else is an error that says so.
"""

from __future__ import annotations

import base64
import datetime
import json
import sys
from pathlib import Path
from typing import Any

import botocore.session
import jmespath  # type: ignore[import-untyped]
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError
from botocore.model import ListShape, Shape, StructureShape

from scaffold.engine.builds.git_credentials import credential_helper

# As the AWS CLI names them: the client of each.
_SERVICES = {name: name for name in ("cloudformation", "codecommit", "codepipeline", "ecr", "ecr-public", "elbv2")}
_SERVICES["s3api"] = "s3"
_GLOBAL = ("region", "query", "output", "no-paginate")
_DOCUMENT = "cli-input-json"
_FLAGS = ("no-paginate",)


class Unknown(Exception):
    """The call is none of those that are known here."""


def main() -> int:
    """Run a call of the command line, and return the AWS CLI's exit code."""
    words = sys.argv[1:]
    try:
        return _call(words)
    except Unknown as error:
        print(f"aws {' '.join(words)}: {error}. Install the AWS CLI, 2.13 or newer.", file=sys.stderr)
        return 252
    except ClientError as error:
        print(f"\n{error}", file=sys.stderr)
        return 254
    except BotoCoreError as error:
        print(f"\n{error}", file=sys.stderr)
        return 255


def _call(words: list[str]) -> int:
    if len(words) < 2 or words[0] not in _SERVICES:
        raise Unknown(f"only calls of {', '.join(_SERVICES)} work without the AWS CLI")
    service, operation, *rest = words
    if (service, operation) == ("codecommit", "credential-helper"):
        return credential_helper(rest)
    # The file that an object is written to has no option.
    file = rest.pop(0) if operation == "get-object" and rest else ""
    options = _options(rest)
    region = options.get("region", [None])[0]
    client: Any = botocore.session.Session().create_client(_SERVICES[service], region_name=region)
    if operation == "get-login-password":
        data = client.get_authorization_token()["authorizationData"]
        token = (data[0] if isinstance(data, list) else data)["authorizationToken"]
        print(base64.b64decode(token).decode().partition(":")[2])
        return 0
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
    answer = getattr(client, xform_name(names[operation]))(**given)
    answer.pop("ResponseMetadata", None)
    if file:
        Path(file).write_bytes(answer.pop("Body").read())
    _print(answer, options.get("query", [""])[0], options.get("output", ["json"])[0])
    return 0


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


def _value(shape: Shape, values: list[str]) -> Any:
    if isinstance(shape, ListShape):
        return [_value(shape.member, [value]) for value in values]
    if isinstance(shape, StructureShape):
        return dict(part.split("=", 1) for part in values[0].split(","))
    if shape.type_name == "blob":
        return Path(values[0]).read_bytes()
    return int(values[0]) if shape.type_name in ("integer", "long") else values[0]


def _print(answer: Any, query: str, output: str) -> None:
    found = jmespath.search(query, answer) if query else answer
    if output == "json":
        print(json.dumps(found, indent=4, default=_time))
    elif output == "text" and (found is None or isinstance(found, (str, int, float))):
        print("None" if found is None else found)
    else:
        raise Unknown(f"the output {output} of this result is not known")


def _time(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
