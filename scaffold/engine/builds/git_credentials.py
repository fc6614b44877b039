"""`aws codecommit credential-helper`: gives Git the credentials of a build for a repository of CodeCommit."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import NoCredentialsError


def credential_helper(words: list[str], lines: TextIO = sys.stdin) -> int:
    """Answer Git: user name and password for `get`, nothing for `store` and `erase`.

    Args:
        words: The operation and its options.
        lines: What Git says about the repository.
    """
    given = dict(line.rstrip("\n").partition("=")[::2] for line in lines if "=" in line)
    if words[:1] == ["get"]:
        session = botocore.session.Session()
        keys = session.get_credentials()
        if keys is None:
            raise NoCredentialsError
        region = session.get_config_variable("region")
        print(f"username={keys.access_key}%{keys.token}" if keys.token else f"username={keys.access_key}")
        print(f"password={_password(keys, region, given['host'], given['path'])}")
    return 0


def _password(keys: Any, region: str, host: str, path: str) -> str:
    """A time and the signature of a request with the method GIT at that time."""
    moment = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    request = AWSRequest("GIT", f"https://{host}/{path}")
    request.context["timestamp"] = moment
    signer = SigV4Auth(keys, "codecommit", region)
    # As by the AWS CLI, the port is not signed.
    name = host.partition(":")[0]
    to_sign = signer.string_to_sign(request, f"GIT\n/{path}\n\nhost:{name}\n\nhost\n")
    return f"{moment}Z{signer.signature(to_sign, request)}"
