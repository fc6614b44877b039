"""Credentials, as botocore's chain of providers finds them: fetched and checked before anything is sent with them."""

from __future__ import annotations

import os
import re
from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from scaffold.aws.botocore_failures import SIGN_IN, not_fetched
from scaffold.aws.errors import translate
from scaffold.core.errors import ScaffoldError
from scaffold.core.secrets import conceal

_SECRET_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
_OTHER_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL")
_GRAPHIC = re.compile(r"[!-~]*")


def check_variables() -> None:
    """Refuse variables whose value would break the requests: an HTTP library quotes a header that it cannot send.

    Raises:
        ScaffoldError: One of them has a control character or, among the secrets, a space or another alphabet.
    """
    for name in (*_SECRET_VARIABLES, *_OTHER_VARIABLES):
        value = os.environ.get(name, "")
        good = _GRAPHIC.fullmatch(value) if name in _SECRET_VARIABLES else value.isprintable()
        if not good:
            raise ScaffoldError(
                f"The environment variable {name} has a character that its value cannot have, such as a line break.",
                f"Set {name} again without it, or unset it, then run the same command again.",
            )


def may_ask(profile: str | None) -> bool:
    """Whether a source of credentials may ask at the terminal: for an MFA code, or whatever a program of the user asks.

    Args:
        profile: The AWS profile; None for that of the environment, or the default one.
    """
    core = botocore.session.Session(profile=profile)
    try:
        name, profiles = core.profile or "default", dict(core.full_config.get("profiles", {}))
    except BotoCoreError:  # The files cannot be parsed; that is said where they are needed.
        return False
    while found := profiles.pop(name, None):
        if "mfa_serial" in found or "credential_process" in found:
            return True
        name = found.get("source_profile", "")
    return False


def fetch(boto: Any) -> Any:
    """Fetch a boto3 session's credentials as they are at this moment, and conceal the secrets among them.

    Raises:
        ScaffoldError: There are none, they cannot be fetched, or they cannot be sent.
    """
    try:
        credentials = boto.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        frozen = credentials.get_frozen_credentials()
    except (BotoCoreError, ClientError) as error:
        raise translate(error) from error
    except Exception as error:  # the providers read files, run programs and parse what these print
        raise not_fetched(error) from error
    conceal(frozen.secret_key, frozen.token)
    for value in (frozen.access_key, frozen.secret_key, frozen.token or ""):
        if not isinstance(value, str) or not _GRAPHIC.fullmatch(value):
            raise ScaffoldError(
                f"The AWS credentials of the source {credentials.method} have a character that they cannot have, such "
                "as a space or a line break.",
                SIGN_IN,
            )
    return frozen
