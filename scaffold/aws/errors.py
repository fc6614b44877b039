"""AWS's errors: what each code and message means, in a sentence with its remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as failures
from botocore.exceptions import BotoCoreError, ClientError

from scaffold.aws.quotas import remedy_for
from scaffold.core.errors import ScaffoldError

PERMISSIONS = "docs/permissions.md of gitops-scaffold"

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_INVALID = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "AuthFailure",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "MissingAuthenticationToken",
}
# S3 answers a HEAD request without a body, hence with the status code only.
_DENIED = {
    "403",
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthorizationError",
    "UnauthorizedAccess",
}
_THROTTLED = {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"}
_NOT_AUTHORIZED = re.compile(r"not authorized to perform:? (?P<action>[\w-]+:\w+)(?: on resource:? (?P<resource>\S+))?")

_SIGN_IN = "Sign in again (`aws sso login`, or new keys with `aws configure`), then run the same command again."


# CloudFormation's reasons for a change set without changes.
_NOTHING_TO_CHANGE = ("didn't contain changes", "No updates are to be performed", "no changes")


def code_of(error: ClientError) -> str:
    """The error code of AWS's response."""
    return str(error.response.get("Error", {}).get("Code", ""))


def message_of(error: ClientError) -> str:
    """The message of AWS's response."""
    return str(error.response.get("Error", {}).get("Message", "")).strip() or str(error)


@contextmanager
def suppress_code(*codes: str) -> Iterator[None]:
    """Ignore the error of a call whose code is one of these, such as `NoSuchBucket`."""
    try:
        yield
    except ClientError as error:
        if code_of(error) not in codes:
            raise


def says_no_such_stack(error: ClientError) -> bool:
    """Whether CloudFormation says that a stack does not exist."""
    return "does not exist" in message_of(error)


def says_not_imported(error: ClientError) -> bool:
    """Whether CloudFormation says that no stack imports an export."""
    return "is not imported by any stack" in message_of(error)


def says_not_updating(error: ClientError) -> bool:
    """Whether CloudFormation says that a stack has no update that could be cancelled."""
    return "CancelUpdateStack cannot be called" in message_of(error)


def says_role_not_assumable(error: ClientError) -> bool:
    """Whether CloudFormation cannot assume a service role, as in the first moments after its creation."""
    return "cannot be assumed" in message_of(error)


def says_nothing_to_change(reason: str) -> bool:
    """Whether the status reason of a failed change set means that it holds no changes."""
    return any(words in reason for words in _NOTHING_TO_CHANGE)


def says_role_exists(error: ClientError) -> bool:
    """Whether IAM says that a service-linked role exists already."""
    code = code_of(error)
    return code == "EntityAlreadyExists" or (code == "InvalidInput" and "taken" in message_of(error))


def translate(error: BotoCoreError | ClientError) -> ScaffoldError:
    """Turn a failed call into a sentence on what happened and one on what to do."""
    return _refused(error) if isinstance(error, ClientError) else _unsent(error)


def denial(message: str) -> tuple[str, str] | None:
    """The action and the resource that a message of AWS or of a stack event says were denied, or None."""
    found = _NOT_AUTHORIZED.search(message)
    return (found["action"], (found["resource"] or "").rstrip(".,")) if found else None


def _refused(error: ClientError) -> ScaffoldError:
    code, message, operation = code_of(error), message_of(error), error.operation_name
    if code in _EXPIRED:
        return ScaffoldError("Your AWS credentials have expired.", _SIGN_IN)
    if code in _INVALID:
        return ScaffoldError(
            f"AWS does not accept these credentials ({code}).",
            "Check the keys, the clock of this machine, and that the region is enabled in the account; "
            "`aws sts get-caller-identity` shows whether they work.",
        )
    denied = denial(message)
    if code in _DENIED or denied:
        action, resource = denied or (_action_of(error), "")
        on = f" on {resource}" if resource else ""
        return ScaffoldError(
            f"AWS denied {action}{on}: these credentials lack the permission.",
            f"Ask an administrator to allow {action}; {PERMISSIONS} lists all permissions for deploy and destroy.",
        )
    if code == "OperationNotAllowedException" and operation == "CreateRepository":
        return ScaffoldError(
            "CodeCommit refuses this account as a new customer: it has no CodeCommit repository yet.",
            "Use an account, or an AWS Organization, that already has a CodeCommit repository, or ask AWS Support to "
            "enable CodeCommit for this one; then run the same command again.",
        )
    if remedy := remedy_for(f"{code}: {message}"):
        return ScaffoldError(
            f"AWS refused {operation} because of a limit of this account: {_sentence(message)}", remedy
        )
    if code in _THROTTLED:
        return ScaffoldError(f"AWS is throttling requests ({operation}).", "Run the same command again in a minute.")
    if "TerminationProtection" in message:
        return ScaffoldError(
            f"The stack is protected from deletion: {_sentence(message)}",
            "Turn the protection off with `aws cloudformation update-termination-protection "
            "--no-enable-termination-protection --stack-name NAME`, then run the same command again.",
        )
    return ScaffoldError(
        f"AWS refused {operation} ({code}): {_sentence(message)}",
        "Fix what AWS reports, then run the same command again.",
    )


def _action_of(error: ClientError) -> str:
    """The IAM action of a call whose denial does not name it."""
    # S3's message names no action, and two S3 actions have other names than their operations.
    special = {"ListObjectVersions": "s3:ListBucketVersions", "HeadBucket": "s3:ListBucket"}
    return special.get(error.operation_name, error.operation_name)


def _sentence(message: str) -> str:
    text = " ".join(message.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _unsent(error: BotoCoreError) -> ScaffoldError:
    match error:
        case failures.NoCredentialsError() | failures.PartialCredentialsError():
            return ScaffoldError(
                "No AWS credentials were found.",
                "Sign in (`aws configure sso`, `aws configure`), name a profile with `--profile`, or try it without an "
                "account: `scaffold local`.",
            )
        case failures.ProfileNotFound():
            return ScaffoldError(
                f"{_sentence(str(error))}", "`aws configure list-profiles` shows the profiles of this machine."
            )
        case (
            failures.UnauthorizedSSOTokenError()
            | failures.SSOTokenLoadError()
            | failures.TokenRetrievalError()
            | failures.LoginError()
        ):
            return ScaffoldError("Your AWS sign-in has expired.", _SIGN_IN)
        case failures.CredentialRetrievalError() | failures.MetadataRetrievalError() | failures.InvalidConfigError():
            return ScaffoldError(f"AWS credentials could not be fetched: {_sentence(str(error))}", _SIGN_IN)
        case failures.ConfigParseError() | failures.ConfigNotFound():
            return ScaffoldError(f"The AWS configuration cannot be read: {_sentence(str(error))}", "Fix ~/.aws/config.")
        case failures.SSLError():
            return ScaffoldError(
                f"The TLS certificate of the connection to AWS is not trusted: {_sentence(str(error))}",
                "Behind a proxy that inspects TLS, set AWS_CA_BUNDLE to the file with its certificate.",
            )
        case failures.HTTPClientError() | failures.ConnectionError():
            return ScaffoldError(
                f"AWS cannot be reached: {_sentence(str(error))}",
                "Check the network, the proxy and AWS_ENDPOINT_URL, then run the same command again.",
            )
        case failures.NoRegionError() | failures.InvalidRegionError() | failures.UnknownEndpointError():
            return ScaffoldError(f"The region is not usable: {_sentence(str(error))}", "Check the answer `aws_region`.")
        case _:
            return ScaffoldError(
                f"The call to AWS failed: {_sentence(str(error))}",
                "Fix what it reports, then run the same command again.",
            )
