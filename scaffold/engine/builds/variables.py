"""The environment variables of a build.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from scaffold.engine.builds.buildspec import Buildspec

_ARN_PARTS = 7


class Undefined(Exception):
    """A variable's parameter or secret cannot be read."""


class Variables:
    """Reads parameters and secrets, and remembers what may not appear in a log."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client
        #: Their values.
        self.hidden: set[str] = set()

    def of_project(self, given: list[dict[str, str]]) -> dict[str, str]:
        """The variables of a project and of StartBuild, by name.

        Raises:
            Undefined: One of them cannot be read.
        """
        read = {"PARAMETER_STORE": self._parameter, "SECRETS_MANAGER": self._secret}
        return {
            one["name"]: read[kind](one["value"]) if (kind := one.get("type", "PLAINTEXT")) in read else one["value"]
            for one in given
        }

    def of_buildspec(self, buildspec: Buildspec) -> dict[str, str]:
        """The variables of a buildspec. Those of the project have precedence.

        Raises:
            Undefined: One of them cannot be read.
        """
        return {
            **buildspec.variables,
            **{name: self._parameter(value) for name, value in buildspec.parameters.items()},
            **{name: self._secret(value) for name, value in buildspec.secrets.items()},
        }

    def _parameter(self, name: str) -> str:
        try:
            found = self._client("ssm").get_parameters(Names=[name], WithDecryption=True)["Parameters"]
        except ClientError as error:
            raise Undefined(f"parameter {name}: {error}") from error
        if not found:
            raise Undefined(f"parameter does not exist: {name}")
        value = str(found[0]["Value"])
        self.hidden.add(value)
        return value

    def _secret(self, reference: str) -> str:
        parts = reference.split(":")
        length = _ARN_PARTS if parts[0] == "arn" else 1
        identifier, rest = ":".join(parts[:length]), [*parts[length:], "", "", ""]
        given = {"VersionStage": rest[1], "VersionId": rest[2]}
        try:
            secret = self._client("secretsmanager").get_secret_value(
                SecretId=identifier, **{name: value for name, value in given.items() if value}
            )
        except ClientError as error:
            raise Undefined(f"secret {identifier}: {error}") from error
        value = _member(secret.get("SecretString", ""), rest[0], identifier)
        self.hidden.add(value)
        return value


def _member(text: str, key: str, identifier: str) -> str:
    if not key:
        return text
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict) or key not in document:
        raise Undefined(f"secret {identifier}: there is no key {key} in its JSON")
    value = document[key]
    return value if isinstance(value, str) else json.dumps(value)


def of_codebuild(build: Mapping[str, Any], region: str, source: str) -> dict[str, str]:
    """What CodeBuild itself sets.

    Args:
        build: The build in the form of BatchGetBuilds.
        region: Its region.
        source: The folder of its source.
    """
    given = {
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "CODEBUILD_BUILD_ARN": build["arn"],
        "CODEBUILD_BUILD_ID": build["id"],
        "CODEBUILD_BUILD_IMAGE": build["environment"].get("image", ""),
        "CODEBUILD_BUILD_NUMBER": str(build["buildNumber"]),
        "CODEBUILD_BUILD_SUCCEEDING": "1",
        "CODEBUILD_CI": "true",
        "CODEBUILD_INITIATOR": build["initiator"],
        "CODEBUILD_KMS_KEY_ID": build["encryptionKey"],
        "CODEBUILD_LOG_PATH": build["id"].rpartition(":")[2],
        "CODEBUILD_PROJECT_ARN": build["arn"].rpartition(":build/")[0] + ":project/" + build["projectName"],
        "CODEBUILD_RESOLVED_SOURCE_VERSION": build.get("resolvedSourceVersion", ""),
        "CODEBUILD_SOURCE_REPO_URL": build["source"].get("location", ""),
        "CODEBUILD_SOURCE_VERSION": build.get("sourceVersion", ""),
        "CODEBUILD_SRC_DIR": source,
        "CODEBUILD_START_TIME": str(int(build["startTime"] * 1000)),
    }
    return {name: value for name, value in given.items() if value}
