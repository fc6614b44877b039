"""AWS's errors: what each code and message means, in a sentence with its remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError, SSLError
from botocore.exceptions import ConnectionError as ConnectionFailed

from scaffold.aws.botocore_failures import SIGN_IN, explain, sentence
from scaffold.aws.quotas import remedy_for
from scaffold.core.errors import ScaffoldError

PERMISSIONS = "docs/permissions.md of gitops-scaffold"

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}
# Also codes for a clock that is wrong; a signature's message says so too.
_WRONG_TIME = {"RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"}
_SIGNED_AT_WRONG_TIME = re.compile(r"signature (has )?expired|not yet current", re.IGNORECASE)
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
_THROTTLED = {
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
# What a call gets while another process creates, changes or deletes the same stack or change set.
_CONCURRENT = {
    "ChangeSetNotFound",
    "ChangeSetNotFoundException",
    "InvalidChangeSetStatus",
    "InvalidChangeSetStatusException",
    "OperationInProgressException",
}
_CONCURRENT_CREATIONS = {"CreateStack", "CreateChangeSet"}
_BUSY = re.compile(r"is in [A-Z_]+_IN_PROGRESS state")
# What CodeCommit answers an account that it does not accept as a customer.
_NO_CUSTOMER = "OperationNotAllowedException"
_CUSTOMERS_CALLS = {"CreateRepository", "GetRepository", "ListRepositories"}
_SERVER_ERROR = 500
_NOT_AUTHORIZED = re.compile(r"not authorized to perform:? (?P<action>[\w-]+:\w+)(?: on resource:? (?P<resource>\S+))?")

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


def says_no_credentials(error: ScaffoldError) -> bool:
    """Whether a translated failure is that no credentials were found."""
    return isinstance(error.__cause__, NoCredentialsError)


def says_not_accepted(error: ScaffoldError) -> bool:
    """Whether a translated failure is that AWS does not know the credentials, as in a region that is not enabled."""
    return isinstance(error.__cause__, ClientError) and code_of(error.__cause__) in _INVALID


def says_denied(error: ClientError) -> bool:
    """Whether the caller lacks the permission for a call."""
    return code_of(error) in _DENIED or denial(message_of(error)) is not None


def may_pass(error: BotoCoreError | ClientError) -> bool:
    """Whether a failure may pass by itself: AWS throttles, is unavailable or cannot be reached at the moment."""
    if isinstance(error, ClientError):
        return code_of(error) in _THROTTLED or _status_of(error) >= _SERVER_ERROR
    return isinstance(error, (HTTPClientError, ConnectionFailed)) and not isinstance(error, SSLError)


def translate(error: BotoCoreError | ClientError) -> ScaffoldError:
    """Turn a failed call into a sentence on what happened and one on what to do."""
    return _refused(error) if isinstance(error, ClientError) else explain(error)


def denial(message: str) -> tuple[str, str] | None:
    """The action and the resource that a message of AWS or of a stack event says were denied, or None."""
    found = _NOT_AUTHORIZED.search(message)
    return (found["action"], (found["resource"] or "").rstrip(".,")) if found else None


def _refused(error: ClientError) -> ScaffoldError:
    code, message, operation = code_of(error), message_of(error), error.operation_name
    if code in _EXPIRED:
        return ScaffoldError("Your AWS credentials have expired.", SIGN_IN)
    if code in _WRONG_TIME or _SIGNED_AT_WRONG_TIME.search(message):
        return ScaffoldError(
            f"For AWS, the request has expired or lies in the future ({code}).",
            "Set the clock of this machine right; if it is, sign in again (`aws sso login`). Then run the same command "
            "again.",
        )
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
            f"Ask an administrator to allow {action}; {PERMISSIONS} lists what each command needs.",
        )
    if code == _NO_CUSTOMER and operation in _CUSTOMERS_CALLS:
        return ScaffoldError(
            "CodeCommit refuses this account as a new customer: it has no CodeCommit repository yet.",
            "Use an account, or an AWS Organization, that already has a CodeCommit repository, or ask AWS Support to "
            "enable CodeCommit for this one; then run the same command again.",
        )
    if remedy := remedy_for(f"{code}: {message}"):
        return ScaffoldError(f"AWS refused {operation} because of a limit of this account: {sentence(message)}", remedy)
    if code in _THROTTLED:
        return ScaffoldError(f"AWS is throttling requests ({operation}).", "Run the same command again in a minute.")
    if _status_of(error) >= _SERVER_ERROR:
        return ScaffoldError(
            f"AWS is unavailable at the moment ({operation}: {code}).", "Try again: run the same command in a minute."
        )
    if _is_concurrent(error):
        return ScaffoldError(
            f"Another deployment or deletion of this service is running: {sentence(message)}",
            "Wait for its end, then run the same command again, which continues from its result.",
        )
    if "TerminationProtection" in message:
        return ScaffoldError(
            f"The stack is protected from deletion: {sentence(message)}",
            "Turn the protection off with `aws cloudformation update-termination-protection "
            "--no-enable-termination-protection --stack-name NAME`, then run the same command again.",
        )
    return ScaffoldError(
        f"AWS refused {operation} ({code}): {sentence(message)}",
        "Fix what AWS reports, then run the same command again.",
    )


def _status_of(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _is_concurrent(error: ClientError) -> bool:
    code = code_of(error)
    exists = code == "AlreadyExistsException" and error.operation_name in _CONCURRENT_CREATIONS
    return exists or code in _CONCURRENT or bool(_BUSY.search(message_of(error)))


def _action_of(error: ClientError) -> str:
    """The IAM action of a call whose denial does not name it."""
    # S3's message names no action, and two S3 actions have other names than their operations.
    special = {"ListObjectVersions": "s3:ListBucketVersions", "HeadBucket": "s3:ListBucket"}
    return special.get(error.operation_name, error.operation_name)
