"""`aws codecommit credential-helper`: gives Git the credentials of a build for a repository of CodeCommit."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TextIO

import botocore.credentials
import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import NoCredentialsError

from scaffold.engine.credentials import Credentials


def credential_helper(words: list[str], lines: TextIO = sys.stdin) -> int:
    """Answer Git with the credentials of this process's environment.

    Args:
        words: The operation and its options.
        lines: What Git says about the repository.
    """
    session = botocore.session.Session()
    keys = session.get_credentials()
    if keys is None:
        raise NoCredentialsError
    known = Credentials(keys.access_key, keys.secret_key, keys.token or "")
    sys.stdout.write(answer_git(words, lines.read(), known, session.get_config_variable("region")))
    return 0


def answer_git(words: list[str], said: str, keys: Credentials, region: str) -> str:
    """The answer to Git: user name and password for `get`, nothing for `store` and `erase`.

    Args:
        words: The operation and its options.
        said: What Git says about the repository.
    """
    if words[:1] != ["get"]:
        return ""
    given = dict(line.partition("=")[::2] for line in said.splitlines() if "=" in line)
    name = f"{keys.access_key}%{keys.token}" if keys.token else keys.access_key
    return f"username={name}\npassword={_password(keys, region, given['host'], given['path'])}\n"


def _password(keys: Credentials, region: str, host: str, path: str) -> str:
    """A time and the signature of a request with the method GIT at that time."""
    moment = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    request = AWSRequest("GIT", f"https://{host}/{path}")
    request.context["timestamp"] = moment
    known = botocore.credentials.Credentials(keys.access_key, keys.secret_key, keys.token or None)
    signer = SigV4Auth(known, "codecommit", region)
    # As by the AWS CLI, the port is not signed.
    name = host.partition(":")[0]
    to_sign = signer.string_to_sign(request, f"GIT\n/{path}\n\nhost:{name}\n\nhost\n")
    return f"{moment}Z{signer.signature(to_sign, request)}"
